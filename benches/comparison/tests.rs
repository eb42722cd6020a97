//! The tests of the comparison's parts: benches have a `main` of their own, and none run there.

// Each part is used by the bench as a whole.
#![allow(dead_code, unused_imports)]

mod cross_check;
mod designs;
mod generator;
mod measure;
mod options;
mod process;
mod progress;
mod record;
mod results;
mod workloads;
