use crate::callback::discard;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Work for a thread. It reports its result by itself.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// libuv's default, and the reason for it holds here: blocking work, not a second way to use all cores.
const THREADS: usize = 4;
/// Jobs that may wait, above those being done. Memory is bounded; who posts more is told at once.
const QUEUE: usize = 1024;

/// A fixed number of threads behind one bounded queue, started with the first job. The threads end when the pool is
/// dropped and their current job is done; waiting jobs are dropped.
pub(super) struct Pool {
    threads: Cell<usize>,
    queue: Cell<usize>,
    shared: RefCell<Option<Arc<Shared>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that do a job.
    busy: usize,
    started: usize,
    ended: bool,
}

impl Pool {
    pub fn new() -> Pool {
        Pool { threads: Cell::new(THREADS), queue: Cell::new(QUEUE), shared: RefCell::new(None) }
    }

    pub fn configure(&self, threads: usize, queue: usize) {
        self.threads.set(threads.max(1));
        self.queue.set(queue.max(1));
    }

    pub fn spawn(&self, job: Job) -> Result<(), Job> {
        let mut slot = self.shared.borrow_mut();
        let shared = slot
            .get_or_insert_with(|| Arc::new(Shared { state: Mutex::new(State::default()), changed: Condvar::new() }));
        let mut state = shared.lock();
        // A job for which there is a thread does not wait, even where that thread has not taken it yet.
        let unfinished = state.busy + state.jobs.len();
        if unfinished >= self.threads.get() + self.queue.get() {
            return Err(job);
        }
        if unfinished >= state.started && state.started < self.threads.get() {
            let of_thread = shared.clone();
            let thread = std::thread::Builder::new().name(format!("oneloop-worker-{}", state.started));
            match thread.spawn(move || of_thread.work()) {
                Ok(_) => state.started += 1,
                Err(error) => {
                    log::error!(target: "oneloop::loop", "cannot start a worker thread: {error}");
                    if state.started == 0 {
                        return Err(job);
                    }
                }
            }
        }
        state.jobs.push_back(job);
        drop(state);
        shared.changed.notify_one();
        Ok(())
    }
}

impl Shared {
    /// Jobs run outside the lock, so only a panic of ours could poison it; the state is whole at every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.ended {
            if let Some(job) = state.jobs.pop_front() {
                state.busy += 1;
                drop(state);
                job();
                state = self.lock();
                state.busy -= 1;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.get_mut() {
            let waiting = {
                let mut state = shared.lock();
                state.ended = true;
                std::mem::take(&mut state.jobs)
            };
            shared.changed.notify_all();
            // Outside the lock: a job holds what its owner put into it.
            waiting.into_iter().for_each(discard);
        }
    }
}
