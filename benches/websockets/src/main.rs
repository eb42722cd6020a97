//! CPU per message of oneloop's WebSockets beside a ceiling, uWebSockets.js, Bun, ws, fastwebsockets and tokio-tungstenite.
//!
//!     cargo run --release --manifest-path benches/websockets/Cargo.toml [-- --rounds N] [--seconds N] [--idle N]
//!
//! ```text
//!  main ── compare            the cases, the bars; in each round the servers are measured in turn
//!    ├──── idle               resident memory of idle sockets
//!    │       each uses: servers (who), generator (the load), node (the packages of npm)
//! ```
//! The Rust servers, the generator and the holder of idle sockets are roles of this program. oneloop's server is
//! `benches/src/bin/sockets.rs`. `benches/README.md` says how it is measured, and what not to conclude.

mod compare;
mod generator;
mod idle;
mod node;
mod servers;

use oneloop_benches::child;
use oneloop_benches::machine;
use oneloop_benches::trial::{option, options};
use std::io;
use std::process::ExitCode;

const HELP: &str = "\
cargo run --release --manifest-path benches/websockets/Cargo.toml [-- OPTIONS]
  --rounds N    each server once in each (9)
  --seconds N   of each measurement (1)
  --case N      only the case with this number, from 1
  --idle N      measure the resident memory of N idle sockets instead
";

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(servers::SERVE) => return servers::serve(&args[1..]),
        Some(generator::GENERATE) => return generator::main(&args[1..]),
        Some(idle::HOLD) => return idle::main(&args[1..]),
        _ => {}
    }
    let Some(options) = options(&["rounds", "seconds", "case", "idle"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let number = |name, unless_told| option(&options, name, unless_told) as usize;
    let measured = match number("idle", 0) {
        0 => compare::run(number("rounds", 9).max(1), number("seconds", 1).max(1), number("case", 0)),
        sockets => idle::compare(number("rounds", 3).max(1), sockets),
    };
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("websockets: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The commands that pin the servers and the generator to a CPU each, or two empty ones, said loudly.
fn pins() -> [Vec<String>; 2] {
    let cpus = machine::cpus();
    let pin = |cpu: &usize| ["taskset".to_owned(), "-c".to_owned(), cpu.to_string()].to_vec();
    match (&cpus[..], machine::find_program("taskset")) {
        ([first, .., last], Some(_)) => [pin(first), pin(last)],
        _ => {
            println!("NOT PINNED (one CPU, or no taskset): ratios are rough");
            Default::default()
        }
    }
}

/// An error with a context.
fn failed(what: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{what}: {error}"))
}
