//! Phases and turns: what runs in an iteration, one turn at a time.

use super::{Loop, Time};
use crate::callback::Site;
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::panic::Location;

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

impl Phase {
    /// All phases, in their order.
    pub(crate) const ALL: [Phase; 5] = [Phase::Pending, Phase::Poll, Phase::Check, Phase::Closing, Phase::Timers];

    /// The place of this phase in the order of [`Phase::ALL`], counted from 0.
    pub(crate) fn number(self) -> usize {
        self as usize
    }
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

/// The default threshold of slow turns: Node's community calls a loop blocked if a callback holds it for 50 ms.
const THRESHOLD: Time = Time::from_millis(50);

/// The data of the turn that is running.
pub(super) struct Turn {
    /// A number that distinguishes this turn from others.
    pub serial: Cell<u32>,
    pub callbacks: Cell<u32>,
    pub ticks: Cell<u64>,
    pub site: Cell<Site>,
    /// The label of the turn. The buffer is kept between turns, so that copying a method and target into it allocates
    /// nothing.
    pub(super) label: RefCell<Vec<u8>>,
    pub(super) began: Cell<Time>,
    /// A turn that takes longer than this is reported.
    pub(super) threshold: Cell<Time>,
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

/// The longest label of a turn, in bytes.
pub(super) const LABEL: usize = 200;

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

    /// Ends a turn. This reads the clock once; the time that it reads is also the beginning of the next turn.
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

    /// Sets the label of this turn, as [`label_turn`](Loop::label_turn) does, from its parts.
    #[inline]
    pub(crate) fn label_turn_by(&self, parts: &[&str]) {
        let mut kept = self.turn.label.borrow_mut();
        kept.clear();
        parts.iter().for_each(|part| kept.extend_from_slice(part.as_bytes()));
        kept.truncate(LABEL);
    }
}
