use super::random::Random;
use super::{Look, World};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// On average, one of this many waits is interrupted.
const INTERRUPTED: u64 = 8;

/// How the waits of the simulated system behave. The default is a system without disturbances: each wait reports everything
/// that is ready.
///
/// ```
/// use oneloop::sim::{Sim, Waits};
///
/// let sim = Sim::with_seed(7);
/// sim.set_waits(Waits { events: 1 + sim.random(4) as usize, interrupts: true });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// How many sources one wait reports at most, in the order in which they became ready; the next wait reports the
    /// others. At least 1. Default: no limit. (On a real system it is 1,024.)
    pub events: usize,
    /// Let signals interrupt some waits, after some time has passed. Such a wait reports nothing, even if sources are
    /// ready. Which waits they are comes from the seed of the [`Sim`](crate::sim::Sim). Default: off.
    pub interrupts: bool,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits { events: usize::MAX, interrupts: false }
    }
}

/// How waits behave in a world, and the next interruption.
#[derive(Default)]
pub(super) struct Waiting {
    how: RefCell<Waits>,
    /// How long the program is to be stopped at its next wait.
    stop: Cell<Option<Duration>>,
}

impl Waiting {
    pub fn events(&self) -> usize {
        self.how.borrow().events.max(1)
    }

    fn interrupts(&self, random: &Random) -> bool {
        self.how.borrow().interrupts && random.below(INTERRUPTED) == 0
    }
}

impl World {
    pub fn set_waits(&self, waits: Waits) {
        *self.0.waiting.how.borrow_mut() = waits;
    }

    /// Stops the program at its next wait: that wait takes this long and is then interrupted.
    pub fn stop(&self, time: Duration) {
        self.0.waiting.stop.set(Some(time));
    }

    pub fn is_to_stop(&self) -> bool {
        self.0.waiting.stop.get().is_some()
    }

    /// Runs the occurrences up to `end`, each at its time.
    fn pass_by(&self, end: Duration) {
        loop {
            self.run_due();
            let next = self.0.schedule.borrow().next();
            match next.filter(|next| *next <= end) {
                Some(next) => self.0.clock.set(next),
                None => break,
            }
        }
        self.0.clock.set(end);
    }

    /// Returns `Interrupted` if this wait is to be interrupted, after letting the time pass.
    pub(super) fn interrupted(&self) -> Option<Look> {
        if let Some(time) = self.0.waiting.stop.take() {
            self.pass_by(self.now().saturating_add(time));
            return Some(Look::Interrupted);
        }
        self.0.waiting.interrupts(&self.0.random).then_some(Look::Interrupted)
    }
}
