//! **oneloop** is Node's model as a Rust library: one thread, one event loop, plain callbacks. An HTTP server and client,
//! WebSockets, TCP, timers, ticks, immediates and streams with backpressure, on `mio`, `httparse` and `slab`; no async runtime, no locks
//! in your code, no `unsafe`.
//!
//! ```no_run
//! use oneloop::http;
//!
//! fn main() -> std::io::Result<()> {
//!     let server = http::create_server(|req, res| match req.url() {
//!         "/seed-a-plant" => res.end("🌱 Plant seeded!"),
//!         _ => {
//!             res.set_header("Content-Type", "text/plain; charset=utf-8");
//!             res.end("Hello from one loop\n")
//!         }
//!     });
//!     server.listen(7777, || println!("Server listening on http://localhost:7777"))?;
//!     oneloop::run()
//! }
//! ```
//!
//! A server is a closure, and its state is an `Rc` that the closure owns. Nothing runs in parallel, so nothing is locked. The
//! answer may come later; what is forgotten, fails or panics is answered 500. Limits that protect the server are on from
//! the start.
//!
//! # Start here
//! New to it? [Getting started](guide::getting_started). From Node? [The table of names](guide::from_node). From Express? Feature `app`,
//! and the page `from_express` of the guide. Stuck with the
//! compiler? [Closures and `Rc`](guide::closures). All pages: the [`guide`].
//!
//! | you want to | use | read |
//! |---|---|---|
//! | serve HTTP | [`http::create_server`], [`http::Request`], [`http::Response`] | [getting started](guide::getting_started) |
//! | answer errors with `?` | [`http::Error`] | [errors](guide::errors) |
//! | collect a body; stream one | [`read_body`](http::Request::read_body); [`on_data`](http::Request::on_data), [`write`](http::Response::write), [`pipe`](http::Request::pipe) | [streaming](guide::streaming) |
//! | send or store files | [`send_file`](http::Response::send_file), [`save_to`](http::Request::save_to) | [files](guide::files) |
//! | serve or connect TCP and Unix sockets | [`net::create_server`], [`net::connect`] | [`net`] |
//! | do it later, or again and again | [`set_timeout`], [`set_interval`], [`set_immediate`], [`next_tick`] | [timers and order](guide::timers) |
//! | block or compute | [`worker::run`] | [threads](guide::threads) |
//! | send messages from other threads | [`channel`], [`remote`] | [threads](guide::threads) |
//! | use all cores | [`net::Listen::reuse_port`] | [threads](guide::threads#all-cores-a-loop-in-each-thread) |
//! | emit events of your own | [`Emitter`] | [`emitter`] |
//! | talk with web pages both ways; be a client of WebSockets | [`ws::mount`]; [`ws::connect`] | [WebSockets](guide::websockets) |
//! | ask other servers | [`http::fetch`](http::fetch()), [`http::request`], [`http::Agent`] | [the client](guide::client) |
//! | serve HTTPS, connect with TLS | `https::create_server`, `tls::connect` (feature `tls`) | the page `https` of the guide |
//! | test all of it in memory | [`sim::Sim`]; for an app `tester::Tester` | [testing](guide::testing) |
//! | log accesses, measure, find what blocks | [`on_exchange_end`](http::Server::on_exchange_end), [`metrics`], [`event_loop::on_slow`] | [observing](guide::observing) |
//! | change a limit | [`http::Limits`] | [limits](guide::limits) |
//! | end on SIGTERM | `signals::on`, [`http::Server::close`] | [deploying](guide::deploying) |
//!
//! When not to use it: see [getting started](guide::getting_started#8-when-not-to-use-it) and
//! [event loop or threads](guide::loop_or_threads).
//!
//! # The promises
//! Each promise has tests that are named after it. A change that breaks one is a bug.
//!
//!  1. **One thread.** A loop, its sockets, timers and callbacks live on one thread; handles are not `Send`. The only ways
//!     in from outside are a [`channel`], a [`Remote`] and the [`worker`] pool.
//!  2. **Callbacks come from the loop, never from inside a call you make.** Every callback runs to completion, and may call
//!     anything: close its own server, add or remove listeners, drop its own handle. ([`Emitter::emit`], which is your own
//!     call, is synchronous, as in Node.)
//!  3. **The phases run in a documented order**, see [`event_loop`].
//!  4. **Every request gets exactly one whole response, in order, or its connection is closed.** A response that is dropped
//!     unfinished answers 500, or cuts the connection if its head has been sent. If the handler returned an error
//!     ([`http::Error`]), that error is the answer. Requests that had arrived when a server closes are answered.
//!  5. **A panic in a callback costs that exchange only** (500). In a timer, tick or socket callback it costs that timer, tick
//!     or socket. The loop goes on. See [`event_loop::set_panic_policy`]. Not with `panic = "abort"`.
//!  6. **A dead handle is harmless**: calls on a finished exchange or a closed socket do nothing.
//!  7. **Memory is bounded by configuration**: see [`http::Limits`], and `set_pending_limit` of a socket or a response.
//!  8. **Every wait for a peer has an end**, by default. The only wait without one is that for the handler, and it ends when
//!     the client has gone ([`Limits::half_open`](http::Limits::half_open)). No peer is cut off as late because the loop has
//!     not looked at its input yet: while a callback blocks, or while the process is stopped.
//!  9. **Bytes from the network never panic, desync or smuggle.** What RFC 9112 leaves ambiguous is refused.
//! 10. **No connection starves another**: turns have budgets, and so have messages of other threads. Your jobs, files and
//!     look-ups have [threads of their own](worker).
//! 11. **Every close has a reason**: [`CloseReason`](net::CloseReason).
//!
//! # Features
//! `app`: routes, middleware, files, and what requests and responses are asked for most. `json`: `app`, and bodies and answers by
//! serde. `compression`: `app`, and answers compressed with gzip. `sessions`: `app`, sessions and signed cookies. `deflate`: WebSockets whose
//! messages are compressed. `signals`: callbacks for SIGTERM and others (Unix). `devtools`: a page that shows the loop at work. `tls`: HTTPS and TLS.
//! Nothing else is optional, and nothing is on by
//! default.
//!
//! # Logging
//! Through the `log` crate, with the targets `oneloop::loop`, `oneloop::net`, `oneloop::http`, `oneloop::ws` and, for the lines of an access log,
//! `oneloop::access`. *error*: panics, fields and
//! bodies that cannot be sent, threads or connections that the system refuses; *warn*: slow callbacks, a lack of file
//! descriptors, a 5xx from a handler's error or a dropped response, jobs that alone keep the loop running; *info*: listening,
//! what a shutdown waits for; *debug*: each closed connection with its reason, late calls; *trace*: each phase. If no
//! logger is installed, the first warning or error of each kind goes to standard error: see [`set_stderr_fallback`]. A test
//! sees all of them: [`sim::Sim::log`].
//!
//! # How it is built
//! In layers. Each layer imports only layers below it. `ARCHITECTURE.md` in the repository says more.
//! ```text
//!  tester       requests to an app in such a world, as its visitors make them
//!  sim          a whole program on a virtual clock with scripted peers, for tests. Nothing imports it
//!  devtools     a page that shows the loop at work, on any http::Server
//!  ws · https   WebSockets: Endpoint  WebSocket; HTTP over TLS
//!  http         Server  Request  Response
//!  proto        codecs without I/O: bytes in, events out. Outside semantic versioning until 1.0
//!  tls          Server and connect with TLS; its settings
//!  net          Server  Socket  connect;  stream = io + transport + protocol
//!  secure       certificates and sessions of TLS, without I/O
//!  worker · signals · stdin · emitter
//!  event_loop   phases, sources, timers, ticks, immediates, channels, driver, metrics, recorder
//!  callback · notice
//! ```

#![forbid(unsafe_code)]

#[cfg(feature = "app")]
pub mod app;
mod callback;
#[cfg(feature = "devtools")]
pub mod devtools;
pub mod emitter;
pub mod event_loop;
pub mod guide;
pub mod http;
#[cfg(feature = "tls")]
pub mod https;
pub mod net;
mod notice;
pub mod proto;
#[cfg(test)]
mod seams;
#[cfg(feature = "tls")]
mod secure;
#[cfg(all(unix, feature = "signals"))]
pub mod signals;
pub mod sim;
pub mod stdin;
#[cfg(feature = "app")]
pub mod tester;
#[cfg(feature = "tls")]
pub mod tls;
pub mod worker;
pub mod ws;

pub use emitter::Emitter;
pub use event_loop::{
    Immediate, Metrics, Remote, Sender, Timeout, bounded_channel, channel, clock, metrics, next_tick, now, remote, run,
    run_nowait, run_once, set_immediate, set_interval, set_interval_with, set_timeout, stop,
};
pub use notice::set_stderr_fallback;

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
