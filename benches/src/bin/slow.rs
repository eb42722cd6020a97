//! slowloris, slow post and slow read against clients that behave: how much the attack costs them, and when it is over.
//!
//!     cargo run --release -p oneloop-benches --bin slow [-- --short] [--connections N] [--clients N] [--rate N]
//!
//! Each attack comes twice: by slowhttptest, if it is installed, and by stubborn peers of our own. It fails if a client's
//! p99 is more than 50 ms above that without the attack, if a request of a client fails, if fewer than nine tenths of the
//! attackers got in (then it was no attack), or if they are not gone by their deadlines.

use oneloop_benches::child::{Launch, Server};
use oneloop_benches::machine;
use oneloop_benches::trial::polite::{self, Pace};
use oneloop_benches::trial::site::{self, Deadlines};
use oneloop_benches::trial::sluggish::{self, Kind};
use oneloop_benches::trial::{Running, option, options, role, with_connections};
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin slow [-- OPTIONS]
  --short           500 connections and deadlines of seconds: shows in a minute whether it holds
  --connections N   attackers (5000)
  --clients N       clients that behave (50)
  --rate N          requests a second of each of them (20)
";

/// How many milliseconds a client's p99 may grow.
const MOST_MORE: f64 = 50.0;
/// In seconds, added to each deadline: sweeps come every half second and are exact to a tenth, the FIN takes a round trip,
/// and 5,000 closes take some time.
const SLACK: u64 = 4;
/// If the server had to wait for a CPU for a larger share of the time, the result says nothing about it. It is then
/// measured again, twice at most.
const DISTURBED: f64 = 0.05;
/// How often the attackers are counted.
const GLANCE: Duration = Duration::from_millis(200);

#[derive(Clone, Copy)]
enum By {
    Slowhttptest,
    Ourselves,
}

struct Trial {
    connections: u64,
    pace: Pace,
    deadlines: Deadlines,
    /// The number of seconds within which all attackers come.
    ramp: u64,
    /// How long the clients are measured without an attack.
    calm: Duration,
}

impl Trial {
    /// After how many seconds the last attacker of a kind must be gone, by the limits that are set.
    fn gone_after(&self, kind: Kind, by: By) -> u64 {
        // Our own attackers go on sending after the FIN; slowhttptest closes then.
        let linger = if matches!(by, By::Ourselves) { self.deadlines.linger.unwrap_or(30) } else { 0 };
        let Deadlines { header, receive, send, stall, .. } = self.deadlines;
        match kind {
            Kind::Head => header.unwrap_or(30) + linger,
            // Twice, because the head may still count in the first window of the attack.
            Kind::Body => 2 * receive.unwrap_or(10) + linger,
            // Twice, because the kernel's buffers took much of the answer in the first window.
            Kind::Read => (2 * send.unwrap_or(30)).max(stall.unwrap_or(60)) + send.unwrap_or(30),
        }
    }
}

