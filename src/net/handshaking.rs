//! Takes steps of TLS handshakes in the worker pool, because they sign.
//!
//! The session of the connection goes to a thread with the bytes that have come, and comes back with what the thread has made of them.
//! A bounded number of sessions is away at a time; the others wait in line, on the loop, where a close removes them. So threads sign
//! for clients that are still there.
//!
//! The line is not that of the [heavy work](crate::event_loop) of the loop, which is one for the loop's time: its sources get turns as
//! long as an iteration has budget. Here the loop spends next to nothing, and what is short are threads, so a place becomes free when a
//! session comes back. The threads are a lane of their own for the same reason: in the line of the program's jobs, a thousand signatures
//! would hold up its files and look-ups, and jobs that take long would hold up handshakes until their time is over.

use crate::callback::{Site, discard};
use crate::event_loop::driver::Lane;
use crate::event_loop::{JobError, JobResult, Loop};
use crate::secure::{Step, Stepped};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::panic::Location;
use std::rc::{Rc, Weak};

/// How many sessions of a loop are away at most. It is more than there are threads, so that a thread need not wait for the loop; and few
/// enough that a client which comes now does not wait for many that have gone.
const AWAY: usize = 16;

/// Something with a step to be taken.
pub(super) trait Handshaking {
    /// Hands the step out. `None` if it is needed no more.
    fn leave(&self) -> Option<Step>;

    /// The loop calls this once for each step that was handed out.
    fn come_back(self: Rc<Self>, stepped: io::Result<Stepped>);
}

/// The steps of a loop.
#[derive(Default)]
pub(super) struct Steps {
    /// Those that wait, each once.
    line: RefCell<VecDeque<Weak<dyn Handshaking>>>,
    away: Cell<usize>,
}

impl Steps {
    /// Has a step taken, after those that wait already.
    pub fn ask(lp: &Rc<Loop>, site: Site, asker: Weak<dyn Handshaking>) {
        let steps: Rc<Steps> = lp.local(|_| Rc::default());
        steps.line.borrow_mut().push_back(asker);
        steps.begin(lp, site);
    }

    /// Begins as many steps as may be away.
    fn begin(self: &Rc<Self>, lp: &Rc<Loop>, site: Site) {
        while self.away.get() < AWAY {
            let Some(asker) = self.line.borrow_mut().pop_front() else { return };
            let Some(step) = asker.upgrade().and_then(|asker| asker.leave()) else { continue };
            self.away.set(self.away.get() + 1);
            let (steps, weak) = (self.clone(), Rc::downgrade(lp));
            let done = move |result| {
                steps.away.set(steps.away.get() - 1);
                if let Some(lp) = weak.upgrade() {
                    steps.begin(&lp, site);
                }
                // A connection that has closed meanwhile needs it no more.
                if let Some(asker) = asker.upgrade() {
                    asker.come_back(outcome(result));
                }
            };
            lp.run_job(Lane::Handshake, site, move || Box::new(step.take()), Box::new(done));
        }
    }
}

/// The line of the program by which such jobs are named in reports: there is none of the program's own.
#[track_caller]
pub(super) fn here() -> Site {
    Location::caller()
}

fn outcome(result: JobResult) -> io::Result<Stepped> {
    match result {
        Ok(stepped) => match stepped.downcast::<Stepped>() {
            Ok(stepped) => Ok(*stepped),
            Err(other) => {
                discard(other);
                Err(io::Error::other("the step of the handshake gave something else"))
            }
        },
        Err(JobError::NoThread(error)) => {
            Err(io::Error::new(error.kind(), format!("no thread for the handshake can be started: {error}")))
        }
        Err(JobError::Panicked(message)) => Err(io::Error::other(format!("the handshake panicked: {message}"))),
        Err(error) => Err(io::Error::other(format!("the handshake failed on its way to a thread: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_panics_or_finds_no_thread_is_a_failure_that_says_why() {
        let panicked = outcome(Err(JobError::Panicked("no key".to_owned())));
        assert_eq!(panicked.err().unwrap().to_string(), "the handshake panicked: no key");
        let none = outcome(Err(JobError::NoThread(io::ErrorKind::WouldBlock.into())));
        assert!(none.err().unwrap().to_string().starts_with("no thread for the handshake can be started: "));
        assert!(outcome(Ok(Box::new(1))).is_err());
    }
}
