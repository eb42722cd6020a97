//! Blocking work on other threads, with the result back on the loop.
//!
//! A callback that computes for long, reads a file or asks a database holds up every other callback of its loop.
//! [`run`] does such work on one of a few worker threads (libuv's thread pool): `work` goes there, `done` stays and is
//! called by the loop. Only `work` and its result need be `Send`; `done` may capture any handle.
//!
//! ```
//! use oneloop::worker;
//!
//! worker::run(
//!     || (1..=20_u64).product::<u64>(), // on a worker thread
//!     |result| match result {
//!         // on the loop
//!         Ok(factorial) => println!("20! = {factorial}"),
//!         Err(error) => eprintln!("{error}"),
//!     },
//! );
//! oneloop::run().unwrap();
//! ```
//!
//! Each loop has its own threads. They are started with the first jobs and end with the loop, once their current job is
//! done. In a simulation the work is done without threads, in virtual time.

use crate::callback::discard;
use crate::event_loop::{JobError, current};
use std::fmt;
use std::io;
use std::panic::Location;

/// Runs `work` on a worker thread and hands what it returns to `done`, which the loop calls once, in its poll phase,
/// never from inside this call. The loop goes on until then. Jobs begin in the order in which they were handed over.
///
/// `done` gets an [`Error`] where `work` panicked, and where the queue is full: 4 jobs run at a time and 1024 wait, unless
/// [`configure`] says otherwise. A panic of `done` is like one of any callback.
///
/// Where the loop ends first (its thread is over), `done` is dropped without being called.
#[track_caller]
pub fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    done: impl FnOnce(Result<T, Error>) + 'static,
) {
    let Some(lp) = current() else {
        discard(work);
        discard(done);
        return;
    };
    let site = Location::caller();
    lp.run_job(
        site,
        move || Box::new(work()),
        Box::new(move |result| {
            done(match result {
                Ok(value) => match value.downcast::<T>() {
                    Ok(value) => Ok(*value),
                    Err(_) => unreachable!("a job has the result of another"),
                },
                Err(error) => Err(Error(error)),
            });
        }),
    );
}

/// Sets how many worker threads this thread's loop may have and how many jobs may wait for one (each at least 1).
///
/// To be called before the first job: threads that were started already are not ended.
///
/// More threads than the default of 4 are for work that waits (files, databases, other programs); for work that computes,
/// more threads than cores make nothing faster.
pub fn configure(threads: usize, queue: usize) {
    if let Some(lp) = current() {
        lp.driver().configure_pool(threads, queue);
    }
}

/// Why a job has no result.
#[derive(Debug)]
pub struct Error(JobError);

impl Error {
    /// Did the work panic? The message of the panic is part of this error's text.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, JobError::Panicked(_))
    }

    /// Was the job refused, since too many wait already? The work has not begun and never will.
    pub fn is_queue_full(&self) -> bool {
        matches!(self.0, JobError::QueueFull)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            JobError::Panicked(message) => write!(f, "the work panicked on its worker thread: {message}"),
            JobError::QueueFull => f.write_str(
                "the workers' queue is full: hand over fewer jobs at a time, or allow more with worker::configure",
            ),
        }
    }
}

impl std::error::Error for Error {}

/// For work that returns an `io::Result`: `result.unwrap_or_else(|error| Err(error.into()))`.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}
