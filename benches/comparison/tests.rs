//! The tests of the comparison's parts: benches have a `main` of their own, and none run there.

// Each part is used by the bench as a whole.
#![allow(dead_code)]

mod generator;
mod results;
mod workloads;
