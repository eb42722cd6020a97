//! Sessions in the database: who is logged in stays so when the program is started anew.

use crate::database::Database;
use oneloop::app::sessions::{Done, Outcome, Saved, Store};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a session lasts without a request.
pub const IDLE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

pub struct SqliteStore(pub Database);

impl Store for SqliteStore {
    fn load(&self, key: &str, done: Done<Option<Saved>>) {
        let key = key.to_owned();
        self.0.query(move |db| load(db, &key), done);
    }

    fn save(&self, key: &str, session: Saved, done: Done<Outcome>) {
        let key = key.to_owned();
        self.0.change(move |db| save(db, &key, &session), done);
    }

    fn touch(&self, key: &str, expires: SystemTime, done: Done<()>) {
        let key = key.to_owned();
        let work = move |db: &Connection| {
            db.prepare_cached("UPDATE sessions SET expires = ? WHERE key = ?")?.execute(params![seconds(expires), key])
        };
        self.0.change(work, |result| done(result.map(drop)));
    }

    fn destroy(&self, key: &str, done: Done<()>) {
        let key = key.to_owned();
        let work = move |db: &Connection| db.execute("DELETE FROM sessions WHERE key = ?", params![key]);
        self.0.change(work, |result| done(result.map(drop)));
    }
}

fn load(db: &Connection, key: &str) -> rusqlite::Result<Option<Saved>> {
    db.prepare_cached("SELECT data, version, expires FROM sessions WHERE key = ?")?
        .query_row(params![key], |row| {
            let expires = UNIX_EPOCH + Duration::from_secs(row.get(2)?);
            Ok(Saved::new(row.get::<_, String>(0)?, row.get(1)?, expires))
        })
        .optional()
}

fn save(db: &Connection, key: &str, session: &Saved) -> rusqlite::Result<Outcome> {
    if session.version == 0 {
        // It is new, so it is now that it would expire if it had no time to be idle. Who has expired by now makes room.
        db.execute("DELETE FROM sessions WHERE expires <= ?", params![seconds(session.expires - IDLE)])?;
        db.prepare_cached("INSERT INTO sessions (key, data, version, expires) VALUES (?, ?, 1, ?)")?
            .execute(params![key, session.data, seconds(session.expires)])?;
        return Ok(Outcome::Saved);
    }
    let update = "UPDATE sessions SET data = ?, version = version + 1, expires = ? WHERE key = ? AND version = ?";
    let row = params![session.data, seconds(session.expires), key, session.version];
    if db.prepare_cached(update)?.execute(row)? == 1 {
        return Ok(Outcome::Saved);
    }
    Ok(load(db, key)?.map_or(Outcome::Gone, Outcome::Changed))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
