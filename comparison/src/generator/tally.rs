//! What counts, and in which window. (The rules are in the docs of the generator.)

use super::Outcome;
use super::spectrum::Spectrum;
use std::time::{Duration, Instant};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Whole and right.
    Answered,
    /// Wrong, or with a status that is neither 200 nor 503.
    Error,
    /// Refused, reset, closed before the answer; 503.
    Refused,
    /// Given up.
    TimedOut,
}

/// The measured window.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub begin: Instant,
    pub end: Instant,
}

impl Window {
    fn has(&self, at: Instant) -> bool {
        (self.begin..self.end).contains(&at)
    }
}

/// The counts of one loop.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    answers: u64,
    errors: u64,
    timeouts: u64,
    refusals: u64,
    offered: u64,
    latencies: Spectrum,
    late: Spectrum,
}

impl Tally {
    /// A request that was meant to be sent at `meant` ended now. `open`: the time of sending decides whether it counts.
    pub fn ended(&mut self, window: Window, open: bool, timed: bool, meant: Instant, now: Instant, end: End) {
        if end == End::Answered && window.has(now) {
            self.answers += 1;
        }
        let counts = if open { window.has(meant) } else { now >= window.begin && meant < window.end };
        if !counts {
            return;
        }
        match end {
            End::Answered => {}
            End::Error => self.errors += 1,
            End::Refused => self.refusals += 1,
            End::TimedOut => self.timeouts += 1,
        }
        // An early refusal is no latency; a wait that was given up is one, and would be missed most of all.
        if timed && matches!(end, End::Answered | End::TimedOut) {
            self.latencies.record(now.saturating_duration_since(meant));
        }
    }

    /// In an open loop: a request that was meant to be sent at `meant` reached its queue now.
    pub fn arrived(&mut self, window: Window, meant: Instant, now: Instant) {
        if window.has(meant) {
            self.offered += 1;
            self.late.record(now.saturating_duration_since(meant));
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.answers += other.answers;
        self.errors += other.errors;
        self.timeouts += other.timeouts;
        self.refusals += other.refusals;
        self.offered += other.offered;
        self.latencies.add(&other.latencies);
        self.late.add(&other.late);
    }

    pub fn outcome(&self, seconds: Duration, open: bool) -> Outcome {
        let seconds = seconds.as_secs_f64();
        Outcome {
            seconds,
            answers: self.answers,
            offered: open.then(|| self.offered as f64 / seconds),
            latency: self.latencies.latency(),
            errors: self.errors,
            timeouts: self.timeouts,
            refusals: self.refusals,
            late: open.then(|| self.late.quantile(0.99)),
            ..Outcome::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at `meant`, ends at `end`, in milliseconds, with a window from 1000 to 2000.
    fn counted(open: bool, meant: u64, end: u64, how: End) -> Outcome {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut tally = Tally::default();
        tally.ended(Window { begin: at(1000), end: at(2000) }, open, true, at(meant), at(end), how);
        tally.outcome(Duration::from_secs(1), open)
    }

    #[test]
    fn an_answer_counts_where_it_came() {
        for open in [false, true] {
            assert_eq!(counted(open, 900, 1100, End::Answered).answers, 1);
            assert_eq!(counted(open, 1900, 2100, End::Answered).answers, 0);
            assert_eq!(counted(open, 800, 900, End::Answered).answers, 0);
        }
    }

    #[test]
    fn the_latency_of_an_open_loop_counts_where_the_request_was_meant() {
        assert_eq!(counted(true, 900, 1100, End::Answered).latency.max, 0.0);
        assert!((counted(true, 1900, 2900, End::Answered).latency.max - 1e6).abs() < 1e3);
        assert_eq!(counted(true, 1900, 2900, End::TimedOut).timeouts, 1);
        assert_eq!(counted(true, 900, 1900, End::TimedOut).timeouts, 0);
    }

    #[test]
    fn a_closed_loop_counts_what_ends_in_the_window_or_is_under_way_at_its_end() {
        assert!(counted(false, 900, 1100, End::Answered).latency.max > 0.0);
        assert!(counted(false, 1900, 2900, End::Answered).latency.max > 0.0);
        assert_eq!(counted(false, 800, 900, End::Refused).refusals, 0);
        assert_eq!(counted(false, 1900, 2900, End::Refused).refusals, 1);
    }

    #[test]
    fn a_request_that_was_given_up_is_no_fast_one() {
        assert!(counted(false, 1000, 1900, End::TimedOut).latency.p50 > 8e5);
        assert!(counted(false, 1000, 1001, End::Refused).latency.spectrum.is_empty());
    }
}
