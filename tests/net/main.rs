//! Sockets and servers, connecting and paths.

mod backpressure;
mod connect;
mod dialing;
mod fairness;
mod server;
mod socket;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
mod unix_paths;
