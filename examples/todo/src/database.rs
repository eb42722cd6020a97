//! The database: one connection that writes, and a few that read. Each has a thread of its own, and none ever waits for a lock.
//!
//! SQLite lets one connection write at a time. The others would wait, or fail with `SQLITE_BUSY`; so there are no others: who wants
//! to write stands in the queue of one [`Keeper`]. It takes all that wait as one transaction. Each of them is told when the
//! disk has the transaction, so a hundred who write at the same time wait for the disk once, not a hundred times.
//!
//! With write-ahead logging the readers see the last commit and never wait. Who is told that a change is done, and then reads, sees it.

use oneloop::http::Result;
use oneloop::worker::{self, Keeper, Keepers};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// A query of a list takes some 20 µs: three readers do more than one loop asks for.
const READERS: usize = 3;
/// How long we wait for other programs that look into the file, such as `sqlite3` or a backup. Our own connections never wait.
const OTHERS: Duration = Duration::from_secs(5);
/// Each text leads from one version of the tables to the next. Once released a text is never changed: add another.
const MIGRATIONS: [&str; 2] = [include_str!("../migrations/1.sql"), include_str!("../migrations/2.sql")];

#[derive(Clone)]
pub struct Database {
    writer: Keeper<Connection>,
    readers: Keepers<Connection>,
}

impl Database {
    /// Opens the file, or makes it, and brings its tables up to date. It waits for the disk, so call it before the loop runs.
    pub fn open(path: &Path) -> rusqlite::Result<Database> {
        migrate(&mut open_writer(path)?)?;
        let (for_writer, for_readers) = (path.to_owned(), path.to_owned());
        Ok(Database {
            writer: Keeper::start_grouped(
                move || open_writer(&for_writer),
                |connection| connection.execute_batch("BEGIN IMMEDIATE"),
                |connection| connection.execute_batch("COMMIT"),
            ),
            readers: Keepers::start(READERS, move || open_reader(&for_readers)),
        })
    }

    /// Does `work` on the thread of a reader, then calls `done` on the loop.
    pub fn query<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
        done: impl FnOnce(Result<R>) + 'static,
    ) {
        self.readers.run(|connection| work(connection), |result| done(flat(result)));
    }

    /// Does `work` on the thread of the writer, then calls `done` on the loop, once the change is on the disk. If the work
    /// fails, all that it has done is undone, and nothing that others did in the same transaction is.
    pub fn change<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
        done: impl FnOnce(Result<R>) + 'static,
    ) {
        let work = |connection: &mut Connection| {
            let part = connection.savepoint()?;
            let result = work(&part)?;
            part.commit().map(|()| result)
        };
        self.writer.run(work, |result| done(flat(result)));
    }
}

/// One error for both: too many wait for the thread, which is a 503, or the work has failed, a 500.
fn flat<R>(result: std::result::Result<rusqlite::Result<R>, worker::Error>) -> Result<R> {
    Ok(result??)
}

fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(OTHERS)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on the disk before anybody hears of it. (`NORMAL` is faster, and may lose the last ones when the power fails.)
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(OTHERS)?;
    Ok(connection)
}

/// `user_version` is a number that SQLite keeps for the program: how many of the migrations this file has had.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let had: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, step) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > had) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
        log::info!("the database has version {} now", version);
    }
    Ok(())
}
