use super::{Kind, Loop, Time, current};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// The number of buckets for each power of two. So a value is known to within an eighth.
const SUB: usize = 8;
const SUB_BITS: u32 = SUB.ilog2();
/// The number of powers of two (of nanoseconds) that have buckets: the largest one is over 9 minutes.
const POWERS: usize = 40;

/// If a wait takes less than this, it did not block: something was ready when it began. (A system call takes
/// microseconds, and timers and sweeps are at least a millisecond away.)
pub(crate) const AT_ONCE: Time = Time::from_micros(500);

/// A histogram of durations from nanoseconds to minutes. The width of a bucket is an eighth of its value.
#[derive(Clone)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; POWERS * SUB].into(), total: 0, max: 0 }
    }
}

impl Histogram {
    /// Adds one duration.
    pub(crate) fn add(&mut self, time: Duration) {
        self.record(time.into());
    }

    pub(super) fn record(&mut self, time: Time) {
        let nanos = time.nanos();
        if let Some(count) = self.counts.get_mut(Histogram::bucket(nanos)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    fn bucket(nanos: u64) -> usize {
        if nanos < SUB as u64 {
            return nanos as usize;
        }
        let power = nanos.ilog2() - SUB_BITS;
        let within = (nanos >> power) as usize - SUB;
        ((power as usize + 1) * SUB + within).min(POWERS * SUB - 1)
    }

    /// The largest value that a bucket counts.
    fn upper(bucket: usize) -> u64 {
        if bucket < SUB {
            return bucket as u64;
        }
        let power = bucket / SUB - 1;
        (((SUB + bucket % SUB + 1) as u64) << power) - 1
    }

    /// The number of durations that were added.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The longest duration that was added.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The duration that `percent` per cent of all added durations do not exceed, to within an eighth. Zero if none was added.
    pub fn percentile(&self, percent: f64) -> Duration {
        let wanted = (self.total as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(Histogram::upper(bucket).min(self.max));
            }
        }
        self.max()
    }

    /// How many of the added durations are at most this long. Those that are less than an eighth shorter may be left out.
    ///
    /// ```
    /// let delays = oneloop::metrics().loop_delay;
    /// let late = delays.count() - delays.count_up_to(std::time::Duration::from_millis(100));
    /// assert!(late <= delays.count());
    /// ```
    pub fn count_up_to(&self, longest: Duration) -> u64 {
        let nanos = Time::from(longest).nanos();
        self.counts
            .iter()
            .enumerate()
            .take_while(|(bucket, _)| Histogram::upper(*bucket) <= nanos)
            .map(|(_, n)| n)
            .sum()
    }

    /// The durations that were added since an earlier reading. The maximum remains that of the whole time.
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let counts = self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then)).collect();
        Histogram { counts, total: self.total.saturating_sub(earlier.total), max: self.max }
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.total)
            .field("p50", &self.percentile(50.0))
            .field("p99", &self.percentile(99.0))
            .field("max", &self.max())
            .finish()
    }
}

/// The counters of one loop.
#[derive(Default)]
pub(super) struct Counters {
    pub iterations: Cell<u64>,
    events: Cell<u64>,
    idle: Cell<Time>,
    /// The end of the last wait.
    pub polled: Cell<Time>,
    /// The end of the wait before the last one.
    polled_before: Cell<Time>,
    /// The source whose turn it is became ready at this time or later.
    ready_since: Cell<Time>,
    /// How long, at most, the sources that the last wait returned had been ready before that wait.
    backlog: Cell<Time>,
    /// The same bound for the wait before the last one: the extra delay of a connection accepted in the previous iteration.
    backlog_before: Cell<Time>,
    pub last_events: Cell<usize>,
    loop_delay: RefCell<Histogram>,
    closes: RefCell<Vec<(&'static str, u64)>>,
    shed: Cell<u64>,
}

impl Counters {
    /// Call this when the loop begins to run. Sources that became ready earlier waited for the program to call `run`;
    /// that time is no delay of the loop.
    pub fn run_begins(&self, now: Time) {
        self.polled.set(now);
        self.polled_before.set(now);
    }

    /// Call this when the pending phase begins. Sources on the ready list were put there after the last wait.
    pub fn pending_begins(&self) {
        self.ready_since.set(self.polled.get());
        self.backlog_before.set(Time::ZERO);
    }

    /// Call this when a wait begins. Returns the time since the last wait ended: no source that became ready in between
    /// has waited longer.
    pub fn iteration_ends(&self, now: Time) -> Time {
        let worked = now - self.polled.get();
        self.loop_delay.borrow_mut().record(worked);
        worked
    }

    pub fn wait_ends(&self, began: Time, now: Time, events: usize) {
        self.idle.set(self.idle.get() + (now - began));
        // If the wait had to block, nothing was ready when it began: the sources that it returned became ready only now.
        let at_once = now - began < AT_ONCE;
        let worked = began - self.polled.get();
        let backlog = self.backlog.replace(if at_once { worked } else { Time::ZERO });
        self.backlog_before.set(if at_once { backlog } else { Time::ZERO });
        self.ready_since.set(now - self.backlog.get());
        self.polled_before.set(self.polled.replace(now));
        self.last_events.set(events);
        self.events.set(self.events.get() + events as u64);
    }
}

impl Loop {
    /// The longest time that the source whose turn it is may have waited, if it is the first input of a new connection:
    /// such a connection first had to wait to be accepted. Does not read the clock.
    #[inline]
    pub(crate) fn longest_delay(&self) -> Time {
        self.now() - self.counters.ready_since.get() + self.counters.backlog_before.get()
    }

