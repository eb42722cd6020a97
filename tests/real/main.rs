//! The limits and faults of an HTTP server, and the limits of WebSockets, once more, over real sockets.

mod deadlines;
mod faults;
mod half_open;
mod limits;
#[path = "../support/mod.rs"]
mod support;
mod websockets;
