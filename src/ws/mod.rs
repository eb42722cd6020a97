//! WebSockets (RFC 6455): messages in both directions between a web page and its server, on any [`http::Server`](crate::http::Server);
//! and a client: [`connect`].
//!
//! ```no_run
//! use oneloop::{http, ws};
//!
//! let server = http::create_server(|_req, res| res.end("a page that opens a WebSocket\n"));
//! let echo = ws::mount(&server, "/echo");
//! echo.on_open(|socket, req| println!("{:?} has come by {}", socket.remote_addr(), req.url()))
//!     .on_message(|socket, message| socket.send(message).ignore())
//!     .on_close(|_, close| println!("{} {:?}: {}", close.code, close.reason, close.why));
//! server.listen(7777, || println!("ws://localhost:7777/echo"))?;
//! oneloop::run()
//! # ?; std::io::Result::Ok(())
//! ```
//!
//! # From Node
//! | `ws` of Node | here |
//! |---|---|
//! | `new WebSocket(url, protocols, { headers })` | [`ws::connect(Connect::to(url).protocol(…).header(…), \|socket\| …)`](connect) |
//! | `new WebSocketServer({ server, path })` | [`ws::mount(&server, path)`](mount) |
//! | `wss.on('connection', (ws, req) => …)` | [`endpoint.on_open(\|socket, req\| …)`](Endpoint::on_open) |
//! | `ws.on('message', (data, isBinary) => …)` | [`endpoint.on_message(\|socket, message\| …)`](Endpoint::on_message), or [`socket.on_message`](WebSocket::on_message) |
//! | `ws.send(data, callback)` | [`socket.send(data)`](WebSocket::send), which returns a [`Flow`](crate::net::Flow); [`on_drain`](Endpoint::on_drain) |
//! | `ws.ping()`, `ws.on('pong')` | [`ping`](WebSocket::ping), [`on_pong`](Endpoint::on_pong); a heartbeat is [built in](Limits::ping) |
//! | `ws.close(code, reason)`, `ws.terminate()` | [`close_with`](WebSocket::close_with), [`terminate`](WebSocket::terminate) |
//! | `ws.bufferedAmount`, `ws.pause()`, `ws.resume()` | [`buffered_amount`](WebSocket::buffered_amount), [`pause`](WebSocket::pause), [`resume`](WebSocket::resume) |
//! | `req.socket.remoteAddress` | [`remote_addr`](WebSocket::remote_addr), [`local_addr`](WebSocket::local_addr) |
//! | `wss.clients` | [`endpoint.sockets()`](Endpoint::sockets) |
//! | `verifyClient`, `handleProtocols`, `handleUpgrade` | [`verify`](Endpoint::verify), [`protocols`](Endpoint::protocols), [`accept`](Endpoint::accept) |
//! | `perMessageDeflate: {}` | `endpoint.compress(Deflate::new())`, `Connect::compress` (feature `deflate`); without context takeover |
//! | `maxPayload` (100 MiB) | [`Limits::message`] (1 MiB) |
//!
//! # Topics
//! A message for many is published: see [`WebSocket::subscribe`] and [`Endpoint::publish`]. Node's `ws` has no such thing; Bun and
//! uWebSockets have.
//!
//! # How it stands on `http`
//! ```text
//!   request ─► mount, or any handler ─► Endpoint::accept ─► 101 ─► the stream has a new protocol: Connection
//!                                          └─► 400, 403, 405, 426, 503
//!   connect ─► net::Dial ─► Opening: the request, its 101 ─► the stream has a new protocol: Connection, which masks its frames
//!   stream ─► Connection::data ─► proto::ws::Decoder ─► on_open, on_message, on_pong ─► on_close
//!                └─ a message that came whole is unmasked where it was read, and lent from there: no copy, no allocation
//! ```
//! An idle socket has no buffers, and no timer: a coarse deadline of its stream does for all.
//!
//! # Limits
//! All are on from the start: see [`Limits`]. A server that closes tells all sockets so (1001), and cuts those that are left after
//! [`http::Limits::shutdown`](crate::http::Limits::shutdown).
//!
//! Messages are compressed (permessage-deflate, RFC 7692) where the program wants it: see `Endpoint::compress` and `Connect::compress`
//! (feature `deflate`). Other extensions are not spoken: offers of them are declined, as RFC 6455, 9.1, allows.

mod accepting;
#[cfg(feature = "deflate")]
mod compressing;
mod connect;
mod connection;
mod deadlines;
#[cfg(feature = "deflate")]
mod deflate;
mod endpoint;
mod endpoints;
mod event;
mod frame;
#[cfg(feature = "deflate")]
mod inflating;
mod limits;
mod opening;
mod origins;
mod payload;
mod protocol;
mod publications;
mod publishing;
mod random;
mod subscriptions;
mod topics;
mod websocket;

pub use crate::proto::ws::Message;
pub use connect::{Connect, connect};
pub use connection::{Close, Endpoint, Verdict, WebSocket};
#[cfg(feature = "deflate")]
pub use deflate::Deflate;
pub use endpoint::Stats;
pub use endpoints::endpoints;
pub use frame::Frame;
pub use limits::Limits;
pub use origins::Origins;
pub use payload::Payload;
pub use topics::Published;

use crate::http::Server;

/// Puts an endpoint at `prefix` of a server: requests for a WebSocket whose path is `prefix`, or lies below it, get a socket there
/// (see [`Server::on_path`] for what lies below; the longest prefix counts). All other requests go where they went before, so a page and
/// its WebSocket can have the same path. Neither [`Server::on_upgrade`] nor the middleware of an application sees the requests that the
/// endpoint takes: to have them pass a middleware, use [`Endpoint::accept`].
///
/// ```
/// use oneloop::{http, ws};
///
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// let chat = ws::mount(&server, "/chat");
/// chat.on_message(|socket, message| socket.send(message).ignore());
/// ```
#[track_caller]
pub fn mount(server: &Server, prefix: &str) -> Endpoint {
    let endpoint = Endpoint::new();
    endpoint.set_name(if prefix.len() > 1 { prefix.trim_end_matches('/') } else { "/" });
    let mounted = endpoint.clone();
    server.on_upgrade_below(prefix, accepting::PROTOCOL, move |req, res| mounted.take(&req, res));
    endpoint
}
