//! The parts in which a file is sent by `sendfile`: how large each is, and how many of its bytes the kernel may hold unsent.

use super::order::CHUNK;
use crate::event_loop::Time;
use crate::event_loop::driver::Unsent;
use crate::http::hot_files::warm::{STRETCH, stretch_end};
use crate::net::FilePart;
use std::cell::Cell;
use std::fs::File;
use std::sync::Arc;

/// A peer that takes a part of a file in less time than this gets larger parts next.
const QUICK: Time = Time::from_millis(100);
/// A peer that takes longer than this for a part gets smaller parts next, so that each is sent soon after it was read into
/// memory.
const SLOW: Time = Time::from_secs(1);
/// A peer that takes this many whole stretches one after another, each in less than `QUICK`, is a quick one. These are
/// 8 MiB. The kernel can hold 5 MiB of them (1 MiB unsent, 4 MiB in flight), so the peer has taken at least 3 MiB within
/// 0.8 s.
const QUICK_STRETCHES: u32 = 8;

/// The next part of a file, fitted to the pace at which the peer took the parts before it.
///
/// A quick peer gets the limit [`Unsent::OfQuickFile`]. It keeps this limit until it takes longer than `SLOW` for a part. So
/// the kernel is told seldom, and not for each part.
pub(super) struct Parts {
    /// The offset of the next part.
    at: Cell<u64>,
    /// The largest length of the next part.
    most: Cell<u64>,
    /// When the last part was given to the response, and its length. `None` once the pace was fitted to it.
    given: Cell<Option<(Time, u64)>>,
    /// How many whole stretches the peer has taken quickly, one after another.
    quick_stretches: Cell<u32>,
    /// The limit that the kernel has been told for this file.
    unsent: Cell<Unsent>,
}

impl Parts {
    /// Parts from `start` on, of which the first has at most `most` bytes.
    pub fn new(start: u64, most: u64) -> Parts {
        Parts {
            at: Cell::new(start),
            most: Cell::new(most),
            given: Cell::default(),
            quick_stretches: Cell::new(0),
            unsent: Cell::new(Unsent::Copied),
        }
    }

    /// The offset of the next part.
    pub fn at(&self) -> u64 {
        self.at.get()
    }

    /// Fits the next part to the time that the peer took for the last one.
    pub fn fit(&self, now: Time) {
        let Some((then, count)) = self.given.take() else { return };
        let took = now - then;
        if took < QUICK {
            self.most.set(STRETCH);
        } else if took > SLOW {
            self.most.set(CHUNK);
        }
        let whole = took < QUICK && count == STRETCH;
        self.quick_stretches.set(if whole { self.quick_stretches.get().saturating_add(1) } else { 0 });
    }

    /// Takes the next part of the `left` bytes that are still to be sent. It is given to the response at `now`.
    pub fn next(&self, file: &Arc<File>, left: u64, now: Time) -> FilePart {
        let at = self.at.get();
        let count = left.min(self.most.get()).min(stretch_end(at) - at);
        self.at.set(at + count);
        self.given.set(Some((now, count)));
        let unsent = self.limit(count);
        FilePart {
            file: file.clone(),
            offset: at,
            len: usize::try_from(count).unwrap_or(0),
            unsent: (self.unsent.replace(unsent) != unsent).then_some(unsent),
        }
    }

    /// The limit for a part of `count` bytes.
    fn limit(&self, count: u64) -> Unsent {
        match self.unsent.get() {
            _ if self.quick_stretches.get() >= QUICK_STRETCHES => Unsent::OfQuickFile,
            Unsent::OfQuickFile if self.most.get() == CHUNK => Unsent::OfFile,
            Unsent::Copied if count > CHUNK => Unsent::OfFile,
            unsent => unsent,
        }
    }
}
