//! Keeps small files that are often asked for in memory, so that they are sent without going to a worker and back.
//!
//! ```text
//!   asked for the eighth time within `age` ─► its job loads all of it ─► kept ─► answers at once, for `age` from that look on
//!                                                                        ▲ │
//!                              a worker looks again, loads if it changed └─┘ after half of `age`, if it is still asked for often
//! ```
//! What is sent was on disk at most `age` ago. A file that is asked for less often is looked at for each request.

use super::order::{Description, look_again};
use super::stamp::Stamp;
use super::warm::Warm;
use crate::event_loop::Time;
use crate::worker;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A file is kept if it is asked for this many times within `age`.
const OFTEN: u32 = 8;
/// In bytes. Larger files are sent in chunks, and the way to the worker and back is small beside that.
const LARGEST: u64 = 128 * 1024;
/// Roughly what an entry takes besides its path and its content, in bytes.
const ENTRY: usize = 512;

/// A small file, as a worker has read it.
pub(in crate::http) struct Loaded {
    pub file: Description,
    pub stamp: Stamp,
    pub bytes: Vec<u8>,
}

/// A file that is kept.
pub(super) struct Hot {
    pub file: Description,
    pub content: Rc<[u8]>,
    stamp: Stamp,
}

impl Hot {
    fn new(loaded: Loaded) -> Rc<Hot> {
        Rc::new(Hot { file: loaded.file, content: loaded.bytes.into(), stamp: loaded.stamp })
    }
}

/// The kept files of a server. They take no memory before a file is sent.
pub(in crate::http) struct HotFiles {
    /// The most bytes that it may hold; 0 turns it off.
    bytes: Cell<usize>,
    age: Cell<Time>,
    table: RefCell<Table>,
    /// Which parts of larger files are in the operating system's memory.
    pub(super) warm: Warm,
}

/// The answer to a request for a file.
pub(super) enum Known {
    /// The file is kept, and a worker has looked at it recently enough.
    Hot(Rc<Hot>),
    /// A worker has to look. `load`: the file should be kept if it has at most this many bytes.
    Look { load: Option<u64> },
}

impl HotFiles {
    pub fn new(bytes: usize, age: Time) -> Rc<HotFiles> {
        Rc::new(HotFiles {
            bytes: Cell::new(bytes),
            age: Cell::new(age),
            table: RefCell::default(),
            warm: Warm::default(),
        })
    }

    /// Sets the limits, and drops files until what is kept fits.
    pub fn configure(&self, bytes: usize, age: Time) {
        self.bytes.set(bytes);
        self.age.set(age);
        self.table.borrow_mut().make_room(0, bytes);
    }

    /// Asks for a file by its absolute path, and counts the request.
    pub(super) fn ask(self: &Rc<Self>, path: &Path, now: Time) -> Known {
        let cold = Known::Look { load: None };
        if self.bytes.get() == 0 || self.age.get() == Time::ZERO || !path.is_absolute() {
            return cold;
        }
        let check = {
            let mut table = self.table.borrow_mut();
            let Some(entry) = table.entry(key(path)) else { return cold };
            let since = now - entry.since;
            entry.used = true;
            if since > self.age.get() {
                entry.since = now;
                entry.asked = 1;
                let file = entry.file.take();
                table.held -= file.map_or(0, |file| file.content.len());
                return cold;
            }
            entry.asked = entry.asked.saturating_add(1);
            let often = entry.asked >= OFTEN;
            let Some(file) = &entry.file else { return Known::Look { load: often.then_some(self.largest()) } };
            let file = file.clone();
            if !often || since + since < self.age.get() || entry.checking {
                return Known::Hot(file);
            }
            entry.checking = true;
            file
        };
        self.look_again(path.to_owned(), check.clone(), now);
        Known::Hot(check)
    }

    fn largest(&self) -> u64 {
        LARGEST.min(self.bytes.get() as u64 / 4)
    }

