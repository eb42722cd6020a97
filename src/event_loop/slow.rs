//! The report of slow turns: which callbacks held up the loop, and for how long.

use super::{Loop, Time, current};
use crate::callback::{Site, discard};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::panic::Location;
use std::time::Duration;

/// The phases of an iteration. See the [module's docs](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// 1: turns of the sources on the ready list.
    Pending,
    /// 2: the wait, and turns of the sources that it found ready.
    Poll,
    /// 3: immediates.
    Check,
    /// 4: the `on_close` callbacks.
    Closing,
    /// 5: timers.
    Timers,
}

impl Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Pending => "pending",
            Phase::Poll => "poll",
            Phase::Check => "check",
            Phase::Closing => "closing",
            Phase::Timers => "timers",
        })
    }
}

/// A turn that held the loop for longer than the threshold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowTurn {
    /// The phase in which it was.
    pub phase: Phase,
    /// How many callbacks were called in it, not counting ticks.
    pub callbacks: u32,
    /// Where the last of these callbacks was registered.
    pub registered: Site,
    /// What that callback was called for: for an HTTP request its method and target. Empty if unknown.
    pub label: String,
    /// How long the turn took.
    pub took: Duration,
    /// The slowest callback of the turn, if [`set_exact_timing`] is on.
    pub slowest: Option<SlowCallback>,
    /// How many sources the next wait found ready. These may have had to wait because of this turn.
    pub waiting: usize,
    /// The longest time that they can have waited: from the end of the wait before the turn to the end of the wait after
    /// it.
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

/// The default: 50 ms is what Node's community calls a blocked loop.
const THRESHOLD: Time = Time::from_millis(50);

/// The data of the turn that is running.
pub(super) struct Turn {
    /// A number that tells this turn from others.
    pub serial: Cell<u32>,
    pub callbacks: Cell<u32>,
    pub ticks: Cell<u64>,
    pub site: Cell<Site>,
    /// The label of the turn. The buffer is kept between turns, so that copying a method and target into it allocates
    /// nothing.
    pub(super) label: RefCell<Vec<u8>>,
    pub(super) began: Cell<Time>,
    /// A turn that takes longer is reported.
    threshold: Cell<Time>,
}

impl Turn {
    pub fn new() -> Turn {
        Turn {
            serial: Cell::new(0),
            callbacks: Cell::new(0),
            ticks: Cell::new(0),
            site: Cell::new(Location::caller()),
            label: RefCell::default(),
            began: Cell::new(Time::ZERO),
            threshold: Cell::new(THRESHOLD),
        }
    }
}

type OnSlow = Box<dyn FnMut(&SlowTurn)>;

#[derive(Default)]
pub(super) struct Slow {
    /// Slow turns of this iteration, each with the end of the wait before it. They are reported after the next wait, which
    /// shows how many sources had to wait.
    waiting: RefCell<Vec<(Time, SlowTurn)>>,
    listener: RefCell<Option<(Site, OnSlow)>>,
    /// The slowest callback of the turn that is running, if [`set_exact_timing`] is on.
    slowest: RefCell<Option<SlowCallback>>,
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
    #[inline]
    pub(super) fn begin_turn(&self) {
        self.turn.serial.set(self.turn.serial.get().wrapping_add(1));
        self.turn.callbacks.set(0);
        self.turn.label.borrow_mut().clear();
        if self.exact_timing.get() {
            self.slow.slowest.take();
        }
        self.turn.began.set(self.now());
    }

    /// The number of this turn. The next turn has another one.
    #[inline]
    pub(crate) fn turn_serial(&self) -> u32 {
        self.turn.serial.get()
    }

    /// Ends a turn. Its one clock read is also the beginning of the next turn.
    #[inline]
    pub(super) fn end_turn(&self, phase: Phase) {
        // The drop of a callback may have set ticks after the last callback returned.
        if !self.ticks.is_empty() {
            self.drain_ticks();
        }
        self.read_clock();
        let took = self.now() - self.turn.began.get();
        self.record_end_of_turn(phase, took);
        if took > self.turn.threshold.get() && self.turn.callbacks.get() > 0 {
            self.note_slow(phase, took);
        }
    }

    /// Sets the label of this turn, which a report shows if the turn is slow.
    #[inline]
    pub(crate) fn label_turn(&self, label: &[u8]) {
        let mut kept = self.turn.label.borrow_mut();
        kept.clear();
        kept.extend_from_slice(label.get(..LABEL).unwrap_or(label));
    }

    #[cold]
    fn note_slow(&self, phase: Phase, took: Time) {
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
                // The time of the listener must not count for the turn that follows.
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

/// The longest label of a turn, in bytes.
const LABEL: usize = 200;

/// Sets how long a turn may take before it is reported: 50 ms by default. [`Duration::MAX`] turns the report off.
pub fn set_slow_threshold(threshold: Duration) {
    if let Some(lp) = current() {
        lp.turn.threshold.set(threshold.into());
    }
}

/// Calls `f` once for each turn that took longer than the threshold, after the next wait (in the poll phase). Each of these
/// turns is also logged (`warn`, target `oneloop::loop`). A loop has one such listener; a new one replaces it.
#[track_caller]
pub fn on_slow(f: impl FnMut(&SlowTurn) + 'static) {
    if let Some(lp) = current() {
        let old = lp.slow.listener.replace(Some((Location::caller(), Box::new(f))));
        discard(old);
    }
}

/// Sets whether every callback is timed by itself (two clock reads each), so that a report names the slowest. Off by
/// default.
pub fn set_exact_timing(on: bool) {
    if let Some(lp) = current() {
        lp.exact_timing.set(on);
        lp.slow.slowest.take();
    }
}
