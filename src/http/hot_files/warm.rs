//! Remembers which parts of large files are in the operating system's memory (the page cache).
//!
//! The loop sends such files itself (`sendfile`) and must not wait for a disk. So a worker reads each stretch before it is
//! sent, and throws the bytes away: then they are in the page cache. That is remembered for a while, so that a file which
//! is often sent is not read each time.

use crate::event_loop::Time;
use crate::event_loop::driver::read_at;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;

/// The size of a stretch, in bytes. A stretch begins at a multiple of its size. A disk reads this much in a few
/// milliseconds.
pub(in crate::http) const STRETCH: u64 = 1024 * 1024;
/// How long a stretch counts as warm. A system that is short of memory drops the pages that were not used for longest; most
/// systems take longer than this to read as much as fills the rest of their memory.
const FRESH: Time = Time::from_secs(10);
/// How many stretches are remembered at most: 4 GiB of files, in about 200 KiB of memory.
const REMEMBERED: usize = 4096;
/// The size of one read, in bytes. The buffer stays in the processor's cache.
const SCRATCH: usize = 64 * 1024;

/// The device and inode of a file. `None` if the system does not tell them.
pub(in crate::http) type Place = Option<(u64, u64)>;

pub(in crate::http) fn place(metadata: &Metadata) -> Place {
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

/// The warm stretches of a server's files. They take no memory before a large file is sent.
#[derive(Default)]
pub(in crate::http) struct Warm {
    /// Device, inode and number of a stretch, and when it was read.
    stretches: RefCell<HashMap<(u64, u64, u64), Time>>,
}

impl Warm {
    /// Returns whether the stretch that contains the offset `at` was read recently.
    pub fn holds(&self, place: Place, at: u64, now: Time) -> bool {
        let Some((device, inode)) = place else { return false };
        let stretches = self.stretches.borrow();
        stretches.get(&(device, inode, at / STRETCH)).is_some_and(|then| now - *then < FRESH)
    }

    /// Notes that a job, handed over at `then`, has read the stretch that contains `at`.
    pub fn note(&self, place: Place, at: u64, then: Time) {
        let Some((device, inode)) = place else { return };
        let mut stretches = self.stretches.borrow_mut();
        if stretches.len() >= REMEMBERED {
            stretches.retain(|_, since| then - *since < FRESH);
        }
        if stretches.len() < REMEMBERED {
            stretches.insert((device, inode, at / STRETCH), then);
        }
    }
}

/// Reads the stretch that contains `at`, on a worker. It is no error if the file ends before the stretch does:
/// `sendfile` will notice that.
pub(in crate::http) fn warm(file: &File, at: u64) -> io::Result<()> {
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

pub(in crate::http) fn stretch_end(at: u64) -> u64 {
    (at / STRETCH).saturating_add(1).saturating_mul(STRETCH)
}
