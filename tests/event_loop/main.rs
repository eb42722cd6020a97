//! The loop: its order, its timers, its threads, and what it says of itself.

mod callbacks_from_loop;
mod channels;
mod handles;
mod keepers;
mod lanes;
mod metrics;
mod ordering;
mod panics;
mod recorder;
mod remotes;
#[path = "../support/mod.rs"]
mod support;
mod timers;
mod trace;
mod workers;
