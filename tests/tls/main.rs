//! TLS, in the simulated world: both ends are of this crate, and a relay between them sees and changes the bytes. Real clients are in
//! `.ci/clients`.

mod agent;
mod allocations;
mod authority;
mod certificates;
mod ends;
mod faults;
mod foreign;
mod handshake;
mod hostile;
mod https;
mod matrix;
mod relay;
#[path = "../support/mod.rs"]
mod support;
mod tunnels;
mod workers;
