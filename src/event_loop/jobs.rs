//! The callbacks of the jobs that were handed to workers, and how long the loop keeps running when only jobs are left.

use super::driver::{Job, Lane, Refused};
use super::{Loop, Time};
use crate::callback::{Site, discard};
use crate::notice;
use slab::Slab;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type JobResult = Result<Box<dyn Any + Send>, JobError>;
type Done = Box<dyn FnOnce(JobResult)>;

/// The reason why a job has no result.
#[derive(Debug)]
pub(crate) enum JobError {
    /// Too many jobs wait. The text names the call that allows more of them.
    QueueFull(&'static str),
    NoThread(io::Error),
    Panicked(String),
    /// The value that the job works with cannot be made.
    NoValue(Arc<dyn Error + Send + Sync>),
    /// The value that the job works with was closed before the job was given.
    Closed,
    /// The job was done in a group of which nothing is kept.
    Undone(Arc<dyn Error + Send + Sync>),
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobError::Panicked(message) => write!(f, "the work panicked on its worker thread: {message}"),
            JobError::QueueFull(more) => {
                write!(f, "the workers' queue is full: hand over fewer jobs at a time, or allow more with {more}")
            }
            JobError::NoThread(error) => write!(f, "no worker thread can be started: {error}"),
            JobError::NoValue(error) => write!(f, "the keeper's value cannot be made: {error}"),
            JobError::Closed => f.write_str("the keeper was closed before this job was given"),
            JobError::Undone(error) => write!(f, "the work's group failed: {error}"),
        }
    }
}

/// How long, by default, `run` goes on when only jobs are left: longer than real work usually takes, and short enough
/// that a program which was told to end does end.
const GRACE: Time = Time::from_secs(300);
/// After this time with only jobs left, the log names them. That is before a supervisor kills the program (Docker after
/// 10 s, Kubernetes after 30 s, systemd after 90 s).
const COMPLAIN_AFTER: Time = Time::from_secs(8);
/// How many jobs one line of the log names.
const NAMED: usize = 4;

/// The callbacks for the results of jobs. They stay on the loop's thread, so they need not be `Send`.
pub(super) struct Jobs {
    parked: RefCell<Slab<Parked>>,
    /// How many jobs keep the loop alive.
    referenced: Cell<usize>,
    grace: Cell<Time>,
    alone: Cell<Option<Alone>>,
}

struct Parked {
    site: Site,
    given: Time,
    referenced: bool,
    done: Done,
}

/// The time since which only jobs have kept the loop alive, and none of them has ended.
#[derive(Clone, Copy)]
struct Alone {
    since: Time,
    /// The last iteration in which this was so. If it is not the previous one, something else has kept the loop alive
    /// meanwhile.
    seen_in: u64,
    complained: bool,
}

impl Default for Jobs {
    fn default() -> Jobs {
        Jobs { parked: RefCell::default(), referenced: Cell::new(0), grace: Cell::new(GRACE), alone: Cell::new(None) }
    }
}

impl Jobs {
    pub fn len(&self) -> usize {
        self.parked.borrow().len()
    }

    /// How many jobs keep the loop alive.
    pub fn referenced(&self) -> usize {
        self.referenced.get()
    }

    pub fn park(&self, site: Site, given: Time, referenced: bool, done: Done) -> usize {
        self.referenced.set(self.referenced.get() + usize::from(referenced));
        self.parked.borrow_mut().insert(Parked { site, given, referenced, done })
    }

    /// Takes out the callback for the result of a job. Each callback can be taken only once.
    pub fn take(&self, id: usize) -> Option<(Site, Done)> {
        let parked = self.parked.borrow_mut().try_remove(id)?;
        self.referenced.set(self.referenced.get() - usize::from(parked.referenced));
        self.alone.set(None);
        Some((parked.site, parked.done))
    }

    pub fn teardown(&self) {
        let parked = self.parked.take();
        self.referenced.set(0);
        for (_, parked) in parked {
            discard(parked.done);
        }
    }

    pub fn set_grace(&self, grace: Duration) {
        self.grace.set(grace.into());
    }

