use std::time::Duration;

/// How often something may happen: a number of times in a unit of time, and a number of times at once.
///
/// ```
/// use oneloop::app::Rate;
///
/// let searches = Rate::per_minute(60).burst(10); // one in a second; after a pause, ten at once
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    window: Duration,
    burst: u32,
}

impl Rate {
    /// A rate of `count` requests in a second (at least 1). They may all come at once.
    ///
    /// ```
    /// let rate = oneloop::app::Rate::per_second(5);
    /// ```
    pub fn per_second(count: u32) -> Rate {
        Rate::per(count, Duration::from_secs(1))
    }

    /// So many requests in a minute.
    ///
    /// ```
    /// let rate = oneloop::app::Rate::per_minute(60);
    /// ```
    pub fn per_minute(count: u32) -> Rate {
        Rate::per(count, Duration::from_secs(60))
    }

    /// So many requests in an hour.
    ///
    /// ```
    /// let rate = oneloop::app::Rate::per_hour(1000);
    /// ```
    pub fn per_hour(count: u32) -> Rate {
        Rate::per(count, Duration::from_secs(3600))
    }

    fn per(count: u32, window: Duration) -> Rate {
        Rate { count: count.max(1), window, burst: count.max(1) }
    }

    /// Sets how many requests may come at once after a pause (at least 1). By default as many as the rate has: `per_minute(60)` lets
    /// sixty come in the first second, and one in each second after it.
    ///
    /// ```
    /// let rate = oneloop::app::Rate::per_minute(60).burst(10);
    /// ```
    pub fn burst(mut self, most: u32) -> Rate {
        self.burst = most.max(1);
        self
    }

    /// The time in which one request is earned.
    pub(super) fn interval(self) -> Duration {
        (self.window / self.count).max(Duration::from_nanos(1))
    }

    pub(super) fn most(self) -> u32 {
        self.burst
    }

    /// The time in which a whole burst is earned.
    pub(super) fn full_after(self) -> Duration {
        self.interval().saturating_mul(self.burst)
    }
}
