use super::random::Random;
use std::ops::RangeInclusive;
use std::time::Duration;

/// About the size that Linux gives a new socket.
const BUFFER: usize = 64 * 1024;
/// The longest pause between two pieces of one write. Without a pause and with zero latency they would arrive as one.
const GAP: Duration = Duration::from_millis(1);

/// How the simulated network behaves. The default is an ideal one: everything arrives at once and whole.
///
/// Random choices come from the seed of the [`Sim`](crate::sim::Sim). Bytes are never lost and never reordered: it
/// simulates what TCP looks like to a program, not what goes over the wire.
///
/// ```
/// use oneloop::sim::Network;
/// use std::time::Duration;
///
/// let slow = Network { latency: Duration::from_millis(20)..=Duration::from_millis(80), ..Network::default() };
/// let rough = Network { splits: true, partial_writes: true, read_splits: true, ..Network::default() };
/// # let _ = (slow, rough);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// How long bytes, a FIN, a RST or a step of the handshake take to arrive. Default: zero.
    pub latency: RangeInclusive<Duration>,
    /// Deliver each write in random pieces at random times. Default: off.
    pub splits: bool,
    /// Accept only a random part of some writes, as a full socket buffer does, and report room later. Default: off.
    pub partial_writes: bool,
    /// Give some reads only a part of what has arrived, as if the rest arrived right after the read. Default: off.
    pub read_splits: bool,
    /// How many bytes one direction of a connection holds, sent and not yet read, before a write would block. Default: 64
    /// KiB; at least 1.
    pub buffer: usize,
}

impl Default for Network {
    fn default() -> Network {
        Network {
            latency: Duration::ZERO..=Duration::ZERO,
            splits: false,
            partial_writes: false,
            read_splits: false,
            buffer: BUFFER,
        }
    }
}

impl Network {
    pub(super) fn delay(&self, random: &Random) -> Duration {
        between(*self.latency.start(), *self.latency.end(), random)
    }

    /// The random pause before the next piece of the same write.
    pub(super) fn gap(&self, random: &Random) -> Duration {
        between(Duration::ZERO, GAP, random)
    }

    /// The length of the next piece of a write. Small pieces are as likely as large ones, since they find more bugs.
    pub(super) fn piece(&self, left: usize, random: &Random) -> usize {
        if !self.splits || left < 2 {
            return left;
        }
        let magnitude = 1u64 << random.below(16);
        left.min(1 + random.below(magnitude) as usize)
    }

    /// How many of the `length` bytes for which there is room a write accepts.
    pub(super) fn accepted(&self, length: usize, random: &Random) -> usize {
        if self.partial_writes { part(length, random) } else { length }
    }

    /// How many of the `length` bytes that have arrived a read returns.
    pub(super) fn seen(&self, length: usize, random: &Random) -> usize {
        if self.read_splits { part(length, random) } else { length }
    }
}

fn part(length: usize, random: &Random) -> usize {
    if length < 2 || random.coin() { length } else { 1 + random.below(length as u64 - 1) as usize }
}

fn between(from: Duration, to: Duration, random: &Random) -> Duration {
    let span = to.saturating_sub(from);
    if span.is_zero() {
        return from;
    }
    let nanoseconds = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    from + Duration::from_nanos(random.below(nanoseconds.saturating_add(1)))
}
