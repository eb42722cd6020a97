//! Statistics of many figures: medians, spreads, percentiles.

use std::collections::BTreeMap;

/// The median of the known figures; NaN if there is none.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().filter(|figure| !figure.is_nan()).collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => figures[n / 2],
        n => (figures[n / 2 - 1] + figures[n / 2]) / 2.0,
    }
}

/// The 95 % confidence interval of the median, from the known figures; NaN if there is none.
///
/// The number of figures below the true median is distributed like that of heads in as many tosses of a coin, whatever the
/// distribution of the figures. With fewer than six figures no interval is that certain, and the outermost are returned (of
/// five: 94 %).
pub fn bounds(figures: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let mut figures: Vec<f64> = figures.into_iter().filter(|figure| !figure.is_nan()).collect();
    figures.sort_by(f64::total_cmp);
    let count = figures.len();
    // The normal approximation of the binomial distribution, with the continuity correction.
    let outside = ((count as f64 - 1.0 - 1.96 * (count as f64).sqrt()) / 2.0).max(0.0) as usize;
    let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
    (at(outside), at(count.wrapping_sub(outside + 1)))
}

/// The difference of the largest and the smallest figure, as a share of the median.
pub fn spread(figures: &[f64]) -> f64 {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (most - least) / median(figures.iter().copied())
}

/// How often each latency (in microseconds) was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(BTreeMap<u64, u64>);

impl Latencies {
    /// Adds `count` occurrences of a latency.
    pub fn add(&mut self, microseconds: u64, count: u64) {
        *self.0.entry(microseconds).or_default() += count;
    }

    /// Removes the samples that wrk has made up.
    ///
    /// wrk corrects its figures for a constant rate: for each latency of at least twice the mean interval between the
    /// answers of a connection, it adds one that is shorter by an interval, one shorter by two, and so on (`stats_correct`
    /// in its source). The load here is a closed loop, which never meant to send those requests. And for pipelined batches
    /// wrk's interval is that of single answers, which makes its printed figures wrong by far. Added samples are always
    /// shorter than the latency that causes them, so going from the longest latency down restores each count.
    pub fn take_back_made_up(&mut self, interval: u64) {
        if interval == 0 {
            return;
        }
        let longest_first: Vec<u64> = self.0.range(2 * interval..).rev().map(|(latency, _)| *latency).collect();
        for latency in longest_first {
            let count = self.0.get(&latency).copied().unwrap_or(0);
            if count == 0 {
                continue;
            }
            let mut added = latency - interval;
            while added > interval {
                if let Some(n) = self.0.get_mut(&added) {
                    *n = n.saturating_sub(count);
                }
                added -= interval;
            }
        }
        self.0.retain(|_, count| *count > 0);
    }

    /// The latency that this share of all did not exceed; NaN if there is none.
    pub fn percentile(&self, share: f64) -> f64 {
        let total: u64 = self.0.values().sum();
        let mut seen = 0;
        let reached = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen as f64 >= total as f64 * share
        });
        reached.map_or(f64::NAN, |(latency, _)| *latency as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_pass_over_what_is_not_known() {
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0]), 2.0);
        assert_eq!(median([1.0, 2.0]), 1.5);
        assert!(median([]).is_nan());
    }

    /// The expected indices are from tables for the sign test.
    #[test]
    fn a_median_lies_between_two_of_the_figures() {
        for (count, outside) in [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (20, 5), (30, 9), (50, 17)] {
            let expected = (f64::from(outside), f64::from(count - 1 - outside));
            assert_eq!(bounds((0..count).rev().map(f64::from)), expected, "of {count}");
        }
        assert_eq!(bounds([f64::NAN, 2.0]), (2.0, 2.0));
        assert!(bounds([]).0.is_nan() && bounds([]).1.is_nan());
    }

    #[test]
    fn a_spread_is_a_share_of_the_median() {
        assert_eq!(spread(&[9.0, 10.0, 12.0]), 0.3);
    }

    #[test]
    fn percentiles_count() {
        let mut latencies = Latencies::default();
        latencies.add(10, 98);
        latencies.add(20, 1);
        latencies.add(500, 1);
        assert_eq!(latencies.percentile(0.5), 10.0);
        assert_eq!(latencies.percentile(0.99), 20.0);
        assert_eq!(latencies.percentile(1.0), 500.0);
        assert!(Latencies::default().percentile(0.5).is_nan());
    }

    /// Adds samples as wrk does, and in its order: from the shortest latency up.
    fn make_up(latencies: &mut Latencies, interval: u64) {
        let longest = *latencies.0.keys().next_back().unwrap();
        for latency in 2 * interval..=longest {
            let count = latencies.0.get(&latency).copied().unwrap_or(0);
            let mut added = latency - interval;
            while count > 0 && added > interval {
                latencies.add(added, count);
                added -= interval;
            }
        }
    }

    #[test]
    fn what_wrk_made_up_is_taken_back() {
        let mut measured = Latencies::default();
        for (latency, count) in [(1, 5), (7, 900), (13, 40), (20, 3), (21, 7), (35, 2), (63, 11), (64, 1), (200, 1)] {
            measured.add(latency, count);
        }
        for interval in [1, 3, 7, 10, 40, 500] {
            let mut shown = measured.clone();
            make_up(&mut shown, interval);
            shown.take_back_made_up(interval);
            assert_eq!(shown, measured, "interval {interval}");
        }
    }
}
