//! HTTPS beside plain HTTP and nginx: CPU of requests, handshakes and downloads, memory of idle connections, and what handshakes cost
//! those who are connected.
//!
//!     cargo run --release --manifest-path benches/tls/Cargo.toml [-- --rounds N] [--seconds N] [--idle N] [--case N]
//!
//! ```text
//!  main ── cost       cases 1 to 3: CPU of the server's process; in each round the servers are measured in turn
//!    ├──── idle       case 4: resident memory of idle connections
//!    ├──── burst      case 5: latency of those who are connected, while others come
//!    │       each uses: servers (who), load (clients with TLS), wrk (requests)
//! ```
//! The servers and clients of oneloop are roles of this program. `benches/README.md` says how it is measured, and what not to conclude.

mod burst;
mod cost;
mod idle;
mod load;
mod servers;
mod wrk;

use oneloop_benches::child;
use oneloop_benches::machine;
use oneloop_benches::trial::{option, options};
use servers::Kit;
use std::io;
use std::process::ExitCode;

const HELP: &str = "\
cargo run --release --manifest-path benches/tls/Cargo.toml [-- OPTIONS]
  --rounds N    each server once in each (7)
  --seconds N   of each measurement (2)
  --idle N      how many idle connections (10000)
  --case N      only the case with this number, from 1 to 5
";

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(outcome) = args.first().and_then(|role| played(role, &args[1..])) {
        return ended(outcome.map(|()| true));
    }
    let Some(options) = options(&["rounds", "seconds", "idle", "case"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let number = |name, unless_told| option(&options, name, unless_told) as usize;
    ended(measure(number("rounds", 7).max(1), number("seconds", 2).max(1), number("idle", 10_000), number("case", 0)))
}

/// Plays a role; `None` if it is none.
fn played(role: &str, args: &[String]) -> Option<io::Result<()>> {
    match role {
        servers::SERVE => Some(servers::serve(args)),
        load::SHAKE => Some(load::shake(args)),
        load::HOLD => Some(load::hold(args)),
        load::ACTIVE => Some(load::active(args)),
        load::BURST => Some(load::burst(args)),
        _ => None,
    }
}

fn ended(outcome: io::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tls: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize, seconds: usize, idle: usize, only: usize) -> io::Result<bool> {
    let [server_pin, load_pin] = pins();
    let kit = Kit::prepare(server_pin)?;
    println!("{rounds} rounds of {seconds} s each; {}\n", machine::description());
    let wanted = |case: usize| only == 0 || only == case;
    let mut met = cost::run(&kit, &load_pin, rounds, seconds, wanted)?;
    if wanted(4) {
        met &= idle::run(&kit, &load_pin, rounds.min(3), idle)?;
    }
    if wanted(5) {
        met &= burst::run(&kit, &load_pin, rounds)?;
    }
    println!("{}", if met { "MET" } else { "NOT MET" });
    Ok(met)
}

/// The commands that pin the servers and the load to a CPU each, or two empty ones, said loudly.
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
