use super::Error;
use super::crew::{Cause, Crew, Grouped};
use super::handle::Handle;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// The text of an error that may cross threads. `rusqlite::Error`, `io::Error` and a `String` turn into it by `?`.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps a value on a thread of its own: a connection to a database, a file that is appended to. Jobs come from the loop and
/// run on that thread, one at a time, each with the value as `&mut T`; their results come back to the loop. The value itself
/// never leaves its thread, so `T` need not be `Send`, and there is no lock around it.
///
/// ```
/// use oneloop::worker::Keeper;
/// # struct Database(Vec<String>);
/// # impl Database {
/// #     fn open(_: &str) -> std::io::Result<Database> { Ok(Database(Vec::new())) }
/// #     fn add(&mut self, title: &str) -> usize { self.0.push(title.to_owned()); self.0.len() }
/// # }
///
/// let todos = Keeper::start(|| Database::open("todo.db")); // opened on the keeper's thread
/// todos.run(
///     |database| database.add("water the plants"), // on the keeper's thread
///     |result| match result {
///         // on the loop
///         Ok(number) => println!("todo number {number}"),
///         Err(error) => eprintln!("{error}"),
///     },
/// );
/// oneloop::run()?;
/// # std::io::Result::Ok(())
/// ```
///
/// # Order and limits
/// Jobs begin in the order in which they were given, each once the one before it is done. At most 1,024 of them may wait
/// (see [`set_queue`](Keeper::set_queue)); the next one is refused. Jobs that wait keep the loop running, as those of the
/// [pool](super::run) do, and are counted with them (`jobs` of [`metrics`](crate::metrics)). An idle keeper does not keep it
/// running.
///
/// # Failures
/// * `make` fails or panics: all jobs that wait are refused ([`Error::is_no_value`]), and so is each new job until `make` has
///   succeeded. The first new job after a pause calls `make` again. The pause is 100 ms at first and doubles with each failure,
///   up to 10 s. The log (target `oneloop::loop`) has the first failure of a row, at *error*, and its end, at *info*.
/// * A job panics: it gets the panic as an [`Error`], and the value is dropped, since nobody knows what state it is in. `make` is
///   called anew, at once.
/// * The system has no thread left: the job is refused ([`Error::is_no_thread`]), and the next one asks for the thread again.
///
/// A handler that returns such a refusal as its error answers 503.
///
/// # End
/// Clones are handles of the same keeper. When the last one is dropped, or after [`close`](Keeper::close), the jobs that
/// wait are done, then the value is dropped on its thread, and the thread ends. The loop does not wait for the drop of the
/// value, and the process may end before it: if the drop of the value does something that must happen (it flushes a file), call
/// `close`.
///
/// If the loop ends first (because its thread ends), the jobs that have not begun are dropped.
///
/// # Tests
/// In a [`Sim`](crate::sim::Sim) there is no thread: `make`, each job and the drop of the value happen on the test's thread, in
/// the same order, and each of them takes the virtual time that a job of the pool takes.
pub struct Keeper<T: 'static>(Rc<Handle<T>>);

impl<T> Keeper<T> {
    /// Starts a thread, and makes the value on it by `make`. See the type's docs for when `make` is called again.
    #[track_caller]
    pub fn start<E: Into<BoxError>>(make: impl Fn() -> Result<T, E> + Send + Sync + 'static) -> Keeper<T> {
        let make = move || make().map_err(shared);
        Keeper(Handle::start(1, Crew::new(Location::caller(), Box::new(make), None)))
    }

