//! Blocking work on other threads, with the result back on the loop.
//!
//! A callback that computes for long, reads a file or asks a database holds up every other callback of its loop. [`run`] does
//! such work on one of a few worker threads (libuv's thread pool): `work` runs on that thread; `done` stays on the loop's thread
//! and is called by the loop. Only `work` and its result need be `Send`; `done` may capture any handle.
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
//! Each loop has its own threads. A new thread is started when a job is given and no thread is free. All threads end with the
//! loop, each of them once its current job is done. In a simulation the work is done without threads, in virtual time.
//!
//! # Lanes
//! The library has blocking work of its own: it reads files and looks names up. Such jobs have queues and threads of their
//! own, so that your jobs and the library's never wait for each other: four jobs that wait for a database for seconds do not
//! hold up a file, and a name server that does not answer holds up look-ups only. By default there are at most 4 threads for
//! your jobs, 4 for files and 2 for look-ups.
//!
//! # How long a job may take
//! There is no limit while anything else keeps the loop running. When only jobs are left, [`run`](crate::run) waits for them, by
//! default at most 300 s (see [`set_grace`]), so that the program can end although a job is stuck. The log names the lines where
//! those jobs were given.

use crate::callback::{Site, discard};
use crate::event_loop::driver::Lane;
use crate::event_loop::{JobError, current};
use std::fmt;
use std::io;
use std::panic::Location;
use std::time::Duration;

/// Runs `work` on a worker thread and passes its result to `done`. The loop calls `done` once, in its poll phase, never from
/// inside this call. The loop keeps running until then, or until the time set by [`set_grace`] has passed. Jobs begin in the
/// order in which they were handed over.
///
/// `done` gets an [`Error`] if `work` panicked, if the queue is full (by default 4 of your jobs run at a time and 1024 wait, see
/// [`set_pool_size`]), or if the system cannot start a thread. A panic of `done` is treated like a panic of any callback.
///
/// If the loop ends first (because its thread ends), `done` is dropped without being called.
#[track_caller]
pub fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    done: impl FnOnce(Result<T, Error>) + 'static,
) {
    start(Lane::Program, Location::caller(), work, done);
}

/// As [`run`], for the library's own work, which has its own queues and does not wait for the program's jobs.
#[track_caller]
pub(crate) fn run_for_library<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    done: impl FnOnce(Result<T, Error>) + 'static,
) {
    start(Lane::Library, Location::caller(), work, done);
}

fn start<T: Send + 'static>(
    lane: Lane,
    site: Site,
    work: impl FnOnce() -> T + Send + 'static,
    done: impl FnOnce(Result<T, Error>) + 'static,
) {
    let Some(lp) = current() else {
        discard(work);
        discard(done);
        return;
    };
    lp.run_job(
        lane,
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

/// Sets how many jobs of [`run`] this thread's loop may do at a time, on as many worker threads, and how many may wait for a
/// thread (each at least 1). The defaults are 4 and 1024.
///
/// Call it before the first job: threads that were started already are not ended. If `threads` is above the default, the
/// library's own jobs get more threads too: `threads` for files and half of it for look-ups. A lower number does not change
/// these.
///
/// More threads than the default help with work that waits (files, databases, other programs). For work that computes, more
/// threads than cores make nothing faster.
pub fn set_pool_size(threads: usize, queue: usize) {
    if let Some(lp) = current() {
        lp.driver().configure_pool(threads, queue);
    }
}

/// Sets how long [`oneloop::run`](crate::run) goes on when only jobs keep this thread's loop running: 300 s by default,
/// and the time starts again when a job ends. After 8 s the log (target `oneloop::loop`, at *warn*) names the source lines
/// that started the jobs. When the time is over, `run` gives up these jobs, logs that, and returns. Their `done` is then not
/// called, unless the loop is run again before its thread ends. `Duration::MAX` waits for ever, as Node does.
///
/// A worker thread cannot be ended from outside: it goes on until its work is done or the process ends.
///
/// ```
/// use oneloop::worker;
/// use std::time::Duration;
///
/// worker::set_grace(Duration::from_millis(20));
/// worker::run(|| std::thread::sleep(Duration::from_secs(3600)), |_| unreachable!("it is stuck"));
/// oneloop::run()?; // ends nevertheless
/// # std::io::Result::Ok(())
/// ```
pub fn set_grace(grace: Duration) {
    if let Some(lp) = current() {
        lp.set_job_grace(grace);
    }
}

/// The reason why a job has no result.
#[derive(Debug)]
pub struct Error(JobError);

impl Error {
    /// Returns whether the work panicked. The message of the panic is part of this error's text.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, JobError::Panicked(_))
    }

    /// Returns whether the job was refused because too many jobs wait already. The work has not begun and never will.
    pub fn is_queue_full(&self) -> bool {
        matches!(self.0, JobError::QueueFull)
    }

    /// Returns whether the job was refused because there is no worker thread and the system cannot start one: there are too many
    /// threads or there is too little memory. The work has not begun and never will. The system's error is the
    /// [`source`](std::error::Error::source).
    pub fn is_no_thread(&self) -> bool {
        matches!(self.0, JobError::NoThread(_))
    }

    /// Returns whether the work was not begun.
    pub(crate) fn is_refusal(&self) -> bool {
        self.is_queue_full() || self.is_no_thread()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            JobError::Panicked(message) => write!(f, "the work panicked on its worker thread: {message}"),
            JobError::QueueFull => f.write_str(
                "the workers' queue is full: hand over fewer jobs at a time, or allow more with worker::set_pool_size",
            ),
            JobError::NoThread(error) => write!(f, "no worker thread can be started: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            JobError::NoThread(error) => Some(error),
            JobError::QueueFull | JobError::Panicked(_) => None,
        }
    }
}

/// For work that returns an `io::Result`: `result.unwrap_or_else(|error| Err(error.into()))`.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}
