//! Thousands of WebSocket peers that do not behave, of eight kinds at once, against clients that do: how much these are held up, whether
//! they lose anything, how much memory it costs, and whether each peer is cut for the right reason.
//!
//!     cargo run --release -p oneloop-benches --bin hostile [-- --short] [--connections N] [--clients N] [--rate N] [--more MS]
//!
//! It fails if a client's p99 is more than 50 ms above that without them, if a client loses a message or its connection, if fewer than
//! nine tenths of the peers got in (then it was no attack), if they take more than 64 KiB of memory each, if they are not gone by their
//! deadlines, or if one was cut for another reason than that of its kind.

use oneloop_benches::child::Server;
use oneloop_benches::machine;
use oneloop_benches::trial::hall::{self, Deadlines, GUEST};
use oneloop_benches::trial::intruders::{self, KINDS, Kind};
use oneloop_benches::trial::polite::{self, Pace};
use oneloop_benches::trial::{Running, guests, option, options, role, with_connections};
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin hostile [-- OPTIONS]
  --short           500 connections and deadlines of seconds: shows in half a minute whether it holds
  --connections N   peers that do not behave (5000)
  --clients N       clients that behave (50)
  --rate N          messages a second of each of them (20)
  --more MS         how many milliseconds their p99 may grow (50)
";

/// In kibibytes, for each peer that does not behave, in the mean of all kinds.
const EACH: f64 = 64.0;
/// In MiB: what the heap may have grown by for other reasons.
const BESIDE: f64 = 16.0;
/// Added to each deadline: sweeps come every half second, the FIN takes a round trip, and thousands of closes take some time.
const SLACK: Duration = Duration::from_secs(4);
/// The same for a short trial, which must hold on a busy machine as well.
const MORE_SLACK: Duration = Duration::from_secs(20);
/// If the server had to wait for a CPU for a larger share of the time, the result says nothing about it. It is then measured
/// again, twice at most.
const DISTURBED: f64 = 0.05;
/// How often the peers are counted.
const GLANCE: Duration = Duration::from_millis(200);
const MIB: f64 = 1024.0 * 1024.0;

struct Trial {
    connections: u64,
    pace: Pace,
    deadlines: Deadlines,
    /// The number of seconds within which all peers come.
    ramp: u64,
    /// How long the clients are measured alone.
    calm: Duration,
    slack: Duration,
    /// How many milliseconds the p99 of the clients may grow.
    more: f64,
}

#[derive(PartialEq, Eq)]
enum Held {
    Yes,
    No,
    Disturbed,
}

