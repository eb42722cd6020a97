//! One thread, one event loop, plain callbacks.
#![forbid(unsafe_code)]
mod callback;
pub mod emitter;
pub mod event_loop;
pub mod http;
pub mod net;
pub mod proto;
#[cfg(all(unix, feature = "signals"))]
pub mod signals;
pub mod sim;
pub mod worker;

pub use emitter::Emitter;
pub use event_loop::{
    Immediate, Remote, Timeout, next_tick, now, remote, run, run_nowait, run_once, set_immediate, set_interval,
    set_timeout, stop,
};
