use std::fs::Metadata;
use std::time::{Duration, SystemTime};

/// Some file systems count time in steps of 2 s. A file that was changed more recently than this may change again while its
/// times stay the same.
const SETTLED: Duration = Duration::from_secs(3);

/// Tells one state of a file from another on this machine: by its size, its times, and its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    place: (u64, u64),
    /// The time of the last change (`ctime`), in seconds and nanoseconds. No program can set it.
    #[cfg(unix)]
    changed: (i64, i64),
    /// True if any later change is certain to change this stamp.
    settled: bool,
}

impl Stamp {
    pub fn of(metadata: &Metadata, now: SystemTime) -> Stamp {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        let modified = metadata.modified().ok();
        let settled = modified.and_then(|time| now.duration_since(time).ok()).is_some_and(|age| age >= SETTLED);
        #[cfg(unix)]
        let settled = settled && {
            let changed = u64::try_from(metadata.ctime()).map(Duration::from_secs).unwrap_or_default();
            now.duration_since(SystemTime::UNIX_EPOCH)
                .is_ok_and(|now| now >= changed + Duration::from_secs(1) + SETTLED)
        };
        Stamp {
            size: metadata.len(),
            modified,
            #[cfg(unix)]
            place: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            settled,
        }
    }

    /// Returns whether the file is certainly in the same state.
    pub fn still_holds(&self, metadata: &Metadata) -> bool {
        self.settled && self.seems_to_hold(metadata)
    }

    /// Returns whether nothing shows that the file has changed.
    pub fn seems_to_hold(&self, metadata: &Metadata) -> bool {
        *self == Stamp { settled: self.settled, ..Stamp::of(metadata, SystemTime::UNIX_EPOCH) }
    }
}
