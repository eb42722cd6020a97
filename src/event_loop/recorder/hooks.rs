//! The calls by which the loop tells its recorder what happens. While the recorder is off, each of these calls costs one
//! branch. The code that writes records is placed apart from the hot path.

use super::records::SourceKind;
use super::tape::{Ended, Tape, Totals};
use crate::callback::Site;
use crate::event_loop::placement::cold;
use crate::event_loop::registry::{Kind, Source};
use crate::event_loop::{Loop, Phase, Time, Token};
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

/// The recorder of one loop.
#[derive(Default)]
pub(crate) struct Recorder {
    on: Cell<bool>,
    /// Never borrowed while user code runs.
    pub(super) tape: RefCell<Option<Box<Tape>>>,
    /// The serial number of the last iteration that earlier tapes recorded.
    pub(super) last: Cell<u64>,
    read: Cell<u64>,
    written: Cell<u64>,
}

impl Recorder {
    /// Replaces the tape by a new one, or by none, and drops the old one.
    pub(super) fn set_tape(&self, make: impl FnOnce(u64) -> Option<Box<Tape>>) {
        let old = self.tape.take();
        if let Some(old) = old {
            self.last.set(old.next() - 1);
        }
        let tape = make(self.last.get() + 1);
        self.on.set(tape.is_some());
        self.tape.replace(tape);
    }

    #[inline(always)]
    pub(in crate::event_loop) fn is_on(&self) -> bool {
        self.on.get()
    }

    #[inline(always)]
    fn count(&self, total: &Cell<u64>, bytes: usize) {
        if self.is_on() {
            cold(|| total.set(total.get() + bytes as u64));
        }
    }

    fn with(&self, f: impl FnOnce(&mut Tape)) {
        if let Some(tape) = &mut *self.tape.borrow_mut() {
            f(tape);
        }
    }
}

impl Loop {
    pub(super) fn totals(&self) -> Totals {
        Totals { ticks: self.turn.ticks.get(), read: self.recorder.read.get(), written: self.recorder.written.get() }
    }

    /// Lets `f` write to the tape, if the recorder is on. `f` must not call user code.
    #[inline(always)]
    fn record(&self, f: impl FnOnce(&mut Tape)) {
        if self.recorder.is_on() {
            cold(|| self.recorder.with(f));
        }
    }

    /// Records the beginning of an iteration, or of the prelude (the due timers that `run` calls before the first iteration).
    #[inline(always)]
    pub(in crate::event_loop) fn record_iteration(&self, prelude: bool) {
        self.record(|tape| tape.begin_iteration(self.clock(), self.queues(), prelude));
    }

    #[inline(always)]
    pub(in crate::event_loop) fn record_wait(&self, began: Time, events: usize) {
        self.record(|tape| tape.end_wait(began, self.clock(), events));
    }

    #[inline(always)]
    pub(in crate::event_loop) fn record_end_of(&self, phase: Phase) {
        self.record(|tape| match phase {
            Phase::Timers => tape.end_iteration(self.clock(), self.totals()),
            _ => tape.end_phase(phase, self.clock()),
        });
    }

    /// Records the beginning of a source's turn.
    #[inline(always)]
    pub(in crate::event_loop) fn record_turn_of(&self, source: &Rc<dyn Source>, token: Token) {
        self.record(|tape| {
            let kind = match source.kind() {
                Kind::Listener => SourceKind::Listener,
                Kind::Connection | Kind::Attempt => SourceKind::Connection,
                Kind::Signals => SourceKind::Signals,
            };
            tape.begin_turn(kind, token, self.totals());
        });
    }

    /// Records the beginning of a turn that belongs to no source in the slab: the inbox, a timer or an immediate.
    #[inline(always)]
    pub(in crate::event_loop) fn record_turn(&self, kind: SourceKind) {
        self.record(|tape| tape.begin_turn(kind, Token::NONE, self.totals()));
    }

    #[inline(always)]
    pub(in crate::event_loop) fn record_end_of_turn(&self, phase: Phase, took: Time) {
        self.record(|tape| {
            let ended = Ended {
                phase,
                began: self.turn.began.get(),
                took,
                callbacks: self.turn.callbacks.get(),
                site: self.turn.site.get(),
                label: &self.turn.label.borrow(),
            };
            tape.end_turn(&ended, self.totals());
        });
    }

    /// Records the pattern of the route that this turn's callbacks belong to.
    #[cfg(feature = "app")]
    #[inline(always)]
    pub(crate) fn record_route(&self, route: &str) {
        self.record(|tape| tape.name_route(route));
    }

    /// The time at which a run of ticks begins. Only here is the clock read just for the recorder.
    #[inline]
    pub(in crate::event_loop) fn record_ticks(&self) -> Option<Duration> {
        self.recorder.is_on().then(|| self.driver.now())
    }

    pub(in crate::event_loop) fn record_end_of_ticks(&self, began: Duration) {
        let took = (self.driver.now() - began).into();
        self.record(|tape| tape.add_ticks(took));
    }

    /// Records a callback that has returned and was timed by itself
    /// ([`set_exact_timing`](crate::event_loop::set_exact_timing)).
    pub(in crate::event_loop) fn record_call(&self, began: Duration, took: Duration, site: Site, what: &dyn Display) {
        self.record(|tape| tape.end_call(began.into(), took.into(), site, what));
    }

    /// Counts bytes that came from a socket.
    #[inline(always)]
    pub(crate) fn record_read(&self, count: usize) {
        self.recorder.count(&self.recorder.read, count);
    }

    /// Counts bytes that were written to a socket.
    #[inline(always)]
    pub(crate) fn record_written(&self, count: usize) {
        self.recorder.count(&self.recorder.written, count);
    }

    pub(super) fn mark_turn_as_own(&self) {
        self.recorder.with(Tape::mark_as_own);
    }
}
