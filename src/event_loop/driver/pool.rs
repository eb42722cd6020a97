use super::lanes::{Job, Lane, Lanes};
use crate::callback::discard;
use crate::notice;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The reason why a job was not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Too many jobs of its lane are waiting.
    QueueFull,
    /// There is no thread, and none can be started.
    NoThread(io::Error),
}

/// Threads that take jobs from bounded queues, one queue for each [`Lane`]. A thread is started when a job may begin and
/// no thread is free, up to the number of jobs that all lanes together may run. When the pool is dropped, waiting jobs
/// are dropped, and each thread ends after its current job.
pub(super) struct Pool(Arc<Shared>);

/// The part that the threads share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lanes: Lanes,
    /// How many threads are running a job.
    busy: usize,
    started: usize,
    /// True once it was logged that no further thread can be started.
    complained: bool,
    ended: bool,
}

impl Pool {
    pub fn new() -> Pool {
        Pool(Arc::default())
    }

    pub fn configure(&self, threads: usize, queue: usize) {
        self.0.lock().lanes.configure(threads, queue);
        self.0.changed.notify_all();
    }

    pub fn spawn(&self, lane: Lane, job: Job) -> Result<(), (Job, Refused)> {
        let mut state = self.0.lock();
        state.lanes.add(lane, job).map_err(|job| (job, Refused::QueueFull))?;
        if state.busy + state.lanes.startable() > state.started && state.started < state.lanes.threads() {
            let shared = self.0.clone();
            let thread = std::thread::Builder::new().name(format!("oneloop-worker-{}", state.started));
            match thread.spawn(move || shared.work()) {
                Ok(_) => {
                    state.started += 1;
                    state.complained = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut state.complained, true) {
                        notice::error!(target: "oneloop::loop", "cannot start a worker thread beside {}: {error}", state.started);
                    }
                    if state.started == 0
                        && let Some(job) = state.lanes.take_back(lane)
                    {
                        return Err((job, Refused::NoThread(error)));
                    }
                }
            }
        }
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl Shared {
    /// Jobs run outside of the lock, so only a panic of the library could poison it; the state is consistent at every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.ended {
            if let Some((lane, job)) = state.lanes.begin() {
                state.busy += 1;
                drop(state);
                job();
                state = self.lock();
                state.busy -= 1;
                state.lanes.ended(lane);
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.lock();
            state.ended = true;
            state.lanes.clear()
        };
        self.0.changed.notify_all();
        // Outside of the lock: dropping a job drops user values.
        waiting.into_iter().for_each(discard);
    }
}
