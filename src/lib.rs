//! One thread, one event loop, plain callbacks.
#![forbid(unsafe_code)]
pub mod event_loop;
pub mod proto;
