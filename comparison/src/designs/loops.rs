//! Design 2, `loops`: as many loops as threads, each with a listener of its own on the same port (`SO_REUSEPORT`); the kernel
//! deals the connections out. The loops share nothing but what the event takes.
//!
//! ```text
//!  POST /publish on loop A ──post──► every loop: answers those who wait there, adds their number
//!                          ◄──post── the last of them: the sum, and A answers
//! ```

use super::handlers::{CONTENT_TYPE, Work};
use super::one_loop::{self, Waiting};
use super::{Listening, Setup};
use oneloop::Remote;
use oneloop::http::{self, Response, Server};
use slab::Slab;
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

thread_local! {
    /// Those who wait on this loop for the event.
    static WAITING: Waiting = Waiting::default();
    /// The publishers of this loop that are owed their sum; a `Response` cannot go to another thread, its place here can.
    static PUBLISHERS: RefCell<Slab<Response>> = RefCell::default();
}

pub fn serve(setup: &Setup, listening: Listening) -> io::Result<()> {
    let all = Arc::new(OnceLock::new());
    let first = create(setup, &all);
    one_loop::listen(&first, setup, setup.port, true)?;
    let port = one_loop::port(&first)?;

    let (sender, started) = mpsc::channel::<io::Result<Remote>>();
    for number in 1..setup.threads {
        let (setup, all, sender) = (setup.clone(), all.clone(), sender.clone());
        thread::Builder::new().name(format!("loop {number}")).spawn(move || {
            let server = create(&setup, &all);
            let listens = one_loop::listen(&server, &setup, port, true).map(|()| oneloop::remote());
            // The first loop waits for this.
            let _ = sender.send(listens);
            oneloop::run()
        })?;
    }
    let mut remotes = vec![oneloop::remote()];
    for started in started.iter().take(setup.threads - 1) {
        remotes.push(started?);
    }
    // It was empty: nobody else fills it.
    let _ = all.set(remotes);
    listening(port);
    oneloop::run()
}

fn create(setup: &Setup, all: &Arc<OnceLock<Vec<Remote>>>) -> Server {
    let (work_per_ms, all, waiting) = (setup.work_per_ms, all.clone(), WAITING.with(Waiting::clone));
    http::create_server(move |req, res| match Work::of(req.method(), req.path(), req.query()) {
        Work::Publish => publish(all.get().map_or(&[], Vec::as_slice), res),
        _ => one_loop::answer(&req, res, work_per_ms, &waiting),
    })
}

/// What the loops that answer their waiting peers add up.
struct Tally {
    woken: AtomicUsize,
    /// Loops that have not added theirs.
    left: AtomicUsize,
}

fn publish(loops: &[Remote], res: Response) {
    res.set_header("Content-Type", CONTENT_TYPE);
    let publisher = PUBLISHERS.with_borrow_mut(|publishers| publishers.insert(res));
    let tally = Arc::new(Tally { woken: AtomicUsize::new(0), left: AtomicUsize::new(loops.len()) });
    for remote in loops {
        let (tally, home) = (tally.clone(), oneloop::remote());
        let woken = remote.post(move || {
            tally.woken.fetch_add(WAITING.with(Waiting::wake), Ordering::AcqRel);
            if tally.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                let sum = tally.woken.load(Ordering::Acquire);
                // A loop that has ended owes no answer.
                let _ = home.post(move || answer_publisher(publisher, sum));
            }
        });
        // No loop of this process ends before the process.
        let _ = woken;
    }
}

fn answer_publisher(publisher: usize, sum: usize) {
    if let Some(res) = PUBLISHERS.with_borrow_mut(|publishers| publishers.try_remove(publisher)) {
        res.end(sum.to_string());
    }
}
