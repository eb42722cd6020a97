//! One simulated run: a seed makes a plan, the plan a world, and at the end all of it is checked.
//!
//! ```text
//!   seed ─► plan ─► peers  ◄── the simulated network ──► the whole library ─► handlers
//!                     │                                                          │
//!                     └───────────► ledger: what happened ◄──────────────────────┘
//!                                      └─► check, trace
//! ```
//! Beside this world each seed has others: of WebSockets (`sockets`), of the HTTP client (`client`), and of apps (`chains`).

// The tests of the library include this folder, with any of its features.
#[cfg(feature = "app")]
mod chains;
mod check;
mod client;
mod content;
mod handler;
mod ledger;
mod peer;
mod plan;
mod random;
mod reply;
#[cfg(feature = "tls")]
mod secure;
mod sockets;
mod wire;

use ledger::{Door, Ledger};
use oneloop::event_loop::{PanicPolicy, metrics, on_panic, set_panic_policy};
use oneloop::http;
use oneloop::sim::Sim;
use peer::Client;
use plan::{Plan, Shutdown};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const PORT: u16 = 80;
const SECOND: Duration = Duration::from_secs(1);
/// All deadlines of a peer are over then, and all that it waits for has come.
const LONG: Duration = Duration::from_secs(11_000);
/// What one reading of the kernel gives, which is kept whole where nobody takes it.
const LANDING: usize = 64 * 1024;
/// Heads, chunks' framing and informational responses, beside a single write.
const FRAMING: usize = 4096;
/// In one of so many seeds the client has a second world, in which it speaks TLS: handshakes take their time.
#[cfg(feature = "tls")]
const SECURE: u64 = 8;

type Clients = Rc<RefCell<Vec<Rc<Client>>>>;

