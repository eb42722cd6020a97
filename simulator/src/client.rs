//! The HTTP client in a world of its own: servers that answer, stall, break off, close idle connections and speak out of turn, and
//! requests by chance. Each has to have one outcome; a response has to be that of its request; what must not be sent twice is not.

use super::random::Random;
use oneloop::http::{Agent, ClientRequest, RequestErrorKind};
use oneloop::net::CloseReason;
use oneloop::set_timeout;
use oneloop::sim::{Network, Peer, Sim};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

const SERVERS: u64 = 3;
/// All deadlines are over then.
const LONG: Duration = Duration::from_secs(1000);

/// What one request has come to.
#[derive(Default)]
struct Asked {
    /// It must not be sent twice.
    once: bool,
    responses: u32,
    errors: u32,
    closes: u32,
    /// The body that came whole.
    whole: Option<Vec<u8>>,
}

pub struct World {
    random: RefCell<Random>,
    asked: RefCell<Vec<Asked>>,
    /// How often each request has reached a server, whole.
    reached: RefCell<HashMap<u64, u32>>,
    faults: RefCell<Vec<String>>,
    /// Servers may send what nobody has asked for. Then a response may be one to nobody, and nobody can tell.
    liars: bool,
    /// The requests go to a server of ours, over TLS.
    secure: bool,
}

impl World {
    pub fn below(&self, end: u64) -> u64 {
        self.random.borrow_mut().below(end)
    }

