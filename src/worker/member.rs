//! A member of a keeper's crew. It makes the value, does jobs with it, and makes it anew after a panic.

use super::crew::{Cause, Crew, Grouped, Job};
use crate::callback::{Caught, discard, guarded};
use crate::event_loop::driver::{Next, Resident};
use crate::event_loop::{JobError, Ticket};
use crate::notice;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The pause after the first attempt to make the value that failed: the next attempt does not begin earlier. The pause doubles
/// with each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts: a database that can be reached again is used after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Member<T> {
    crew: Arc<Crew<T>>,
    value: Value<T>,
    /// The jobs that were taken and not begun.
    taken: VecDeque<Job<T>>,
    /// How many changes of the crew this member has seen.
    seen: u64,
    idle: bool,
}

enum Value<T> {
    /// The value is to be made at once.
    Due,
    There(T),
    Failed {
        cause: Cause,
        pause: Duration,
        until: Duration,
    },
}

impl<T> Member<T> {
    /// Call `Crew::join` first.
    pub fn new(crew: Arc<Crew<T>>) -> Member<T> {
        Member { crew, value: Value::Due, taken: VecDeque::new(), seen: 0, idle: false }
    }

    fn make(&mut self, now: Duration) {
        let made = guarded(|| (self.crew.make)()).unwrap_or_else(|caught| Err(cause_of(caught)));
        let before = std::mem::replace(&mut self.value, Value::Due);
        self.value = match (made, before) {
            (Ok(value), before) => {
                if let Value::Failed { .. } = before {
                    notice::info!(target: "oneloop::loop", "the value of the keeper started at {} is there again", self.crew.site);
                }
                Value::There(value)
            }
            (Err(cause), before) => {
                self.crew.lock().able -= 1;
                let pause = match before {
                    Value::Failed { pause, .. } => (pause * 2).min(LONGEST_PAUSE),
                    _ => {
                        notice::error!(
                            target: "oneloop::loop",
                            "the value of the keeper started at {} cannot be made: {cause}; its jobs are refused until it can",
                            self.crew.site,
                        );
                        FIRST_PAUSE
                    }
                };
                Value::Failed { cause, pause, until: now + pause }
            }
        };
    }

    /// Drops a value whose state is not known any more.
    fn give_up_value(&mut self) {
        let before = std::mem::replace(&mut self.value, Value::Due);
        discard(before);
    }

    /// Does the job that was taken.
    fn one(&mut self) {
        let (Value::There(value), Some(job)) = (&mut self.value, self.taken.pop_front()) else { return };
        match run(job, value) {
            Ran::Void => {}
            Ran::Done(ticket, result) => ticket.give(Ok(result)),
            Ran::Panicked(ticket, message) => {
                self.give_up_value();
                ticket.give(Err(JobError::Panicked(message)));
            }
        }
    }

    /// Does all jobs that were taken, and gives their results only once `commit` has returned.
    fn in_a_group(&mut self) {
        let (Value::There(value), Some(grouped)) = (&mut self.value, &self.crew.grouped) else { return };
        let mut done = Vec::with_capacity(self.taken.len());
        let mut panicked = None;
        let ended = guarded(|| group(grouped, value, &mut self.taken, &mut done, &mut panicked))
            .unwrap_or_else(|caught| Err(cause_of(caught)));
        let Err(cause) = ended else {
            return done.into_iter().for_each(|(ticket, result)| ticket.give(Ok(result)));
        };
        self.give_up_value();
        for (ticket, result) in done {
            discard(result);
            ticket.give(Err(JobError::Undone(cause.clone())));
        }
        match panicked {
            Some((ticket, message)) => ticket.give(Err(JobError::Panicked(message))),
            // No job panicked: `begin` or `commit` has failed. The jobs that were not begun are refused as well, because the
            // next group may fail in the same way, and the one after it, without an end.
            None => self.taken.drain(..).for_each(|job| job.refuse(JobError::Undone(cause.clone()))),
        }
    }
}

type Done = Vec<(Ticket, Box<dyn Any + Send>)>;

/// Runs a group. If a job panics, those behind it remain in `jobs`.
fn group<T>(
    grouped: &Grouped<T>,
    value: &mut T,
    jobs: &mut VecDeque<Job<T>>,
    done: &mut Done,
    panicked: &mut Option<(Ticket, String)>,
) -> Result<(), Cause> {
    (grouped.begin)(value)?;
    while let Some(job) = jobs.pop_front() {
        match run(job, value) {
            Ran::Void => {}
            Ran::Done(ticket, result) => done.push((ticket, result)),
            Ran::Panicked(ticket, message) => {
                let cause = format!("another job of the group panicked: {message}");
                *panicked = Some((ticket, message));
                return Err(Cause::from(Box::<dyn std::error::Error + Send + Sync>::from(cause)));
            }
        }
    }
    (grouped.commit)(value)
}

enum Ran {
    /// The loop has ended, so the work was dropped.
    Void,
    Done(Ticket, Box<dyn Any + Send>),
    Panicked(Ticket, String),
}

fn run<T>(job: Job<T>, value: &mut T) -> Ran {
    if job.ticket.is_void() {
        discard(job.work);
        return Ran::Void;
    }
    match guarded(|| (job.work)(value)) {
        Ok(result) => Ran::Done(job.ticket, result),
        Err(caught) => {
            let message = caught.message().to_owned();
            caught.forget();
            Ran::Panicked(job.ticket, message)
        }
    }
}

fn cause_of(caught: Caught) -> Cause {
    let text = format!("it panicked: {}", caught.message());
    caught.forget();
    Cause::from(Box::<dyn std::error::Error + Send + Sync>::from(text))
}

impl<T> Resident for Member<T> {
    fn next(&mut self, now: Duration) -> Next {
        if !self.taken.is_empty() {
            return Next::Work;
        }
        let mut state = self.crew.lock();
        self.seen = state.changes;
        state.idle -= usize::from(std::mem::take(&mut self.idle));
        let next = match &self.value {
            _ if state.waiting.is_empty() && state.closing => Next::End,
            Value::Due => Next::Work,
            _ if state.waiting.is_empty() => Next::Nothing,
            Value::There(_) => {
                let count = if self.crew.grouped.is_some() { state.waiting.len() } else { 1 };
                self.taken.extend(state.waiting.drain(..count));
                Next::Work
            }
            Value::Failed { until, .. } if now >= *until => {
                state.able += 1;
                Next::Work
            }
            // Other members have a value, and can do the jobs that wait.
            Value::Failed { .. } if state.able > 0 => Next::Nothing,
            Value::Failed { .. } => {
                self.taken.append(&mut state.waiting);
                Next::Work
            }
        };
        self.idle = next == Next::Nothing && matches!(self.value, Value::There(_));
        state.idle += usize::from(self.idle);
        next
    }

    fn work(&mut self, now: Duration) {
        match &self.value {
            Value::There(_) if self.crew.grouped.is_some() => self.in_a_group(),
            Value::There(_) => self.one(),
            Value::Failed { cause, .. } if !self.taken.is_empty() => {
                let cause = cause.clone();
                self.taken.drain(..).for_each(|job| job.refuse(JobError::NoValue(cause.clone())));
            }
            Value::Due | Value::Failed { .. } => self.make(now),
        }
    }

    fn rest(&self) {
        self.crew.rest(self.seen, self.idle);
    }
}

impl<T> Drop for Member<T> {
    fn drop(&mut self) {
        let able = !matches!(self.value, Value::Failed { .. });
        self.give_up_value();
        self.crew.leave(able);
    }
}
