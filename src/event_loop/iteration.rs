//! The iteration: the phases in their order, and the turns in each.

use super::driver::{Event, Look, WAKE};
use super::placement::cold;
use super::recorder::SourceKind;
use super::{Due, Loop, Phase, Source, Token};
use crate::callback::discard;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// The most timers that one timers phase looks at. Their callbacks may take a millisecond; then sources have their turns.
const TIMERS_PER_PHASE: usize = 1_024;

/// The most turns of the ready list in one pending phase. One wait can report the same number of sources.
const TURNS_PER_PHASE: usize = 1_024;

impl Loop {
    pub(super) fn run(self: &Rc<Self>) -> io::Result<()> {
        let result = self.while_running(|lp| {
            lp.drain_ticks();
            lp.read_clock();
            lp.counters.run_begins(lp.clock.get());
            lp.record_iteration(true);
            lp.run_timers();
            while lp.is_alive() && !lp.stopping.get() && !lp.is_halted() {
                lp.iterate(true)?;
            }
            if !lp.stopping.replace(false) && !lp.is_halted() {
                lp.report_ways_in();
            }
            lp.report_slow(0);
            Ok(())
        });
        self.resume_panic();
        result
    }

    pub(super) fn run_single(self: &Rc<Self>, may_wait: bool) -> io::Result<bool> {
        let result = self.while_running(|lp| {
            lp.drain_ticks();
            lp.read_clock();
            if lp.counters.iterations.get() == 0 {
                lp.counters.run_begins(lp.clock.get());
            }
            lp.iterate(may_wait)?;
            lp.stopping.set(false);
            Ok(lp.is_alive())
        });
        self.resume_panic();
        result
    }

    /// Runs one iteration. After a panic that is to be resumed, the remaining phases do nothing.
    fn iterate(self: &Rc<Self>, may_wait: bool) -> io::Result<()> {
        self.begin_iteration();
        self.run_pending();
        self.poll(may_wait)?;
        self.run_immediates();
        self.run_closing();
        self.run_timers();
        Ok(())
    }

    fn begin_iteration(&self) {
        self.counters.iterations.set(self.counters.iterations.get() + 1);
        self.trace(|lp| log::trace!(target: "oneloop::loop", "iteration {}", lp.counters.iterations.get()));
        self.record_iteration(false);
    }

