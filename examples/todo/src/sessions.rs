//! Who is logged in: a random number in a cookie of the browser, and its hash in the database.

use crate::accounts::Account;
use crate::database::Database;
use blake2::{Blake2s256, Digest};
use oneloop::app::{Cookie, Next};
use oneloop::http::{self, Error, Request, Response};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

const COOKIE: &str = "session";
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

type Key = [u8; 32];

/// A step: puts the [`Account`] whose session the browser has into the request. Who has none is everybody on an open site, else gets 401.
pub fn recognise(database: &Database, open: bool) -> impl FnMut(Request, Response, Next) -> http::Result + 'static {
    let database = database.clone();
    let everybody = open.then(Account::everybody);
    move |req: Request, res: Response, next: Next| -> http::Result {
        let (key, everybody) = (key(&req), everybody.clone());
        let go_on = move |res: Response, account: Option<Account>| {
            let Some(account) = account.or(everybody) else {
                res.set_header("WWW-Authenticate", "Cookie form-action=\"/login\"");
                return Err(Error::new(401, "Log in first."));
            };
            req.put(account);
            Ok(next.run())
        };
        let Some(key) = key else { return go_on(res, None) };
        Ok(database.read(res, move |db| find(db, key), go_on))
    }
}

/// Logs a browser in. It gets a new number, whatever it had: nobody can have given it one that he knows.
pub fn begin(
    database: &Database,
    req: &Request,
    res: Response,
    account: i64,
    done: impl FnOnce(Response) -> http::Result + 'static,
) -> http::Result {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let id = id.map(|byte| format!("{byte:02x}")).concat();
    let (old, new) = (key(req), hash(&id));
    let cookie = Cookie::new(COOKIE, id).max_age(LIFETIME);
    let work = move |db: &Connection| {
        db.execute("DELETE FROM sessions WHERE key = ? OR expires <= unixepoch()", params![old])?;
        db.execute(
            "INSERT INTO sessions (key, account, expires) VALUES (?, ?, unixepoch() + ?)",
            params![new, account, LIFETIME.as_secs() as i64],
        )
    };
    Ok(database.write(res, work, move |res, _| {
        res.cookie(cookie);
        done(res)
    }))
}

/// Logs a browser out, here and in the database: the number is of no use any more, whoever has it.
pub fn end(database: &Database, req: &Request, res: Response, done: impl FnOnce(Response) -> http::Result + 'static) {
    let old = key(req);
    let work = move |db: &Connection| db.execute("DELETE FROM sessions WHERE key = ?", params![old]);
    database.write(res, work, move |res, _| {
        res.clear_cookie(COOKIE);
        done(res)
    });
}

fn find(db: &Connection, key: Key) -> rusqlite::Result<Option<Account>> {
    db.prepare_cached(
        "SELECT id, name FROM sessions JOIN accounts ON id = account WHERE key = ? AND expires > unixepoch()",
    )?
    .query_row(params![key], |row| Ok(Account { id: row.get(0)?, name: row.get(1)? }))
    .optional()
}

fn key(req: &Request) -> Option<Key> {
    req.cookie(COOKIE).map(|id| hash(&id))
}

fn hash(id: &str) -> Key {
    Blake2s256::digest(id).into()
}
