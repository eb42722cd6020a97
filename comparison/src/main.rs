//! One event loop against thread pools: which design for which work, on this machine.
//!
//! ```text
//!  main ── workloads      what is measured: points, designs, load; what fits into the time
//!    ├──── rounds         carries that out, with an eye on the clock
//!    │       └── measure        one cell: a server, a generator, /proc before and after
//!    │             ├── designs      the servers, all on one codec and with the same handlers; references: outside ones
//!    │             └── generator    the load
//!    ├──── results        what a run leaves behind
//!    ├──── summary        medians, spread, ties, verdicts
//!    └──── report         terminal, HTML
//! ```
//!
//! This program is also its own children: its first argument may be one of the roles below. The README beside it says how to run
//! it and how to read what it says.

mod cross_check;
mod designs;
mod generator;
mod measure;
mod options;
mod process;
mod progress;
mod record;
mod report;
mod results;
mod rounds;
mod summary;
#[cfg(test)]
mod tests;
mod workloads;

use measure::{Place, Rig};
use oneloop_benches::{child, machine};
use options::{HELP, Options};
use rounds::Rounds;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use workloads::{Facts, Mode, schedule};

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(designs::SERVER) => designs::main(&args[1..]),
        Some(designs::check::CHECK) => designs::check::main(),
        Some(generator::GENERATE) => generator::main(),
        Some("compare") => match report::compared(&args[1..]) {
            Ok((text, consistent)) => {
                println!("{text}");
                if consistent { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(complaint) => failed(&complaint),
        },
        Some("report") => match report::again(&args[1..]) {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(complaint) => failed(&complaint),
        },
        _ if args.iter().any(|arg| arg == "--help" || arg == "-h") => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => match Options::read(&args) {
            Err(complaint) => {
                eprintln!("{complaint}\n\n{HELP}");
                ExitCode::from(2)
            }
            Ok(options) => bench(&options).unwrap_or_else(|error| failed(&error.to_string())),
        },
    }
}

fn failed(complaint: &str) -> ExitCode {
    eprintln!("{complaint}");
    ExitCode::FAILURE
}

/// Measures what was asked for, and writes it down.
fn bench(options: &Options) -> io::Result<ExitCode> {
    let place = find_place(options);
    let (most_files, open_files) = measure::open_files();
    let facts = Facts {
        mode: options.mode,
        cpus: machine::cpus().len(),
        server_cpus: place.server_cpus.len(),
        references: measure::references(&place),
        open_files: most_files,
        threads: measure::most_threads(),
        ports: measure::local_ports(),
    };
    let mode = if options.mode == Mode::Quick { "quick" } else { "full" };
    let mut run = record::begin(mode, &place);
    if !place.pinned {
        run.notes.push("NOT PINNED (one CPU, or no taskset): server and generator share their CPUs".into());
    }
    let (workloads, cut) = workloads::list(&facts);
    let asked = |note: &String| {
        options.only.is_empty() || options.only.iter().any(|name| note.starts_with(&format!("{name} ")))
    };
    run.notes.extend(cut.into_iter().filter(asked));
    println!("{}", run.machine.description);
    println!("server on CPUs {:?}, generator on CPUs {:?}\n", place.server_cpus, place.client_cpus);
    let rig = Rig { place, open_files, work_per_ms: measure::calibrate() };
    let mut rounds = Rounds::new(options, &rig, workloads, run, schedule::budget(options.mode));
    rounds.fit();
    println!("{}\n", schedule::describe(&rounds.workloads, &rounds.kept, options.rounds));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, rounds.stop.clone())?;
    }
    rounds.measure()?;
    let run = &rounds.run;
    println!("{}", report::terminal::text(run, &summary::Summary::of(run, None)));
    report::save(&options.out, run).map_err(io::Error::other)?;
    println!("{:.0} s; figures and report are in {}", run.seconds, options.out.display());
    let stopped = rounds.stop.load(Ordering::Relaxed);
    Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The server has the first half of the CPUs and the generator the second, unless told otherwise.
fn find_place(options: &Options) -> Place {
    let cpus = machine::cpus();
    let (first, second) = cpus.split_at(cpus.len() / 2);
    let server = options.server_cpus.clone().unwrap_or(if first.is_empty() { second.to_vec() } else { first.to_vec() });
    let client = options.client_cpus.clone().unwrap_or(second.to_vec());
    let apart = !server.iter().any(|cpu| client.contains(cpu));
    Place { pinned: apart && machine::find_program("taskset").is_some(), server_cpus: server, client_cpus: client }
}