fn main() -> ExitCode {
    if let Some(ended) = role() {
        return ended;
    }
    let Some(options) = options(&["short", "connections", "clients", "rate"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let short = option(&options, "short", 0) != 0;
    let trial = Trial {
        connections: option(&options, "connections", if short { 500 } else { 5_000 }),
        pace: polite::pace(&options),
        deadlines: match short {
            true => Deadlines { header: Some(6), receive: Some(5), send: Some(5), stall: Some(6), linger: Some(5) },
            false => Deadlines::default(),
        },
        ramp: if short { 2 } else { 5 },
        calm: Duration::from_secs(if short { 3 } else { 10 }),
    };
    println!(
        "{} attackers; {} clients, a request every {:?} each; {}",
        trial.connections,
        trial.pace.clients,
        trial.pace.interval,
        machine::description()
    );
    let mut whole = true;
    for by in [By::Slowhttptest, By::Ourselves] {
        if matches!(by, By::Slowhttptest) && machine::find_program("slowhttptest").is_none() {
            println!("SKIPPED: there is no slowhttptest on the PATH (apt install slowhttptest)");
            continue;
        }
        for kind in [Kind::Head, Kind::Body, Kind::Read] {
            let mut tries = 0;
            let outcome = loop {
                tries += 1;
                match attack(&trial, kind, by) {
                    Ok(Held::Disturbed) if tries < 3 => println!("  other processes had its CPU: again"),
                    outcome => break outcome,
                }
            };
            match outcome {
                Ok(held) => whole &= held == Held::Yes,
                Err(error) => {
                    println!("slow {}: {error}", kind.name());
                    whole = false;
                }
            }
        }
    }
    println!("{}", if whole { "HELD" } else { "NOT HELD" });
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(PartialEq, Eq)]
enum Held {
    Yes,
    No,
    Disturbed,
}

fn attack(trial: &Trial, kind: Kind, by: By) -> io::Result<Held> {
    let connections = trial.connections;
    let server = Server::start(&with_connections(site::launch(trial.deadlines)?, connections)?)?;
    let calm = polite::measure(server.port, trial.pace, trial.calm, |launch| launch)?;
    let none = descriptors(&server)?;
    let waited = || machine::waited_for_cpu(server.pid).unwrap_or(0.0);
    let waited_before = waited();
    let within = Duration::from_secs(trial.gone_after(kind, by) + SLACK);
    let time = Duration::from_secs(trial.ramp) + within;
    let clients = Running::start(&polite::launch(server.port, trial.pace, time)?)?;
    let name = match by {
        By::Slowhttptest => "slowhttptest",
        By::Ourselves => "our own",
    };
    let _attackers = match by {
        By::Slowhttptest => Attackers::Foreign(slowhttptest(trial, kind, server.port, time)?),
        By::Ourselves => {
            let launch = with_connections(sluggish::launch(server.port, connections, kind, trial.ramp)?, connections)?;
            Attackers::Own(Running::start(&launch)?)
        }
    };
    let attackers = || descriptors(&server).map(|all| all.saturating_sub(none + trial.pace.clients as usize));
    let (began, mut peak, mut last_in, mut gone) = (Instant::now(), 0, Instant::now(), None);
    while began.elapsed() < time {
        thread::sleep(GLANCE);
        let count = attackers()?;
        if count > peak {
            (peak, last_in) = (count, Instant::now());
        }
        // One in a hundred may be about to close, or be a probe.
        if gone.is_none() && peak > 0 && count <= connections as usize / 100 {
            gone = Some(last_in.elapsed());
        } else if gone.is_some() && count > connections as usize / 100 {
            gone = None;
        }
    }
    let left = attackers()?;
    let waited = (waited() - waited_before) / began.elapsed().as_secs_f64();
    let said = clients.line(Duration::from_secs(30)).unwrap_or_default();
    let under = polite::parse(&said)?;
    let faults = [
        (under.p99 > calm.p99 + MOST_MORE, "p99 HAS GROWN TOO MUCH"),
        (under.failed > 0, "REQUESTS FAILED"),
        (peak < connections as usize * 9 / 10, "TOO FEW ATTACKERS GOT IN"),
        (gone.is_none_or(|after| after > within), "THE ATTACKERS ARE NOT GONE"),
    ];
    let faults: Vec<_> = faults.iter().filter(|(is_so, _)| *is_so).map(|(_, fault)| *fault).collect();
    println!("slow {}, {name}\n  without:  {calm}\n  under it: {under}", kind.name());
    println!(
        "  {peak} attackers at most; {} (by their deadlines: {within:?} after the last came in), {left} left: {}",
        gone.map_or("never gone".into(), |after| format!("gone {:.1} s after", after.as_secs_f64())),
        if faults.is_empty() { "ok".into() } else { faults.join(", ") },
    );
    println!("  the server waited for a CPU for {:.1} % of the time", 100.0 * waited);
    server.stop();
    Ok(match faults.is_empty() {
        true => Held::Yes,
        false if waited > DISTURBED => Held::Disturbed,
        false => Held::No,
    })
}

fn descriptors(server: &Server) -> io::Result<usize> {
    let count = machine::open_descriptors(server.pid);
    count.ok_or_else(|| io::Error::other("the server's descriptors cannot be counted (no /proc, or it has ended)"))
}

#[expect(dead_code, reason = "they are held until the attack is over, and ended then")]
enum Attackers {
    Foreign(Ended),
    Own(Running),
}

/// A process that is ended when this is dropped.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn slowhttptest(trial: &Trial, kind: Kind, port: u16, time: Duration) -> io::Result<Ended> {
    let (count, rate) = (trial.connections.to_string(), (trial.connections / trial.ramp).max(1).to_string());
    let seconds = time.as_secs().to_string();
    let (mode, path): (&[&str], _) = match kind {
        Kind::Head => (&["-H", "-i", "5"], ""),
        Kind::Body => (&["-B", "-i", "5", "-s", "8192", "-x", "10"], "upload"),
        Kind::Read => (&["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32"], "download"),
    };
    let url = format!("http://127.0.0.1:{port}/{path}");
    // A shell raises its limit of open files, as for our own processes.
    let launch = with_connections(Launch::new("slowhttptest"), trial.connections)?;
    let mut command: Command = launch.command();
    command.args(mode).args(["-c", &count, "-r", &rate, "-l", &seconds, "-u", &url, "-v", "0"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Ended(command.spawn()?))
}
