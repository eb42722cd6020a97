use super::random::Random;
use super::{Look, World};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// Of so many looks, one is interrupted.
const INTERRUPTED: u64 = 8;

/// How the waits of the simulated system behave. The default are those of a system where nothing comes between: each wait
/// tells of everything that is ready.
///
/// ```
/// use oneloop::sim::{Sim, Waits};
///
/// let sim = Sim::with_seed(7);
/// sim.set_waits(Waits { events: 1 + sim.random(4) as usize, interrupts: true });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Sources that one wait tells of at most, in the order in which they became ready; the others wait for the next one.
    /// Default: any number; at least 1. (On a real system it is 1,024.)
    pub events: usize,
    /// Let signals interrupt some waits, after time has passed and whatever is ready: such a wait tells of nothing. Drawn from
    /// the seed of the [`Sim`](crate::sim::Sim). Default: off.
    pub interrupts: bool,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits { events: usize::MAX, interrupts: false }
    }
}

/// The waits of a world.
#[derive(Default)]
pub(super) struct Waiting {
    how: RefCell<Waits>,
    /// The program is to be stopped for so long at its next wait.
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

    /// Stops the program at its next wait, which ends in vain after so long.
    pub fn stop(&self, time: Duration) {
        self.0.waiting.stop.set(Some(time));
    }

    pub fn is_to_stop(&self) -> bool {
        self.0.waiting.stop.get().is_some()
    }

    /// Lets happen what happens until then, each thing at its time.
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

    /// What keeps a wait from telling what is ready.
    pub(super) fn interrupted(&self) -> Option<Look> {
        if let Some(time) = self.0.waiting.stop.take() {
            self.pass_by(self.now().saturating_add(time));
            return Some(Look::Interrupted);
        }
        self.0.waiting.interrupts(&self.0.random).then_some(Look::Interrupted)
    }
}
