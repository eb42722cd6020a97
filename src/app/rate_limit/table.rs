use super::Rate;
use std::collections::HashMap;
use std::time::Duration;

/// The most keys in each of the two generations.
const GENERATION: usize = 32_768;

/// How much of its rate each client has used: one instant for each key, by the generic cell rate algorithm (ITU-T I.371). At this
/// instant the key has earned its whole burst again; each request moves the instant by an interval. So a rate needs no timer, and
/// no list of the requests.
///
/// The keys are in two generations. When the younger one is full, the older one is forgotten: clients that have not asked for the
/// longest time have their whole burst again. So memory is bounded however many addresses a peer has, and no search is needed to
/// find what to forget.
pub(super) struct Table {
    young: HashMap<u64, Duration>,
    old: HashMap<u64, Duration>,
    generation: usize,
}

/// Whether a request is within its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `None` if the request is within its rate; else the time after which a request will be.
    pub wait: Option<Duration>,
    /// How many more may come at once.
    pub left: u32,
    /// The time after which a whole burst may come again.
    pub full_in: Duration,
}

impl Table {
    pub fn new() -> Table {
        Table::with_generations_of(GENERATION)
    }

    fn with_generations_of(generation: usize) -> Table {
        Table { young: HashMap::new(), old: HashMap::new(), generation }
    }

    /// Judges a request that comes at `now`, and counts it if it is within the rate.
    pub fn judge(&mut self, key: u64, rate: Rate, now: Duration) -> Verdict {
        let known = self.young.get(&key).or_else(|| self.old.get(&key));
        let full_at = known.copied().unwrap_or(Duration::ZERO).max(now);
        let moved = full_at.saturating_add(rate.interval());
        let latest = now.saturating_add(rate.full_after());
        if moved > latest {
            return Verdict { wait: Some(moved - latest), left: 0, full_in: full_at - now };
        }
        self.note(key, moved);
        let left = (latest - moved).as_nanos() / rate.interval().as_nanos();
        Verdict { wait: None, left: u32::try_from(left).unwrap_or(u32::MAX), full_in: moved - now }
    }

    fn note(&mut self, key: u64, full_at: Duration) {
        if self.young.len() >= self.generation && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, full_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn allows(table: &mut Table, key: u64, rate: Rate, now: Duration) -> bool {
        table.judge(key, rate, now).wait.is_none()
    }

    #[test]
    fn a_burst_may_come_at_once_and_then_one_in_each_interval() {
        let (mut table, rate) = (Table::new(), Rate::per_minute(60).burst(3));
        let verdicts: Vec<_> = (0..4).map(|_| table.judge(7, rate, SECOND)).collect();
        assert_eq!(verdicts.iter().map(|verdict| verdict.left).collect::<Vec<_>>(), [2, 1, 0, 0]);
        assert_eq!(verdicts[2].full_in, 3 * SECOND);
        assert_eq!(verdicts[3], Verdict { wait: Some(SECOND), left: 0, full_in: 3 * SECOND });
        assert!(!allows(&mut table, 7, rate, SECOND * 2 - Duration::from_nanos(1)));
        assert!(allows(&mut table, 7, rate, SECOND * 2));
        assert!(!allows(&mut table, 7, rate, SECOND * 2));
        // Who was refused has not used up anything.
        assert!(allows(&mut table, 7, rate, SECOND * 3));
        assert!(allows(&mut table, 8, rate, SECOND * 3), "another key has a rate of its own");
    }

    #[test]
    fn a_pause_earns_a_burst_and_no_more() {
        let (mut table, rate) = (Table::new(), Rate::per_second(2));
        let mut now = Duration::ZERO;
        for _ in 0..3 {
            now += 3600 * SECOND;
            assert_eq!((0..10).filter(|_| allows(&mut table, 1, rate, now)).count(), 2);
        }
    }

    #[test]
    fn the_table_is_bounded_and_forgets_those_who_were_not_there_for_longest() {
        let (mut table, rate) = (Table::with_generations_of(100), Rate::per_hour(1));
        let now = SECOND;
        assert!(allows(&mut table, 0, rate, now));
        for key in 1..=150 {
            assert!(allows(&mut table, key, rate, now));
            assert!(table.young.len() + table.old.len() <= 200);
        }
        assert!(!allows(&mut table, 0, rate, now), "it is in the older generation");
        for key in 151..=300 {
            assert!(allows(&mut table, key, rate, now));
            assert!(table.young.len() + table.old.len() <= 200);
        }
        assert!(allows(&mut table, 0, rate, now), "it was forgotten");
        assert!(!allows(&mut table, 300, rate, now));
    }

    #[test]
    fn extreme_rates_do_no_harm() {
        let last = Duration::MAX;
        for rate in [Rate::per_second(u32::MAX), Rate::per_hour(0).burst(u32::MAX), Rate::per_hour(1).burst(0)] {
            let mut table = Table::new();
            assert!(allows(&mut table, 1, rate, Duration::ZERO));
            table.judge(1, rate, last);
            table.judge(1, rate, last);
        }
    }

    proptest! {
        /// No window of time has more requests than a burst and those that are earned in that window.
        #[test]
        fn no_window_has_more_than_its_rate(
            count in 1_u32..20, burst in 1_u32..20,
            pauses in prop::collection::vec(0_u64..2_000, 1..200),
        ) {
            let (mut table, rate) = (Table::new(), Rate::per_second(count).burst(burst));
            let mut now = Duration::ZERO;
            let mut taken = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                if allows(&mut table, 1, rate, now) {
                    taken.push(now);
                }
            }
            for (from, begin) in taken.iter().enumerate() {
                for (to, end) in taken.iter().enumerate().skip(from) {
                    let earned = (*end - *begin).as_nanos() / rate.interval().as_nanos();
                    prop_assert!(((to - from) as u128) < u128::from(burst) + earned);
                }
            }
        }
    }
}
