//! CPU per request of oneloop's HTTP client beside a ceiling, hyper, hyper-util, Node's http and undici.
//!
//!     cargo run --release --manifest-path benches/clients/Cargo.toml [-- --rounds N] [--seconds N]
//!
//! ```text
//!  main ── compare            in each round the clients are measured in turn; the bars
//!            │  uses: clients (who is measured), canned (the server that they all ask), node (the packages of npm)
//! ```
//! The Rust clients and the server are roles of this program. `benches/README.md` says how it is measured, and what not to conclude.

mod canned;
mod clients;
mod compare;
mod node;

use oneloop_benches::child;
use oneloop_benches::trial::{option, options};
use std::io;
use std::process::ExitCode;

const HELP: &str = "\
cargo run --release --manifest-path benches/clients/Cargo.toml [-- OPTIONS]
  --rounds N    each client once in each (9)
  --seconds N   of each measurement (1)
";

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(canned::SERVE) => return canned::main(),
        Some(clients::ASK) => return clients::main(&args[1..]),
        _ => {}
    }
    let Some(options) = options(&["rounds", "seconds"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let number = |name, unless_told| option(&options, name, unless_told).max(1) as usize;
    match compare::run(number("rounds", 9), number("seconds", 1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("clients: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An error with a context.
fn failed(what: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{what}: {error}"))
}