    fn look_again(self: &Rc<Self>, path: PathBuf, file: Rc<Hot>, now: Time) {
        let (files, stamp, most) = (self.clone(), file.stamp, self.largest());
        let of_job = path.clone();
        worker::run_for_library(
            move || look_again(&of_job, &stamp, most),
            move |result| match result {
                Ok(Ok(None)) => files.keep(&path, now, file),
                Ok(Ok(Some(loaded))) => files.keep(&path, now, Hot::new(loaded)),
                // The file is gone or cannot be read. The next request looks at it and is told what is wrong.
                Ok(Err(_)) => files.forget(&path),
                // The job failed, not the look. The kept content may be sent for the rest of `age`.
                Err(error) => {
                    log::debug!(target: "oneloop::http", "{}: a kept file cannot be looked at: {error}", path.display());
                    files.not_looked(&path);
                }
            },
        );
    }

    /// Notes a file that could be kept. It was found by a job that was handed over at `then`.
    pub(super) fn seen(&self, path: &Path, size: u64, then: Time) {
        if self.age.get() == Time::ZERO || size > self.largest() || size == 0 || !path.is_absolute() {
            return;
        }
        let mut table = self.table.borrow_mut();
        if table.entry(key(path)).is_none() {
            table.insert(key(path), then, self.bytes.get());
        }
    }

    /// Keeps a file that a job, handed over at `then`, has loaded.
    pub(super) fn loaded(&self, path: &Path, loaded: Loaded, then: Time) -> Rc<Hot> {
        let hot = Hot::new(loaded);
        self.keep(path, then, hot.clone());
        hot
    }

    /// Stores a file that a job, handed over at `then`, has loaded or found unchanged.
    fn keep(&self, path: &Path, then: Time, file: Rc<Hot>) {
        let mut table = self.table.borrow_mut();
        let Some(entry) = table.entry(key(path)) else { return };
        entry.checking = false;
        if then < entry.since {
            return;
        }
        (entry.since, entry.asked) = (then, 0);
        let new = file.content.len();
        let old = entry.file.replace(file);
        table.held += new;
        table.held -= old.map_or(0, |old| old.content.len());
        table.make_room(0, self.bytes.get());
    }

    fn forget(&self, path: &Path) {
        let mut table = self.table.borrow_mut();
        if let Some(at) = table.index.get(key(path)).copied() {
            table.remove(at);
        }
    }

    fn not_looked(&self, path: &Path) {
        if let Some(entry) = self.table.borrow_mut().entry(key(path)) {
            entry.checking = false;
        }
    }
}

/// The key of a file: the bytes of its path. Comparing paths part by part takes longer, and would only match more if
/// programs wrote the same path in different ways.
fn key(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

#[derive(Default)]
struct Table {
    index: HashMap<Rc<[u8]>, usize>,
    entries: Vec<Entry>,
    /// The index at which the search for an entry to remove goes on (the "clock" algorithm).
    hand: usize,
    /// Bytes of all entries.
    held: usize,
}

struct Entry {
    key: Rc<[u8]>,
    file: Option<Rc<Hot>>,
    /// When the job was handed over that last looked at the file.
    since: Time,
    /// How many requests there were since then.
    asked: u32,
    checking: bool,
    /// There was a request since the hand passed this entry.
    used: bool,
}

impl Table {
    fn entry(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let at = *self.index.get(key)?;
        self.entries.get_mut(at)
    }

    fn insert(&mut self, key: &[u8], since: Time, most: usize) {
        let size = ENTRY + key.len();
        self.make_room(size, most);
        if self.held + size > most {
            return;
        }
        let key: Rc<[u8]> = key.into();
        self.index.insert(key.clone(), self.entries.len());
        self.entries.push(Entry { key, file: None, since, asked: 1, checking: false, used: true });
        self.held += size;
    }

    /// Removes entries until `more` bytes fit into `most`: first those without a recent request, then any.
    fn make_room(&mut self, more: usize, most: usize) {
        while self.held + more > most && !self.entries.is_empty() {
            self.hand %= self.entries.len();
            if let Some(entry) = self.entries.get_mut(self.hand)
                && std::mem::take(&mut entry.used)
            {
                self.hand += 1;
            } else {
                self.remove(self.hand);
            }
        }
    }

    fn remove(&mut self, at: usize) {
        let entry = self.entries.swap_remove(at);
        self.index.remove(&entry.key);
        self.held -= ENTRY + entry.key.len() + entry.file.map_or(0, |file| file.content.len());
        if let Some(moved) = self.entries.get(at) {
            self.index.insert(moved.key.clone(), at);
        }
    }
}
