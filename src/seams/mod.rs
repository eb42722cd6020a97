//! Tests of seams that only the crate itself can reach, in the simulated world.

mod large_buffers;
#[cfg(any(feature = "compression", feature = "deflate"))]
mod portions;
mod protocol;
#[cfg(feature = "app")]
mod stages;
