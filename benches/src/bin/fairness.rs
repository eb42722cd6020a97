//! Fifty clients beside a pipeliner and an uploader without end: what these two cost the others.
//!
//!     cargo run --release -p oneloop-benches --bin fairness [-- --rounds N] [--seconds N] [--clients N]
//!
//! Rounds without and with the two alternate. The clients are measured twice: as fast as they are answered, and at 20
//! requests a second each. It fails if, in the median of the rounds, the clients' p99 beside the two is above 10 ms, or
//! above three times that without them.

use oneloop_benches::child::{Launch, Server};
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::trial::polite::{self, Outcome, Pace};
use oneloop_benches::trial::site::{self, Deadlines};
use oneloop_benches::trial::{Running, greedy, option, options, role};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin fairness [-- OPTIONS]
  --rounds N    without and with the greedy ones (5)
  --seconds N   of each measurement (4)
  --clients N   (50)
";

/// The largest p99 of a client beside the greedy ones, in milliseconds, and as a multiple of that without them.
const MOST: f64 = 10.0;
const MOST_TIMES: f64 = 3.0;

fn main() -> ExitCode {
    if let Some(ended) = role() {
        return ended;
    }
    let Some(options) = options(&["rounds", "seconds", "clients"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let rounds = option(&options, "rounds", 5);
    let time = Duration::from_secs(option(&options, "seconds", 4).max(1));
    let clients = option(&options, "clients", 50);
    match compare(clients, rounds, time) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fairness: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The CPUs. The server has one of its own. On the other one the greedy processes get what the clients leave, so that the
/// server is measured, and not how the scheduler divides a CPU among clients.
struct Place {
    server: Vec<String>,
    clients: Vec<String>,
}

impl Place {
    fn find() -> Place {
        let cpus = machine::cpus();
        let pin = |cpu: usize| vec!["taskset".into(), "-c".into(), cpu.to_string()];
        match (cpus.first(), cpus.last()) {
            (Some(first), Some(last)) if first != last && machine::find_program("taskset").is_some() => {
                Place { server: pin(*first), clients: pin(*last) }
            }
            _ => {
                println!("NOT PINNED (one CPU, or no taskset): the figures are the scheduler's as well");
                Place { server: Vec::new(), clients: Vec::new() }
            }
        }
    }

    /// Clients that wake up now and then run beside greedy processes of the idle class, if it is available: a process that
    /// is merely nice would keep its CPU for a whole slice of some milliseconds, which would count as the server's. Clients
    /// that leave no CPU time over would leave the idle class none, and with it the server no load.
    fn greedy(&self, clients_sleep: bool) -> Vec<String> {
        let modest: &[&str] = match () {
            () if clients_sleep && machine::find_program("chrt").is_some() => &["chrt", "--idle", "0"],
            () if machine::find_program("nice").is_some() => &["nice", "-n", "19"],
            () => &[],
        };
        self.clients.iter().cloned().chain(modest.iter().map(ToString::to_string)).collect()
    }
}

fn compare(clients: u64, rounds: u64, time: Duration) -> io::Result<bool> {
    println!("{clients} clients beside a pipeliner and an uploader; {}", machine::description());
    let place = Place::find();
    let server = Server::start(&site::launch(Deadlines::default())?.under(&place.server))?;
    let paces = [("as fast as answered", Duration::ZERO), ("20 a second each", Duration::from_millis(50))];
    let mut held = true;
    for (name, interval) in paces {
        let pace = Pace { clients, interval };
        let measure = || polite::measure(server.port, pace, time, |launch: Launch| launch.under(&place.clients));
        let (mut without, mut beside, mut greed) = (Vec::new(), Vec::new(), String::new());
        for _ in 0..rounds.max(1) {
            without.push(measure()?);
            let greedy = Running::start(&greedy::launch(server.port)?.under(place.greedy(!interval.is_zero())))?;
            let outcome = measure();
            greed = greedy.end(Duration::from_secs(5)).unwrap_or_else(|| "the greedy ones said nothing".into());
            beside.push(outcome?);
        }
        let middle = |outcomes: &[Outcome]| median(outcomes.iter().map(|outcome| outcome.p99));
        let (calm, loaded) = (middle(&without), middle(&beside));
        let failed: u64 = without.iter().chain(&beside).map(|outcome| outcome.failed).sum();
        let ok = loaded <= MOST && loaded <= MOST_TIMES * calm && failed == 0;
        held &= ok;
        println!("{name}");
        for (without, beside) in without.iter().zip(&beside) {
            println!("  without: {without}\n  beside:  {beside}");
        }
        println!("  in the last round {greed}");
        println!(
            "  p99 in the median: {calm:.2} ms without, {loaded:.2} ms beside, {:.2} times (at most {MOST} ms and \
             {MOST_TIMES} times): {}",
            loaded / calm,
            if ok { "ok" } else { "NOT MET" }
        );
    }
    server.stop();
    Ok(held)
}
