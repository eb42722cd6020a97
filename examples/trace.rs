//! A server that records its own loop. Try: `cargo run --release --example trace`, then
//! `curl http://localhost:7777/block http://localhost:7777/worker`, `curl -o trace.json http://localhost:7777/trace`, and open
//! trace.json in <https://ui.perfetto.dev>: the blocked loop is a slice as long as it was blocked, the worker's is idle.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

use oneloop::event_loop::{self, RecordingSize, trace};
use oneloop::http::{self, Response};
use oneloop::{next_tick, set_immediate, set_timeout, worker};
use std::thread::sleep;
use std::time::Duration;

#[path = "support/port.rs"]
mod port;

/// How long each of the slow routes takes.
const LONG: Duration = Duration::from_millis(100);

fn main() -> std::io::Result<()> {
    env_logger::init();
    event_loop::start_recording(RecordingSize::default());
    // With this, each callback has a slice of its own, at the price of two readings of the clock.
    event_loop::set_exact_timing(true);
    let server = http::create_server(|req, res| match req.path() {
        "/" => res.end("/block, /worker, /later, /ticks, and /trace, which shows them\n"),
        "/block" => {
            sleep(LONG);
            res.end("Nobody else was served meanwhile\n");
        }
        "/worker" => worker::run(|| sleep(LONG), move |_| res.end("The others were served meanwhile\n")),
        "/later" => drop(set_timeout(LONG, move || res.end("A timer has answered\n"))),
        "/ticks" => {
            (0..5).for_each(|_| next_tick(|| sleep(LONG / 100)));
            set_immediate(move || res.end("An immediate has answered, after five ticks\n"));
        }
        "/trace" => send_trace(&res),
        _ => res.set_status(404).end("Not here\n"),
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Traced server", listening.address()))?;
    oneloop::run()
}

/// Sends all iterations before this one, which has not ended.
fn send_trace(res: &Response) {
    let mut file = Vec::new();
    if let Some(recording) = event_loop::recording(0)
        && let Err(error) = trace::chrome(&recording, &mut file)
    {
        res.set_status(500).end(error.to_string());
        return;
    }
    res.set_header("Content-Type", "application/json");
    res.end(file);
}
