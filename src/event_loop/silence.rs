//! Keeps the instant up to which it is certain that peers were silent. Every decision whether a peer is late uses this instant.

use super::driver::Look;
use super::{Loop, Time, Timeout, current, set_timeout};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// If a loop has not waited for events for this long, it was away: a callback held it, or the process was stopped. This time is
/// longer than callbacks of a healthy program take, and short compared with the windows over which rates are measured.
const AWAY: Time = Time::from_secs(1);

/// If no event came, that does not prove that a peer has sent nothing. Its bytes stay with the kernel until a wait reports
/// them, and some waits report nothing (a signal interrupted them, as SIGSTOP and SIGCONT do) or not everything (more
/// sources were ready than one wait can report). So silence is proven only up to the instant at which the last wait *began*
/// that reported everything. If that wait ran into its timeout, silence is proven up to the end of the timeout.
///
/// Code that judges a peer does so after the turns of the sources which that wait reported, and by this instant instead of
/// the clock. Then a peer that was in time is never cut, however late the loop learns of it.
///
/// While more sources are ready at each wait than it can report, no single wait proves anything. But the kernel reports
/// sources in the order in which they became ready. So all sources that were ready at the beginning of such a row of waits
/// have been reported as soon as the row has reported as many events as there are sources.
#[derive(Default)]
pub(super) struct Silence {
    proven: Cell<Time>,
    /// The iteration of the last wait that proved nothing.
    in_vain: Cell<u64>,
    /// If that wait belongs to a row of full waits: when the row began, and how many events it has reported.
    row: Cell<Option<(Time, usize)>>,
    /// When the loop came back after it was last away.
    back: Cell<Time>,
}

/// An instant for [`Loop::has_looked_since`], given as an iteration. See [`Loop::this_moment`].
#[derive(Clone, Copy)]
pub(crate) struct Moment(u64);

/// A wait that reported nothing, or not everything.
pub(super) struct Vain {
    pub look: Look,
    /// The number of the iteration that waited.
    pub number: u64,
    pub began: Time,
    /// When its timeout would have ended the wait.
    pub until: Time,
    pub ended: Time,
    /// How many events it reported.
    pub events: usize,
    /// How many sources could have been ready.
    pub sources: usize,
}

impl Silence {
    /// Call this after a wait that reported everything that was ready, with at least one event. Silence is proven up to
    /// its beginning only, since the process may have been stopped after the wait returned.
    #[inline(always)]
    pub fn told_all(&self, began: Time) {
        self.proven.set(began);
    }

    /// Call this after a wait that ended in any other way.
    #[cold]
    pub fn told_less(&self, wait: &Vain) {
        let row = self.row.take().filter(|_| self.in_vain.get() + 1 == wait.number);
        match wait.look {
            // A wait that timed out proves silence up to its timeout. A wait that was woken before its timeout proves
            // silence up to its end.
            Look::All => return self.proven.set(wait.until.min(wait.ended)),
            Look::Interrupted if wait.ended - wait.began > AWAY => self.back.set(wait.ended),
            Look::Interrupted => self.row.set(row),
            Look::Full => {
                let (began, told) = row.unwrap_or((wait.began, 0));
                if told + wait.events >= wait.sources {
                    return self.proven.set(began);
                }
                self.row.set(Some((began, told + wait.events)));
            }
        }
        self.in_vain.set(wait.number);
    }

    /// Call this when a wait begins. The loop has worked for `time` since the last wait, until `until`.
    #[inline(always)]
    pub fn worked(&self, time: Time, until: Time) {
        if time > AWAY {
            self.back.set(until);
        }
    }

    /// Call this in an iteration that does not wait.
    #[cold]
    pub fn no_wait(&self, number: u64) {
        self.in_vain.set(number);
    }
}

impl Loop {
    /// Notes that a wait has reported nothing, or not everything.
    #[cold]
    pub(super) fn told_less(&self, look: Look, began: Time, may_wait: bool, events: usize) {
        let until = if may_wait { self.wake_at() } else { None };
        self.silence.told_less(&Vain {
            look,
            number: self.iteration(),
            began,
            until: until.unwrap_or(began).max(began),
            ended: self.clock(),
            events,
            // The waker can be ready as well, so it counts as one source.
            sources: self.registry.len() + 1,
        });
    }

    pub(crate) fn iteration(&self) -> u64 {
        self.counters.iterations.get()
    }

    /// The instant that is compared with the deadlines of peers: everything that peers did up to then has been reported
    /// and has had its turn. It is never later than the clock.
    #[inline]
    pub(crate) fn seen_until(&self) -> Time {
        self.silence.proven.get()
    }

    /// The present instant, for [`Loop::has_looked_since`].
    pub(crate) fn this_moment(&self) -> Moment {
        // A row of full waits that began before proves nothing about events from now on.
        self.silence.row.set(None);
        Moment(self.iteration())
    }