    /// Starts a keeper that does its jobs in groups: whenever it is free, it takes *all* jobs that wait. It calls `begin`, then
    /// each job in order, then `commit`. Only when `commit` has returned does the loop get their results. So many writers
    /// share one transaction, and one `fsync`, and each of them waits hardly longer than it would alone:
    ///
    /// ```
    /// use oneloop::worker::Keeper;
    /// # struct Connection;
    /// # impl Connection {
    /// #     fn open(_: &str) -> std::io::Result<Connection> { Ok(Connection) }
    /// #     fn execute_batch(&mut self, _: &str) -> std::io::Result<()> { Ok(()) }
    /// #     fn execute(&mut self, _: &str) -> std::io::Result<usize> { Ok(1) }
    /// # }
    ///
    /// let writer = Keeper::start_grouped(
    ///     || Connection::open("todo.db"),
    ///     |connection| connection.execute_batch("BEGIN IMMEDIATE"),
    ///     |connection| connection.execute_batch("COMMIT"),
    /// );
    /// for _ in 0..100 {
    ///     writer.run(
    ///         |connection| connection.execute("INSERT INTO visits DEFAULT VALUES"),
    ///         |result| println!("committed: {result:?}"),
    ///     );
    /// }
    /// oneloop::run()?;
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// A job whose work returns an error is still a member of its group: what it did before is committed with the rest. If a
    /// job may fail half-way, let it undo its own part (with a savepoint).
    ///
    /// If `begin` or `commit` fails or panics, the jobs of the group get an [`Error`] ([`Error::is_undone`]). If a job
    /// panics, it gets its panic, the jobs before it get that error, and those behind it begin the next group. In each of these
    /// cases the value is dropped, which must undo what was not committed (as a connection does that is closed), and `make` is
    /// called anew.
    #[track_caller]
    pub fn start_grouped<E: Into<BoxError>, B: Into<BoxError>, C: Into<BoxError>>(
        make: impl Fn() -> Result<T, E> + Send + Sync + 'static,
        begin: impl Fn(&mut T) -> Result<(), B> + Send + Sync + 'static,
        commit: impl Fn(&mut T) -> Result<(), C> + Send + Sync + 'static,
    ) -> Keeper<T> {
        let make = move || make().map_err(shared);
        let grouped = Grouped {
            begin: Box::new(move |value| begin(value).map_err(shared)),
            commit: Box::new(move |value| commit(value).map_err(shared)),
        };
        Keeper(Handle::start(1, Crew::new(Location::caller(), Box::new(make), Some(grouped))))
    }

    /// Gives the keeper a job. `work` is called on the keeper's thread, and `done` on the loop, with what `work` returned:
    /// once, in the poll phase, never from inside this call. Results come in the order of the jobs; refusals do not wait for
    /// the jobs before them.
    ///
    /// `done` gets an [`Error`] if `work` panicked or if the job was refused. If the loop ends first, both closures are
    /// dropped.
    ///
    /// ```
    /// use oneloop::worker::Keeper;
    ///
    /// let counter = Keeper::start(|| Ok::<_, String>(0));
    /// for expected in 1..=3 {
    ///     counter.run(
    ///         |count| {
    ///             *count += 1;
    ///             *count
    ///         },
    ///         move |result| assert_eq!(result.unwrap(), expected),
    ///     );
    /// }
    /// oneloop::run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> R + Send + 'static,
        done: impl FnOnce(Result<R, Error>) + 'static,
    ) {
        self.0.run(Location::caller(), work, done);
    }

    /// Sets how many jobs may wait (1,024 by default, at least 1), besides the job or the group that is running. A job that
    /// finds the queue full is refused ([`Error::is_queue_full`]). A short queue tells clients sooner that they had better come
    /// back later.
    ///
    /// ```
    /// use oneloop::{sim::Sim, worker::Keeper};
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let sim = Sim::new();
    /// let keeper = Keeper::start(|| Ok::<_, String>(()));
    /// keeper.set_queue(2);
    /// let refused = Rc::new(Cell::new(0));
    /// for _ in 0..5 {
    ///     let refused = refused.clone();
    ///     keeper.run(|_| (), move |result| if result.is_err_and(|error| error.is_queue_full()) { refused.set(refused.get() + 1) });
    /// }
    /// sim.run_to_rest();
    /// assert_eq!(refused.get(), 3);
    /// ```
    pub fn set_queue(&self, most: usize) -> &Self {
        self.0.set_queue(most);
        self
    }

    /// The number of jobs that have not begun.
    ///
    /// ```
    /// use oneloop::{sim::Sim, worker::Keeper};
    ///
    /// let sim = Sim::new();
    /// let keeper = Keeper::start(|| Ok::<_, String>(()));
    /// (0..5).for_each(|_| keeper.run(|_| (), |_| ()));
    /// assert_eq!(keeper.waiting(), 5);
    /// sim.run_to_rest();
    /// assert_eq!(keeper.waiting(), 0);
    /// ```
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Ends the keeper, for all its handles: the jobs that wait are done, the value is dropped on its thread, then `done` is
    /// called on the loop, in the poll phase, never from inside this call. The loop keeps running until then. Jobs that are
    /// given from now on are refused ([`Error::is_closed`]). If the keeper has ended already, `done` is called all the same.
    ///
    /// ```
    /// use oneloop::worker::Keeper;
    /// use std::io::Write;
    ///
    /// let log = Keeper::start(|| Ok::<_, std::io::Error>(std::io::BufWriter::new(std::io::sink())));
    /// log.run(|file| writeln!(file, "a line"), |result| result.unwrap().unwrap());
    /// log.close(|| println!("the buffer was written"));
    /// oneloop::run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn close(&self, done: impl FnOnce() + 'static) {
        self.0.close(Location::caller(), done);
    }
}

