//! A message for very many: how long a `publish` holds up the loop, and how long each of the slices in which it goes out, beside the same
//! with a limit that is never reached, so that `publish` itself delivers to all.
//!
//!     cargo run --release -p oneloop-benches --bin publish [-- SUBSCRIBERS ...]
//!
//! The sockets are simulated, since a machine has no descriptors for so many. What is measured is the work of the library; to give the
//! bytes to a kernel, a pending phase has slices of its own (1,024 turns).

use oneloop::sim::{Sim, WebSocketPeer};
use oneloop::ws::{self, Endpoint, WebSocket};
use oneloop::{http, run_nowait, set_immediate};
use oneloop_benches::figures::median;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// How many messages are published, one after the other.
const MESSAGES: usize = 9;

fn main() {
    let mut counts: Vec<usize> = std::env::args().skip(1).filter_map(|count| count.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![1_000, 10_000, 100_000];
    }
    println!("subscribers  publish alone, ms  publish, ms  longest slice, ms: median of {MESSAGES} (the longest)");
    for count in counts {
        let (sim, endpoint, _kept) = hall(count);
        let whole = measure(&sim, &endpoint, usize::MAX);
        let sliced = measure(&sim, &endpoint, endpoint_default());
        let figures = |at: fn(&(f64, f64)) -> f64, of: &[(f64, f64)]| {
            let times: Vec<f64> = of.iter().map(at).collect();
            let longest = times.iter().copied().fold(0.0, f64::max);
            format!("{:.2} ({longest:.2})", median(times))
        };
        let alone = figures(|times| times.0, &whole);
        let (call, slice) = (figures(|times| times.0, &sliced), figures(|times| times.1, &sliced));
        println!("{count:>11}  {alone:>17}  {call:>11}  {slice:>17}");
    }
}

fn endpoint_default() -> usize {
    ws::Limits::default().deliveries
}

/// An endpoint with so many subscribers.
fn hall(count: usize) -> (Sim, Endpoint, Vec<WebSocketPeer>) {
    let sim = Sim::new();
    let server = http::create_server(|_req, res| res.end("page"));
    let endpoint = ws::mount(&server, "/");
    endpoint.on_open(|socket: &WebSocket, _| _ = socket.subscribe("all"));
    server.listen(80, ()).expect("a port of the simulated world");
    let peers = (0..count).map(|_| sim.websocket("/")).collect();
    assert_eq!(endpoint.subscribers("all"), count);
    (sim, endpoint, peers)
}

/// For each message, how long `publish` took, and the longest of the slices that followed, in milliseconds.
fn measure(sim: &Sim, endpoint: &Endpoint, deliveries: usize) -> Vec<(f64, f64)> {
    let mut limits = endpoint.limits();
    limits.deliveries = deliveries;
    endpoint.set_limits(limits);
    let one = || {
        // Immediates run in the order in which they were set: the slice is between these two.
        let (began, longest) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(0.0_f64)));
        let goes_on = Rc::new(Cell::new(true));
        before(began.clone(), goes_on.clone());
        let call = Instant::now();
        let published = endpoint.publish("all", "what everybody is told");
        let call = call.elapsed().as_secs_f64() * 1e3;
        assert_eq!(published.sent + published.later, endpoint.subscribers("all"));
        after(began, longest.clone(), goes_on.clone());
        while endpoint.stats().waiting > 0 {
            run_nowait().expect("a simulated world");
        }
        goes_on.set(false);
        sim.settle();
        (call, longest.get())
    };
    (0..MESSAGES).map(|_| one()).collect()
}

fn before(began: Rc<Cell<Option<Instant>>>, goes_on: Rc<Cell<bool>>) {
    set_immediate(move || {
        if goes_on.get() {
            began.set(Some(Instant::now()));
            before(began, goes_on);
        }
    });
}

fn after(began: Rc<Cell<Option<Instant>>>, longest: Rc<Cell<f64>>, goes_on: Rc<Cell<bool>>) {
    set_immediate(move || {
        if goes_on.get() {
            let took = began.get().map_or(0.0, |began: Instant| began.elapsed().as_secs_f64() * 1e3);
            longest.set(longest.get().max(took));
            after(began, longest, goes_on);
        }
    });
}
