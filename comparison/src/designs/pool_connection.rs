//! Design 3, `pool-connection`: a fixed pool; a thread owns a connection until it closes.
//!
//! ```text
//!  acceptor ──► queue (as long as the pool) ──► thread: reads, answers, waits for the next request of its connection …
//!     └ waits while the queue is full; then connections stay in the kernel's backlog
//! ```
//!
//! While connections wait and no thread is free, an answer closes its connection (as Tomcat's blocking connector did): peers
//! connect again and take turns, where else those beyond the size of the pool would get nothing at all. What this design
//! cannot help is a connection that is idle or slow: it keeps its thread until the deadline. Those who wait for
//! the event keep theirs too, so that it takes more threads than waiting peers: one must be left for the publisher.

use super::blocking::{Desk, Service, accept_each, listen};
use super::{Listening, Setup};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What a thread reads at a time: as much as oneloop does.
const INPUT: usize = 64 * 1024;

pub fn serve(setup: Setup, listening: Listening) -> io::Result<()> {
    let listener = listen(&setup)?;
    let service = Arc::new(Service::new(setup));
    let setup = &service.setup;
    let (queue, accepted) = crossbeam_channel::bounded(setup.threads);
    // A thread that has taken a connection and not yet said so makes this one too many, never too few.
    let idle = Arc::new(AtomicUsize::new(setup.threads));
    for number in 0..setup.threads {
        let (service, accepted, idle) = (service.clone(), accepted.clone(), idle.clone());
        thread::Builder::new().name(format!("pool {number}")).spawn(move || {
            let mut desk = Desk::new(&service.setup.limits, INPUT);
            for connection in &accepted {
                idle.fetch_sub(1, Ordering::Relaxed);
                // A handler that panics costs its connection, not a thread of the pool.
                let served = catch_unwind(AssertUnwindSafe(|| {
                    let wanted = || idle.load(Ordering::Relaxed) == 0 && !accepted.is_empty();
                    service.serve(&mut desk, connection, wanted);
                }));
                if served.is_err() {
                    desk = Desk::new(&service.setup.limits, INPUT);
                }
                idle.fetch_add(1, Ordering::Relaxed);
            }
        })?;
    }
    listening(listener.local_addr()?.port());
    // The pool never ends, so that the queue has a reader.
    accept_each(&listener, &setup.limits, |connection| drop(queue.send(connection)))
}
