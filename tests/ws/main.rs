//! WebSockets: the server's side.

mod closing;
mod deadlines;
mod handshake;
mod hostile;
mod messages;
mod output;
#[path = "../support/mod.rs"]
mod support;
mod topics;