fn main() -> ExitCode {
    if let Some(ended) = role() {
        return ended;
    }
    let Some(options) = options(&["short", "connections", "clients", "rate", "more"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let short = option(&options, "short", 0) != 0;
    let trial = Trial {
        connections: option(&options, "connections", if short { 500 } else { 5_000 }),
        pace: polite::pace(&options),
        deadlines: if short { Deadlines::Short } else { Deadlines::Usual },
        ramp: if short { 1 } else { 5 },
        calm: Duration::from_secs(if short { 2 } else { 10 }),
        slack: if short { MORE_SLACK } else { SLACK },
        more: option(&options, "more", 50) as f64,
    };
    println!(
        "{} peers; {} clients, a message every {:?} each; {}",
        trial.connections,
        trial.pace.clients,
        trial.pace.interval,
        machine::description()
    );
    let mut tries = 0;
    let held = loop {
        tries += 1;
        match attack(&trial) {
            Ok(Held::Disturbed) if tries < 3 => println!("  other processes had its CPU: again"),
            Ok(held) => break held == Held::Yes,
            Err(error) => {
                println!("hostile: {error}");
                break false;
            }
        }
    };
    println!("{}", if held { "HELD" } else { "NOT HELD" });
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn attack(trial: &Trial) -> io::Result<Held> {
    let (connections, clients) = (trial.connections as usize, trial.pace.clients as usize);
    let server = Server::start(&with_connections(hall::launch(trial.deadlines)?, trial.connections)?)?;
    let calm = guests::measure(server.port, trial.pace, trial.calm)?;
    let (none, memory_before) = (descriptors(&server)?, memory(&server));
    let waited = || machine::waited_for_cpu(server.pid).unwrap_or(0.0);
    let waited_before = waited();
    let within = trial.deadlines.within() + trial.slack;
    let time = Duration::from_secs(trial.ramp) + within;
    let guests = Running::start(&guests::launch(server.port, trial.pace, time)?)?;
    let start = |floods| {
        let launch = intruders::launch(server.port, trial.connections, trial.ramp, floods)?;
        // What the floods cost the CPU of the clients is not the server's doing, so they have what the clients leave. On a busy machine that
        // may be too little to come in time.
        let nice = if floods && trial.deadlines == Deadlines::Usual { "19" } else { "0" };
        Running::start(&with_connections(launch.under(["nice", "-n", nice]), trial.connections)?)
    };
    let (intruders, _floods) = (start(false)?, start(true)?);
    let (began, mut most, mut last_in, mut gone, mut peak) = (Instant::now(), 0, Instant::now(), None, memory_before);
    while began.elapsed() < time {
        thread::sleep(GLANCE);
        let count = descriptors(&server)?.saturating_sub(none + clients);
        peak = memory(&server).max(peak);
        if count > most {
            (most, last_in) = (count, Instant::now());
        }
        gone = if count > 0 || most == 0 { None } else { gone.or(Some(last_in.elapsed())) };
    }
    let waited = (waited() - waited_before) / began.elapsed().as_secs_f64();
    let under = polite::parse(&guests.line(Duration::from_secs(30)).unwrap_or_default())?;
    // It ends by itself.
    drop(guests);
    let wrong = wrong_ends(&server, connections, clients, intruders)?;
    let each = (peak - memory_before - BESIDE * MIB).max(0.0) / connections as f64 / 1024.0;
    let faults = [
        (under.p99 > calm.p99 + trial.more, "p99 HAS GROWN TOO MUCH"),
        (calm.failed + under.failed > 0, "CLIENTS HAVE LOST SOMETHING"),
        // With short deadlines the first may have gone before the last come: then the reasons below say whether all were there.
        (trial.deadlines == Deadlines::Usual && most < connections * 9 / 10, "TOO FEW PEERS GOT IN"),
        (gone.is_none_or(|after| after > within), "THE PEERS ARE NOT GONE"),
        (each > EACH, "TOO MUCH MEMORY"),
        (!wrong.is_empty(), "WRONG REASONS"),
    ];
    let faults: Vec<_> = faults.iter().filter(|(is_so, _)| *is_so).map(|(_, fault)| *fault).collect();
    println!("  without:  {calm}\n  under it: {under}");
    println!(
        "  {most} peers at most; {} (by their deadlines: {within:?} after the last came in)",
        gone.map_or("never gone".into(), |after| format!("gone {:.1} s after", after.as_secs_f64())),
    );
    println!(
        "  memory: {:.1} MiB before, {:.1} MiB at most, {:.1} MiB at the end",
        memory_before / MIB,
        peak / MIB,
        memory(&server) / MIB
    );
    wrong.iter().for_each(|wrong| println!("  {wrong}"));
    println!("  the server waited for a CPU for {:.1} % of the time", 100.0 * waited);
    println!("  {}", if faults.is_empty() { "ok".into() } else { faults.join(", ") });
    server.stop();
    Ok(match faults.is_empty() {
        true => Held::Yes,
        false if waited > DISTURBED => Held::Disturbed,
        false => Held::No,
    })
}

/// Prints for which reasons the peers of each kind were cut, and returns what should not be so.
fn wrong_ends(server: &Server, connections: usize, clients: usize, intruders: Running) -> io::Result<Vec<String>> {
    let gone = |ends: &[(String, String, u64)]| -> u64 {
        ends.iter().filter(|(name, ..)| name == GUEST).map(|(.., count)| count).sum()
    };
    let (mut ends, began) = (hall::ends(server.port)?, Instant::now());
    while gone(&ends) < 2 * clients as u64 && began.elapsed() < SLACK {
        thread::sleep(GLANCE);
        ends = hall::ends(server.port)?;
    }
    let refused: usize = intruders.end(Duration::from_secs(10)).and_then(|line| line.parse().ok()).unwrap_or(0);
    let mut wrong = Vec::new();
    for (kind, _, right) in KINDS {
        let count = kind.count(connections);
        let of_it: Vec<_> = ends.iter().filter(|(name, ..)| name == kind.name()).collect();
        let told: Vec<_> = of_it.iter().map(|(_, why, count)| format!("{count} {why}")).collect();
        let cut = match kind {
            Kind::Handshake => refused,
            _ => of_it
                .iter()
                .filter(|(_, why, _)| right.contains(&why.as_str()))
                .map(|(.., count)| *count as usize)
                .sum(),
        };
        let told = if kind == Kind::Handshake { format!("{refused} answered 408") } else { told.join(", ") };
        println!("  {count} {}: {told}", kind.name());
        if cut != count {
            wrong.push(format!("{}: {cut} of {count} were cut for the right reason", kind.name()));
        }
    }
    // The clients of both measurements have gone without a word, and no others have.
    if gone(&ends) != 2 * clients as u64 {
        wrong.push(format!("{} clients have come and gone, of {}", gone(&ends), 2 * clients));
    }
    Ok(wrong)
}

fn descriptors(server: &Server) -> io::Result<usize> {
    let count = machine::open_descriptors(server.pid);
    count.ok_or_else(|| io::Error::other("the server's descriptors cannot be counted (no /proc, or it has ended)"))
}

fn memory(server: &Server) -> f64 {
    machine::resident_bytes(server.pid).unwrap_or(0) as f64
}
