//! WebSockets, in a world of their own for each seed: guests that are good, slow, silent, wrong, or gone, and a hall that does what they ask
//! for: it answers, publishes, closes, panics.
//!
//! What must hold, whatever happens: each socket opens once and closes once, and nothing is told of it before or after. What a guest
//! has sent is told whole, in order and once. What it receives is what it was sent, by `send` and by `publish`, in the order of the
//! calls, with no gap. Where both have said that they close, nothing is missing either. A published message is for exactly the
//! sockets that have subscribed by then and are open. At the end nothing is left.

mod hall;
mod plan;

use super::SECOND;
use super::random::mix;
use hall::Hall;
use oneloop::event_loop::{PanicPolicy, metrics, on_panic, set_panic_policy};
use oneloop::sim::Sim;
use oneloop::{http, set_timeout, ws};
use plan::{Ending, MS, Plan};
use std::rc::Rc;
use std::time::Duration;

const PORT: u16 = 80;

/// What became of the WebSockets of a seed.
#[derive(Default)]
pub struct Outcome {
    pub sockets: u64,
    /// Messages that guests have received.
    pub messages: u64,
    pub trace: u64,
    pub faults: Vec<String>,
}

pub fn run(seed: u64, verbose: bool) -> Outcome {
    let sim = Rc::new(Sim::with_seed(seed));
    set_panic_policy(PanicPolicy::Catch);
    let endpoint = ws::Endpoint::new();
    let hall = Hall::new(Plan::of(seed), endpoint.clone(), verbose);
    let here = Rc::downgrade(&hall);
    on_panic(move |panic| {
        if let Some(hall) = here.upgrade().filter(|_| panic.message != super::handler::ON_PURPOSE) {
            hall.fault(format_args!("{} panicked: {}", panic.what, panic.message));
        }
    });
    let server = serve(&hall, &endpoint);
    play(&hall, &sim, &server);
    let outcome = hall.outcome();
    // The listeners have the hall, and the hall the endpoint.
    hall.leave();
    drop((server, endpoint));
    if Rc::strong_count(&hall) > 1 {
        hall.fault(format_args!("{} closures are left", Rc::strong_count(&hall) - 1));
    }
    drop(sim);
    Outcome { faults: hall.take_faults(), ..outcome }
}

/// The server: half of the guests are accepted by its handler, a while after they have asked.
fn serve(hall: &Rc<Hall>, endpoint: &ws::Endpoint) -> http::Server {
    endpoint.set_limits(hall.plan.limits());
    hall::attach(hall, endpoint);
    let own = endpoint.clone();
    let server = http::create_server(move |req, res| {
        if req.path().starts_with("/late/") {
            let endpoint = own.clone();
            set_timeout(20 * MS, move || drop(endpoint.accept(&req, res)));
        } else {
            own.accept(&req, res);
        }
    });
    if let Err(error) = server.listen(PORT, || ()) {
        hall.fault(format_args!("it cannot listen: {error}"));
    }
    server
}

fn play(hall: &Rc<Hall>, sim: &Rc<Sim>, server: &http::Server) {
    let plan = &hall.plan;
    sim.set_network(plan.network.clone());
    sim.set_waits(plan.waits.clone());
    hall::schedule(hall, sim);
    let (ending, server_of_end, here) = (plan.ending, server.clone(), hall.clone());
    if ending != Ending::Last {
        sim.at(plan.end_at, move || {
            here.shut.set(true);
            match ending {
                Ending::Server => server_of_end.close(|| ()),
                _ => here.close_all(),
            }
        });
    }
    pass(hall, sim, 60 * SECOND);
    hall.resume_all();
    pass(hall, sim, 400 * SECOND);
    hall.check_waits();
    // Those who are left go: some by themselves, the others are told to.
    hall.say_farewell();
    pass(hall, sim, 60 * SECOND);
    server.close(|| ());
    pass(hall, sim, 100 * SECOND);
    hall.check();
    let metrics = metrics();
    for (what, count) in [
        ("connections", metrics.connections),
        ("listeners", metrics.listeners),
        ("timers", metrics.timers),
        ("bytes buffered", metrics.buffered),
        ("file descriptors", sim.open_fds()),
    ] {
        if count > 0 {
            hall.fault(format_args!("{what}: {count} left at the end"));
        }
    }
}

/// Lets time pass, and looks at the memory of connections after each iteration.
fn pass(hall: &Rc<Hall>, sim: &Sim, time: Duration) {
    let limits = hall.plan.limits();
    let bound = super::LANDING + limits.max_pending + 2 * hall::LARGEST + super::FRAMING;
    let each = || {
        let largest = metrics().largest_buffer;
        if largest > bound {
            hall.fault(format_args!("a socket has {largest} bytes buffered, more than {bound}"));
        }
        false
    };
    sim.run_until(each, time);
    sim.settle();
}

/// A number for the content of a message.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
        ^ mix(bytes.len() as u64)
}
