use super::call::Panics;
use super::channel::Channels;
use super::driver::{Driver, Event, Look, WAKE};
use super::jobs::Jobs;
use super::metrics::Counters;
use super::queues::{Immediates, Ticks};
use super::recorder::{Recorder, SourceKind};
use super::registry::Registry;
use super::remote::Inbox;
use super::silence::Silence;
use super::slow::Slow;
use super::timers::Timers;
use super::turn::Turn;
use super::{Due, Phase, Time, Token};
use crate::callback::discard;
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The loop of one thread.
///
/// The order of the fields is deliberate (`repr(C)`): the first are those that every turn touches. So they share a few
/// cache lines, which the kernel has evicted since the last turn.
#[repr(C)]
pub(crate) struct Loop {
    // ---- Every turn
    pub(super) clock: Cell<Time>,
    pub(super) silence: Silence,
    pub(super) running: Cell<bool>,
    pub(super) stopping: Cell<bool>,
    /// Torn down: nothing that is handed to it now would ever be called or let go.
    ended: Cell<bool>,
    pub(super) exact_timing: Cell<bool>,
    pub(super) signals: Cell<Token>,
    pub(super) turn: Turn,
    pub(super) registry: Registry,
    pub(super) ticks: Ticks,
    pub(super) recorder: Recorder,
    pub(super) panics: Panics,
    // ---- Every iteration
    pub(super) counters: Counters,
    /// Between two waits, events whose turns a panic has prevented; otherwise empty, and kept for its capacity.
    events: Cell<Vec<Event>>,
    /// The ready list: sources that want a turn without an event of the driver. See [`Loop::make_ready`].
    pub(super) ready: RefCell<VecDeque<Token>>,
    pub(super) closing: RefCell<VecDeque<Token>>,
    /// Sources that keep the loop alive.
    pub(super) referenced: Cell<usize>,
    pub(super) immediates: Immediates,
    pub(super) timers: Timers,
    pub(super) slow: Slow,
    pub(super) driver: Driver,
    // ---- Now and then
    pub(super) inbox: Arc<Inbox>,
    pub(super) channels: Channels,
    pub(super) jobs: Jobs,
    /// Objects that the layers above have once per loop (buffers, pools), by type.
    locals: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
}

/// How many timers one timers phase looks at. Their callbacks may take a millisecond; then sources have their turns.
const TIMERS_PER_PHASE: usize = 1_024;

impl Loop {
    pub(crate) fn new(driver: Driver) -> Rc<Loop> {
        let inbox = Inbox::new(driver.waker());
        Rc::new(Loop {
            driver,
            registry: Registry::new(),
            timers: Timers::new(),
            ticks: Ticks::default(),
            immediates: Immediates::default(),
            inbox,
            channels: Channels::default(),
            jobs: Jobs::default(),
            panics: Panics::default(),
            counters: Counters::default(),
            turn: Turn::new(),
            slow: Slow::default(),
            exact_timing: Cell::new(false),
            recorder: Recorder::default(),
            ready: RefCell::default(),
            closing: RefCell::default(),
            referenced: Cell::new(0),
            signals: Cell::new(Token::NONE),
            clock: Cell::new(Time::ZERO),
            silence: Silence::default(),
            running: Cell::new(false),
            stopping: Cell::new(false),
            ended: Cell::new(false),
            events: Cell::default(),
            locals: RefCell::default(),
        })
    }

    // ---- The iteration

