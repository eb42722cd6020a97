//! The HTTP server.

mod accepting;
mod blocked;
mod conformance;
mod connection_states;
mod dead_handles;
mod deadlines;
mod errors;
mod exchange;
mod faults;
mod framing;
mod half_open;
mod hostile;
mod hot_files;
mod limits;
mod lingering;
mod observing;
mod opaque_values;
mod overflow;
mod overload;
mod panics;
mod paths;
mod pipes;
mod reasons;
mod request_body;
mod save_to;
mod send_file;
mod server;
mod shutdown;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