/// What became of a seed.
#[derive(Default)]
pub struct Outcome {
    pub connections: u64,
    pub requests: u64,
    pub answered: u64,
    /// WebSockets, and the messages that they were sent.
    pub sockets: u64,
    pub messages: u64,
    /// Requests that the client made, in a world of its own.
    pub asked: u64,
    pub closes: Vec<(&'static str, u64)>,
    pub time: Duration,
    pub trace: u64,
    /// Requests that came to a chain of `app`, in a world of its own.
    pub chained: u64,
    /// What was found wrong.
    pub faults: Vec<String>,
}

/// Runs a seed, in a world that has to give back all its memory.
pub fn run(seed: u64, verbose: bool) -> Outcome {
    // Made once, and kept.
    content::of_tunnel(0, 1);
    drop(oneloop::ws::Endpoint::new());
    let mut outcome = Outcome::default();
    let memory = allocation_counter::measure(|| {
        outcome = play_out(seed, verbose);
        let sockets = sockets::run(seed, verbose);
        (outcome.sockets, outcome.messages) = (sockets.sockets, sockets.messages);
        outcome.trace = random::mix(outcome.trace ^ sockets.trace);
        outcome.faults.extend(sockets.faults);
    });
    let (mut of_client, asked) = ask(seed, false);
    outcome.asked = asked;
    #[cfg(feature = "tls")]
    if seed % SECURE == SECURE - 1 {
        secure::prepare();
        let (faults, asked) = ask(seed, true);
        of_client.extend(faults.into_iter().map(|fault| format!("over TLS, {fault}")));
        outcome.asked += asked;
    }
    let own = i64::from(!outcome.closes.is_empty());
    if outcome.faults.is_empty() && memory.count_current != own {
        outcome.faults.push(format!("{} allocations left at the end", memory.count_current - own));
    }
    outcome.faults.append(&mut of_client);
    #[cfg(feature = "app")]
    {
        let mut of_chains = (Vec::new(), 0);
        let memory = allocation_counter::measure(|| of_chains = chains::play(seed));
        let own = i64::from(of_chains.0.capacity() > 0);
        if of_chains.0.is_empty() && memory.count_current != own {
            of_chains.0.push(format!("chains: {} allocations left at the end", memory.count_current - own));
        }
        outcome.chained = of_chains.1;
        outcome.faults.append(&mut of_chains.0);
    }
    outcome
}

/// Has the client ask, in a world of its own that has to give back all its memory. Returns what was wrong, and how often it has asked.
fn ask(seed: u64, secure: bool) -> (Vec<String>, u64) {
    let mut outcome = (Vec::new(), 0);
    let memory = allocation_counter::measure(|| outcome = client::play(seed, secure));
    if outcome.0.is_empty() && memory.count_current != 0 {
        outcome.0.push(format!("client: {} allocations left at the end", memory.count_current));
    }
    outcome
}

fn play_out(seed: u64, verbose: bool) -> Outcome {
    let ledger = Ledger::new(Plan::of(seed), verbose);
    let sim = Rc::new(Sim::with_seed(seed));
    set_panic_policy(PanicPolicy::Catch);
    let here = Rc::downgrade(&ledger);
    on_panic(move |panic| {
        if let Some(ledger) = here.upgrade().filter(|_| panic.message != handler::ON_PURPOSE) {
            ledger.fault(format_args!("{} panicked: {}", panic.what, panic.message));
        }
    });
    let clients = play(&ledger, &sim);
    let metrics = metrics();
    let outcome = Outcome {
        connections: ledger.plan.connections.len() as u64,
        requests: ledger.exchanges.borrow().len() as u64,
        answered: clients.iter().map(|client| client.reader.borrow().replies.len() as u64).sum(),
        closes: metrics.closes,
        time: sim.now() - Duration::from_millis(ledger.plan.delay),
        ..Outcome::default()
    };
    drop(clients);
    let (closures, handlers) = (ledger.closures.get(), Rc::strong_count(&ledger) - 1);
    if closures != 0 || handlers != 0 {
        ledger.fault(format_args!("kept at the end: {closures} closures of exchanges, {handlers} others"));
    }
    drop(sim);
    Outcome { trace: ledger.trace.get(), faults: ledger.faults.take(), ..outcome }
}

/// All of it, up to the check.
fn play(ledger: &Rc<Ledger>, sim: &Rc<Sim>) -> Vec<Rc<Client>> {
    let plan = &ledger.plan;
    sim.set_network(plan.network.clone());
    sim.set_waits(plan.waits.clone());
    sim.advance(Duration::from_millis(plan.delay));
    serve(ledger);
    let clients: Clients = Rc::default();
    schedule(ledger, sim, &clients);
    pass(ledger, sim, LONG);
    check::waits(ledger, &clients.borrow());
    for client in clients.borrow().iter() {
        client.peer.resume_reading();
    }
    pass(ledger, sim, 400 * SECOND);
    check::waits(ledger, &clients.borrow());
    // A handler may keep its response for ever; at the end it does not. Tunnels are left by their peers.
    ledger.kept.take();
    for client in clients.borrow().iter().filter(|client| client.plan().tunnel.is_some()) {
        client.finish();
    }
    pass(ledger, sim, 100 * SECOND);
    let told = ledger.told.get();
    close(ledger);
    pass(ledger, sim, 400 * SECOND);
    check::rest(ledger, &clients.borrow(), sim.open_fds());
    if ledger.told.get() != told + 1 {
        ledger.fault("who closed the server at the end was not told so once");
    }
    ledger.server.take();
    clients.take()
}

/// Has the server listen. It stays with the ledger, so that its handlers can reach it.
fn serve(ledger: &Rc<Ledger>) {
    let here = ledger.clone();
    let server = http::create_server(move |req, res| handler::handle(&here, req, res, Door::Request));
    let plan = &ledger.plan;
    server
        .set_limits(plan.limits())
        .set_max_requests_per_socket(plan.max_requests)
        .set_max_connections(plan.max_connections);
    handler::attach(ledger, &server);
    if let Err(error) = server.listen(PORT, || ()) {
        ledger.fault(format_args!("it cannot listen: {error}"));
    }
    *ledger.server.borrow_mut() = Some(server);
}

/// What happens when.
fn schedule(ledger: &Rc<Ledger>, sim: &Rc<Sim>, clients: &Clients) {
    let plan = &ledger.plan;
    for (number, connection) in plan.connections.iter().enumerate() {
        let (ledger, clients) = (ledger.clone(), clients.clone());
        at(sim, connection.at, move |sim| {
            let client = Client::start(sim, &ledger, number as u32);
            clients.borrow_mut().push(client);
        });
    }
    if let Some(fault) = &plan.fds {
        let (limit, system) = (Some(fault.limit), fault.system);
        at(sim, fault.during.start, move |sim| {
            _ = if system { sim.set_system_fd_limit(limit) } else { sim.set_fd_limit(limit) };
        });
        at(sim, fault.during.end, |sim| _ = sim.set_fd_limit(None));
    }
    for (when, time) in &plan.stops {
        let time = Duration::from_millis(*time);
        at(sim, *when, move |sim| sim.stop(time));
    }
    for abort in &plan.aborts {
        at(sim, *abort, |sim| sim.abort_next_accept());
    }
    for fault in &plan.calls {
        let (after, kind) = (fault.after, fault.kind);
        at(sim, fault.at, move |sim| sim.fail_call(after, kind));
    }
    if plan.shutdown != Shutdown::Last {
        let ledger = ledger.clone();
        at(sim, plan.shutdown_at, move |_| shut(&ledger));
    }
}

fn at(sim: &Rc<Sim>, millis: u64, script: impl FnOnce(&Rc<Sim>) + 'static) {
    let weak = Rc::downgrade(sim);
    sim.at(Duration::from_millis(millis), move || {
        if let Some(sim) = weak.upgrade() {
            script(&sim);
        }
    });
}

/// Ends the server among the traffic, as planned.
fn shut(ledger: &Rc<Ledger>) {
    let Some(server) = ledger.server.borrow().clone() else { return };
    ledger.event("shut", 0);
    if ledger.plan.shutdown == Shutdown::Idle {
        return server.close_idle_connections();
    }
    ledger.shut.set(true);
    close(ledger);
    match ledger.plan.shutdown {
        Shutdown::All => server.close_all_connections(),
        Shutdown::Again => {
            let here = ledger.clone();
            server.close(move || {
                here.closed.set(false);
                let server = here.server.borrow().clone();
                if let Some(Err(error)) = server.map(|server| server.listen(PORT, || ())) {
                    here.fault(format_args!("it cannot listen again: {error}"));
                }
            });
        }
        _ => {}
    }
}

fn close(ledger: &Rc<Ledger>) {
    let here = ledger.clone();
    let server = ledger.server.borrow().clone();
    if let Some(server) = server {
        server.close(move || {
            here.event("server closed", 0);
            here.told.set(here.told.get() + 1);
        });
    }
}

/// Lets time pass, and looks at the memory of connections after each iteration.
fn pass(ledger: &Rc<Ledger>, sim: &Sim, time: Duration) {
    let limits = ledger.plan.limits();
    let input = LANDING.max(limits.held_input).max(limits.head_bytes + 1);
    let each = || {
        ledger.iteration.set(ledger.iteration.get() + 1);
        let bound = input + limits.pending_output + ledger.largest_write.get() + FRAMING;
        let largest = metrics().largest_buffer;
        if largest > bound {
            ledger.fault(format_args!("a connection has {largest} bytes buffered, more than {bound}"));
        }
        false
    };
    sim.run_until(each, time);
    sim.settle();
}
