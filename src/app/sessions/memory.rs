use super::store::{Done, Outcome, Saved, Store};
use crate::event_loop::current;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::time::SystemTime;

/// The most sessions, of 4 KiB of data each: some 50 MiB if all are full.
const MOST: usize = 10_000;

/// A [`Store`] in the memory of the process: for programs of one process whose visitors may be asked to log in again when it starts
/// anew, and for tests. It keeps 10,000 sessions at most; those that nobody has used for longest go first.
///
/// ```
/// use oneloop::app::App;
/// use oneloop::app::sessions::{MemoryStore, sessions};
///
/// let mut app = App::new();
/// app.with(sessions(MemoryStore::new()));
/// ```
pub struct MemoryStore {
    most: usize,
    kept: RefCell<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<Rc<str>, Entry>,
    /// The keys in the order in which their sessions were used last.
    used: BTreeMap<u64, Rc<str>>,
    clock: u64,
}

struct Entry {
    saved: Saved,
    used: u64,
}

impl MemoryStore {
    /// A store for 10,000 sessions.
    pub fn new() -> MemoryStore {
        MemoryStore::with_room_for(MOST)
    }

    /// A store for so many sessions.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use oneloop::app::{App, sessions::{MemoryStore, sessions}};
    /// # let mut app = App::new();
    /// let store = Rc::new(MemoryStore::with_room_for(100));
    /// app.with(sessions(store.clone()));
    /// println!("{} sessions", store.count());
    /// ```
    pub fn with_room_for(sessions: usize) -> MemoryStore {
        MemoryStore { most: sessions, kept: RefCell::default() }
    }

    /// How many sessions are kept. Some of them may have expired.
    ///
    /// ```
    /// let store = oneloop::app::sessions::MemoryStore::new();
    /// assert_eq!(store.count(), 0);
    /// ```
    pub fn count(&self) -> usize {
        self.kept.borrow().sessions.len()
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl Kept {
    fn put(&mut self, key: &str, saved: Saved) {
        self.remove(key);
        self.clock += 1;
        let key: Rc<str> = key.into();
        self.used.insert(self.clock, key.clone());
        self.sessions.insert(key, Entry { saved, used: self.clock });
    }

    fn remove(&mut self, key: &str) -> Option<Saved> {
        let entry = self.sessions.remove(key)?;
        self.used.remove(&entry.used);
        Some(entry.saved)
    }

    /// Makes room for one more. What nobody has used for longest expires first, since all sessions of an app have the same time.
    fn make_room(&mut self, most: usize, now: Option<SystemTime>) {
        while let Some((_, key)) = self.used.first_key_value() {
            let key = key.clone();
            let is_old = |entry: &Entry| now.is_some_and(|now| entry.saved.expires <= now);
            if self.sessions.len() < most && !self.sessions.get(&key).is_some_and(is_old) {
                return;
            }
            self.remove(&key);
        }
    }
}

// No callback is called while the cell is borrowed.
impl Store for MemoryStore {
    fn load(&self, key: &str, done: Done<Option<Saved>>) {
        let saved = self.kept.borrow().sessions.get(key).map(|entry| entry.saved.clone());
        done(Ok(saved));
    }

    fn save(&self, key: &str, session: Saved, done: Done<Outcome>) {
        let mut kept = self.kept.borrow_mut();
        let outcome = match kept.sessions.get(key).map(|entry| &entry.saved) {
            Some(other) if other.version != session.version => Outcome::Changed(other.clone()),
            None if session.version > 0 => Outcome::Gone,
            known => {
                if known.is_none() {
                    kept.make_room(self.most.max(1), current().map(|lp| lp.wall()));
                }
                kept.put(key, Saved { version: session.version + 1, ..session });
                Outcome::Saved
            }
        };
        drop(kept);
        done(Ok(outcome));
    }

    fn touch(&self, key: &str, expires: SystemTime, done: Done<()>) {
        let mut kept = self.kept.borrow_mut();
        if let Some(saved) = kept.remove(key) {
            kept.put(key, Saved { expires, ..saved });
        }
        drop(kept);
        done(Ok(()));
    }

    fn destroy(&self, key: &str, done: Done<()>) {
        self.kept.borrow_mut().remove(key);
        done(Ok(()));
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("count", &self.count()).finish_non_exhaustive()
    }
}