    pub fn one_in(&self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A request has reached a server, whole.
    pub fn reached(&self, number: u64) {
        *self.reached.borrow_mut().entry(number).or_default() += 1;
    }

    /// The body that answers a request.
    pub fn body(number: u64) -> Vec<u8> {
        format!("<{number}>").repeat(1 + (number as usize * 37) % 300).into_bytes()
    }
}

/// Plays a seed. Returns what was wrong, and how many requests were made.
pub fn play(seed: u64, secure: bool) -> (Vec<String>, u64) {
    let sim = Rc::new(Sim::with_seed(seed));
    let world = Rc::new(World {
        random: RefCell::new(Random::new(seed ^ 0x00c1_1e47)),
        asked: RefCell::default(),
        reached: RefCell::default(),
        faults: RefCell::default(),
        liars: !secure && seed.is_multiple_of(4),
        secure,
    });
    let latency = Duration::from_micros(world.below(3000));
    sim.set_network(Network {
        latency: latency..=latency * 2,
        splits: world.one_in(2),
        partial_writes: world.one_in(2),
        read_splits: world.one_in(2),
        buffer: if world.one_in(3) { 500 } else { 64 * 1024 },
    });
    let listeners: Vec<_> = (0..SERVERS)
        .filter_map(|number| {
            let listener = sim.listen(("127.0.0.1", 8000 + number as u16)).ok()?;
            let world = world.clone();
            listener.on_accept(move |peer| serve(&world, peer));
            Some(listener)
        })
        .collect();
    let agent = Agent::new();
    #[cfg(feature = "tls")]
    let server = secure.then(|| encrypt(&world, &sim, &agent)).flatten();
    let mut limits = agent.limits();
    (limits.per_host, limits.in_all) = (1 + world.below(4) as usize, 2 + world.below(6) as usize);
    (limits.queued, limits.idle) = (20, Duration::from_millis(world.below(200)));
    agent.set_limits(limits);
    let count = if secure { 10 + world.below(20) } else { 20 + world.below(60) };
    for number in 0..count {
        ask(&world, &agent, number);
        sim.advance(Duration::from_micros(world.below(20_000)));
    }
    sim.advance(LONG);
    #[cfg(feature = "tls")]
    if let Some((server, _)) = &server {
        server.close(|| ());
        sim.advance(LONG);
        if server.connections() > 0 {
            world.faults.borrow_mut().push("connections of the server are left".to_owned());
        }
    }
    check(&world, &agent, &sim);
    drop(listeners);
    let faults = world.faults.take();
    (faults.into_iter().map(|fault| format!("client: {fault}")).collect(), count)
}

/// Has a server that is spoken to over TLS, and the agent trust it.
#[cfg(feature = "tls")]
fn encrypt(world: &Rc<World>, sim: &Rc<Sim>, agent: &Agent) -> Option<(oneloop::http::Server, oneloop::sim::Listener)> {
    let made = super::secure::client().and_then(|client| {
        agent.set_tls(&client);
        super::secure::serve(world, sim)
    });
    made.map_err(|error| world.faults.borrow_mut().push(error.to_string())).ok()
}

/// Where a request goes.
fn url(world: &World, number: u64) -> String {
    #[cfg(feature = "tls")]
    if world.secure {
        return format!("https://127.0.0.1:{}/{number}", super::secure::PORT);
    }
    format!("http://127.0.0.1:{}/{number}", 8000 + world.below(SERVERS))
}

// ---- The servers

fn serve(world: &Rc<World>, peer: &Peer) {
    let (world, mut came) = (world.clone(), Vec::new());
    peer.on_close(|peer| peer.close());
    peer.on_data(move |peer, bytes| {
        came.extend_from_slice(bytes);
        while let Some((length, number)) = whole(&came) {
            came.drain(..length);
            world.reached(number);
            let (world, peer) = (world.clone(), peer.clone());
            let after = if world.one_in(20) { 100_000 } else { world.below(5) };
            set_timeout(Duration::from_millis(after), move || answer(&world, &peer, number)).unref();
        }
    });
}

/// The length and the number of the first request, if it has come whole.
fn whole(bytes: &[u8]) -> Option<(usize, u64)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let number = text.split('/').nth(1)?.split(' ').next()?.parse().ok()?;
    if text.contains("chunked") {
        let end = bytes[head..].windows(5).position(|five| five == b"0\r\n\r\n")? + 5;
        return Some((head + end, number));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
    let length = head + length.unwrap_or(0);
    (bytes.len() >= length).then_some((length, number))
}

fn answer(world: &World, peer: &Peer, number: u64) {
    let body = World::body(number);
    let mut bytes = if world.one_in(8) { b"HTTP/1.1 103 Hints\r\n\r\n".to_vec() } else { Vec::new() };
    let closes = world.one_in(10);
    let field = if closes { "Connection: close\r\n" } else { "" };
    let until_close = world.one_in(12);
    if until_close {
        bytes.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
        bytes.extend_from_slice(&body);
    } else if world.one_in(2) {
        bytes.extend_from_slice(format!("HTTP/1.1 200 OK\r\n{field}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
        for part in body.chunks(1 + world.below(700) as usize) {
            bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        bytes.extend_from_slice(format!("HTTP/1.1 200 OK\r\n{field}Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(&body);
    }
    if world.one_in(15) {
        bytes.truncate(world.below(bytes.len() as u64) as usize);
        peer.write(bytes);
        // A body that lasts until the close would be whole.
        return if until_close || world.one_in(2) { peer.reset() } else { peer.close() };
    }
    peer.write(bytes);
    if world.liars && world.one_in(10) {
        peer.write(if world.one_in(2) { "HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n" } else { "\r\n" });
    }
    if until_close || closes {
        peer.close();
    } else if world.one_in(3) {
        let peer = peer.clone();
        set_timeout(Duration::from_millis(world.below(60)), move || peer.close()).unref();
    }
}

// ---- The requests

fn ask(world: &Rc<World>, agent: &Agent, number: u64) {
    let method = ["GET", "GET", "POST", "PUT"][world.below(4) as usize];
    let url = url(world, number);
    world.asked.borrow_mut().push(Asked { once: method == "POST", ..Asked::default() });
    let (here, wish) = (world.clone(), world.below(5));
    let req = agent.request(method, &url, move |res| {
        note(&here, number, |asked| asked.responses += 1);
        match wish {
            // Nobody reads it.
            0 => {}
            1 => {
                let paused = res.clone();
                res.on_data(|res, _| res.pause());
                oneloop::set_interval_with(Duration::from_millis(100), move |timer| {
                    paused.resume();
                    if paused.is_closed() {
                        timer.clear();
                    }
                });
            }
            2 => res.destroy(),
            _ => {
                let whole = here.clone();
                // A server that waits in vain for the rest of a request answers 408.
                let answers = res.status() == 200;
                let may_differ = here.liars || here.secure && res.status() == 408;
                if !answers && !may_differ {
                    here.faults.borrow_mut().push(format!("{number}: answered {}", res.status()));
                }
                res.read_body(1 << 20, move |body| {
                    if let Ok(body) = body
                        && answers
                    {
                        note(&whole, number, |asked| asked.whole = Some(body));
                    }
                });
            }
        }
    });
    let (failed, closed) = (world.clone(), world.clone());
    req.on_error(move |_, error| {
        note(&failed, number, |asked| asked.errors += 1);
        if error.kind() == RequestErrorKind::Invalid || error.kind() == RequestErrorKind::BadResponse && !failed.liars {
            failed.faults.borrow_mut().push(format!("{error} ({})", error.kind()));
        }
    });
    req.on_close(move |_, _: CloseReason| note(&closed, number, |asked| asked.closes += 1));
    send(world, &req, method);
}

fn send(world: &Rc<World>, req: &ClientRequest, method: &str) {
    if method == "GET" || world.one_in(2) {
        req.end(if method == "GET" { Vec::new() } else { vec![b'x'; world.below(100_000) as usize] });
    } else {
        let (left, mine) = (Cell::new(world.below(10)), req.clone());
        oneloop::set_interval_with(Duration::from_millis(1), move |timer| {
            left.set(left.get().saturating_sub(1));
            if left.get() > 0 {
                return mine.write(vec![b'y'; 3000]).ignore();
            }
            timer.clear();
            mine.end(());
        });
    }
    match world.below(30) {
        0 => req.abort(),
        1 => {
            let req = req.clone();
            set_timeout(Duration::from_millis(world.below(30)), move || req.abort());
        }
        2 => _ = req.set_timeout(Duration::from_millis(world.below(50))),
        _ => {}
    }
}

fn note(world: &World, number: u64, change: impl FnOnce(&mut Asked)) {
    if let Some(asked) = world.asked.borrow_mut().get_mut(number as usize) {
        change(asked);
    }
}

// ---- The check

fn check(world: &World, agent: &Agent, sim: &Sim) {
    let mut faults = world.faults.borrow_mut();
    for (number, asked) in world.asked.borrow().iter().enumerate() {
        if asked.responses + asked.errors != 1 || asked.closes != 1 {
            let Asked { responses, errors, closes, .. } = asked;
            faults.push(format!("{number}: {responses} responses, {errors} errors, {closes} closes"));
        }
        let reached = world.reached.borrow().get(&(number as u64)).copied().unwrap_or(0);
        if reached > if asked.once { 1 } else { 2 } {
            faults.push(format!("{number}: it has reached a server {reached} times"));
        }
        if !world.liars && asked.whole.as_ref().is_some_and(|whole| *whole != World::body(number as u64)) {
            faults.push(format!("{number}: the body is that of another request"));
        }
    }
    let stats = agent.stats();
    if !stats.hosts.is_empty() || sim.open_fds() > 0 {
        faults.push(format!("left at the end: {stats:?}, {} descriptors", sim.open_fds()));
    }
    let again: u32 = world.reached.borrow().values().map(|count| count - 1).sum();
    if u64::from(again) > stats.retried {
        faults.push(format!("{again} requests came twice, {} were sent again", stats.retried));
    }
}