    /// As [`longest_delay`](Loop::longest_delay), for a connection that is not new: the work of the previous iteration,
    /// during which it may have become ready, and the work of this one until its turn.
    pub(crate) fn delay(&self) -> Time {
        self.now() - self.counters.ready_since.get()
    }

    /// Returns whether `at` lies in this iteration or in the previous one.
    pub(crate) fn is_recent(&self, at: Time) -> bool {
        at >= self.counters.polled_before.get()
    }

    /// Counts a request that was answered 503 because it had waited for too long.
    pub(crate) fn count_shed(&self) {
        self.counters.shed.set(self.counters.shed.get() + 1);
    }

    /// Counts a close of a connection by its reason.
    pub(crate) fn count_close(&self, reason: &'static str) {
        let mut closes = self.counters.closes.borrow_mut();
        match closes.iter_mut().find(|(name, _)| *name == reason) {
            Some((_, count)) => *count += 1,
            None => closes.push((reason, 1)),
        }
    }
}

/// A reading of the loop's counters. The difference of two readings gives rates and shares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// When the counters were read, on the loop's clock.
    pub at: Duration,
    /// Rounds of the loop.
    pub iterations: u64,
    /// Events that the waits returned.
    pub events: u64,
    /// Time spent waiting for events.
    pub idle: Duration,
    /// All other time.
    pub active: Duration,
    /// For each iteration, the time from the end of one wait to the beginning of the next. A source that became ready in
    /// between waited at most this long.
    pub loop_delay: Histogram,
    /// Listening sockets.
    pub listeners: usize,
    /// Open connections.
    pub connections: usize,
    /// Armed timers.
    pub timers: usize,
    /// Jobs handed to workers whose result has not been delivered.
    pub jobs: usize,
    /// The length of the ready list: sources that want a turn without an event.
    pub ready: usize,
    /// Bytes that the library holds for connections: input not yet taken, output not yet accepted by the kernel.
    pub buffered: usize,
    /// The most of these bytes that a single connection has.
    pub largest_buffer: usize,
    /// Connections closed so far, by the name of their `CloseReason`, in the order of first occurrence.
    pub closes: Vec<(&'static str, u64)>,
    /// Requests that servers have answered 503 so far because the loop was late: see `http::LoadShedding`.
    pub shed: u64,
}

impl Metrics {
    /// The share of time, from 0 to 1, in which the loop was not waiting for events, since an earlier reading: Node's
    /// `eventLoopUtilization`.
    pub fn utilisation_since(&self, earlier: &Metrics) -> f64 {
        let active = self.active.saturating_sub(earlier.active).as_secs_f64();
        let idle = self.idle.saturating_sub(earlier.idle).as_secs_f64();
        if active + idle > 0.0 { active / (active + idle) } else { 0.0 }
    }
}

/// Reads the counters of this thread's loop. It looks at every open handle, so do not call it for each request.
///
/// # Panics
/// If this thread is ending and its loop is gone.
pub fn metrics() -> Metrics {
    let Some(lp) = current() else {
        panic!("oneloop::metrics() was called while its thread ends: the loop is gone");
    };
    let sources = lp.registry.snapshot();
    let of = |kind: Kind| sources.iter().filter(|source| source.kind() == kind).count();
    let at = Duration::from(lp.now());
    let idle = Duration::from(lp.counters.idle.get());
    Metrics {
        at,
        iterations: lp.counters.iterations.get(),
        events: lp.counters.events.get(),
        idle,
        active: at.saturating_sub(idle),
        loop_delay: lp.counters.loop_delay.borrow().clone(),
        listeners: of(Kind::Listener),
        connections: of(Kind::Connection),
        timers: lp.timers.armed(),
        jobs: lp.jobs.len(),
        ready: lp.ready.borrow().len(),
        buffered: sources.iter().map(|source| source.buffered()).sum(),
        largest_buffer: sources.iter().map(|source| source.buffered()).max().unwrap_or(0),
        closes: lp.counters.closes.borrow().clone(),
        shed: lp.counters.shed.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Time};
    use std::time::Duration;

    #[test]
    fn buckets_are_an_eighth_wide_and_leave_no_gap() {
        let mut bucket = 0;
        for nanos in 0..100_000 {
            let next = Histogram::bucket(nanos);
            assert!(next == bucket || next == bucket + 1, "{nanos}");
            bucket = next;
            let upper = Histogram::upper(bucket);
            assert!(nanos <= upper && upper - nanos <= nanos / 8, "{nanos} in a bucket up to {upper}");
        }
    }

    #[test]
    fn percentiles_are_known_to_an_eighth() {
        let mut histogram = Histogram::default();
        for micros in 1..=1000_u64 {
            histogram.record(Time::from_micros(micros));
        }
        let p50 = histogram.percentile(50.0);
        assert!(p50 >= Duration::from_micros(500) && p50 <= Duration::from_micros(563), "{p50:?}");
        assert_eq!(histogram.percentile(100.0), Duration::from_micros(1000));
        let up_to = histogram.count_up_to(Duration::from_micros(500));
        assert!((437..=500).contains(&up_to), "{up_to}");
        assert_eq!(histogram.count_up_to(Duration::from_secs(1)), 1_000);
        assert_eq!(histogram.since(&histogram).count(), 0);
        assert_eq!(Histogram::default().percentile(99.0), Duration::ZERO);
    }

    #[test]
    fn the_longest_times_are_counted_in_the_last_bucket() {
        let mut histogram = Histogram::default();
        histogram.record(Time::MAX);
        assert_eq!(histogram.percentile(50.0), Duration::from_nanos(Histogram::upper(319)));
    }
}
