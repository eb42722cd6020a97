use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Where the limit cannot be read: what most systems allow, less what a program needs for itself.
const FALLBACK: usize = 8_192;
/// Descriptors that peers leave to look-ups, to logs and to the program; where there are few, a quarter of them.
const RESERVE: usize = 64;

/// "Too many open files" of the process and of the system, the same numbers on all Unix systems.
pub(super) const EMFILE: i32 = 24;
pub(super) const ENFILE: i32 = 23;

/// What is open because of peers.
#[derive(Default)]
struct Open {
    connections: AtomicUsize,
    files: AtomicUsize,
}

/// The file descriptors that the library has open because of peers, and how many of them there may be: the rule by which a
/// loop accepts connections and opens files. The real ones are counted for the whole process, over all its loops; each
/// simulated world has its own.
///
/// | | may have |
/// |---|---|
/// | connections and files that are being sent, together | the soft limit less 64 (or less a quarter of it, where that is less) |
/// | files that are being sent | a third of that, so that downloads leave room for whom they are for, and for others |
pub(crate) struct Descriptors {
    open: Arc<Open>,
    limit: Cell<Option<usize>>,
}

/// Where a job counts the files that it opens for peers, on whatever thread it runs: what the loop has yet to hear of is open
/// as well.
#[derive(Clone)]
pub(crate) struct FileRoom {
    open: Arc<Open>,
    most: usize,
}

/// A file that is open for as long as a peer takes it; dropping this says that it is closed. It may be dropped on any thread.
pub(crate) struct OpenFile(Arc<Open>);

impl Descriptors {
    /// Those of this process.
    pub fn of_process() -> Descriptors {
        static OPEN: OnceLock<Arc<Open>> = OnceLock::new();
        Descriptors { open: OPEN.get_or_init(Arc::default).clone(), limit: Cell::new(Some(fd_limit())) }
    }

    /// Those of a world, which has any number of them unless it is told otherwise.
    pub fn of_world() -> Descriptors {
        Descriptors { open: Arc::default(), limit: Cell::new(None) }
    }

    pub fn set_limit(&self, limit: Option<usize>) {
        self.limit.set(limit);
    }

    /// How many the process may open, its own included.
    pub fn limit(&self) -> usize {
        self.limit.get().unwrap_or(usize::MAX)
    }

    fn reserve(&self) -> usize {
        RESERVE.min(self.limit() / 4)
    }

    fn for_peers(&self) -> usize {
        self.limit().saturating_sub(self.reserve())
    }

    /// Connections that may be accepted before those have gone that make room for them.
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

    /// Returns whether another connection can be accepted, where so many are about to go.
    pub fn has_room(&self, leaving: usize) -> bool {
        (self.connections() + self.files()).saturating_sub(leaving) < self.for_peers()
    }

    pub fn file_room(&self) -> FileRoom {
        FileRoom { open: self.open.clone(), most: (self.for_peers() / 3).max(1) }
    }
}

impl FileRoom {
    /// To be held for as long as a file is open that a peer takes in its own time; a file that a job opens, reads and closes
    /// need not be counted.
    ///
    /// # Errors
    /// Where there are as many as there may be: see [`is_out_of_descriptors`].
    pub fn open_file(&self) -> io::Result<OpenFile> {
        let before = self.open.files.fetch_add(1, Ordering::Relaxed);
        // Counted first, so that no two threads take the last one.
        let file = OpenFile(self.open.clone());
        if before < self.most {
            return Ok(file);
        }
        Err(io::Error::other(NoRoom))
    }
}

/// As many files are open for peers as may be.
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

/// Returns whether a file could not be opened for want of a descriptor: peers have their share of them
/// ([`FileRoom::open_file`]), or this process (EMFILE) or all of them together (ENFILE) have as many as they may have.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NoRoom>())
        || cfg!(unix) && matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.0.files.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many file descriptors this process may open (the soft limit), read once. There is no safe call for it in the
/// standard library, nor one that raises it; Linux shows it in `/proc`.
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