    /// Returns whether all sources that were ready at that moment have been reported and have had their turns. Call this
    /// in the pending phase of each iteration until it returns true.
    pub(crate) fn has_looked_since(&self, moment: Moment) -> bool {
        let last = self.iteration().saturating_sub(1);
        last > moment.0 && self.silence.in_vain.get() != last
    }

    /// Returns whether the loop was away (for a second or more) at some time after `time`. Then the measured rate of a peer over
    /// that time means nothing, since the kernel receives and sends only a limited amount while the program does nothing.
    pub(crate) fn was_away_since(&self, time: Time) -> bool {
        self.silence.back.get() > time
    }
}

/// A timer that judges a peer. It does not keep the loop alive. Dropping this does not cancel the timer.
#[derive(Clone)]
pub(crate) struct Deadline(Rc<Cell<Option<Timeout>>>);

/// How long after a passed deadline the peer is judged again, if it may have been in time. The next wait shows that; so
/// this time only has to end after the next wait.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Calls `f` when `after` has passed and everything that peers did until then has had its turn: see [`Loop::seen_until`]. A
/// plain timer would judge too early after a callback that blocked, since timers come before the next wait.
pub(crate) fn set_deadline(after: Duration, f: impl FnOnce() + 'static) -> Deadline {
    let until = current().map_or(Time::ZERO, |lp| lp.now() + after.into());
    let deadline = Deadline(Rc::default());
    deadline.arm(after, until, f);
    deadline
}

impl Deadline {
    fn arm(&self, after: Duration, until: Time, f: impl FnOnce() + 'static) {
        let deadline = self.clone();
        let timer = set_timeout(after, move || match current() {
            Some(lp) if lp.seen_until() < until => deadline.arm(LOOK_AGAIN, until, f),
            _ => f(),
        });
        timer.unref();
        self.0.set(Some(timer));
    }

    pub fn clear(&self) {
        if let Some(timer) = self.0.take() {
            timer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds waits to a `Silence`, one for each iteration: (what it reported, second it began, second of its timeout, events,
    /// second it ended).
    fn silence(waits: &[(Look, u64, u64, usize, u64)]) -> Silence {
        let silence = Silence::default();
        for (number, &(look, began, until, events, ended)) in waits.iter().enumerate() {
            let number = number as u64 + 1;
            let [began, until, ended] = [began, until, ended].map(Time::from_secs);
            match look {
                Look::All if events > 0 => silence.told_all(began),
                look => silence.told_less(&Vain { look, number, began, until, ended, events, sources: 10 }),
            }
        }
        silence
    }

    #[test]
    fn silence_is_proven_up_to_the_beginning_of_a_wait_that_told_all() {
        let proven = |waits| silence(waits).proven.get().nanos() / 1_000_000_000;
        assert_eq!(proven(&[(Look::All, 3, 9, 2, 7)]), 3);
        assert_eq!(proven(&[(Look::All, 3, 9, 0, 11)]), 9, "it ran into its timeout");
        assert_eq!(proven(&[(Look::All, 3, 9, 0, 7)]), 7, "or ended before");
        assert_eq!(proven(&[(Look::All, 3, 3, 1, 4), (Look::Interrupted, 4, 9, 0, 20)]), 3);
        assert_eq!(proven(&[(Look::All, 3, 3, 1, 4), (Look::Full, 4, 9, 4, 20)]), 3);
    }

    #[test]
    fn full_waits_prove_something_when_they_have_told_of_as_many_sources_as_there_are() {
        let full = |began| (Look::Full, began, began, 4, began + 1);
        let row = [full(1), full(3), (Look::Interrupted, 4, 9, 0, 5), full(6), full(8)];
        let proven = |waits: &[_]| Vec::from_iter((1..=waits.len()).map(|count| silence(&waits[..count]).proven.get()));
        assert_eq!(proven(&row), [0, 0, 0, 1, 1].map(Time::from_secs));
        let broken = [full(1), full(3), (Look::All, 4, 4, 1, 5), full(6), full(8), full(10)];
        assert_eq!(proven(&broken), [0, 0, 4, 4, 4, 6].map(Time::from_secs));
    }

    #[test]
    fn it_was_away_when_it_worked_or_was_stopped_for_more_than_a_second() {
        let seconds = Time::from_secs;
        let back = |waits| silence(waits).back.get();
        assert_eq!(back(&[(Look::All, 0, 60, 1, 50)]), seconds(0), "a wait is no absence");
        assert_eq!(back(&[(Look::Interrupted, 0, 60, 0, 50)]), seconds(50));
        let silence = Silence::default();
        silence.worked(seconds(1), seconds(5));
        assert_eq!(silence.back.get(), seconds(0));
        silence.worked(seconds(2), seconds(7));
        assert_eq!(silence.back.get(), seconds(7));
    }
}
