//! Keeps files that are often asked for, so that they are sent without going to a worker and back: small ones in memory, large
//! ones open.
//!
//! ```text
//!   asked for the eighth time within `age` ─► its job loads all of it ─► kept ─► answers at once, for `age` from that look on
//!                                             (large: opens it)          ▲ │
//!                              a worker looks again, loads if it changed └─┘ after half of `age`, if it is still asked for often
//! ```
//! The content that is sent was on disk at most `age` ago (see `Limits::hot_file_age`). A file that is asked for less often is
//! looked at for each request. A timer closes the open files that were not looked at for `age`.

pub(super) mod loaded;
pub(super) mod opened;
mod stamp;
pub(super) mod warm;

use crate::event_loop::{Time, now, set_timeout};
use crate::worker;
use loaded::{Description, Loaded, Store, look_again};
use stamp::Stamp;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use warm::Warm;

/// A file is kept if it is asked for this many times within [`HotFiles::age`].
const OFTEN: u32 = 8;
/// The size of the largest file that is held in memory, in bytes. A larger one may be kept open instead.
const LARGEST: u64 = 128 * 1024;
/// The most files that a server keeps open. If there are few descriptors, it keeps fewer: see `keep_up_to`.
const OPEN: usize = 64;
/// Roughly what an entry takes besides its path and its content, in bytes.
const ENTRY: usize = 512;

/// A file that is kept.
pub(super) struct Hot {
    pub file: Description,
    pub content: Store<Rc<[u8]>>,
    stamp: Stamp,
}

impl Hot {
    fn new(loaded: Loaded) -> Rc<Hot> {
        let content = match loaded.content {
            Store::Memory(bytes) => Store::Memory(bytes.into()),
            Store::Open(opened) => Store::Open(opened),
        };
        Rc::new(Hot { file: loaded.file, content, stamp: loaded.stamp })
    }

    /// The bytes of the content that are in memory.
    fn held(&self) -> usize {
        match &self.content {
            Store::Memory(bytes) => bytes.len(),
            Store::Open(_) => 0,
        }
    }

    /// Returns whether the metadata of an open file shows no change since a worker looked at the file. After a change, a head
    /// that describes the old content would be sent with the new content. The operating system has the metadata of an open file
    /// in memory, so reading the metadata does not wait for a disk.
    fn is_unchanged(&self) -> bool {
        match &self.content {
            Store::Memory(_) => true,
            Store::Open(opened) => opened.file.metadata().is_ok_and(|metadata| self.stamp.seems_to_hold(&metadata)),
        }
    }

    /// Returns whether the content is not in memory, but in a file that is kept open.
    pub fn is_open(&self) -> bool {
        matches!(self.content, Store::Open(_))
    }
}

/// What may be kept of a file that is often asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    /// A file of at most this many bytes may be kept in memory.
    pub memory: u64,
    /// True if a larger file may be kept open.
    pub open: bool,
}

/// The kept files of a server. They take no memory before a file is sent.
pub(crate) struct HotFiles {
    /// The most bytes that the kept files may take; 0: no file is kept.
    bytes: Cell<usize>,
    age: Cell<Time>,
    table: RefCell<Table>,
    /// True while a timer is set that closes files.
    closes: Cell<bool>,
    /// Which parts of larger files are in the operating system's memory.
    pub(super) warm: Warm,
}

/// What is known of a file that a request asks for.
pub(super) enum Known {
    /// The file is kept, and a worker has looked at it within `age`.
    Hot(Rc<Hot>),
    /// A worker has to look at the file. `often`: it is asked for often and should be kept.
    Look { often: bool },
}

impl HotFiles {
    pub fn new(bytes: usize, age: Time) -> Rc<HotFiles> {
        Rc::new(HotFiles {
            bytes: Cell::new(bytes),
            age: Cell::new(age),
            table: RefCell::default(),
            closes: Cell::new(false),
            warm: Warm::default(),
        })
    }

    /// Sets the limits, and drops files until the kept ones fit.
    pub fn configure(&self, bytes: usize, age: Time) {
        self.bytes.set(bytes);
        self.age.set(age);
        self.table.borrow_mut().make_room(0, bytes);
    }

    /// Returns what is known of the file with this absolute path, and counts the request for it.
    pub(super) fn ask(self: &Rc<Self>, path: &Path, now: Time) -> Known {
        let cold = Known::Look { often: false };
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
                table.let_go(file);
                return cold;
            }
            entry.asked = entry.asked.saturating_add(1);
            let often = entry.asked >= OFTEN;
            let Some(file) = &entry.file else { return Known::Look { often } };
            if !file.is_unchanged() {
                let file = entry.file.take();
                table.let_go(file);
                return cold;
            }
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

