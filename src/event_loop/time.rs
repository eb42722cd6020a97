//! Time as the loop counts it.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// An instant on the loop's clock, which begins when the loop is made, or a length of time; in nanoseconds.
///
/// Sums and differences saturate: a sum is [`Time::MAX`] (over 500 years) at most, and a difference that would be negative is
/// [`Time::ZERO`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(u64);

impl Time {
    pub const ZERO: Time = Time(0);
    pub const MAX: Time = Time(u64::MAX);

    #[inline]
    pub const fn from_secs(secs: u64) -> Time {
        Time(secs.saturating_mul(1_000_000_000))
    }

    #[inline]
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis.saturating_mul(1_000_000))
    }

    #[inline]
    pub const fn from_micros(micros: u64) -> Time {
        Time(micros.saturating_mul(1_000))
    }

    #[inline]
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Converts the reading of a clock that began with the loop. To save time, it does not saturate: every turn calls it.
    #[inline]
    pub fn of_clock(reading: Duration) -> Time {
        Time(reading.as_secs() * 1_000_000_000 + u64::from(reading.subsec_nanos()))
    }

    #[inline]
    pub const fn nanos(self) -> u64 {
        self.0
    }
}

impl Add for Time {
    type Output = Time;

    #[inline]
    fn add(self, other: Time) -> Time {
        Time(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Time {
    #[inline]
    fn add_assign(&mut self, other: Time) {
        *self = *self + other;
    }
}

impl Sub for Time {
    type Output = Time;

    #[inline]
    fn sub(self, other: Time) -> Time {
        Time(self.0.saturating_sub(other.0))
    }
}

impl From<Duration> for Time {
    #[inline]
    fn from(duration: Duration) -> Time {
        Time::from_secs(duration.as_secs()) + Time(u64::from(duration.subsec_nanos()))
    }
}

impl From<Time> for Duration {
    #[inline]
    fn from(time: Time) -> Duration {
        Duration::from_nanos(time.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences_saturate() {
        let second = Time::from_secs(1);
        assert_eq!(second + second, Time::from_millis(2_000));
        assert_eq!(Time::MAX + second, Time::MAX);
        assert_eq!(second - Time::from_micros(1_000_001), Time::ZERO);
        assert_eq!(Time::from_secs(u64::MAX), Time::MAX);
    }

    #[test]
    fn a_duration_is_the_same_time_up_to_the_longest() {
        let odd = Duration::new(12, 345_678_901);
        assert_eq!(Duration::from(Time::from(odd)), odd);
        assert_eq!(Time::from(Duration::MAX), Time::MAX);
        assert_eq!(Time::from(Duration::from_nanos(u64::MAX) + Duration::from_nanos(1)), Time::MAX);
    }
}
