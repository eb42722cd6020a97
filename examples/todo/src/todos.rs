//! What is to be done: the todos of an account, as rows of the database. Each function here runs on a thread of the database.

use oneloop::http::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde::{Deserialize, Serialize};

/// Letters of a title, and todos of a list: whatever a client can make grow has a limit.
const LONGEST_TITLE: usize = 500;
const LONGEST_LIST: i64 = 1000;

#[derive(Debug, Serialize)]
pub struct Todo {
    pub id: i64,
    pub title: String,
    pub completed: bool,
    pub order: i64,
    /// Rises with each change.
    #[serde(skip)]
    pub version: i64,
}

#[derive(Debug, Deserialize)]
pub struct NewTodo {
    pub title: String,
    #[serde(default)]
    pub completed: bool,
    #[serde(default)]
    pub order: i64,
}

/// What is not there stays as it is.
#[derive(Debug, Default, Deserialize)]
pub struct Change {
    pub title: Option<String>,
    pub completed: Option<bool>,
    pub order: Option<i64>,
}

/// A title without the blanks around it, or why it cannot be one.
pub fn title(text: &str) -> Result<String> {
    match text.trim() {
        "" => Err(Error::new(422, "What is to be done? The title is empty.")),
        title if title.chars().count() > LONGEST_TITLE => {
            Err(Error::new(422, format!("The title is too long: {LONGEST_TITLE} characters at most.")))
        }
        title => Ok(title.to_owned()),
    }
}

pub fn full() -> Error {
    Error::new(422, format!("The list is full: {LONGEST_LIST} todos at most."))
}

pub fn all(db: &Connection, account: i64) -> rusqlite::Result<Vec<Todo>> {
    db.prepare_cached(
        "SELECT id, title, completed, place, version FROM todos WHERE account = :account ORDER BY place, id",
    )?
    .query_map(named_params! { ":account": account }, todo)?
    .collect()
}

/// A todo of another account is none, as for every function here that takes an account and an id.
pub fn find(db: &Connection, account: i64, id: i64) -> rusqlite::Result<Option<Todo>> {
    db.prepare_cached("SELECT id, title, completed, place, version FROM todos WHERE account = :account AND id = :id")?
        .query_row(named_params! { ":account": account, ":id": id }, todo)
        .optional()
}

/// `None`: the list is full.
pub fn add(db: &Connection, account: i64, new: &NewTodo) -> rusqlite::Result<Option<Todo>> {
    db.prepare_cached(
        "INSERT INTO todos (account, title, completed, place) SELECT :account, :title, :completed, :place
         WHERE (SELECT count(*) FROM todos WHERE account = :account) < :most
         RETURNING id, title, completed, place, version",
    )?
    .query_row(
        named_params! {
            ":account": account, ":title": new.title, ":completed": new.completed, ":place": new.order, ":most": LONGEST_LIST,
        },
        todo,
    )
    .optional()
}

/// Changes a todo; with `seen` only if that is still its version. `None`: there is no such todo, or it has another version.
pub fn change(
    db: &Connection,
    account: i64,
    id: i64,
    seen: Option<i64>,
    change: &Change,
) -> rusqlite::Result<Option<Todo>> {
    db.prepare_cached(
        "UPDATE todos SET title = coalesce(:title, title), completed = coalesce(:completed, completed),
             place = coalesce(:place, place), version = version + 1
         WHERE account = :account AND id = :id AND version = coalesce(:seen, version)
         RETURNING id, title, completed, place, version",
    )?
    .query_row(
        named_params! {
            ":account": account, ":id": id, ":seen": seen,
            ":title": change.title, ":completed": change.completed, ":place": change.order,
        },
        todo,
    )
    .optional()
}

/// Removes a todo; with `seen` only if that is still its version. Returns whether it was there.
pub fn remove(db: &Connection, account: i64, id: i64, seen: Option<i64>) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM todos WHERE account = :account AND id = :id AND version = coalesce(:seen, version)")?
        .execute(named_params! { ":account": account, ":id": id, ":seen": seen })
        .map(|rows| rows > 0)
}

pub fn remove_all(db: &Connection, account: i64) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM todos WHERE account = :account")?.execute(named_params! { ":account": account })
}

pub fn remove_completed(db: &Connection, account: i64) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM todos WHERE account = :account AND completed")?
        .execute(named_params! { ":account": account })
}

pub fn complete_all(db: &Connection, account: i64, completed: bool) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "UPDATE todos SET completed = :completed, version = version + 1
         WHERE account = :account AND completed <> :completed",
    )?
    .execute(named_params! { ":account": account, ":completed": completed })
}

fn todo(row: &Row) -> rusqlite::Result<Todo> {
    Ok(Todo { id: row.get(0)?, title: row.get(1)?, completed: row.get(2)?, order: row.get(3)?, version: row.get(4)? })
}