    /// Returns in which ways the next file may be kept. `files`: how many files the process may have open for all peers.
    pub(super) fn keep_up_to(&self, files: usize) -> Keep {
        Keep { memory: self.largest(), open: self.table.borrow().open < OPEN.min(files / 4) }
    }

    fn largest(&self) -> u64 {
        LARGEST.min(self.bytes.get() as u64 / 4)
    }

    fn look_again(self: &Rc<Self>, path: PathBuf, file: Rc<Hot>, now: Time) {
        let (files, stamp, most) = (self.clone(), file.stamp, self.largest());
        let opened = match &file.content {
            Store::Open(opened) => Some(opened.clone()),
            Store::Memory(_) => None,
        };
        let of_job = path.clone();
        worker::run_for_library(
            move || look_again(&of_job, &stamp, opened, most),
            move |result| match result {
                Ok(Ok(None)) => files.keep(&path, now, file),
                Ok(Ok(Some(loaded))) => files.keep(&path, now, Hot::new(loaded)),
                // The file is gone or cannot be read. The next request looks at it and is told what is wrong.
                Ok(Err(_)) => files.forget(&path),
                // The job was refused or panicked, so nothing is known of the file. The kept content may be sent for
                // the rest of `age`.
                Err(error) => {
                    log::debug!(target: "oneloop::http", "{}: a kept file cannot be looked at: {error}", path.display());
                    files.not_looked(&path);
                }
            },
        );
    }

    /// Notes a file that could be kept. It was found by a job that was handed over at `then`.
    pub(super) fn seen(&self, path: &Path, size: u64, then: Time) {
        let can_be_kept = size > LARGEST || (1..=self.largest()).contains(&size);
        if self.age.get() == Time::ZERO || !can_be_kept || !path.is_absolute() {
            return;
        }
        let mut table = self.table.borrow_mut();
        if table.entry(key(path)).is_none() {
            table.insert(key(path), then, self.bytes.get());
        }
    }

    /// Keeps a file that a job, handed over at `then`, has loaded.
    pub(super) fn loaded(self: &Rc<Self>, path: &Path, loaded: Loaded, then: Time) -> Rc<Hot> {
        let hot = Hot::new(loaded);
        self.keep(path, then, hot.clone());
        hot
    }

    /// Stores a file that a job, handed over at `then`, has loaded or found unchanged.
    fn keep(self: &Rc<Self>, path: &Path, then: Time, file: Rc<Hot>) {
        let mut table = self.table.borrow_mut();
        let Some(entry) = table.entry(key(path)) else { return };
        entry.checking = false;
        if then < entry.since {
            return;
        }
        (entry.since, entry.asked) = (then, 0);
        let (held, open) = (file.held(), file.is_open());
        let old = entry.file.replace(file);
        table.held += held;
        table.open += usize::from(open);
        table.let_go(old);
        table.make_room(0, self.bytes.get());
        drop(table);
        if open {
            self.close_later();
        }
    }

    /// Sets the timer that closes open files that are too old and that no request asks for any more.
    fn close_later(self: &Rc<Self>) {
        if !self.closes.replace(true) {
            let files = Rc::downgrade(self);
            let close = move || {
                if let Some(files) = files.upgrade() {
                    files.closes.set(false);
                    files.close();
                }
            };
            set_timeout(Duration::from(self.age.get()), close).unref();
        }
    }

    fn close(self: &Rc<Self>) {
        let (now, age) = (Time::from(now()), self.age.get());
        let mut table = self.table.borrow_mut();
        let mut closed = Vec::new();
        for entry in &mut table.entries {
            if now - entry.since >= age {
                closed.extend(entry.file.take_if(|file| file.is_open()));
            }
        }
        closed.into_iter().for_each(|file| table.let_go(Some(file)));
        let left = table.open > 0;
        drop(table);
        if left {
            self.close_later();
        }
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
    /// The bytes that all entries take.
    held: usize,
    /// How many files are open.
    open: usize,
}

struct Entry {
    key: Rc<[u8]>,
    file: Option<Rc<Hot>>,
    /// The time at which the last job that looked at the file was handed over.
    since: Time,
    /// How many requests there were since then.
    asked: u32,
    checking: bool,
    /// True if there was a request since `hand` passed this entry.
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

    /// Subtracts a file that was taken from its entry from `held` and `open`.
    fn let_go(&mut self, file: Option<Rc<Hot>>) {
        if let Some(file) = file {
            self.held -= file.held();
            self.open -= usize::from(file.is_open());
        }
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
        self.held -= ENTRY + entry.key.len();
        self.let_go(entry.file);
        if let Some(moved) = self.entries.get(at) {
            self.index.insert(moved.key.clone(), at);
        }
    }
}
