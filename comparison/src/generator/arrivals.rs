//! When requests are meant to be sent: at a fixed rate, from a fixed moment on, whatever happens meanwhile.

use std::time::Duration;

/// The send times of an open loop, counted from its beginning.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Requests a second.
    rate: f64,
    /// How many were taken.
    taken: u64,
    /// None from here on.
    end: Duration,
}

impl Arrivals {
    pub fn new(rate: f64, end: Duration) -> Arrivals {
        Arrivals { rate, taken: 0, end }
    }

    /// When the next one is due. Each is computed from the beginning, so that no error adds up and no lateness puts off
    /// those behind it.
    pub fn next(&self) -> Option<Duration> {
        (self.rate > 0.0).then(|| Duration::from_secs_f64(self.taken as f64 / self.rate)).filter(|at| *at < self.end)
    }

    /// Takes the next one, where it is due by `now`: the moment at which it was meant to be sent.
    pub fn take(&mut self, now: Duration) -> Option<Duration> {
        let due = self.next().filter(|due| *due <= now)?;
        self.taken += 1;
        Some(due)
    }
}

/// Chooses among requests by their weights, the same way in every run.
#[derive(Clone, Debug)]
pub struct Mix {
    weights: Vec<u32>,
    state: u64,
}

impl Mix {
    pub fn new(weights: impl IntoIterator<Item = u32>, seed: u64) -> Mix {
        Mix { weights: weights.into_iter().collect(), state: seed }
    }

    /// The place of the next one.
    pub fn next(&mut self) -> usize {
        let total: u64 = self.weights.iter().map(|weight| u64::from(*weight)).sum();
        if self.weights.len() < 2 || total == 0 {
            return 0;
        }
        let mut left = self.random() % total;
        for (place, weight) in self.weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return place,
            }
        }
        0
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_by(arrivals: &mut Arrivals, now: Duration) -> Vec<Duration> {
        std::iter::from_fn(|| arrivals.take(now)).collect()
    }

    #[test]
    fn requests_are_due_at_the_rate_and_not_before() {
        let mut arrivals = Arrivals::new(1000.0, Duration::from_secs(1));
        assert_eq!(due_by(&mut arrivals, Duration::ZERO), [Duration::ZERO]);
        assert_eq!(due_by(&mut arrivals, Duration::from_micros(999)), []);
        assert_eq!(due_by(&mut arrivals, Duration::from_micros(1000)), [Duration::from_millis(1)]);
        assert_eq!(arrivals.next(), Some(Duration::from_millis(2)));
    }

    #[test]
    fn a_stall_leaves_every_request_its_own_send_time() {
        let mut arrivals = Arrivals::new(100.0, Duration::from_secs(10));
        let late = due_by(&mut arrivals, Duration::from_millis(995));
        assert_eq!(late.len(), 100);
        assert_eq!(late[50], Duration::from_millis(500));
        // And it puts nothing off.
        assert_eq!(arrivals.next(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn the_number_of_requests_is_exact_at_awkward_rates() {
        for rate in [3.0, 7.7, 333.3, 12_345.6] {
            let mut arrivals = Arrivals::new(rate, Duration::from_secs(20));
            let count = due_by(&mut arrivals, Duration::from_secs(60)).len() as f64;
            assert!((count - rate * 20.0).abs() <= 1.0, "{count} at {rate}");
        }
        assert_eq!(Arrivals::new(0.0, Duration::from_secs(1)).next(), None);
    }

    #[test]
    fn a_mix_keeps_to_its_weights() {
        let mut mix = Mix::new([99, 1], 7);
        let rare = (0..100_000).filter(|_| mix.next() == 1).count();
        assert!((900..1100).contains(&rare), "{rare}");
        assert_eq!(Mix::new([1], 7).next(), 0);
    }
}
