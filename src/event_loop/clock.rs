//! The clock of the loop.

use super::{Loop, Time};
use std::time::{Duration, SystemTime};

impl Loop {
    /// The cached clock. Outside `run` nobody reads it from time to time, so it is read now: what is armed before `run`
    /// counts from when it is armed.
    #[inline]
    pub(crate) fn now(&self) -> Time {
        if !self.running.get() {
            self.read_clock_outside();
        }
        self.clock.get()
    }

    /// The time by the driver's clock, read now.
    pub(crate) fn exact_now(&self) -> Duration {
        self.driver.now()
    }

    #[cold]
    fn read_clock_outside(&self) {
        self.read_clock();
    }

    /// The clock as it was last read.
    pub(super) fn clock(&self) -> Time {
        self.clock.get()
    }

    /// Wall-clock time, read now.
    pub(crate) fn wall(&self) -> SystemTime {
        self.driver.wall()
    }

    /// Also for what begins at the end of a turn, which may have taken long.
    #[inline]
    pub(crate) fn read_clock(&self) {
        self.clock.set(Time::of_clock(self.driver.now()));
    }
}
