//! The comparison: each client in turn, and the bars.

use crate::canned;
use crate::clients::{self, CEILING, HYPER, HYPER_UTIL, NODE, ONELOOP, UNDICI};
use crate::failed;
use oneloop_benches::child::{Launch, Server};
use oneloop_benches::figures::{bounds, median};
use oneloop_benches::machine;
use oneloop_benches::trial::Running;
use std::io;
use std::time::{Duration, Instant};

/// How long each client asks before it is measured. Just-in-time compilers and caches become warm.
const WARM_UP: Duration = Duration::from_secs(4);
/// The requests of a part of the warm-up.
const PART: usize = 10_000;
/// How long a client may take beyond what it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// What oneloop may cost at most: so many times what another client costs.
const BARS: [(&str, f64); 5] = [(CEILING, 1.25), (HYPER, 1.0), (HYPER_UTIL, 1.0), (NODE, 1.0), (UNDICI, 1.0)];

/// A client that is measured.
struct Contender {
    name: &'static str,
    running: Running,
    /// How many requests take about as long as a measurement should.
    requests: usize,
    /// Microseconds of CPU per request, and how many of them in the client's own code; and requests per second: one for each round.
    rounds: Vec<(f64, f64, f64)>,
}

/// Measures the clients. Returns whether all bars are met.
pub fn run(rounds: usize, seconds: usize) -> io::Result<bool> {
    let [client_pin, server_pin] = pins();
    let server = Server::start(&Launch::own(canned::SERVE)?.under(&server_pin))?;
    println!(
        "{rounds} rounds of {seconds} s each, {} requests in flight; {}\n",
        clients::IN_FLIGHT,
        machine::description()
    );
    let mut contenders = Vec::new();
    for (name, launch) in clients::all()? {
        let launch = launch.arg(server.port.to_string()).under(&client_pin);
        match Contender::start(name, &launch, seconds) {
            Ok(contender) => contenders.push(contender),
            Err(error) => println!("SKIPPED: {name}, since {error}"),
        }
    }
    let count = contenders.len();
    for round in 0..rounds {
        for at in 0..count {
            contenders[(at + round) % count].measure()?;
        }
    }
    let met = report(&contenders);
    println!("{}", if met { "MET" } else { "NOT MET" });
    Ok(met)
}

/// The commands that pin the client and the server to a CPU each, or two empty ones, said loudly.
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

impl Contender {
    fn start(name: &'static str, launch: &Launch, seconds: usize) -> io::Result<Contender> {
        let running = Running::start(launch)?;
        if running.line(PATIENCE).is_none() {
            return Err(failed(name, "it does not start"));
        }
        let mut contender = Contender { name, running, requests: PART, rounds: Vec::new() };
        let began = Instant::now();
        let mut part = Duration::MAX;
        while began.elapsed() < WARM_UP {
            part = part.min(contender.ask()?);
        }
        contender.requests = (PART as f64 * seconds as f64 / part.as_secs_f64()) as usize;
        Ok(contender)
    }

    /// Has it make its requests. Returns how long that took.
    fn ask(&mut self) -> io::Result<Duration> {
        let began = Instant::now();
        self.running.tell(&format!("{}\n", self.requests))?;
        match self.running.line(PATIENCE) {
            Some(_) => Ok(began.elapsed()),
            None => Err(failed(self.name, "it does not come to an end")),
        }
    }

    fn measure(&mut self) -> io::Result<()> {
        let pid = self.running.pid();
        let used = || machine::cpu_time(pid).ok_or_else(|| io::Error::other("no figure (no /proc?)"));
        let before = used()?;
        let took = self.ask()?;
        let used = used()?.since(before);
        let each = |seconds: f64| seconds * 1e6 / self.requests as f64;
        self.rounds.push((each(used.total()), each(used.user), self.requests as f64 / took.as_secs_f64()));
        Ok(())
    }

    fn total(&self) -> impl Iterator<Item = f64> {
        self.rounds.iter().map(|(total, ..)| *total)
    }
}

/// Prints the table, and returns whether the bars are met.
fn report(contenders: &[Contender]) -> bool {
    let named = |name: &str| contenders.iter().find(|contender| contender.name == name);
    let ratios =
        |one: &Contender, other: &Contender| one.total().zip(other.total()).map(|(a, b)| a / b).collect::<Vec<_>>();
    for contender in contenders {
        let user = median(contender.rounds.iter().map(|(_, user, _)| *user));
        let rate = median(contender.rounds.iter().map(|(.., rate)| *rate));
        print!("  {:12} {:8.3} us ({user:.3} user) {rate:8.0} req/s", contender.name, median(contender.total()));
        if let Some(ceiling) = named(CEILING) {
            let ratios = ratios(contender, ceiling);
            let (least, most) = bounds(ratios.iter().copied());
            print!("; {:6.2} x ceiling ({least:.2} to {most:.2})", median(ratios));
        }
        println!();
    }
    let Some(own) = named(ONELOOP) else { return false };
    let mut met = true;
    for (than, times) in BARS {
        let Some(other) = named(than) else { continue };
        let ratios = ratios(own, other);
        let (middle, (least, most)) = (median(ratios.iter().copied()), bounds(ratios));
        let verdict = if middle <= times { "ok" } else { "MISSED" };
        let noise = if (least..=most).contains(&times) { ", within the noise of this run" } else { "" };
        println!("  {middle:.2} x {than}; at most {times:.2}: {verdict}{noise}");
        met &= middle <= times;
    }
    met
}
