//! The table of todos, and the query that the servers in Rust make of it.

use rusqlite::{Connection, OpenFlags, Result};
use serde::Serialize;
use std::path::Path;

/// How many connections read at a time, each on a thread of its own, where the query is not made on the server's thread.
pub const READERS: usize = 3;
/// How many accounts there are, and todos of each.
const ACCOUNTS: i64 = 50;
const EACH: i64 = 20;

const TABLE: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE todos (
        id        INTEGER PRIMARY KEY,
        account   INTEGER NOT NULL,
        title     TEXT NOT NULL,
        completed INTEGER NOT NULL,
        place     INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX todos_in_order ON todos (account, place, id);";
const LIST: &str = "SELECT id, title, completed, place FROM todos WHERE account = ?1 ORDER BY place, id";

#[derive(Serialize)]
pub struct Todo {
    id: i64,
    title: String,
    completed: bool,
    order: i64,
}

/// Makes the database.
pub fn create(path: &Path) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(TABLE)?;
    let transaction = connection.transaction()?;
    for number in 0..ACCOUNTS * EACH {
        let (account, place) = (number % ACCOUNTS + 1, number / ACCOUNTS);
        transaction.execute(
            "INSERT INTO todos (account, title, completed, place) VALUES (?1, ?2, ?3, ?4)",
            (account, format!("water the plants in room {number}"), number % 3 == 0, place),
        )?;
    }
    transaction.commit()
}

/// A connection that reads, and that only one thread uses at a time.
pub fn open(path: &Path) -> Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// The todos of an account.
pub fn list(connection: &Connection, account: i64) -> Result<Vec<Todo>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map([account], |row| {
        Ok(Todo { id: row.get(0)?, title: row.get(1)?, completed: row.get(2)?, order: row.get(3)? })
    })?;
    rows.collect()
}
