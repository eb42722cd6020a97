//! Decides whether the loop keeps running, and until when a wait may last.

use super::recorder::Queues;
use super::{Loop, Time};

impl Loop {
    /// Returns until when the wait of phase 2 may last. A time in the past means: do not wait. `None` means: no limit.
    #[inline(always)]
    pub(super) fn wake_at(&self) -> Option<Time> {
        let busy = !self.ready.borrow().is_empty()
            || !self.immediates.is_empty()
            || !self.closing.borrow().is_empty()
            || self.stopping.get()
            || self.is_halted()
            || !self.is_alive();
        if busy {
            return Some(Time::ZERO);
        }
        let next = earlier(self.timers.next(), self.registry.next_sweep());
        match self.jobs.next(self.counters.iterations.get()) {
            None => next,
            jobs => earlier(next, jobs),
        }
    }

    pub(super) fn queues(&self) -> Queues {
        let short = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Queues {
            timers: short(self.timers.armed()),
            ready: short(self.ready.borrow().len()),
            immediates: short(self.immediates.len()),
            ticks: short(self.ticks.len()),
            closing: short(self.closing.borrow().len()),
            jobs: short(self.jobs.len()),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.referenced.get() > 0
            || self.timers.referenced() > 0
            || !self.ready.borrow().is_empty()
            || self.immediates.referenced() > 0
            || !self.closing.borrow().is_empty()
            || self.inbox.referenced() > 0
            || self.jobs.keep_alive(self.clock.get(), self.seen_until(), self.counters.iterations.get())
    }

    /// Returns whether the loop has never been run although something waits for it that would keep it alive.
    pub(super) fn waits_for_run(&self) -> bool {
        self.counters.iterations.get() == 0
            && (self.referenced.get() + self.timers.referenced() > 0
                || self.awaited().iter().any(|(_, count)| *count > 0))
    }

    /// The kinds and numbers of the things, besides sources and timers, that a program could be waiting for.
    pub(super) fn awaited(&self) -> [(&'static str, usize); 3] {
        [
            ("immediates and ticks", self.immediates.referenced() + self.ticks.len()),
            ("jobs", self.jobs.referenced()),
            ("messages and senders", self.inbox.awaited()),
        ]
    }

    /// Returns whether there is nothing to do until the driver's clock moves or something comes from outside.
    pub(crate) fn is_quiet(&self) -> bool {
        let now = self.clock.get();
        self.ready.borrow().is_empty()
            && self.immediates.is_empty()
            && self.ticks.is_empty()
            && self.closing.borrow().is_empty()
            && self.timers.next().is_none_or(|at| at > now)
            && !self.registry.sweep_is_due(now)
            && self.counters.last_events.get() == 0
    }
}

#[inline]
fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