impl<T> Clone for Keeper<T> {
    fn clone(&self) -> Keeper<T> {
        Keeper(self.0.clone())
    }
}

impl<T> fmt::Debug for Keeper<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

/// Keeps several values, each on a thread of its own, with one queue for all: a few connections that only read, beside the
/// [`Keeper`] that writes. The first thread that is free takes the next job, so jobs begin in the order in which they were
/// given, and end in any order.
///
/// What the docs of [`Keeper`] say holds for each of the values. A thread whose `make` has failed leaves the jobs to the
/// others. Jobs are refused only if none of the values could be made.
///
/// ```
/// use oneloop::worker::Keepers;
/// # struct Database;
/// # impl Database {
/// #     fn open_read_only(_: &str) -> std::io::Result<Database> { Ok(Database) }
/// #     fn count(&self) -> usize { 3 }
/// # }
///
/// let readers = Keepers::start(3, || Database::open_read_only("todo.db"));
/// readers.run(|database| database.count(), |count| println!("{count:?} todos"));
/// oneloop::run()?;
/// # std::io::Result::Ok(())
/// ```
pub struct Keepers<T: 'static>(Rc<Handle<T>>);

impl<T> Keepers<T> {
    /// Starts `count` threads (at least 1), and makes a value on each of them by `make`.
    #[track_caller]
    pub fn start<E: Into<BoxError>>(
        count: usize,
        make: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Keepers<T> {
        let make = move || make().map_err(shared);
        Keepers(Handle::start(count, Crew::new(Location::caller(), Box::new(make), None)))
    }

    /// Gives the job to the first thread that is free. This is [`Keeper::run`], except that results come in the order in which
    /// the jobs end.
    ///
    /// ```
    /// use oneloop::worker::Keepers;
    ///
    /// let keepers = Keepers::start(2, || Ok::<_, String>("hello".to_owned()));
    /// keepers.run(|text| text.len(), |result| assert_eq!(result.unwrap(), 5));
    /// oneloop::run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> R + Send + 'static,
        done: impl FnOnce(Result<R, Error>) + 'static,
    ) {
        self.0.run(Location::caller(), work, done);
    }

    /// Sets how many jobs may wait, as [`Keeper::set_queue`] does.
    ///
    /// ```
    /// use oneloop::worker::Keepers;
    ///
    /// let keepers = Keepers::start(2, || Ok::<_, String>(()));
    /// keepers.set_queue(50);
    /// ```
    pub fn set_queue(&self, most: usize) -> &Self {
        self.0.set_queue(most);
        self
    }

    /// The number of jobs that have not begun.
    ///
    /// ```
    /// use oneloop::worker::Keepers;
    ///
    /// assert_eq!(Keepers::start(2, || Ok::<_, String>(())).waiting(), 0);
    /// ```
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Ends the keepers, as [`Keeper::close`] does: `done` is called once all values have been dropped.
    ///
    /// ```
    /// use oneloop::worker::Keepers;
    ///
    /// let keepers = Keepers::start(2, || Ok::<_, String>(()));
    /// keepers.close(|| println!("both threads have ended their work"));
    /// oneloop::run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn close(&self, done: impl FnOnce() + 'static) {
        self.0.close(Location::caller(), done);
    }
}

impl<T> Clone for Keepers<T> {
    fn clone(&self) -> Keepers<T> {
        Keepers(self.0.clone())
    }
}

impl<T> fmt::Debug for Keepers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keepers").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

fn shared(error: impl Into<BoxError>) -> Cause {
    Cause::from(error.into())
}
