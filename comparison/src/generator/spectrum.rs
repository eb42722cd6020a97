//! Latencies in an HdrHistogram, and what is told of them.

use crate::results::Latency;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Nanoseconds of the longest latency that is told from longer ones: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Digits that are kept of every latency.
const DIGITS: u8 = 3;
/// Points of a spectrum at most.
const POINTS: usize = 60;

/// How often each latency was seen, to three digits.
#[derive(Clone, Debug)]
pub struct Spectrum(Histogram<u64>);

impl Default for Spectrum {
    fn default() -> Spectrum {
        // The bounds are right, so that there always is one.
        let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS);
        Spectrum(histogram.unwrap_or_else(|error| panic!("the histogram's bounds: {error}")))
    }
}

impl Spectrum {
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(LONGEST).max(1));
    }

    pub fn add(&mut self, other: &Spectrum) {
        // Same bounds: nothing can be refused.
        let _ = self.0.add(&other.0);
    }

    /// Microseconds that this share of all stayed at or below; 0 where there is none.
    pub fn quantile(&self, share: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_quantile(share).min(self.0.max()) as f64 / 1000.0 }
    }

    /// The percentiles and the spectrum.
    pub fn latency(&self) -> Latency {
        Latency {
            p50: self.quantile(0.50),
            p90: self.quantile(0.90),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            max: self.quantile(1.0),
            spectrum: self.points(),
        }
    }

    /// Quantiles ever closer to 1, four steps to each halving of the rest, as far as there are samples
    /// that tell them apart; then the longest. With the digits that a chart can show, since there are many.
    fn points(&self) -> Vec<(f64, f64)> {
        let count = self.0.len();
        if count == 0 {
            return Vec::new();
        }
        let mut points: Vec<(f64, f64)> = Vec::new();
        let (mut quantile, mut rest) = (0.0, 1.0);
        // 56 points reach 1 - 2^-14, which is beyond the fourth nine.
        while points.len() < POINTS - 1 && rest * count as f64 >= 1.0 {
            points.push((round(quantile, 1e6), round(self.quantile(quantile), 10.0)));
            rest *= 0.5f64.powf(0.25);
            quantile = 1.0 - rest;
        }
        points.push((1.0, round(self.quantile(1.0), 10.0)));
        points
    }
}

/// To so many steps in one.
fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(all: impl IntoIterator<Item = u64>) -> Spectrum {
        let mut spectrum = Spectrum::default();
        all.into_iter().for_each(|ms| spectrum.record(Duration::from_millis(ms)));
        spectrum
    }

    /// Equal to three digits.
    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= b * 0.001
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let latency = milliseconds(1..=1000).latency();
        assert!(near(latency.p50, 500_000.0), "{latency:?}");
        assert!(near(latency.p90, 900_000.0), "{latency:?}");
        assert!(near(latency.p99, 990_000.0), "{latency:?}");
        assert!(near(latency.p999, 999_000.0), "{latency:?}");
        assert!(near(latency.max, 1_000_000.0), "{latency:?}");
    }

    #[test]
    fn a_spectrum_climbs_and_ends_with_the_longest() {
        for count in [1, 2, 17, 1000, 200_000] {
            let latency = milliseconds((0..count).map(|n| 1 + n % 997)).latency();
            let points = &latency.spectrum;
            assert!(points.len() <= POINTS && !points.is_empty());
            assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{points:?}");
            let (last, longest) = points[points.len() - 1];
            assert!(last == 1.0 && near(longest, latency.max), "{longest}");
        }
        assert!(Spectrum::default().latency().spectrum.is_empty());
    }

    #[test]
    fn what_two_loops_saw_is_added() {
        let mut both = milliseconds([1, 1, 1]);
        both.add(&milliseconds([9, 9, 9, 9]));
        assert!(near(both.quantile(0.4), 1000.0) && near(both.quantile(0.5), 9000.0));
    }

    #[test]
    fn the_longest_wait_is_not_lost() {
        assert!(near(milliseconds([10_000_000]).latency().max, 3_600_000_000.0));
    }
}
