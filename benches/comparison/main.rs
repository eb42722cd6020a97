//! One event loop against thread pools: which design for which work, on this machine.
//!
//! ```text
//!  main ── workloads      what is measured: points, designs, load
//!    ├──── measure        one cell: a server, a generator, /proc before and after
//!    │       ├── designs      the servers, all on one codec and with the same handlers; references: outside ones
//!    │       └── generator    the load
//!    ├──── results        what a run leaves behind
//!    ├──── summary        medians, spread, ties, verdicts
//!    └──── report         terminal, HTML
//! ```
//!
//! This program is also its own children: its first argument may be one of the roles below. Run it by cargo (see
//! `benches/README.md`), or `--help` it.

mod designs;

use oneloop_benches::child;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    // Cargo adds `--bench`; `cargo test --all-targets` runs benches without it, and does not want minutes of load.
    let (mode, args): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|arg| arg == "--bench");
    let measure = !mode.is_empty();
    match args.first().map(String::as_str) {
        Some(designs::SERVER) => designs::main(&args[1..]),
        Some(designs::check::CHECK) => designs::check::main(),
        _ if !measure => {
            println!("nothing measured: run this by `cargo bench`, or with --bench");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("nothing to measure yet");
            ExitCode::from(2)
        }
    }
}
