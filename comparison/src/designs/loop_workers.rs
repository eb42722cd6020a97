//! Design 6, `loop-workers`: one loop for the connections, and its worker pool for what waits or computes.
//!
//! Node's and libuv's answer to blocking work. `/wait` sleeps on a worker here, as a call to a blocking database client
//! would; `/block` is the mistake of not handing it over, and stays on the loop.

use super::handlers::{self, CONTENT_TYPE, DONE, Work};
use super::one_loop::{self, Waiting};
use super::{Listening, Setup};
use oneloop::http::{self, Request, Response};
use oneloop::worker;
use std::io;
use std::thread;

/// Jobs that may wait for a worker; beyond it the answer is 503. As many as one client of ours may have connections, so
/// that a closed loop is never refused here where the other designs let it wait.
const QUEUE: usize = 10_240;

pub fn serve(setup: &Setup, listening: Listening) -> io::Result<()> {
    worker::set_pool_size(setup.threads, QUEUE);
    let (work_per_ms, waiting) = (setup.work_per_ms, Waiting::default());
    let server = http::create_server(move |req, res| answer(&req, res, work_per_ms, &waiting));
    one_loop::listen(&server, setup, setup.port, false)?;
    listening(one_loop::port(&server)?);
    oneloop::run()
}

fn answer(req: &Request, res: Response, work_per_ms: u64, waiting: &Waiting) {
    match Work::of(req.method(), req.path(), req.query()) {
        Work::Wait(time) => hand_over(res, move || {
            thread::sleep(time);
            DONE.to_owned()
        }),
        Work::Cpu(ms) => hand_over(res, move || handlers::burn(ms * work_per_ms)),
        _ => one_loop::answer(req, res, work_per_ms, waiting),
    }
}

fn hand_over(res: Response, work: impl FnOnce() -> String + Send + 'static) {
    worker::run(work, move |result| {
        res.set_header("Content-Type", CONTENT_TYPE);
        match result {
            Ok(text) => res.end(text),
            Err(error) if error.is_queue_full() => res.set_status(503).end("503 Service Unavailable\n"),
            Err(error) => res.set_status(500).end(error.to_string()),
        }
    });
}
