//! Tests of seams that only the crate itself can reach, in the simulated world.

mod protocol;
#[cfg(feature = "app")]
mod stages;
