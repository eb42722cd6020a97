//! The types of which a recording consists.

use crate::callback::Site;
use crate::event_loop::Phase;
use std::time::Duration;

/// How much a recording keeps; the defaults take about 3 MiB. The memory is allocated once, when the recording begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordingSize {
    /// Iterations. Default: 4,096.
    pub iterations: usize,
    /// Turns. Default: 16,384.
    pub turns: usize,
    /// Callbacks, which are recorded only while [`set_exact_timing`](crate::event_loop::set_exact_timing) is on. Default:
    /// 16,384.
    pub callbacks: usize,
    /// Bytes of labels, at least 1 KiB. Default: 256 KiB.
    pub label_bytes: usize,
}

impl Default for RecordingSize {
    fn default() -> RecordingSize {
        RecordingSize { iterations: 4096, turns: 16_384, callbacks: 16_384, label_bytes: 256 * 1024 }
    }
}

/// A copy of the records of a loop: see [`recording`](super::recording).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recording {
    /// When the copy was made, on the loop's clock.
    pub at: Duration,
    /// The iterations in the order of their serial numbers, without a gap.
    pub iterations: Vec<Iteration>,
    /// How many of the iterations that were asked for had been overwritten already.
    pub dropped: u64,
    /// The serial number to pass to the next call, so that no iteration comes twice.
    pub next: u64,
}

/// A piece of time, on the loop's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// When it began.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
}

impl Slice {
    /// When it ended.
    pub fn ended(&self) -> Duration {
        self.began + self.took
    }
}

/// One round of the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Iteration {
    /// The number of this iteration. It counts up from 1 as long as the loop exists, over all its recordings.
    pub serial: u64,
    /// When it began.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// The wait for events, with which the poll phase begins.
    pub wait: Slice,
    /// Events that the wait returned.
    pub events: u32,
    /// The phases in their order: pending, poll (the wait included), check, closing, timers. See [`Iteration::phase`].
    pub phases: [Slice; 5],
    /// The turns that have not been overwritten, in their order.
    pub turns: Vec<TurnRecord>,
    /// How many of the iteration's first turns have been overwritten.
    pub turns_lost: u32,
    /// How many ticks ran in this iteration, including those that ran before it and outside of any iteration.
    pub ticks: u32,
    /// Bytes read from sockets.
    pub read: u64,
    /// Bytes written to sockets.
    pub written: u64,
    /// The lengths of the queues at the beginning of the iteration.
    pub queues: Queues,
    /// True for the prelude of a run: the due timers that [`run`](crate::run) calls before its first wait. Only its timers
    /// phase has any time.
    pub prelude: bool,
}

impl Iteration {
    /// The time of one phase.
    pub fn phase(&self, phase: Phase) -> Slice {
        self.phases[phase.number()]
    }
}

/// Lengths of the loop's queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queues {
    /// Armed timers.
    pub timers: u32,
    /// Sources that want a turn in the pending phase.
    pub ready: u32,
    /// Immediates for the check phase.
    pub immediates: u32,
    /// Ticks. Zero, unless some were set outside of the loop's callbacks.
    pub ticks: u32,
    /// Sources that wait for their `on_close`.
    pub closing: u32,
    /// Jobs handed to workers whose result has not been delivered.
    pub jobs: u32,
}

/// The kinds of things that have turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceKind {
    /// A listening socket.
    Listener,
    /// A connection.
    Connection,
    /// Signals of the operating system.
    Signals,
    /// Everything that other threads sent: posted closures, messages of channels, results of workers.
    Inbox,
    /// A timer.
    Timer,
    /// An immediate.
    Immediate,
}

impl SourceKind {
    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::Listener => "listener",
            SourceKind::Connection => "connection",
            SourceKind::Signals => "signals",
            SourceKind::Inbox => "inbox",
            SourceKind::Timer => "timer",
            SourceKind::Immediate => "immediate",
        }
    }
}

impl std::fmt::Display for SourceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One source's slice of an iteration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnRecord {
    /// The phase in which the turn ran.
    pub phase: Phase,
    /// The kind of the source that had this turn.
    pub kind: SourceKind,
    /// When it began.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// How many callbacks were called in the turn, not counting ticks.
    pub callbacks: u32,
    /// How many ticks ran after these callbacks.
    pub ticks: u32,
    /// How long the ticks took, as a part of the turn.
    pub ticks_took: Duration,
    /// Where the last callback was registered. `None` if no callback was called.
    pub registered: Option<Site>,
    /// What the last callback was called for. For an HTTP request: its method and target, as the peer sent them, 200 bytes
    /// at most. Empty if unknown or overwritten.
    pub label: String,
    /// The pattern of the last route that was called in the turn, such as `/todos/:id` (feature `app`): with it turns can be added up
    /// by route, for which there are too many targets. 200 bytes at most. Empty if there was none, or if it was overwritten.
    pub route: String,
    /// Bytes read from sockets.
    pub read: u64,
    /// Bytes written to sockets.
    pub written: u64,
    /// True if the turn served an observer of the loop. See [`mark_turn_as_own`](super::mark_turn_as_own).
    pub own: bool,
    /// Its callbacks and ticks, in their order, while [`set_exact_timing`](crate::event_loop::set_exact_timing) is on.
    pub calls: Vec<CallRecord>,
    /// How many of the turn's first callbacks have no record any more, because their records were overwritten.
    pub calls_lost: u32,
}

/// One callback with its own time. The ticks that it set are not included: they have records of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallRecord {
    /// When it was called.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// Where it was registered.
    pub registered: Site,
    /// What it was called for: "a timer", "a tick", or the method and target of a request. Empty if overwritten.
    pub what: String,
}
