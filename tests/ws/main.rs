//! WebSockets: both sides, of which the client has a module of its own.

mod client;
mod closing;
mod deadlines;
#[cfg(feature = "deflate")]
mod deflate;
mod handshake;
mod hostile;
#[cfg(feature = "deflate")]
mod inflating;
mod messages;
mod observing;
mod output;
#[path = "../support/mod.rs"]
mod support;
mod topics;
