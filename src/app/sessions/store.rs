use crate::http::Result;
use std::rc::Rc;
use std::time::SystemTime;

/// Takes the result of a call of a [`Store`]. It may be called within that call or at any later time. Dropped, it counts as an
/// error.
pub type Done<T> = Box<dyn FnOnce(Result<T>)>;

/// A session as it is kept in a [`Store`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// What the program has put into the session, and when the session began: a text of at most 4 KiB in ASCII. Only the library
    /// need understand it.
    pub data: String,
    /// How many times the session was saved before: 0 if it is new.
    pub version: u64,
    /// The time from which on the session must not be used. The library sees to that; a store may use it to clean up.
    pub expires: SystemTime,
}

impl Saved {
    /// A session, as a store has kept it.
    ///
    /// ```
    /// use oneloop::app::sessions::Saved;
    /// use std::time::{Duration, SystemTime};
    ///
    /// // The columns of a row:
    /// let (data, version, expires) = ("1764423423&user=7", 3, 1764509823);
    /// let saved = Saved::new(data, version, SystemTime::UNIX_EPOCH + Duration::from_secs(expires));
    /// # assert_eq!(saved.version, 3);
    /// ```
    pub fn new(data: impl Into<String>, version: u64, expires: SystemTime) -> Saved {
        Saved { data: data.into(), version, expires }
    }
}

/// The result of saving a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The store keeps the session as it was given.
    Saved,
    /// Another request has saved the session meanwhile; this is the session that it has saved. The library applies the changes of
    /// both requests, and saves again.
    Changed(Saved),
    /// The session does not exist any more, since another request has destroyed it. The store has kept nothing.
    Gone,
}

/// A place for sessions: [`MemoryStore`](super::MemoryStore), or a database.
///
/// The key of a session is the SHA-256 of its id, as 64 hexadecimal digits: somebody who reads the database learns no id that he
/// could use as somebody else. Each call has to be answered, now or later; an answer that is too late is an error for the
/// request: see [`SessionOptions::patience`](super::SessionOptions::patience).
///
/// In SQL, with a table `sessions(key PRIMARY KEY, data, version, expires)`:
///
/// | call | statement |
/// |---|---|
/// | `load` | `SELECT data, version, expires FROM sessions WHERE key = ?` |
/// | `save` of version 0 | `INSERT INTO sessions VALUES (?, ?, 1, ?)` |
/// | `save` of another | `UPDATE sessions SET data = ?, version = version + 1, expires = ? WHERE key = ? AND version = ?`; if that was no row, then `load` says whether it is `Changed` or `Gone` |
/// | `touch` | `UPDATE sessions SET expires = ? WHERE key = ?` |
/// | `destroy` | `DELETE FROM sessions WHERE key = ?` |
/// | now and then | `DELETE FROM sessions WHERE expires < ?` |
///
/// ```
/// use oneloop::app::sessions::{Done, MemoryStore, Outcome, Saved, Store};
/// use std::time::SystemTime;
///
/// /// Says in the log who comes and goes.
/// struct Talkative(MemoryStore);
///
/// impl Store for Talkative {
///     fn load(&self, key: &str, done: Done<Option<Saved>>) {
///         log::info!("{key} is looked for");
///         self.0.load(key, done);
///     }
///     fn save(&self, key: &str, session: Saved, done: Done<Outcome>) {
///         log::info!("{key} is saved");
///         self.0.save(key, session, done);
///     }
///     fn touch(&self, key: &str, expires: SystemTime, done: Done<()>) {
///         self.0.touch(key, expires, done);
///     }
///     fn destroy(&self, key: &str, done: Done<()>) {
///         log::info!("{key} is gone");
///         self.0.destroy(key, done);
///     }
/// }
/// ```
pub trait Store: 'static {
    /// Finds a session. An expired session may be returned, too: the library checks the time.
    fn load(&self, key: &str, done: Done<Option<Saved>>);

    /// Keeps a session, if the kept version is still the version of `session` (for version 0: if there is no such session). The
    /// new version is one more than that.
    fn save(&self, key: &str, session: Saved, done: Done<Outcome>);

    /// Sets another time at which a session expires, and changes nothing else, not even the version. Does nothing if there is no such
    /// session.
    fn touch(&self, key: &str, expires: SystemTime, done: Done<()>);

    /// Forgets a session. Does nothing if there is none.
    fn destroy(&self, key: &str, done: Done<()>);
}

impl<S: Store> Store for Rc<S> {
    fn load(&self, key: &str, done: Done<Option<Saved>>) {
        S::load(self, key, done);
    }

    fn save(&self, key: &str, session: Saved, done: Done<Outcome>) {
        S::save(self, key, session, done);
    }

    fn touch(&self, key: &str, expires: SystemTime, done: Done<()>) {
        S::touch(self, key, expires, done);
    }

    fn destroy(&self, key: &str, done: Done<()>) {
        S::destroy(self, key, done);
    }
}
