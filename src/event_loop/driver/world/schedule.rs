use super::World;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

/// Something that will happen: a packet arrives, a job is done, a script goes on.
pub(super) type Occurrence = Box<dyn FnOnce(&World)>;

/// The occurrences to come, ordered by time. Of two at the same time, the one scheduled first happens first.
#[derive(Default)]
pub(super) struct Schedule {
    entries: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

struct Entry {
    at: Duration,
    sequence: u64,
    occurrence: Occurrence,
}

impl Schedule {
    pub fn add(&mut self, at: Duration, occurrence: Occurrence) {
        self.sequence += 1;
        self.entries.push(Reverse(Entry { at, sequence: self.sequence, occurrence }));
    }

    /// The time of the next occurrence.
    pub fn next(&self) -> Option<Duration> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the first occurrence that is due, if there is one.
    pub fn due(&mut self, now: Duration) -> Option<Occurrence> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry.occurrence)
    }
}

impl Entry {
    fn key(&self) -> (Duration, u64) {
        (self.at, self.sequence)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        self.key().cmp(&other.key())
    }
}
