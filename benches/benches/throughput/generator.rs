//! The load generators: wrk if it is installed, otherwise our own. Each runs once for the warm-up and once for the
//! measurement, as a process of its own, so that its CPU time can be told from the server's.

mod own;
mod wrk;

pub use own::{GENERATE, main};

use crate::options::Generator;
use oneloop_benches::traffic::Case;
use std::io;
use std::path::Path;

/// The results of one run of a generator.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The number of whole answers.
    pub requests: u64,
    /// How long the run took.
    pub seconds: f64,
    /// The number of failed connections, answers other than 200, and batches without an answer in time.
    pub errors: u64,
    /// Microseconds from the sending of a batch to its last answer: the median,
    pub p50: f64,
    /// and the 99th percentile.
    pub p99: f64,
}

/// A batch without an answer after this many seconds is an error.
const TIMEOUT: u64 = 2;
/// A generator that runs this many seconds longer than it was told to is ended.
const GRACE: u64 = 20;

/// Drives a case against a server on this machine. `wrapper` is the command that pins the generator, `folder` is for its
/// files.
pub fn run(
    generator: Generator,
    case: &Case,
    port: u16,
    seconds: u64,
    wrapper: &[String],
    folder: &Path,
) -> io::Result<Load> {
    let load = match generator {
        Generator::Wrk => wrk::run(case, port, seconds, wrapper, folder),
        Generator::Own => own::run(case, port, seconds, wrapper),
    }
    .map_err(|error| io::Error::other(format!("the load generator: {error}")))?;
    if load.requests == 0 {
        return Err(io::Error::other(format!("no answer at all to the load ({} errors)", load.errors)));
    }
    Ok(load)
}
