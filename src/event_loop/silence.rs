//! Until when it is known that peers were silent: the one notion by which everything that judges lateness goes.

use super::driver::Look;
use super::{Loop, Time, Timeout, current, set_timeout};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A loop that did not look for so long was away: a callback held it, or the process was stopped. Longer than callbacks of
/// a healthy program take, and little beside the windows over which rates are measured.
const AWAY: Time = 1_000_000_000;

/// That no event came is no proof that a peer has sent nothing. What it sent stands with the kernel until a wait tells of it,
/// and some waits tell nothing (a signal interrupted them, as SIGSTOP and SIGCONT do) or not all (more sources were ready
/// than one wait can tell of). So silence is proven only up to the instant at which the last wait *began* that told all; where
/// that wait ran into its timeout, up to the end of the timeout.
///
/// Who judges a peer does so after the turns of what that wait told of, and by this instant instead of the clock: then a peer
/// that did in time what was awaited is never cut, however late the loop learns of it.
///
/// While more sources are ready at each wait than it can tell of, no single one proves anything. But the kernel tells of
/// sources in the order in which they became ready, so that all that were ready when such a row of waits began have been told
/// of as soon as it has told of as many as there are.
#[derive(Default)]
pub(super) struct Silence {
    proven: Cell<Time>,
    /// How often silence was proven: see [`Loop::has_looked_since`].
    proofs: Cell<u32>,
    /// When the row of full waits began, if there is one, and the events that it has told of.
    row: Cell<Option<(Time, usize)>>,
    /// When the last wait ended.
    waited: Cell<Time>,
    /// When the loop came back the last time that it was away.
    back: Cell<Time>,
}

/// An instant, as [`Loop::this_moment`] gives it.
#[derive(Clone, Copy)]
pub(crate) struct Moment(u32);

/// A wait that has ended.
pub(super) struct Wait {
    pub look: Look,
    pub began: Time,
    /// When it would have ended without an event. At once: `began`.
    pub until: Time,
    /// Events that it told of.
    pub events: usize,
}

impl Silence {
    /// A wait has ended, just now. `sources`: what could have been ready.
    #[inline]
    pub fn waited(&self, wait: &Wait, now: Time, sources: impl FnOnce() -> usize) {
        if wait.began.saturating_sub(self.waited.replace(now)) > AWAY {
            self.back.set(wait.began);
        }
        match wait.look {
            // What ended it has not been ready before; but the process may have been stopped since.
            Look::All if wait.events > 0 => self.prove(wait.began),
            // Its own end may be early, where something else ended it; and it cannot have been late for what came since.
            Look::All => self.prove(wait.until.min(now)),
            look => self.waited_in_vain(look, wait, now, sources()),
        }
    }

    fn prove(&self, until: Time) {
        self.proven.set(until);
        self.proofs.set(self.proofs.get().wrapping_add(1));
        self.row.set(None);
    }

    #[cold]
    fn waited_in_vain(&self, look: Look, wait: &Wait, now: Time, sources: usize) {
        if look == Look::Interrupted {
            if now.saturating_sub(wait.began) > AWAY {
                self.back.set(now);
            }
            return;
        }
        let (began, told) = self.row.get().unwrap_or((wait.began, 0));
        let told = told + wait.events;
        if told >= sources { self.prove(began) } else { self.row.set(Some((began, told))) }
    }
}

impl Loop {
    /// What peers did until then is known, and has had its turn: the instant by which it is judged whether they were late. It
    /// is never later than the clock.
    #[inline]
    pub(crate) fn seen_until(&self) -> Time {
        self.silence.proven.get()
    }

    /// This instant, for [`Loop::has_looked_since`].
    pub(crate) fn this_moment(&self) -> Moment {
        // A row of full waits that has begun already proves nothing of what comes now.
        self.silence.row.set(None);
        Moment(self.silence.proofs.get())
    }

    /// Returns whether all that the kernel had at that moment has been told of and has had its turn: for who asks in the
    /// pending phase or later.
    pub(crate) fn has_looked_since(&self, moment: Moment) -> bool {
        self.silence.proofs.get() != moment.0
    }

    /// Returns whether the loop did not look for a second or more at some time after `time`. How fast a peer was over that
    /// time says nothing: the kernel takes and gives only so much while the program does nothing.
    pub(crate) fn was_away_since(&self, time: Time) -> bool {
        self.silence.back.get() > time
    }
}

/// A timer that judges a peer. It does not keep the loop alive; dropping this does not cancel it.
#[derive(Clone)]
pub(crate) struct Deadline(Rc<Cell<Option<Timeout>>>);

/// Until a deadline that has passed is looked at again, where its peer may have done in time what was awaited. The next
/// wait tells; this only has to be later than it.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Calls `f` after so long, once all that peers did until then has had its turn: see [`Loop::seen_until`]. A plain timer comes
/// too early for a judgement after a callback that blocked, since timers are due before the next wait.
pub(crate) fn set_deadline(after: Duration, f: impl FnOnce() + 'static) -> Deadline {
    let after_nanos = Time::try_from(after.as_nanos()).unwrap_or(Time::MAX);
    let until = current().map_or(0, |lp| lp.now().saturating_add(after_nanos));
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

    const SECOND: Time = 1_000_000_000;

    fn silence(waits: &[(Look, Time, Time, usize, Time)]) -> Silence {
        let silence = Silence::default();
        for &(look, began, until, events, now) in waits {
            silence.waited(&Wait { look, began, until, events }, now, || 10);
        }
        silence
    }

    #[test]
    fn silence_is_proven_up_to_the_beginning_of_a_wait_that_told_all() {
        let proven = |waits| silence(waits).proven.get();
        assert_eq!(proven(&[(Look::All, 3, 9, 2, 7)]), 3);
        assert_eq!(proven(&[(Look::All, 3, 9, 0, 11)]), 9, "it ran into its timeout");
        assert_eq!(proven(&[(Look::All, 3, 9, 0, 7)]), 7, "or ended before");
        assert_eq!(proven(&[(Look::All, 3, 3, 1, 4), (Look::Interrupted, 4, 9, 0, 20)]), 3);
        assert_eq!(proven(&[(Look::All, 3, 3, 1, 4), (Look::Full, 4, 9, 4, 20)]), 3);
    }

    #[test]
    fn full_waits_prove_something_when_they_have_told_of_as_many_sources_as_there_are() {
        let row =
            [(Look::Full, 1, 1, 4, 2), (Look::Full, 3, 3, 4, 4), (Look::Full, 5, 5, 4, 6), (Look::Full, 7, 7, 4, 8)];
        let proven: Vec<Time> = (1..=row.len()).map(|count| silence(&row[..count]).proven.get()).collect();
        assert_eq!(proven, [0, 0, 1, 1]);
    }

    #[test]
    fn it_was_away_when_it_worked_or_was_stopped_for_more_than_a_second() {
        let back = |waits| silence(waits).back.get();
        assert_eq!(back(&[(Look::All, 0, 0, 1, 1), (Look::All, SECOND, SECOND, 1, SECOND)]), 0);
        assert_eq!(back(&[(Look::All, 0, 0, 1, 1), (Look::All, 3 * SECOND, 3 * SECOND, 1, 4 * SECOND)]), 3 * SECOND);
        assert_eq!(back(&[(Look::All, 0, 60 * SECOND, 1, 50 * SECOND)]), 0, "a wait is no absence");
        assert_eq!(back(&[(Look::Interrupted, 0, 60 * SECOND, 0, 50 * SECOND)]), 50 * SECOND);
    }
}
