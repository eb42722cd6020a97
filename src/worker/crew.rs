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

/// The two functions of a group: one is called before its first job, the other after its last job.
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
    /// Gives the job's owner `error` as the result. The work is dropped without being run.
    pub fn refuse(self, error: JobError) {
        discard(self.work);
        self.ticket.give(Err(error));
    }
}

/// What the handles of a keeper share with its members: the queue of jobs, and the function that makes the value. A member is a
/// thread that makes a value, takes jobs from the queue, and does them with the value (in a simulation, without a thread).
pub(super) struct Crew<T> {
    pub make: Box<Make<T>>,
    pub grouped: Option<Grouped<T>>,
    /// Where the keeper was started.
    pub site: Site,
    state: Mutex<State<T>>,
    /// Idle members wait for this: one of them is woken for each job.
    work: Condvar,
    /// Members without a value wait for this: each job may be the occasion to make it again.
    changed: Condvar,
}

pub(super) struct State<T> {
    pub waiting: VecDeque<Job<T>>,
    /// How many jobs may wait, not counting one job for each idle member, which will take it at once.
    bound: usize,
    /// How many members there are, those whose thread is about to start included.
    members: usize,
    /// How many members have a value and nothing to do.
    pub idle: usize,
    /// How many members have a value, or are about to make one. Jobs are refused for lack of a value only while this is 0.
    pub able: usize,
    /// Rises with each change that a member without work waits for: a new job, or the close.
    pub changes: u64,
    /// True once the keeper was closed: new jobs are refused, and a member that finds the queue empty ends.
    pub closing: bool,
    /// The calls of `close` that are to be told when the last member has ended.
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
        Crew { make, grouped, site, state: Mutex::new(state), work: Condvar::new(), changed: Condvar::new() }
    }

    /// Locks the state. No user code runs under this lock, so only a panic of the library could poison it; the state is
    /// consistent at every step.
    pub fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_bound(&self, bound: usize) {
        self.lock().bound = bound.max(1);
    }

    /// Adds a job to the queue, or returns it with the reason why it is refused.
    pub fn add(&self, job: Job<T>) -> Result<(), (Job<T>, JobError)> {
        let mut state = self.lock();
        if state.closing {
            return Err((job, JobError::Closed));
        }
        if state.waiting.len() >= state.bound + state.idle {
            return Err((job, JobError::QueueFull("Keeper::set_queue")));
        }
        state.waiting.push_back(job);
        state.changes += 1;
        drop(state);
        // The one that wakes takes jobs until there are none.
        self.work.notify_one();
        self.changed.notify_all();
        Ok(())
    }

    /// Refuses new jobs from now on. The members end when the jobs in the queue are done. When the last member has ended,
    /// `closer` gets its result, an empty one.
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
        state.changes += 1;
        drop(state);
        self.work.notify_all();
        self.changed.notify_all();
        if let Some(ticket) = over {
            ticket.give(Ok(Box::new(())));
        }
    }

    /// Blocks until the number of changes is no longer `changes`, the number that the member saw when it found no work. `idle`: whether
    /// the member has a value, so that it can do any job.
    pub fn rest(&self, changes: u64, idle: bool) {
        let occasion = if idle { &self.work } else { &self.changed };
        let mut state = self.lock();
        while state.changes == changes {
            state = occasion.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn is_deserted(&self) -> bool {
        self.lock().members == 0
    }

    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Counts a new member. Call this before the member's thread is started.
    pub fn join(&self) {
        let mut state = self.lock();
        state.members += 1;
        state.able += 1;
    }

    /// Removes a member from the counts. `able`: whether `State::able` counts it. After the last member, the closers are told.
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
