//! Chains of the layer `app`, in a world of their own for each seed: routers within routers, of whose steps each does something else for
//! each request: it goes on, skips, answers, fails, passes an error on, panics, or gives up; at once or later. Clients ask one request
//! after the other or all at once, and some of them leave.
//!
//! What must hold, whatever the steps do: each request gets one whole answer, in order, or its connection ends. The steps of a
//! request run in the order of their registration, each once at most, and none when the exchange is over. Each exchange is over
//! once, and at the end nothing is left.

use super::random::{Random, mix};
use super::reply::Reader;
use super::{SECOND, handler, plan, reply};
use oneloop::app::{App, Next, Router};
use oneloop::event_loop::{PanicPolicy, metrics, on_panic, set_panic_policy};
use oneloop::http::{self, Error, Request, Response, Server};
use oneloop::sim::{Peer, Sim};
use oneloop::{next_tick, set_immediate, set_timeout, worker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const PORT: u16 = 80;
/// Clients come in this time, in milliseconds.
const OPENING: u64 = 1_000;
/// How deep routers may lie in routers.
const DEPTH: u64 = 3;
/// The longest that a step waits, in milliseconds.
const LATEST: u64 = 300;

#[derive(Clone, Copy, PartialEq)]
enum Act {
    Run,
    SkipRoute,
    SkipRouter,
    /// `next.fail`.
    Pass,
    /// `res.fail`.
    Fail,
    Return,
    Panic,
    Drop,
    Answer,
    /// Begins the answer, and goes on.
    Begin,
    AnswerAndRun,
    FailAndAnswer,
    Destroy,
}

const RARE: &[Act] = &[
    Act::SkipRoute,
    Act::SkipRouter,
    Act::Pass,
    Act::Fail,
    Act::Return,
    Act::Panic,
    Act::Drop,
    Act::Answer,
    Act::Begin,
    Act::AnswerAndRun,
    Act::FailAndAnswer,
    Act::Destroy,
];

struct World {
    seed: u64,
    steps: Cell<u32>,
    requests: RefCell<Vec<Asked>>,
    over: Cell<usize>,
    faults: RefCell<Vec<String>>,
}

#[derive(Default)]
struct Asked {
    /// The last step that has run.
    last: Option<u32>,
    over: bool,
}

struct Client {
    peer: Peer,
    reader: RefCell<Reader>,
    requests: Vec<u32>,
    /// How many of them were sent.
    sent: Cell<usize>,
    left: Cell<bool>,
}

/// Plays a seed. Returns what was wrong, and how many requests came to a chain.
pub fn play(seed: u64) -> (Vec<String>, u64) {
    let sim = Rc::new(Sim::with_seed(seed));
    set_panic_policy(PanicPolicy::Catch);
    let world = Rc::new(World {
        seed,
        steps: Cell::new(0),
        requests: RefCell::default(),
        over: Cell::new(0),
        faults: RefCell::default(),
    });
    let here = Rc::downgrade(&world);
    on_panic(move |panic| {
        if let Some(world) = here.upgrade().filter(|_| panic.message != handler::ON_PURPOSE) {
            world.fault(format!("{} panicked: {}", panic.what, panic.message));
        }
    });
    let mut random = Random::new(seed ^ 0x00ca_11ed);
    if random.percent(70) {
        sim.set_network(plan::rough(&mut random, false));
        sim.set_waits(plan::waits(&mut random));
    }
    match serve(&world, &mut random) {
        Ok(server) => ask(&world, &sim, &server, &mut random),
        Err(error) => world.fault(format!("the app cannot start: {error}")),
    }
    drop(sim);
    if Rc::strong_count(&world) > 1 {
        world.fault(format!("{} closures are left", Rc::strong_count(&world) - 1));
    }
    let count = world.requests.borrow().iter().filter(|asked| asked.last.is_some()).count();
    (world.faults.take().into_iter().map(|fault| format!("chains: {fault}")).collect(), count as u64)
}

// ---- The app

fn serve(world: &Rc<World>, random: &mut Random) -> std::io::Result<Server> {
    let mut app = App::new();
    let here = world.clone();
    app.with(move |req, res, next| {
        here.begin(&req, &res);
        next.run();
    });
    build(world, random, &mut app, DEPTH);
    let server = app.listen(PORT, ())?;
    let here = world.clone();
    server.on_exchange_end(move |_| here.over.set(here.over.get() + 1));
    Ok(server)
}

/// Adds some steps to a router.
fn build(world: &Rc<World>, random: &mut Random, router: &mut Router, depth: u64) {
    for _ in 0..random.below(6) {
        match random.below(if depth > 0 { 7 } else { 4 }) {
            0..=2 => {
                let step = world.step();
                router.with(move |req, res, next| step.run(&req, res, Some(next)));
            }
            3 => {
                let mut route = router.route(random.pick::<&str>(&["/a/:id", "/:which/:id", "/b{/:id}"]));
                for _ in 0..=random.below(3) {
                    let step = world.step();
                    route = route.with(move |req, res, next| step.run(&req, res, Some(next)));
                }
                drop(route);
            }
            4 | 5 => {
                router.group(random.pick::<&str>(&["/", "/a", "/b"]), |group| build(world, random, group, depth - 1));
            }
            _ => {
                let mut other = Router::new();
                build(world, random, &mut other, depth - 1);
                router.vhost(random.pick::<&str>(&["a", "*.a"]), other);
            }
        }
    }
    // These run behind all others of their router, wherever they are registered. In a router within another one, what comes behind it might
    // never run, which would be an error at the start.
    if depth == DEPTH && random.percent(50) {
        let step = world.step();
        router.not_found(move |req, res| step.run(&req, res, None));
    }
    for _ in 0..random.below(3) {
        let step = world.step();
        router.on_error(move |_error, req, res, next| step.run(&req, res, Some(next)));
    }
}

struct Step {
    world: Rc<World>,
    number: u32,
}

impl Step {
    fn run(&self, req: &Request, res: Response, next: Option<Next>) -> http::Result {
        let world = &self.world;
        let Some(id) = number(req) else { return Ok(()) };
        if let Some(asked) = world.requests.borrow_mut().get_mut(id as usize) {
            if asked.over {
                world.fault(format!("step {} of request {id}, whose exchange is over", self.number));
            }
            if asked.last.is_some_and(|last| last >= self.number) {
                world.fault(format!("step {} of request {id} behind step {:?}", self.number, asked.last));
            }
            asked.last = Some(self.number);
        }
        let mut random = Random::new(mix(world.seed ^ (u64::from(self.number) << 32) ^ u64::from(id)));
        let what = if random.percent(60) { Act::Run } else { *random.pick(RARE) };
        // What is returned late has nobody to go to, so the step gives up.
        let late = move || _ = act(what, &res, next);
        match random.below(8) {
            0 => next_tick(late),
            1 => drop(set_immediate(late)),
            2 => drop(set_timeout(Duration::from_millis(random.below(LATEST)), late)),
            3 => worker::run(|| (), move |_| late()),
            _ if what == Act::Return => {
                late();
                return Err(Error::new(409, "returned"));
            }
            _ => late(),
        }
        Ok(())
    }
}

fn act(what: Act, res: &Response, next: Option<Next>) -> http::Result {
    let run = |next: Option<Next>| next.into_iter().for_each(Next::run);
    match what {
        Act::Run => run(next),
        Act::SkipRoute => next.into_iter().for_each(Next::skip_route),
        Act::SkipRouter => next.into_iter().for_each(Next::skip_router),
        Act::Pass => next.into_iter().for_each(|next| next.fail(Error::new(418, "passed"))),
        Act::Fail => res.fail("failed"),
        Act::Return | Act::Drop => {}
        Act::Panic => handler::panic_on_purpose(),
        Act::Answer => res.end("answered"),
        Act::Begin => {
            res.write("begun ").ignore();
            run(next);
        }
        Act::AnswerAndRun => {
            res.end("answered");
            run(next);
        }
        Act::FailAndAnswer => {
            res.fail("failed");
            res.end("answered");
            run(next);
        }
        Act::Destroy => res.destroy(),
    }
    Ok(())
}

impl World {
    /// The next step in the order of registration.
    fn step(self: &Rc<World>) -> Step {
        self.steps.set(self.steps.get() + 1);
        Step { world: self.clone(), number: self.steps.get() }
    }

    /// A request is here.
    fn begin(self: &Rc<World>, req: &Request, res: &Response) {
        let Some(id) = number(req) else { return self.fault(format!("an unknown request: {}", req.path())) };
        if let Some(asked) = self.requests.borrow_mut().get_mut(id as usize)
            && asked.last.replace(0).is_some()
        {
            self.fault(format!("request {id} came twice"));
        }
        // Unlike other fields of the program, those for sharing between sites are sent after a panic as well.
        res.set_header(reply::KEPT_ID, id.to_string());
        let here = self.clone();
        res.on_close(move |_, _| {
            if let Some(asked) = here.requests.borrow_mut().get_mut(id as usize) {
                asked.over = true;
            }
        });
    }

    fn fault(&self, fault: String) {
        self.faults.borrow_mut().push(fault);
    }
}

/// The number of a request, in its path.
fn number(req: &Request) -> Option<u32> {
    req.path().rsplit('/').next()?.parse().ok()
}

// ---- The clients

fn ask(world: &Rc<World>, sim: &Rc<Sim>, server: &Server, random: &mut Random) {
    let mut clients = Vec::new();
    for _ in 0..random.between(3, 12) {
        let first = world.requests.borrow().len() as u32;
        let count = random.between(1, 6) as u32;
        world.requests.borrow_mut().extend((0..count).map(|_| Asked::default()));
        sim.advance(Duration::from_millis(random.below(OPENING / 8)));
        clients.push(Client::start(sim, (first..first + count).collect(), random));
    }
    sim.advance(60 * SECOND);
    if !server.open_exchanges().is_empty() {
        world.fault(format!("{} exchanges are open", server.open_exchanges().len()));
    }
    clients.iter().for_each(|client| client.check(world));
    server.close(());
    sim.advance(100 * SECOND);
    let came = world.requests.borrow().iter().filter(|asked| asked.last.is_some()).count();
    if world.over.get() != came {
        world.fault(format!("{came} exchanges, of which {} are over", world.over.get()));
    }
    let metrics = metrics();
    let left = [metrics.connections, metrics.listeners, metrics.timers, metrics.jobs, sim.open_fds()];
    if left.iter().any(|count| *count > 0) {
        world.fault(format!("connections, listeners, timers, jobs, descriptors: {left:?} are left"));
    }
}

impl Client {
    fn start(sim: &Rc<Sim>, requests: Vec<u32>, random: &mut Random) -> Rc<Client> {
        let client = Rc::new(Client {
            peer: sim.connect(PORT),
            reader: RefCell::new(Reader::new(Vec::new(), None)),
            requests,
            sent: Cell::new(0),
            left: Cell::new(false),
        });
        let here = Rc::downgrade(&client);
        client.peer.on_data(move |peer, _| {
            if let Some(client) = here.upgrade() {
                client.reader.borrow_mut().feed(&peer.take());
                client.send(client.reader.borrow().replies.len() + 1);
            }
        });
        client.send(if random.percent(50) { 1 } else { usize::MAX });
        if random.percent(20) {
            let (here, resets) = (Rc::downgrade(&client), random.percent(50));
            sim.at(sim.now() + Duration::from_millis(random.below(2 * LATEST)), move || {
                if let Some(client) = here.upgrade() {
                    client.left.set(true);
                    if resets { client.peer.reset() } else { client.peer.close() }
                }
            });
        }
        client
    }

    /// Sends its requests, up to this count of them.
    fn send(&self, count: usize) {
        let (sent, count) = (self.sent.get(), count.min(self.requests.len()));
        for id in self.requests.get(sent..count).unwrap_or_default() {
            let host = if id % 3 == 0 { "a" } else { "b" };
            let path = if id % 2 == 0 { "a" } else { "b" };
            self.peer.write(format!("GET /{path}/{id} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        }
        self.sent.set(sent.max(count));
    }

    fn check(&self, world: &World) {
        let reader = self.reader.borrow();
        if let Some(fault) = &reader.fault {
            world.fault(format!("a client of {:?} reads: {fault}", self.requests));
        }
        let ids: Vec<Option<u32>> = reader.replies.iter().map(|reply| reply.id).collect();
        if ids.len() > self.requests.len() || !ids.iter().zip(&self.requests).all(|(id, own)| *id == Some(*own)) {
            world.fault(format!("a client of {:?} was answered {ids:?}", self.requests));
        }
        let is_done = ids.len() == self.requests.len() && !reader.has_part();
        if !is_done && !self.left.get() && !self.peer.is_closed() {
            world.fault(format!("a client of {:?} has {ids:?}, and waits", self.requests));
        }
    }
}