    pub(super) fn run(self: &Rc<Self>) -> io::Result<()> {
        let result = self.while_running(|lp| {
            lp.drain_ticks();
            lp.read_clock();
            lp.counters.run_begins(lp.clock.get());
            lp.record_iteration(true);
            lp.run_timers();
            lp.record_end_of(Phase::Timers);
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

    fn iterate(self: &Rc<Self>, may_wait: bool) -> io::Result<()> {
        self.counters.iterations.set(self.counters.iterations.get() + 1);
        self.trace(|lp| log::trace!(target: "oneloop::loop", "iteration {}", lp.counters.iterations.get()));
        self.record_iteration(false);
        self.run_pending();
        if !self.is_halted() {
            self.poll(may_wait)?;
            self.record_end_of(Phase::Poll);
        } else {
            self.silence.no_wait(self.counters.iterations.get());
        }
        if !self.is_halted() {
            self.run_immediates();
        }
        if !self.is_halted() {
            self.run_closing();
        }
        if !self.is_halted() {
            self.run_timers();
        }
        self.record_end_of(Phase::Timers);
        Ok(())
    }

    fn while_running<R>(self: &Rc<Self>, f: impl FnOnce(&Rc<Self>) -> io::Result<R>) -> io::Result<R> {
        if self.running.replace(true) {
            return Err(io::Error::other("this thread's loop is running already: run() was called from a callback"));
        }
        // Reset by a drop, so that even a panic in a script of a simulation does not leave the loop marked as running.
        struct Ran<'a>(&'a Cell<bool>);
        impl Drop for Ran<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        let _ran = Ran(&self.running);
        f(self)
    }

    /// Logs, if the level *trace* is enabled. The code for it is kept out of the iteration.
    #[inline(always)]
    fn trace(&self, f: impl FnOnce(&Self)) {
        if log::STATIC_MAX_LEVEL >= log::LevelFilter::Trace && log::max_level() >= log::LevelFilter::Trace {
            self.aside(f);
        }
    }

    #[cold]
    fn aside(&self, f: impl FnOnce(&Self)) {
        f(self);
    }

    /// Phase 1, pending. A source that makes itself ready again waits for the next iteration.
    #[inline]
    fn run_pending(self: &Rc<Self>) {
        self.counters.pending_begins();
        if !self.ready.borrow().is_empty() {
            self.resume_ready();
        }
    }

    #[inline(never)]
    fn resume_ready(self: &Rc<Self>) {
        let count = self.ready.borrow().len();
        log::trace!(target: "oneloop::loop", "pending: {count}");
        for _ in 0..count {
            let token = self.ready.borrow_mut().pop_front();
            if let Some((token, source)) = token.and_then(|token| Some((token, self.registry.get(token)?))) {
                self.record_turn_of(&source, token);
                self.begin_turn();
                source.resume(self);
                self.end_turn(Phase::Pending);
            }
            if self.is_halted() {
                return;
            }
        }
    }

    /// Phase 2, poll.
    fn poll(self: &Rc<Self>, may_wait: bool) -> io::Result<()> {
        // Empty, unless a panic ended the last poll midway: each event is reported only once, so the rest of it was kept.
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
                self.give_turn(event);
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
            self.give_turn(&event);
        }
        if self.is_halted() {
            // Readiness is reported only once, so events whose turns a panic has prevented are kept for the next poll.
            events.drain(..turned);
            events.extend(woken.into_iter().chain(signalled));
        } else {
            events.clear();
        }
        self.events.set(events);
        Ok(())
    }

    /// Waits until something is ready, at most until the next timer or sweep.
    ///
    /// If several sources were ready last time, some usually are again: then it first looks without waiting. A look has no
    /// timeout, whereas for a timeout the kernel reads the clock twice, even if it does not have to wait.
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

    /// The source may have been closed by an earlier turn of this iteration. Slots are freed only in the closing phase, so
    /// it is still found, and ignores the event.
    #[inline(always)]
    fn give_turn(self: &Rc<Self>, event: &Event) {
        let token = Token::from_number(event.token);
        if let Some(source) = self.registry.get(token) {
            self.record_turn_of(&source, token);
            self.begin_turn();
            source.turn(self, event.ready);
            self.end_turn(Phase::Poll);
        }
    }

    /// Calls the sources whose deadlines have passed.
    #[inline]
    fn sweep(self: &Rc<Self>) {
        if self.registry.sweep_is_due(self.seen_until()) {
            self.sweep_slice();
        }
    }

    #[inline(never)]
    fn sweep_slice(self: &Rc<Self>) {
        let mut found = Vec::new();
        self.registry.sweep(self.seen_until(), &mut found);
        for (token, source) in found {
            if self.is_halted() {
                self.registry.set_due(token, Due::at(self.clock.get()));
                continue;
            }
            self.record_turn_of(&source, token);
            self.begin_turn();
            source.due(self);
            self.end_turn(Phase::Poll);
        }
    }

    /// Phase 4, closing.
    #[inline]
    fn run_closing(self: &Rc<Self>) {
        if !self.closing.borrow().is_empty() {
            self.close_sources();
        }
    }

    #[inline(never)]
    fn close_sources(self: &Rc<Self>) {
        let count = self.closing.borrow().len();
        for _ in 0..count {
            let token = self.closing.borrow_mut().pop_front();
            if let Some((token, source)) = token.and_then(|token| Some((token, self.registry.get(token)?))) {
                self.record_turn_of(&source, token);
                self.begin_turn();
                source.closed(self);
                let freed = self.registry.remove(token);
                discard(freed);
                self.end_turn(Phase::Closing);
            }
            if self.is_halted() {
                break;
            }
        }
        self.record_end_of(Phase::Closing);
    }

    /// Phase 5, timers.
    #[inline]
    fn run_timers(self: &Rc<Self>) {
        if self.timers.armed() > 0 {
            self.fire_timers();
        }
    }

    #[inline(never)]
    fn fire_timers(self: &Rc<Self>) {
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

    // ---- For the layers above

    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.get()
    }

    /// Returns whether the loop was torn down: then only handles that outlive it keep this value in memory.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    pub(super) fn stop(&self) {
        self.stopping.set(true);
    }

    /// The one `T` of this loop, made by `make` when it is first asked for.
    pub(crate) fn local<T: Any>(self: &Rc<Self>, make: impl FnOnce(&Rc<Self>) -> Rc<T>) -> Rc<T> {
        let found =
            self.locals.borrow().iter().find(|(id, _)| *id == TypeId::of::<T>()).map(|(_, local)| local.clone());
        if let Some(local) = found.and_then(|local| local.downcast::<T>().ok()) {
            return local;
        }
        let made = make(self);
        self.locals.borrow_mut().push((TypeId::of::<T>(), made.clone()));
        made
    }

    /// Ends the loop: calls no callback any more and drops everything that was to be called. Handles find themselves
    /// closed.
    pub(super) fn teardown(&self) {
        self.ended.set(true);
        self.inbox.end();
        self.channels.teardown();
        for source in self.registry.take_all() {
            source.teardown();
            discard(source);
        }
        self.ready.take();
        self.closing.take();
        self.timers.teardown();
        self.immediates.teardown();
        self.ticks.teardown();
        self.jobs.teardown();
        self.panics.teardown();
        self.slow.teardown();
        let locals = self.locals.take();
        discard(locals);
    }
}
