use super::Error;
use crate::callback::{Site, discard};
use crate::event_loop::driver::Lane;
use crate::event_loop::{JobResult, current};
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

/// Does what [`run`] does, for the library's own work. This work has queues of its own, and does not wait for the program's
/// jobs.
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
    lp.run_job(lane, site, move || Box::new(work()), Box::new(typed(done)));
}

/// Gives `done` the type of the result back.
pub(super) fn typed<T: 'static>(done: impl FnOnce(Result<T, Error>) + 'static) -> impl FnOnce(JobResult) + 'static {
    move |result| {
        done(match result {
            Ok(value) => match value.downcast::<T>() {
                Ok(value) => Ok(*value),
                Err(_) => unreachable!("a job has the result of another"),
            },
            Err(error) => Err(Error(error)),
        });
    }
}

/// Sets how many jobs of [`run`] this thread's loop may do at a time, on as many worker threads, and how many may wait for a
/// thread (each at least 1). The defaults are 4 and 1024.
///
/// Call it before the first job: threads that were started already are not ended. If `threads` is above the default, the
/// library's own jobs get more threads too: `threads` for files and half of it each for look-ups and TLS handshakes. A lower number does not change
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
