use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The limit to assume if it cannot be read: what most systems allow, less what a program needs for itself.
const FALLBACK: usize = 8_192;
/// The number of descriptors that are kept for look-ups, logs and the program itself; or a quarter of the limit on open
/// files, if that is less.
const RESERVE: usize = 64;

/// "Too many open files" in the process and in the system: the error numbers, which are the same on all Unix systems.
pub(super) const EMFILE: i32 = 24;
pub(super) const ENFILE: i32 = 23;

/// The descriptors that are open because of peers.
#[derive(Default)]
struct Open {
    connections: AtomicUsize,
    files: AtomicUsize,
}

/// Counts the file descriptors that the library has open because of peers, and limits them: a loop accepts connections
/// and opens files only within these limits. Real descriptors are counted for the whole process, over all its loops; each
/// simulated world counts its own.
///
/// | | may have |
/// |---|---|
/// | connections and files that are being sent, together | the soft limit less 64 (or less a quarter of it, if that is less) |
/// | files that are being sent | a third of that, so that downloads leave room for connections |
pub(crate) struct Descriptors {
    open: Arc<Open>,
    limit: Cell<Option<usize>>,
}

/// Counts the files that jobs open for peers. Jobs use it on their own threads, so the count includes files that jobs
/// have opened and not yet reported to the loop.
#[derive(Clone)]
pub(crate) struct FileRoom {
    open: Arc<Open>,
    most: usize,
}

/// Counts as one open file until it is dropped, which may happen on any thread.
pub(crate) struct OpenFile(Arc<Open>);

impl Descriptors {
    /// The descriptors of this process.
    pub fn of_process() -> Descriptors {
        static OPEN: OnceLock<Arc<Open>> = OnceLock::new();
        Descriptors { open: OPEN.get_or_init(Arc::default).clone(), limit: Cell::new(Some(fd_limit())) }
    }

    /// The descriptors of a simulated world, without a limit until one is set.
    pub fn of_world() -> Descriptors {
        Descriptors { open: Arc::default(), limit: Cell::new(None) }
    }

    pub fn set_limit(&self, limit: Option<usize>) {
        self.limit.set(limit);
    }

    /// How many descriptors the process may open, including those of the program itself.
    pub fn limit(&self) -> usize {
        self.limit.get().unwrap_or(usize::MAX)
    }

    fn reserve(&self) -> usize {
        RESERVE.min(self.limit() / 4)
    }

    fn for_peers(&self) -> usize {
        self.limit().saturating_sub(self.reserve())
    }

    /// How many connections may be accepted before the connections that make room for them have closed.
    pub fn ahead(&self) -> usize {
        (self.reserve() / 4).max(1)
    }

    pub fn connections(&self) -> usize {
        self.open.connections.load(Ordering::Relaxed)
    }

    pub fn files(&self) -> usize {
        self.open.files.load(Ordering::Relaxed)
    }

    pub fn connection_opened(&self) {
        self.open.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn connection_closed(&self) {
        self.open.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns whether another connection can be accepted, if `leaving` connections are about to close.
    pub fn has_room(&self, leaving: usize) -> bool {
        (self.connections() + self.files()).saturating_sub(leaving) < self.for_peers()
    }

    pub fn file_room(&self) -> FileRoom {
        FileRoom { open: self.open.clone(), most: (self.for_peers() / 3).max(1) }
    }
}

impl FileRoom {
    /// Returns how many files may be open for peers.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Counts a file that stays open for as long as a peer takes to receive it. A file that a job opens, reads and closes
    /// need not be counted.
    ///
    /// # Errors
    /// If peers have as many files open as they may have: see [`is_out_of_descriptors`].
    pub fn open_file(&self) -> io::Result<OpenFile> {
        let before = self.open.files.fetch_add(1, Ordering::Relaxed);
        // The file is counted before the check, so that two threads cannot both take the last place.
        let file = OpenFile(self.open.clone());
        if before < self.most {
            return Ok(file);
        }
        Err(io::Error::other(NoRoom))
    }
}

/// The error when peers have as many files open as they may have.
#[derive(Debug)]
struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "as many files are open for peers as there are descriptors for: let the process open more files \
             (`ulimit -n`, or LimitNOFILE= of systemd)",
        )
    }
}

impl std::error::Error for NoRoom {}

/// Returns whether a file could not be opened because there was no descriptor for it: either peers have used up their share
/// ([`FileRoom::open_file`]), or this process (EMFILE) or the whole system (ENFILE) has reached its limit.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NoRoom>())
        || cfg!(unix) && matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.0.files.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many file descriptors this process may open (the soft limit), read once. The standard library has no call that reads
/// or raises it; Linux shows it in `/proc`.
fn fd_limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        std::fs::read_to_string("/proc/self/limits").ok().and_then(|text| parse(&text)).unwrap_or(FALLBACK)
    })
}

fn parse(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read_from_proc() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(parse(text), Some(1024));
        assert_eq!(parse("Max open files  unlimited unlimited files"), Some(usize::MAX));
        assert_eq!(parse("nothing of the kind"), None);
    }

    #[test]
    fn connections_and_files_share_what_the_program_leaves_them() {
        let descriptors = Descriptors::of_world();
        descriptors.set_limit(Some(1024));
        let files: Vec<_> = (0..400).map_while(|_| descriptors.file_room().open_file().ok()).collect();
        assert_eq!((files.len(), descriptors.files()), (320, 320));
        (0..640).for_each(|_| {
            assert!(descriptors.has_room(0));
            descriptors.connection_opened();
        });
        assert!(!descriptors.has_room(0));
        drop(files);
        assert!(descriptors.has_room(0));
        descriptors.set_limit(Some(4));
        descriptors.connection_closed();
        assert!(!descriptors.has_room(0), "few are left a quarter");
    }
}
