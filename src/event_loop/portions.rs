//! Work that may take long is done in portions: so much in one iteration, whoever's it is. What is too much waits in a queue, so that
//! none of it waits for ever.
//!
//! ```text
//!   take ─► nobody waits, and something is left of this iteration? ─ yes ─► it is done now
//!                           │ no
//!                           ▼
//!          wait ─► the queue ─► the check phase: the first ones, as many as one iteration does ─► `go`
//! ```
//! A piece of work that has had its portion waits behind all others for the next one.

use super::{Loop, set_immediate};
use crate::callback::Site;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::Location;
use std::rc::Rc;

/// How much is done from one check phase to the next, in bytes that are inflated. Those who mean harm make up bytes that take 150 ns each
/// (a code of its own in every 20 bytes), which is 2.4 ms in all. Bytes that come from JSON take 10 ns each.
const ITERATION: usize = 16 * 1024;
/// How many bytes of one piece of work are inflated at a time. The worst take 0.6 ms.
pub(crate) const PORTION: usize = 4_000;
/// For how many bytes each portion counts beside its own: what it takes to begin.
const EACH: usize = 64;
/// How many bytes that come out take as long as the worst one that goes in.
const MADE_FOR_ONE: usize = 64;

/// The portions of one loop.
pub(crate) struct Portions {
    /// The iteration for which `left` is.
    iteration: Cell<u64>,
    left: Cell<usize>,
    waiting: RefCell<VecDeque<Waiting>>,
    scheduled: Cell<bool>,
}

struct Waiting {
    bytes: usize,
    site: Site,
    go: Box<dyn FnOnce()>,
}

impl Portions {
    pub fn of(lp: &Rc<Loop>) -> Rc<Portions> {
        let begin = || Portions {
            iteration: Cell::new(0),
            left: Cell::new(ITERATION),
            waiting: RefCell::default(),
            scheduled: Cell::new(false),
        };
        lp.local(|_| Rc::new(begin()))
    }

    /// Returns whether so much may be done now. If not, [`wait`](Portions::wait).
    pub fn take(&self, lp: &Loop, bytes: usize) -> bool {
        if self.iteration.get() < lp.iteration() {
            self.begin(lp.iteration());
        }
        self.waiting.borrow().is_empty() && self.spend(bytes)
    }

    /// Notes that so many bytes have come out.
    pub fn add_made(&self, bytes: usize) {
        self.add(bytes / MADE_FOR_ONE);
    }

    /// Calls `go` from the loop when so much may be done: in the check phase of this iteration or of a later one. Of a stream it can ask
    /// for a turn. It is not called if the loop ends before.
    #[track_caller]
    pub fn wait(self: &Rc<Self>, lp: &Rc<Loop>, bytes: usize, go: impl FnOnce() + 'static) {
        self.waiting.borrow_mut().push_back(Waiting { bytes, site: Location::caller(), go: Box::new(go) });
        self.schedule(lp);
    }

    fn begin(&self, iteration: u64) {
        self.iteration.set(iteration);
        self.left.set(ITERATION);
    }

    fn add(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes));
    }

    fn spend(&self, bytes: usize) -> bool {
        let bytes = bytes + EACH;
        let left = self.left.get();
        // Whatever is asked for, an iteration in which nothing was done does it.
        let may = bytes <= left || left == ITERATION;
        if may {
            self.add(bytes);
        }
        may
    }

    fn schedule(self: &Rc<Self>, lp: &Rc<Loop>) {
        if !self.scheduled.replace(true) {
            let (portions, lp) = (self.clone(), Rc::downgrade(lp));
            set_immediate(move || {
                if let Some(lp) = lp.upgrade() {
                    portions.give_out(&lp);
                }
            });
        }
    }

    /// Calls the first ones that wait. What they do counts for the next iteration, since most of it is done there.
    fn give_out(self: &Rc<Self>, lp: &Rc<Loop>) {
        self.scheduled.set(false);
        self.begin(lp.iteration() + 1);
        while !lp.is_halted() {
            let mut waiting = self.waiting.borrow_mut();
            let first = waiting.front().is_some_and(|first| self.spend(first.bytes)).then(|| waiting.pop_front());
            drop(waiting);
            let Some(Waiting { site, go, .. }) = first.flatten() else { break };
            lp.call(site, &"a portion of long work", go);
        }
        if !self.waiting.borrow().is_empty() {
            self.schedule(lp);
        }
    }
}