    /// Returns whether jobs alone keep the loop running. Call this in each iteration in which nothing else keeps the loop
    /// alive. The loop has received all results that workers delivered before `seen`.
    #[inline]
    pub fn keep_alive(&self, now: Time, seen: Time, iteration: u64) -> bool {
        self.referenced.get() > 0 && self.is_worth_waiting(now, seen, iteration)
    }

    #[cold]
    fn is_worth_waiting(&self, now: Time, seen: Time, iteration: u64) -> bool {
        let before = self.alone.get().filter(|alone| alone.seen_in + 1 >= iteration);
        let mut alone = before.unwrap_or(Alone { since: now, seen_in: iteration, complained: false });
        alone.seen_in = iteration;
        let (waited, grace) = (seen - alone.since, self.grace.get());
        if waited >= grace {
            let waited = Duration::from(waited);
            notice::warn!(target: "oneloop::loop", "run() ends without {}: it has waited {waited:.0?} for nothing else", self.names(now));
            self.let_go();
            return false;
        }
        if waited >= COMPLAIN_AFTER && !alone.complained {
            alone.complained = true;
            let left = Duration::from(grace - waited);
            notice::warn!(target: "oneloop::loop", "run() waits for nothing but {}; for {left:.0?} more (worker::set_grace)", self.names(now));
        }
        self.alone.set(Some(alone));
        true
    }

    /// The time at which the result of [`Jobs::keep_alive`] may change, if that was called in this iteration.
    #[inline]
    pub fn next(&self, iteration: u64) -> Option<Time> {
        if self.referenced.get() == 0 { None } else { self.next_while_alone(iteration) }
    }

    #[cold]
    fn next_while_alone(&self, iteration: u64) -> Option<Time> {
        let alone = self.alone.get().filter(|alone| alone.seen_in == iteration)?;
        let grace = self.grace.get();
        let after = if alone.complained { grace } else { grace.min(COMPLAIN_AFTER) };
        Some(alone.since + after)
    }

    /// From now on the present jobs do not keep the loop alive. If something else keeps it running, their results are
    /// still delivered.
    fn let_go(&self) {
        self.parked.borrow_mut().iter_mut().for_each(|(_, parked)| parked.referenced = false);
        self.referenced.set(0);
        self.alone.set(None);
    }

    /// The jobs that keep the loop alive, for the log, the oldest first.
    fn names(&self, now: Time) -> String {
        let parked = self.parked.borrow();
        let mut jobs: Vec<_> = parked.iter().map(|(_, job)| job).filter(|job| job.referenced).collect();
        jobs.sort_by_key(|job| job.given);
        let named = jobs.iter().take(NAMED).map(|job| {
            let age = Duration::from(now - job.given);
            format!("the worker job given at {} {age:.0?} ago", job.site)
        });
        let mut text = named.collect::<Vec<_>>().join(", ");
        if let Some(more @ 1..) = jobs.len().checked_sub(NAMED) {
            text += &format!(" and {more} more");
        }
        text
    }
}

impl Loop {
    /// Runs `work` on a worker thread and hands its result to `done` on the loop.
    pub(crate) fn run_job(
        &self,
        lane: Lane,
        site: Site,
        work: impl FnOnce() -> Box<dyn Any + Send> + Send + 'static,
        done: Done,
    ) {
        // A look-up or a step of a handshake does not keep the loop alive by itself: the connection that waits for it does, and a
        // connection that was given up waits no more.
        let referenced = !matches!(lane, Lane::LookUp | Lane::Handshake);
        let id = self.jobs.park(site, self.now(), referenced, done);
        let inbox = self.inbox.clone();
        let job: Job = Box::new(move || {
            let result = crate::callback::guarded(work).map_err(|caught| {
                let message = caught.message().to_owned();
                caught.forget();
                JobError::Panicked(message)
            });
            inbox.give(id, result);
        });
        if let Err((job, refused)) = self.driver.spawn(lane, job) {
            discard(job);
            let error = match refused {
                Refused::QueueFull => JobError::QueueFull("worker::set_pool_size"),
                Refused::NoThread(error) => JobError::NoThread(error),
            };
            self.inbox.give(id, Err(error));
        }
    }

    /// Sets how long the loop goes on when only jobs are left.
    pub(crate) fn set_job_grace(&self, grace: Duration) {
        self.jobs.set_grace(grace);
    }
}
