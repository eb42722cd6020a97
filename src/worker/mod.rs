//! Blocking work on other threads, with the result back on the loop.
//!
//! A callback that computes for long, reads a file or asks a database holds up every other callback of its loop. [`run`] does
//! such work on one of a few worker threads (libuv's thread pool): `work` runs on that thread; `done` stays on the loop's thread
//! and is called by the loop. Only `work` and its result need be `Send`; `done` may capture any handle.
//!
//! ```
//! use oneloop::worker;
//!
//! worker::run(
//!     || (1..=20_u64).product::<u64>(), // on a worker thread
//!     |result| match result {
//!         // on the loop
//!         Ok(factorial) => println!("20! = {factorial}"),
//!         Err(error) => eprintln!("{error}"),
//!     },
//! );
//! oneloop::run().unwrap();
//! ```
//!
//! Each loop has its own threads. A new thread is started when a job is given and no thread is free. All threads end with the
//! loop, each of them once its current job is done. In a simulation the work is done without threads, in virtual time.
//!
//! # Lanes
//! The library has blocking work of its own: it reads files and looks names up. Such jobs have queues and threads of their
//! own, so that your jobs and the library's never wait for each other: four jobs that wait for a database for seconds do not
//! hold up a file, and a name server that does not answer holds up look-ups only. By default there are at most 4 threads for
//! your jobs, 4 for files, 2 for look-ups, and 2 for TLS handshakes, if a server wants them there.
//!
//! # How long a job may take
//! There is no limit while anything else keeps the loop running. When only jobs are left, [`run`](crate::run) waits for them, by
//! default at most 300 s (see [`set_grace`]), so that the program can end although a job is stuck. The log names the lines where
//! those jobs were given.
//!
//! # Work with a value that stays
//! A job of [`run`] has what it captured and nothing else; a connection to a database would have to be opened for each job, or
//! wait behind a lock. A [`Keeper`] has a thread of its own and keeps such a value there; [`Keepers`] have several.
//!
//! ```text
//!   run ──────────────► pool: 4 threads, one queue ──────────────────────┐
//!   Keeper::run ──────► crew: one queue ─► member, on its thread: value ─┼─► the loop calls done
//!   Keepers::run ─────► crew: one queue ─┬► member, on its thread: value ┤
//!                                        └► member, on its thread: value ┘
//! ```

mod crew;
mod error;
mod handle;
mod keeper;
mod member;
mod pool;

pub use error::Error;
pub use keeper::{Keeper, Keepers};
pub(crate) use pool::run_for_library;
pub use pool::{run, set_grace, set_pool_size};
