//! The client: requests that the program makes, and the connections that they go out on.
//!
//! ```text
//!   request(method, url, |res| …) ─► Call ◄── ClientRequest, ClientResponse   (the user's handles)
//!                                     │ link
//!                                     ▼
//!                                    Pool ──a connection is free──► Connection ◄──protocol── Stream
//!                                     └── none: queue, dialing ──made──┘
//! ```
//! A call has a link to what carries it: to the pool of its [`Agent`], which finds a connection for it, and then to that connection. The
//! link is cut when the call is over. So what is called on the handles of a call that is over reaches nothing, least of all the next
//! request on that connection.
//!
//! # What a request goes through
//! ```text
//!   end, or the first write ─► a clean connection of the pool ──────────────────────────┐
//!                          └─► none: the queue ─► a new connection, or one that is freed ┴─► the request is written
//!     ─► informational responses: on_information ─► the response: the callback, once ─► on_data … on_end ─► on_close
//! ```
//! and it ends early in one of these ways, always told by the loop:
//! ```text
//!   before the response   ─► sent again on a new connection, where that is safe (`retry`)
//!                         └─► on_error, once, in place of the response ─► on_close
//!   after its head        ─► the response is cut: on_close with the reason; no on_end
//! ```
//! `connection/mod.rs` has the picture of a connection, `pool.rs` that of the queue and the slots. How a connection is made, for each kind
//! of place, is in `dialing.rs`, and nowhere else; `tunnel.rs` has the way through a proxy.

mod agent;
mod call;
mod client_request;
mod client_response;
mod connection;
mod dialing;
mod error;
mod fetch;
mod host;
mod known;
mod limits;
mod place;
mod pool;
mod proxy;
mod response_body;
mod retry;
mod spares;
mod stats;
mod tunnel;

pub use agent::Agent;
pub use client_request::ClientRequest;
pub use client_response::ClientResponse;
pub use error::{RequestError, RequestErrorKind};
pub use fetch::{Fetch, FetchError, FetchErrorKind, FetchResponse, Fetching, fetch};
pub use limits::AgentLimits;
pub use proxy::Proxy;
pub use response_body::ResponseBodyError;
pub use stats::{AgentStats, HostStats};
pub(crate) use tunnel::{AnswerLimits, Tunnel, Tunneling};

use std::panic::Location;

/// Makes a request: Node's `http.request`. `response` is called once, when the head of the response has come. If there is no response,
/// [`ClientRequest::on_error`] is called instead, never both. The request is sent with the first call of [`ClientRequest::write`] or
/// [`end`](ClientRequest::end), on a connection of [`Agent::global`], which are kept and used again.
///
/// The URL is `http://host:port/path?query`, or `https://` with the feature `tls`. Redirects are not followed.
///
/// Every wait has an end, and nothing grows without bound: see [`AgentLimits`]. All callbacks come from the loop.
///
/// Once its agent is warm, a request on a connection that is kept takes two allocations: what its handles share, which lives as long as
/// the longest of them, and the box of `response` with what it has captured. The buffers of both heads and of the URL are those of
/// requests that are over. The first listener of a response takes two more, for the list, and each listener the box of its closure.
///
/// ```
/// use oneloop::{http, sim::Sim};
///
/// let sim = Sim::new(); // client and server in one world
/// let server = http::create_server(|req, res| req.pipe(&res)); // an echo
/// server.listen(80, ())?;
///
/// let req = http::request("POST", "http://127.0.0.1/plants", |res| {
///     println!("{} {:?}", res.status(), res.header("content-type"));
///     res.read_body(1024 * 1024, |body| assert_eq!(body.unwrap(), b"basil"));
/// });
/// req.set_header("Content-Type", "text/plain");
/// req.on_error(|_, error| eprintln!("{error}"));
/// req.end("basil");
/// sim.settle();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
#[track_caller]
pub fn request(method: &str, url: &str, response: impl FnOnce(ClientResponse) + 'static) -> ClientRequest {
    Agent::global().request_at(Location::caller(), method, url, response)
}

/// Makes a GET request without a body, and ends it: see [`request`].
///
/// ```
/// use oneloop::{http, sim::Sim};
///
/// let sim = Sim::new();
/// let server = http::create_server(|_req, res| res.end("basil\n"));
/// server.listen(80, ())?;
///
/// http::get("http://127.0.0.1/seed", |res| {
///     res.read_body(1024, |body| assert_eq!(body.unwrap(), b"basil\n"));
/// });
/// sim.settle();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// As [`request`].
#[track_caller]
pub fn get(url: &str, response: impl FnOnce(ClientResponse) + 'static) -> ClientRequest {
    let req = Agent::global().request_at(Location::caller(), "GET", url, response);
    req.end(());
    req
}
