//! The two queues of callbacks that wait for no event: ticks and immediates.

use super::{Loop, current};
use crate::callback::{Site, discard};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::Location;
use std::rc::{Rc, Weak};

/// The callbacks of `next_tick`. The loop empties this queue after each callback that it calls.
#[derive(Default)]
pub(super) struct Ticks {
    queue: RefCell<VecDeque<(Site, Box<dyn FnOnce()>)>>,
    draining: Cell<bool>,
}

impl Ticks {
    pub fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    pub fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    pub fn teardown(&self) {
        for (_, f) in self.queue.take() {
            discard(f);
        }
    }
}

impl Loop {
    /// Runs all ticks, including those that they set, until none is left.
    pub(crate) fn drain_ticks(&self) {
        if self.ticks.draining.replace(true) {
            return;
        }
        let recorded = self.record_ticks();
        while !self.is_halted() {
            let next = self.ticks.queue.borrow_mut().pop_front();
            let Some((site, f)) = next else { break };
            self.turn.ticks.set(self.turn.ticks.get() + 1);
            self.call_without_ticks(site, &"a tick", f);
        }
        if let Some(began) = recorded {
            self.record_end_of_ticks(began);
        }
        self.ticks.draining.set(false);
    }
}

/// Calls `f` as soon as the callback that is running has returned (or, outside of a callback, when the loop starts), before
/// the loop does anything else. Ticks run in the order in which they were set. A tick that always sets another one keeps
/// the loop from everything else, as in Node.
///
/// ```
/// oneloop::next_tick(|| println!("second: when this code has returned"));
/// println!("first");
/// oneloop::run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn next_tick(f: impl FnOnce() + 'static) {
    add_tick(Location::caller(), Box::new(f));
}

/// This function and [`add_immediate`] are not generic, so that they are compiled once and not once for each closure.
fn add_tick(site: Site, f: Box<dyn FnOnce()>) {
    match current() {
        Some(lp) => lp.ticks.queue.borrow_mut().push_back((site, f)),
        None => discard(f),
    }
}

pub(super) struct Pending {
    site: Site,
    referenced: Cell<bool>,
    callback: Cell<Option<Box<dyn FnOnce()>>>,
    lp: Weak<Loop>,
}

/// The callbacks of `set_immediate`, for the next check phase.
#[derive(Default)]
pub(super) struct Immediates {
    queue: RefCell<VecDeque<Rc<Pending>>>,
    /// How many immediates keep the loop alive.
    referenced: Cell<usize>,
}

impl Immediates {
    pub fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    pub fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    pub fn referenced(&self) -> usize {
        self.referenced.get()
    }

    pub fn teardown(&self) {
        for pending in self.queue.take() {
            discard(pending.callback.take());
        }
        self.referenced.set(0);
    }

    fn count(&self, pending: &Pending, on: bool) {
        if pending.referenced.get() {
            self.referenced.set(if on { self.referenced.get() + 1 } else { self.referenced.get() - 1 });
        }
    }
}

impl Loop {
    /// The check phase: runs the immediates that are queued when it begins. Immediates that they set wait for the next iteration.
    pub(super) fn run_immediates(&self) {
        if self.immediates.is_empty() || self.is_halted() {
            return;
        }
        let mut snapshot = self.immediates.queue.take();
        while let Some(pending) = snapshot.pop_front() {
            if let Some(f) = pending.callback.take() {
                self.immediates.count(&pending, false);
                self.record_turn(super::SourceKind::Immediate);
                self.begin_turn();
                self.call(pending.site, &"an immediate", f);
                self.end_turn(super::Phase::Check);
            }
            if self.is_halted() {
                break;
            }
        }
        if !snapshot.is_empty() {
            let mut queue = self.immediates.queue.borrow_mut();
            snapshot.append(&mut queue);
            *queue = snapshot;
        }
        self.record_end_of(super::Phase::Check);
    }
}

/// A callback set by [`set_immediate`]. Dropping it does **not** cancel the callback; [`clear`](Immediate::clear) does.
#[derive(Clone)]
pub struct Immediate(Option<Rc<Pending>>);

impl Immediate {
    /// Cancels the callback, unless it has run.
    pub fn clear(&self) {
        if let Some((pending, lp)) = self.parts()
            && let Some(f) = pending.callback.take()
        {
            lp.immediates.count(pending, false);
            discard(f);
        }
    }

    /// Lets the loop end before the callback has run.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Sets whether the loop goes on until the callback has run (true by default).
    pub fn set_ref(&self, on: bool) -> &Self {
        if let Some((pending, lp)) = self.parts()
            && pending.referenced.get() != on
        {
            let f = pending.callback.take();
            let waits = f.is_some();
            pending.callback.set(f);
            if waits {
                lp.immediates.count(pending, false);
                pending.referenced.set(on);
                lp.immediates.count(pending, true);
            } else {
                pending.referenced.set(on);
            }
        }
        self
    }

    /// Returns whether this immediate keeps the loop running.
    pub fn has_ref(&self) -> bool {
        self.0.as_ref().is_some_and(|pending| pending.referenced.get())
    }

    fn parts(&self) -> Option<(&Rc<Pending>, Rc<Loop>)> {
        let pending = self.0.as_ref()?;
        Some((pending, pending.lp.upgrade()?))
    }
}

impl std::fmt::Debug for Immediate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Immediate").field("has_ref", &self.has_ref()).finish()
    }
}

/// Calls `f` once, in the next check phase: after the poll phase of the iteration that is running. So an immediate that is
/// set in an I/O callback comes before any timer. An immediate that is set in the check phase waits for the next iteration.
///
/// ```
/// // A long computation, in pieces: connections and timers have their turn between two of them.
/// fn sum(from: u64, so_far: u64) {
///     let piece: u64 = (from..from + 1000).sum();
///     if from < 9000 {
///         oneloop::set_immediate(move || sum(from + 1000, so_far + piece));
///     } else {
///         println!("{}", so_far + piece);
///     }
/// }
/// sum(0, 0);
/// oneloop::run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn set_immediate(f: impl FnOnce() + 'static) -> Immediate {
    add_immediate(Location::caller(), Box::new(f))
}

fn add_immediate(site: Site, f: Box<dyn FnOnce()>) -> Immediate {
    let Some(lp) = current() else {
        discard(f);
        return Immediate(None);
    };
    let pending =
        Rc::new(Pending { site, referenced: Cell::new(true), callback: Cell::new(Some(f)), lp: Rc::downgrade(&lp) });
    lp.immediates.count(&pending, true);
    lp.immediates.queue.borrow_mut().push_back(pending.clone());
    Immediate(Some(pending))
}
