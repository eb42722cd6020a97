//! The clock of the loop.

use super::placement::cold;
use super::{Loop, Time};
use std::time::{Duration, SystemTime};

impl Loop {
    /// The time of the loop: the clock as it was read last. While the loop does not run, this reads the clock: so the
    /// time of a timer that is set before `run` begins at the moment at which it was set.
    #[inline]
    pub(crate) fn now(&self) -> Time {
        if !self.running.get() {
            cold(|| self.read_clock());
        }
        self.clock.get()
    }

    /// Reads the driver's clock. The time of the loop stays as it is.
    pub(crate) fn exact_now(&self) -> Duration {
        self.driver.now()
    }

    /// The clock as it was read last, even while the loop does not run.
    pub(super) fn clock(&self) -> Time {
        self.clock.get()
    }

    /// Reads the wall clock.
    pub(crate) fn wall(&self) -> SystemTime {
        self.driver.wall()
    }

    /// Reads the clock. Call this before a time limit begins at the end of a turn, since the turn may have been long.
    #[inline]
    pub(crate) fn read_clock(&self) {
        self.clock.set(Time::of_clock(self.driver.now()));
    }
}
