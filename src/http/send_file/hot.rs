//! Small files that are asked for often are kept, so that they are sent without the way to a worker and back.
//!
//! ```text
//!   asked for the eighth time within `age` ─► its job loads all of it ─► kept ─► answers at once, for `age` from that look on
//!                                                                        ▲ │
//!                              a worker looks again, loads if it changed └─┘ after half of `age`, if it is still asked for often
//! ```
//! What is sent was on disk at most `age` ago. A file that is asked for more seldom is looked at each time.

use super::order::{Description, look_again};
use super::stamp::Stamp;
use super::warm::Warm;
use crate::event_loop::Time;
use crate::worker;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Asked for so often within `age`, a file is worth to be kept.
const OFTEN: u32 = 8;
/// Larger files are sent in chunks, for which the way to the worker is nothing.
const LARGEST: u64 = 128 * 1024;
/// What an entry takes beside its path and its content, in bytes, roughly.
const ENTRY: usize = 512;

/// A small file, as a worker has read it.
pub(in crate::http) struct Loaded {
    pub file: Description,
    pub stamp: Stamp,
    pub bytes: Vec<u8>,
}

/// One that is kept.
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

/// A server's. Nothing of it takes memory before a file is sent.
pub(in crate::http) struct HotFiles {
    /// The most that it may hold; 0 turns it off.
    bytes: Cell<usize>,
    age: Cell<Time>,
    table: RefCell<Table>,
    /// Of files that are too large to be kept.
    pub(super) warm: Warm,
}

/// What is known of a file when it is asked for.
pub(super) enum Known {
    /// It is kept, and was looked at short enough a time ago.
    Hot(Rc<Hot>),
    /// A worker has to look. `load`: it is worth to be kept up to this size.
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

    /// Lets go of what is more than it may hold now.
    pub fn configure(&self, bytes: usize, age: Time) {
        self.bytes.set(bytes);
        self.age.set(age);
        self.table.borrow_mut().make_room(0, bytes);
    }

    /// A file is asked for, by its absolute path.
    pub(super) fn ask(self: &Rc<Self>, path: &Path, now: Time) -> Known {
        let cold = Known::Look { load: None };
        if self.bytes.get() == 0 || self.age.get() == 0 || !path.is_absolute() {
            return cold;
        }
        let check = {
            let mut table = self.table.borrow_mut();
            let Some(entry) = table.entry(key(path)) else { return cold };
            let since = now.saturating_sub(entry.since);
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
            if !often || since < self.age.get() / 2 || entry.checking {
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
                // It is gone, or whoever asks next is told what is wrong.
                Ok(Err(_)) => files.forget(&path),
                // Until a look succeeds again it is good for what is left of `age`.
                Err(error) => {
                    log::debug!(target: "oneloop::http", "{}: a kept file cannot be looked at: {error}", path.display());
                    files.not_looked(&path);
                }
            },
        );
    }

    /// A job that was handed over at `then` has found a file that could be kept.
    pub(super) fn seen(&self, path: &Path, size: u64, then: Time) {
        if self.age.get() == 0 || size > self.largest() || size == 0 || !path.is_absolute() {
            return;
        }
        let mut table = self.table.borrow_mut();
        if table.entry(key(path)).is_none() {
            table.insert(key(path), then, self.bytes.get());
        }
    }

    /// The same of one that was loaded.
    pub(super) fn loaded(&self, path: &Path, loaded: Loaded, then: Time) -> Rc<Hot> {
        let hot = Hot::new(loaded);
        self.keep(path, then, hot.clone());
        hot
    }

    /// What was read, or found unchanged, by a job that was handed over at `then`.
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

/// What a file is found by: byte for byte, since to compare paths part by part takes longer, and finds no more of what asks.
fn key(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

#[derive(Default)]
struct Table {
    index: HashMap<Rc<[u8]>, usize>,
    entries: Vec<Entry>,
    /// Where the next one is looked for that can go.
    hand: usize,
    /// Bytes in all.
    held: usize,
}

struct Entry {
    key: Rc<[u8]>,
    file: Option<Rc<Hot>>,
    /// When the job was handed over by which it was last looked at.
    since: Time,
    /// How often it was asked for since then.
    asked: u32,
    checking: bool,
    /// It was asked for since the hand passed it.
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

    /// Lets go of what was not asked for lately, then of anything, until so many bytes more fit.
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
