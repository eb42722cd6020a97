use crate::callback::{Site, discard};
use crate::event_loop::{JobError, Ticket};
use std::any::Any;
use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many jobs may wait, by default: as many as for the pool.
const QUEUE: usize = 1024;

pub(super) type Cause = Arc<dyn Error + Send + Sync>;
type Make<T> = dyn Fn() -> Result<T, Cause> + Send + Sync;
type Around<T> = dyn Fn(&mut T) -> Result<(), Cause> + Send + Sync;

/// What is called before the first and after the last job of a group.
pub(super) struct Grouped<T> {
    pub begin: Box<Around<T>>,
    pub commit: Box<Around<T>>,
}

/// One job for a value.
pub(super) struct Job<T> {
    pub ticket: Ticket,
    pub work: Box<dyn FnOnce(&mut T) -> Box<dyn Any + Send> + Send>,
}

impl<T> Job<T> {
    /// Gives the job back without its work.
    pub fn refuse(self, error: JobError) {
        discard(self.work);
        self.ticket.give(Err(error));
    }
}

/// What the handles of a keeper share with those who do the jobs: one queue, and how to make the value.
pub(super) struct Crew<T> {
    pub make: Box<Make<T>>,
    pub grouped: Option<Grouped<T>>,
    /// Where the keeper was started.
    pub site: Site,
    state: Mutex<State<T>>,
    changed: Condvar,
}

pub(super) struct State<T> {
    pub waiting: VecDeque<Job<T>>,
    /// How many jobs may wait, besides those that find somebody idle.
    bound: usize,
    /// How many have a thread.
    members: usize,
    /// How many of them have nothing to do.
    pub idle: usize,
    /// How many have a value, or are about to make it. Only if there are none, jobs are refused for want of a value.
    pub able: usize,
    /// Rises with each change that somebody may wait for.
    pub changes: u64,
    /// No further job is taken. Who finds the queue empty leaves.
    pub closing: bool,
    /// Who wants to know when all have left.
    closers: Vec<Ticket>,
}

impl<T> Crew<T> {
    pub fn new(site: Site, make: Box<Make<T>>, grouped: Option<Grouped<T>>) -> Crew<T> {
        let state = State {
            waiting: VecDeque::new(),
            bound: QUEUE,
            members: 0,
            idle: 0,
            able: 0,
            changes: 0,
            closing: false,
            closers: Vec::new(),
        };
        Crew { make, grouped, site, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// No user code runs under this lock, so only a panic of the library could poison it; the state is consistent at every
    /// step.
    pub fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_bound(&self, bound: usize) {
        self.lock().bound = bound.max(1);
    }

    /// Adds a job, or gives it back with the reason.
    pub fn add(&self, job: Job<T>) -> Result<(), (Job<T>, JobError)> {
        let mut state = self.lock();
        if state.closing {
            return Err((job, JobError::Closed));
        }
        if state.waiting.len() >= state.bound + state.idle {
            return Err((job, JobError::QueueFull("Keeper::set_queue")));
        }
        state.waiting.push_back(job);
        self.wake(state);
        Ok(())
    }

    /// Takes no further job, and lets everybody leave once those that wait are done.
    pub fn close(&self, closer: Option<Ticket>) {
        let mut state = self.lock();
        state.closing = true;
        let over = match closer {
            Some(ticket) if state.members == 0 => Some(ticket),
            closer => {
                state.closers.extend(closer);
                None
            }
        };
        self.wake(state);
        if let Some(ticket) = over {
            ticket.give(Ok(Box::new(())));
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State<T>>) {
        state.changes += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks while there are no more than this many changes.
    pub fn rest(&self, changes: u64) {
        let mut state = self.lock();
        while state.changes == changes {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn is_deserted(&self) -> bool {
        self.lock().members == 0
    }

    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Counts one more who has a thread, or is about to get one.
    pub fn join(&self) {
        let mut state = self.lock();
        state.members += 1;
        state.able += 1;
    }

    /// Counts one less. `able`: it was counted as one who is.
    pub fn leave(&self, able: bool) {
        let closers = {
            let mut state = self.lock();
            state.members -= 1;
            state.able -= usize::from(able);
            if state.members > 0 { Vec::new() } else { std::mem::take(&mut state.closers) }
        };
        for ticket in closers {
            ticket.give(Ok(Box::new(())));
        }
    }
}
