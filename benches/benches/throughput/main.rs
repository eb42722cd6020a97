//! The comparison: oneloop's `hello` beside a ceiling and published servers, on this machine, over loopback.
//!
//! ```text
//!  main ── options           what is asked
//!    ├─── load               throughput and CPU per request: rounds, rotation, disturbed rounds again
//!    ├─── idle               memory of idle connections and what they cost the active ones
//!    ├─── syscalls           system calls per request
//!    │      each uses: servers (who), generator (the load), place (which CPU), measure (one window)
//!    └─── report             tables, the project's bars, JSON
//! ```
//!
//! This program is also its own child processes: its first argument may be one of the roles below. Run it with cargo (see
//! `benches/README.md`), or give it `--help`.

mod generator;
mod idle;
mod load;
mod measure;
mod options;
mod place;
mod report;
mod servers;
mod syscalls;

use oneloop_benches::child;
use options::{HELP, Mode, Options};
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(servers::SERVE) => return servers::serve(args.get(1).map_or("", String::as_str)),
        Some(generator::GENERATE) => return generator::main(&args[1..]),
        Some(idle::HOLD) => return idle::main(&args[1..]),
        _ => {}
    }
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    // `cargo test --all-targets` also runs benches, without this argument, and should not cause minutes of load.
    if !args.iter().any(|arg| arg == "--bench") {
        println!("nothing measured: run this by `cargo bench`, or with --bench");
        return ExitCode::SUCCESS;
    }
    match Options::read(args) {
        Err(complaint) => {
            eprintln!("{complaint}\n\n{HELP}");
            ExitCode::from(2)
        }
        Ok(options) => match measure(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => {
                eprintln!("some servers could not be measured: see above");
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// Measures what was asked for. Returns whether everything could be measured.
fn measure(options: &Options) -> io::Result<bool> {
    let rig = load::Rig::prepare(options)?;
    println!("{}\n", rig.description());
    match options.mode {
        Mode::Load => load::compare(&rig),
        Mode::Idle(connections) => idle::compare(&rig, connections),
        Mode::Syscalls => syscalls::count(&rig),
    }
}
