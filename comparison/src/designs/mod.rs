//! The servers that are compared. All read and write HTTP by `oneloop::proto::h1`, with the same handlers, backlog,
//! deadlines and limits, so that they differ in one thing: who waits, and where.
//!
//! ```text
//!                       one_loop      loops          loop_workers   pool_connection  pool_request        thread_each
//!  a connection has     a callback    a callback     a callback     a thread         a thread, while it  a thread
//!                                                                   or a place in    has a request
//!                                                                   the queue
//!  threads              1             one a core     1 + pool       pool             pool + 2            connections + 1
//!  HTTP                 └──── oneloop::http ─────────────┘          └─────────── blocking::Desk ────────────┘
//! ```
//!
//! `handlers` is what they do, `references` the servers of others, `check` what every design must get right before it is
//! worth measuring. A server is a process of its own: `comparison server --design NAME`.

mod blocking;
pub mod check;
pub mod handlers;
mod loop_workers;
mod loops;
mod one_loop;
mod options;
mod pool_connection;
#[cfg(unix)]
mod pool_request;
pub mod references;
#[cfg(test)]
mod tests;
mod thread_each;

use oneloop_benches::child;
pub use options::Setup;
use std::io;
use std::process::ExitCode;

/// The role of a server child.
pub const SERVER: &str = "server";

/// The designs, by their short names. `pool-request` needs a poller that takes any descriptor: Unix.
pub const NAMES: [&str; 6] = ["loop", "loops", "pool-connection", "pool-request", "thread-each", "loop-workers"];

/// Connections that the kernel keeps for a server until it accepts them, in all designs. Above the usual `somaxconn` of
/// 4096 the kernel cuts it.
const BACKLOG: u16 = 4096;

/// Called once, with the port, when a server listens.
pub type Listening = Box<dyn FnOnce(u16) + Send>;

/// Serves by one of the designs; returns only where that fails.
pub fn serve(setup: Setup, listening: Listening) -> io::Result<()> {
    match setup.design.as_str() {
        "loop" => one_loop::serve(&setup, listening),
        "loops" => loops::serve(&setup, listening),
        "pool-connection" => pool_connection::serve(setup, listening),
        #[cfg(unix)]
        "pool-request" => pool_request::serve(setup, listening),
        "thread-each" => thread_each::serve(setup, listening),
        "loop-workers" => loop_workers::serve(&setup, listening),
        _ => references::serve(&setup, listening)
            .unwrap_or_else(|| Err(io::Error::other(format!("no such design; there are {}", NAMES.join(", "))))),
    }
}

/// The body of a server child.
pub fn main(args: &[String]) -> ExitCode {
    child::end_with_parent();
    let announce = Box::new(|port| println!("listening on http://127.0.0.1:{port}"));
    if let Err(error) = Setup::read(args).and_then(|setup| serve(setup, announce)) {
        eprintln!("server {}: {error}", args.join(" "));
    }
    ExitCode::FAILURE
}
