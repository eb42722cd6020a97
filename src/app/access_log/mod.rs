//! The access log: a line for each exchange, written when it is over.
//!
//! ```text
//!   Server::on_exchange_end ─► Format: one line, every field escaped ─► log target oneloop::access
//!                                                                    ├► a callback
//!                                                                    └► a writer, on a worker: one write per iteration
//! ```

mod date;
mod escape;
mod format;
mod writer;

pub use format::{CustomFormat, Format};

use crate::event_loop::current;
use crate::http::{ExchangeEnd, Server};
use crate::notice;
use date::Clock;
use std::fmt;
use std::io;
use std::rc::Rc;
use writer::Writer;

/// Logs each exchange of a server when it is over, in this format, at *info* with the target `oneloop::access`. For another
/// place, or to leave exchanges out, see [`AccessLog`].
///
/// ```
/// use oneloop::app::{Format, access_log};
/// use oneloop::{http, sim::Sim};
///
/// let sim = Sim::new();
/// let server = http::create_server(|_req, res| res.end("hi"));
/// access_log(&server, Format::Common);
/// server.listen(80, ())?;
/// sim.request("GET", "/todos?page=2").send();
/// let line = sim.log().pop().unwrap().to_string();
/// assert!(line.starts_with("INFO oneloop::access: 127.0.0.1 - - ["), "{line}");
/// assert!(line.ends_with("] \"GET /todos?page=2 HTTP/1.1\" 200 2"), "{line}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn access_log(server: &Server, format: Format) {
    AccessLog::new(format).attach(server);
}

/// An access log: a format, the exchanges that are left out, and the place to which the lines go.
///
/// A line is written when its exchange is over, in the turn in which the kernel took the last byte, or in the closing phase if
/// the connection was cut: so it has the bytes and the time that it took, and the reason if it was cut. Requests that are
/// still open have no line yet ([`Server::open_exchanges`] lists them), and messages that were refused never get one
/// ([`Server::on_client_error`]). Lines of one server come in the order in which its exchanges end.
///
/// ```
/// use oneloop::app::{AccessLog, Format};
/// use oneloop::{http, sim::Sim};
/// # let path = std::env::temp_dir().join(format!("oneloop-access-{}.log", std::process::id()));
///
/// # let sim = Sim::new();
/// let server = http::create_server(|_req, res| res.end("hi"));
/// let file = std::fs::File::options().create(true).append(true).open(&path)?;
/// AccessLog::new(Format::Json).skip(|end| end.request.path() == "/healthz").to(file).attach(&server);
/// # server.listen(80, ())?;
/// # sim.request("GET", "/healthz").send();
/// # sim.request("GET", "/").send();
/// # sim.run_until(|| std::fs::metadata(&path).is_ok_and(|file| file.len() > 0), std::time::Duration::from_secs(1));
/// # assert_eq!(std::fs::read_to_string(&path)?.lines().count(), 1);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct AccessLog {
    format: Format,
    skip: Option<Box<dyn FnMut(&ExchangeEnd<'_>) -> bool>>,
    to: To,
}

/// The place to which lines go.
enum To {
    Log,
    Callback(Box<dyn FnMut(&str)>),
    Writer(Rc<Writer>),
}

impl AccessLog {
    /// An access log in this format. Its lines go through the `log` crate, at *info* with the target `oneloop::access`, and to
    /// [`Sim::log`](crate::sim::Sim::log) in a simulation. Without a logger they go nowhere. The logger is called in the loop: one
    /// that writes to a slow place holds up the loop, unlike a writer that is given to [`to`](AccessLog::to).
    pub fn new(format: Format) -> AccessLog {
        AccessLog { format, skip: None, to: To::Log }
    }

    /// Sets exchanges that get no line: those for which `skip` returns true. It is called once for each exchange, when the
    /// exchange is over.
    pub fn skip(mut self, skip: impl FnMut(&ExchangeEnd<'_>) -> bool + 'static) -> AccessLog {
        self.skip = Some(Box::new(skip));
        self
    }

    /// Sets the place to which the lines go: a file, `std::io::stdout()`, or any other writer. Each line ends with a line feed.
    ///
    /// The loop does not wait for the writer. It gathers the lines of an iteration, and hands them to a worker of the library,
    /// which writes them at once and flushes. While that worker writes, further lines gather, up to 1 MiB; what is more than that
    /// is dropped, and the log says how many lines were. If the writer returns an error, the error is logged at *warn* and the
    /// lines are lost; later lines are written all the same. The loop runs on until all lines are written. If it is
    /// [stopped](crate::stop), the rest is written when the server is dropped. After [`std::process::exit`], lines of the last
    /// iterations that no worker has written yet are lost, as with `process.exit` in Node. Let [`run`](crate::run) return
    /// instead: [`drain`](crate::app::drain) ends a server in such a way.
    pub fn to(mut self, writer: impl io::Write + Send + 'static) -> AccessLog {
        self.to = To::Writer(Writer::new(writer));
        self
    }

    /// Sets a callback that gets each line, without a line feed, as soon as it is written.
    pub fn to_callback(mut self, f: impl FnMut(&str) + 'static) -> AccessLog {
        self.to = To::Callback(Box::new(f));
        self
    }

    /// Logs the exchanges of this server from now on: those that are over after this call. A server may have several access
    /// logs. For a log that several servers write to, give each a writer of the same file, opened to append.
    #[track_caller]
    pub fn attach(self, server: &Server) {
        let AccessLog { mut format, mut skip, mut to } = self;
        let (mut line, mut clock) = (String::new(), Clock::default());
        server.on_exchange_end(move |end| {
            if skip.as_mut().is_some_and(|skip| skip(end)) {
                return;
            }
            let Some(lp) = current() else { return };
            // This is done even if the program's format has panicked.
            line.clear();
            format.write(&mut line, end, &mut clock, lp.wall());
            if line.is_empty() {
                return;
            }
            match &mut to {
                To::Log => notice::info!(target: "oneloop::access", "{line}"),
                To::Callback(f) => f(&line),
                To::Writer(writer) => writer.add(&line),
            }
        });
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}
