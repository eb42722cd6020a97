//! The report of slow turns: which callbacks held up the loop, and for how long.

use super::{Loop, Phase, Time, current};
use crate::callback::{Site, discard};
use crate::notice;
use std::cell::RefCell;
use std::fmt::Display;
use std::panic::Location;
use std::time::Duration;

/// A turn that held the loop for longer than the threshold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowTurn {
    /// The phase in which the turn ran.
    pub phase: Phase,
    /// How many callbacks were called in the turn, not counting ticks.
    pub callbacks: u32,
    /// Where the last of these callbacks was registered.
    pub registered: Site,
    /// What that callback was called for: for an HTTP request its method and target. Empty if unknown.
    pub label: String,
    /// How long the turn took.
    pub took: Duration,
    /// The slowest callback of the turn, if [`set_exact_timing`] is on.
    pub slowest: Option<SlowCallback>,
    /// How many sources the next poll found ready (the poll is the loop's wait for events of the operating system). These sources
    /// may have been ready earlier, and been held up by this turn.
    pub waiting: usize,
    /// An upper bound of the time for which these sources were held up: the time from the end of the last poll before the turn
    /// to the end of the first poll after the turn, which found them ready.
    pub waited_at_most: Duration,
}

/// One callback, timed exactly.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowCallback {
    /// How long it took, without the ticks that it set.
    pub took: Duration,
    /// Where it was registered.
    pub registered: Site,
    /// What it was called for.
    pub what: String,
}

type OnSlow = Box<dyn FnMut(&SlowTurn)>;

#[derive(Default)]
pub(super) struct Slow {
    /// Slow turns of this iteration, each with the time at which the last poll before it ended. They are reported after the next
    /// poll, because only that poll shows how many sources were held up.
    waiting: RefCell<Vec<(Time, SlowTurn)>>,
    listener: RefCell<Option<(Site, OnSlow)>>,
    /// The slowest callback of the turn that is running, if [`set_exact_timing`] is on.
    pub(super) slowest: RefCell<Option<SlowCallback>>,
}

impl Slow {
    pub fn is_waiting(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    pub fn teardown(&self) {
        let listener = self.listener.take();
        discard(listener);
    }
}

impl Loop {
    #[cold]
    pub(super) fn note_slow(&self, phase: Phase, took: Time) {
        let slow = SlowTurn {
            phase,
            callbacks: self.turn.callbacks.get(),
            registered: self.turn.site.get(),
            label: String::from_utf8_lossy(&self.turn.label.borrow()).into_owned(),
            took: Duration::from(took),
            slowest: self.slow.slowest.take(),
            waiting: 0,
            waited_at_most: Duration::ZERO,
        };
        self.slow.waiting.borrow_mut().push((self.counters.polled.get(), slow));
    }

    #[cold]
    pub(super) fn report_slow(&self, events: usize) {
        let waiting = self.slow.waiting.take();
        for (polled, mut slow) in waiting {
            slow.waiting = events;
            slow.waited_at_most = Duration::from(self.now() - polled);
            notice::warn!(
                target: "oneloop::loop",
                "{} held the loop for {:?} ({} phase, {} callbacks, the last registered at {}); the next poll found {} \
                 sources ready; they waited at most {:?}",
                if slow.label.is_empty() { "a turn" } else { &slow.label },
                slow.took, slow.phase, slow.callbacks, slow.registered, slow.waiting, slow.waited_at_most,
            );
            let listener = self.slow.listener.take();
            if let Some((site, mut f)) = listener {
                self.call(site, &"the on_slow listener", || f(&slow));
                // The time that the listener took must not count as a part of the next turn.
                self.read_clock();
                if self.slow.listener.borrow().is_none() {
                    *self.slow.listener.borrow_mut() = Some((site, f));
                } else {
                    discard(f);
                }
            }
        }
    }

    /// Calls a callback and measures its own time.
    #[cold]
    pub(super) fn timed<R>(&self, site: Site, what: &dyn Display, f: impl FnOnce() -> R) -> R {
        let began = self.driver.now();
        let result = f();
        let took = self.driver.now().saturating_sub(began);
        self.record_call(began, took, site, what);
        if self.slow.slowest.borrow().as_ref().is_none_or(|slowest| took > slowest.took) {
            let slowest = SlowCallback { took, registered: site, what: what.to_string() };
            *self.slow.slowest.borrow_mut() = Some(slowest);
        }
        result
    }
}

/// Sets how long a turn may take before it is reported: 50 ms by default. [`Duration::MAX`] turns the report off.
pub fn set_slow_threshold(threshold: Duration) {
    if let Some(lp) = current() {
        lp.turn.threshold.set(threshold.into());
    }
}

/// Calls `f` once for each turn that took longer than the threshold, after the next poll (in the poll phase). Each of these
/// turns is also logged (`warn`, target `oneloop::loop`). A loop has one such listener; a new one replaces it.
#[track_caller]
pub fn on_slow(f: impl FnMut(&SlowTurn) + 'static) {
    if let Some(lp) = current() {
        let old = lp.slow.listener.replace(Some((Location::caller(), Box::new(f))));
        discard(old);
    }
}

/// Sets whether every callback is timed by itself (two clock reads each), so that a report names the slowest callback.
/// Off by default.
pub fn set_exact_timing(on: bool) {
    if let Some(lp) = current() {
        lp.exact_timing.set(on);
        lp.slow.slowest.take();
    }
}
