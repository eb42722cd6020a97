//! The HTTP client.

mod bodies;
mod crowd;
mod deadlines;
mod fetch;
mod hostile;
mod outcomes;
mod pool;
mod proxies;
mod stale;
mod streaming;
#[path = "../support/mod.rs"]
mod support;
