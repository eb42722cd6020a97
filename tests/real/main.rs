//! The limits and faults of an HTTP server once more, over real sockets.

mod deadlines;
mod faults;
mod half_open;
mod limits;
#[path = "../support/mod.rs"]
mod support;
