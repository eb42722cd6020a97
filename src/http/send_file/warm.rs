//! What of large files is in the operating system's memory, as far as is known.
//!
//! The loop sends such files itself (`sendfile`), and must not wait for a disk. So a worker reads each stretch before it is
//! sent, into nowhere: it is in the page cache then. That is remembered for a while, so that a file which is sent again and
//! again is not read each time.

use crate::event_loop::Time;
use crate::event_loop::driver::read_at;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;

/// A file is warmed by stretches of this many bytes, each of which begins at a multiple of it. A disk reads as much in a few
/// milliseconds.
pub(super) const STRETCH: u64 = 1024 * 1024;
/// How long a stretch counts as warm. Systems that run out of memory let go of the pages which were used longest ago; to have
/// read all others takes most of them longer than this.
const FRESH: Time = 10_000_000_000;
/// Stretches that are remembered at most: 4 GiB of files, in some 200 KiB of memory.
const REMEMBERED: usize = 4096;
/// Read at a time. It stays in the processor's cache.
const SCRATCH: usize = 64 * 1024;

/// Which file it is, by device and inode. `None`: the system does not tell.
pub(super) type Place = Option<(u64, u64)>;

pub(super) fn place(metadata: &Metadata) -> Place {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

/// A server's. Nothing of it takes memory before a large file is sent.
#[derive(Default)]
pub(super) struct Warm {
    /// By file and number of the stretch: when it was read.
    stretches: RefCell<HashMap<(u64, u64, u64), Time>>,
}

impl Warm {
    /// Returns whether the stretch in which `at` lies was read a short time ago.
    pub fn holds(&self, place: Place, at: u64, now: Time) -> bool {
        let Some((device, inode)) = place else { return false };
        let stretches = self.stretches.borrow();
        stretches.get(&(device, inode, at / STRETCH)).is_some_and(|then| now.saturating_sub(*then) < FRESH)
    }

    /// It was read by a job that was handed over at `then`.
    pub fn note(&self, place: Place, at: u64, then: Time) {
        let Some((device, inode)) = place else { return };
        let mut stretches = self.stretches.borrow_mut();
        if stretches.len() >= REMEMBERED {
            stretches.retain(|_, since| then.saturating_sub(*since) < FRESH);
        }
        if stretches.len() < REMEMBERED {
            stretches.insert((device, inode, at / STRETCH), then);
        }
    }
}

/// On a worker: reads the stretch in which `at` lies. Where the file ends before, that shows when it is sent.
pub(super) fn warm(file: &File, at: u64) -> io::Result<()> {
    let (mut at, end) = (at / STRETCH * STRETCH, stretch_end(at));
    let mut scratch = vec![0; SCRATCH];
    while at < end {
        match read_at(file, &mut scratch, at)? {
            0 => break,
            count => at += count as u64,
        }
    }
    Ok(())
}

pub(super) fn stretch_end(at: u64) -> u64 {
    (at / STRETCH).saturating_add(1).saturating_mul(STRETCH)
}