    fn while_running<R>(self: &Rc<Self>, f: impl FnOnce(&Rc<Self>) -> io::Result<R>) -> io::Result<R> {
        if self.running.replace(true) {
            return Err(io::Error::other("this thread's loop is running already: run() was called from a callback"));
        }
        // This drop also runs if a script of a simulation panics.
        struct Ran<'a>(&'a Cell<bool>);
        impl Drop for Ran<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        let _ran = Ran(&self.running);
        f(self)
    }

    /// Logs at the trace level. The code of `f` is placed apart from the code of the iteration.
    #[inline(always)]
    fn trace(&self, f: impl FnOnce(&Self)) {
        if log::STATIC_MAX_LEVEL >= log::LevelFilter::Trace && log::max_level() >= log::LevelFilter::Trace {
            cold(|| f(self));
        }
    }

    /// Phase 1: the ready list. A source that makes itself ready again waits for the next iteration, as do all sources after the
    /// first 1,024.
    #[inline]
    fn run_pending(self: &Rc<Self>) {
        self.counters.pending_begins();
        let count = self.ready.borrow().len().min(TURNS_PER_PHASE);
        if count == 0 {
            return;
        }
        cold(|| {
            log::trace!(target: "oneloop::loop", "pending: {count}");
            #[cfg(feature = "tls")]
            let mut has_heavy = false;
            for _ in 0..count {
                let token = self.ready.borrow_mut().pop_front();
                #[cfg(feature = "tls")]
                if token == Some(Token::HEAVY) {
                    has_heavy = true;
                    continue;
                }
                if let Some(token) = token {
                    self.give_turn(Phase::Pending, token, |source| source.resume(self));
                }
                if self.is_halted() {
                    break;
                }
            }
            #[cfg(feature = "tls")]
            if has_heavy {
                self.run_heavy();
            }
        });
    }

    /// Phase 2: the wait, a turn for each source that the wait reported, the deadlines of sources, messages of other
    /// threads, and signals.
    fn poll(self: &Rc<Self>, may_wait: bool) -> io::Result<()> {
        if self.is_halted() {
            self.silence.no_wait(self.counters.iterations.get());
            return Ok(());
        }
        // Empty, unless a panic ended the last poll midway. Then it holds the events that had no turn yet, since the
        // driver reports each event only once.
        let mut events = self.events.take();
        let (before, kept) = (self.clock.get(), events.len());
        self.silence.worked(self.counters.iteration_ends(before), before);
        let waited = self.wait(may_wait && events.is_empty(), &mut events);
        self.read_clock();
        match waited {
            Ok(Look::All) if events.len() > kept => self.silence.told_all(before),
            Ok(look) => self.told_less(look, before, may_wait && kept == 0, events.len() - kept),
            Err(_) => {}
        }
        self.counters.wait_ends(before, self.clock.get(), events.len());
        self.record_wait(before, events.len());
        if let Err(error) = waited {
            self.events.set(events);
            return Err(error);
        }
        if self.slow.is_waiting() {
            self.report_slow(events.len());
        }
        if !events.is_empty() {
            self.trace(|_| log::trace!(target: "oneloop::loop", "poll: {} events", events.len()));
        }
        let mut woken = None;
        let mut signalled = None;
        let mut turned = 0;
        for event in &events {
            turned += 1;
            let token = Token::from_number(event.token);
            if event.token == WAKE {
                woken = Some(*event);
            } else if token == self.signals.get() {
                signalled = Some(*event);
            } else {
                self.give_turn(Phase::Poll, token, |source| source.turn(self, event.ready));
            }
            if self.is_halted() {
                break;
            }
        }
        if !self.is_halted() {
            self.sweep();
        }
        if !self.is_halted() && woken.take().is_some() {
            self.driver.waker().clear();
            self.record_turn(SourceKind::Inbox);
            self.begin_turn();
            self.run_inbox();
            self.end_turn(Phase::Poll);
        }
        if !self.is_halted()
            && let Some(event) = signalled.take()
        {
            let token = Token::from_number(event.token);
            self.give_turn(Phase::Poll, token, |source| source.turn(self, event.ready));
        }
        if self.is_halted() {
            // The driver reports readiness only once. So sources that had no turn because of the panic get it after the
            // next wait.
            events.drain(..turned);
            events.extend(woken.into_iter().chain(signalled));
        } else {
            events.clear();
        }
        self.events.set(events);
        self.record_end_of(Phase::Poll);
        Ok(())
    }

    /// Waits until something is ready, at most until the next timer or sweep.
    ///
    /// If the last wait found several sources ready, some of them are likely to be ready again. Then this first looks
    /// with a timeout of zero, and waits only if nothing is ready. For a longer timeout the kernel reads the clock twice,
    /// even if something is ready at once.
    fn wait(&self, may_wait: bool, events: &mut Vec<Event>) -> io::Result<Look> {
        if !may_wait || self.counters.last_events.get() > 1 {
            let look = self.driver.wait(Some(Duration::ZERO), events)?;
            if !may_wait || !events.is_empty() {
                return Ok(look);
            }
        }
        let timeout = self.wake_at().map(|at| Duration::from(at - self.clock.get()));
        self.driver.wait(timeout, events)
    }

    /// Gives a source a turn, if its slot was not freed. An earlier turn of the same iteration may have closed the
    /// source. It is then still found, since slots are freed in the closing phase only, and it ignores the turn.
    #[inline(always)]
    pub(super) fn give_turn(&self, phase: Phase, token: Token, turn: impl FnOnce(Rc<dyn Source>)) {
        if let Some(source) = self.registry.get(token) {
            self.record_turn_of(&source, token);
            self.begin_turn();
            turn(source);
            self.end_turn(phase);
        }
    }

    /// Gives turns to sources whose deadline has passed.
    #[inline]
    fn sweep(self: &Rc<Self>) {
        if !self.registry.sweep_is_due(self.seen_until()) {
            return;
        }
        cold(|| {
            for token in self.registry.sweep(self.seen_until()) {
                if self.is_halted() {
                    self.registry.set_due(token, Due::at(self.clock.get()));
                } else {
                    self.give_turn(Phase::Poll, token, |source| source.due(self));
                }
            }
        });
    }

    /// Phase 4: the last turns of sources that have closed.
    #[inline]
    fn run_closing(self: &Rc<Self>) {
        let count = self.closing.borrow().len();
        if count == 0 || self.is_halted() {
            return;
        }
        cold(|| {
            for _ in 0..count {
                let token = self.closing.borrow_mut().pop_front();
                if let Some(token) = token {
                    self.give_turn(Phase::Closing, token, |source| {
                        source.closed(self);
                        let freed = self.registry.remove(token);
                        discard(freed);
                    });
                }
                if self.is_halted() {
                    break;
                }
            }
            self.record_end_of(Phase::Closing);
        });
    }

    /// Phase 5: the timers that are due when it begins.
    #[inline]
    fn run_timers(self: &Rc<Self>) {
        if self.timers.armed() > 0 && !self.is_halted() {
            cold(|| self.run_due_timers());
        }
        self.record_end_of(Phase::Timers);
    }

    fn run_due_timers(&self) {
        self.read_clock();
        let now = self.clock.get();
        if self.timers.next().is_none_or(|at| at > now) {
            return;
        }
        let mut left = TIMERS_PER_PHASE;
        while let Some(timer) = self.timers.take_due(now, &mut left) {
            self.record_turn(SourceKind::Timer);
            self.begin_turn();
            timer.run(self);
            self.end_turn(Phase::Timers);
            if self.is_halted() {
                break;
            }
        }
        log::trace!(target: "oneloop::loop", "timers: {}", TIMERS_PER_PHASE - left);
    }
}
