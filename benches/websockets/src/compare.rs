//! The comparison: each case on each server, in turn, and the bars.

use crate::generator::Generator;
use crate::servers::{self, BUN, CEILING, ONELOOP, Servers, UWEBSOCKETS};
use crate::{failed, pins};
use oneloop_benches::child::Server;
use oneloop_benches::figures::{bounds, median};
use oneloop_benches::machine;
use oneloop_benches::websocket::{self, Client, EACH, ECHO, PUBLISH, SUBSCRIBE};
use std::io;

/// Seconds that each server is asked before it is measured. Just-in-time compilers and caches become warm.
const WARM_UP: usize = 2;

/// One kind of messages.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    /// Where the messages are sent.
    pub path: &'static str,
    /// How many sockets send.
    pub connections: usize,
    /// How many sockets get each message. 0: it is sent back.
    pub subscribers: usize,
    /// How many messages a sender has under way.
    pub depth: usize,
    /// How many bytes each has.
    pub length: usize,
    pub text: bool,
}

pub const ONE: Case =
    Case { name: "echo of 20 bytes", path: ECHO, connections: 64, subscribers: 0, depth: 1, length: 20, text: true };
const PUBLISHED: Case =
    Case { name: "published to 1,000, per delivery", path: PUBLISH, connections: 1, subscribers: 1000, ..ONE };
const CASES: [Case; 4] = [
    ONE,
    Case { name: "16 of 20 bytes at a time", depth: 16, ..ONE },
    Case { name: "echo of 1 MiB", connections: 4, length: 1 << 20, text: false, ..ONE },
    PUBLISHED,
];

/// The label of oneloop's loop of sends, beside what it publishes.
const LOOPED: &str = "oneloop, a loop of sends";

/// What oneloop may cost at most: so many times what another server costs.
struct Bar {
    case: &'static str,
    than: &'static str,
    times: f64,
}

const BARS: [Bar; 6] = [
    Bar { case: CASES[0].name, than: CEILING, times: 1.10 },
    Bar { case: CASES[0].name, than: UWEBSOCKETS, times: 1.0 },
    Bar { case: CASES[0].name, than: BUN, times: 1.0 },
    Bar { case: CASES[1].name, than: CEILING, times: 1.40 },
    Bar { case: CASES[2].name, than: CEILING, times: 1.25 },
    Bar { case: CASES[3].name, than: LOOPED, times: 1.15 },
];

/// A server with its load, at one case.
struct Contender {
    label: String,
    /// The process id of the server.
    pid: u32,
    // The order matters: the load ends before the server.
    load: Generator,
    _server: Server,
    /// Microseconds of CPU per message, and how many of them in the server's own code: one pair for each round.
    cost: Vec<(f64, f64)>,
}

/// Measures the cases. Returns whether all bars are met.
pub fn run(rounds: usize, seconds: usize, only: usize) -> io::Result<bool> {
    let [server_pin, load_pin] = pins();
    let servers = Servers::prepare()?;
    println!("{rounds} rounds of {seconds} s each; {}\n", machine::description());
    let mut met = true;
    for (number, case) in CASES.iter().enumerate().filter(|(number, _)| only == 0 || only == number + 1) {
        let mut contenders = Vec::new();
        for name in servers.names() {
            for (label, path) in ways(case, name) {
                let case = Case { path, ..*case };
                match contender(&servers, name, label, &case, &server_pin, &load_pin) {
                    Ok(Some(contender)) => contenders.push(contender),
                    Ok(None) => {}
                    Err(error) => println!("SKIPPED: {name} ({}), since {error}", case.name),
                }
            }
        }
        for round in 0..rounds {
            let count = contenders.len();
            for at in 0..count {
                contenders[(at + round) % count].measure(seconds)?;
            }
        }
        println!("case {}: {}", number + 1, case.name);
        met &= report(case, &contenders);
    }
    println!("{}", if met { "MET" } else { "NOT MET" });
    Ok(met)
}

/// The ways in which a server is asked at a case, each with its label.
fn ways(case: &Case, name: &str) -> Vec<(String, &'static str)> {
    let mut ways = vec![(name.to_owned(), case.path)];
    if case.path == PUBLISH && name == ONELOOP {
        ways.push((LOOPED.to_owned(), EACH));
    }
    ways
}

fn contender(
    servers: &Servers,
    name: &str,
    label: String,
    case: &Case,
    server_pin: &[String],
    load_pin: &[String],
) -> io::Result<Option<Contender>> {
    let Some(launch) = servers.launch(name, case)? else { return Ok(None) };
    let server = Server::start(&launch.under(server_pin))?;
    // What the ceiling sends back of a large message is still masked.
    if name != CEILING || case.length < 1 << 16 {
        check(&server, case).map_err(|error| failed(name, error))?;
    }
    let load = Generator::start(server.port, case, load_pin)?;
    let mut contender = Contender { label, pid: server.pid, load, _server: server, cost: Vec::new() };
    contender.measure(WARM_UP)?;
    contender.cost.clear();
    Ok(Some(contender))
}

/// Sends one batch, and looks at each byte of the answers.
fn check(server: &Server, case: &Case) -> io::Result<()> {
    let content = websocket::content(case.length);
    let answer = websocket::answered(case.text, &content).repeat(case.depth);
    let mut getter = match case.subscribers {
        0 => None,
        _ => Some(Client::open(server.port, SUBSCRIBE)?),
    };
    let mut sender = Client::open(server.port, case.path)?;
    sender.send(&websocket::sent(case.text, &content).repeat(case.depth))?;
    getter.as_mut().unwrap_or(&mut sender).expect(&answer)
}

impl Contender {
    fn measure(&mut self, seconds: usize) -> io::Result<()> {
        let used = || machine::cpu_time(self.pid).ok_or_else(|| io::Error::other("no figure (no /proc?)"));
        let before = used()?;
        let messages = self.load.run(seconds)?;
        let used = used()?.since(before);
        let each = |seconds: f64| seconds * 1e6 / messages as f64;
        self.cost.push((each(used.total()), each(used.user)));
        Ok(())
    }

    fn total(&self) -> impl Iterator<Item = f64> {
        self.cost.iter().map(|(total, _)| *total)
    }
}

/// Prints the case, and returns whether its bars are met.
fn report(case: &Case, contenders: &[Contender]) -> bool {
    let named = |name: &str| contenders.iter().find(|contender| contender.label == name);
    let ratios =
        |one: &Contender, other: &Contender| one.total().zip(other.total()).map(|(a, b)| a / b).collect::<Vec<_>>();
    for contender in contenders {
        let user = median(contender.cost.iter().map(|(_, user)| *user));
        print!("  {:26} {:9.3} us ({user:.3} user)", contender.label, median(contender.total()));
        if let Some(ceiling) = named(CEILING) {
            let ratios = ratios(contender, ceiling);
            let (least, most) = bounds(ratios.iter().copied());
            print!("; {:5.2} x ceiling ({least:.2} to {most:.2})", median(ratios));
        }
        println!();
    }
    let Some(own) = named(ONELOOP) else { return false };
    let mut met = true;
    for bar in BARS.iter().filter(|bar| bar.case == case.name) {
        let Some(other) = named(bar.than) else { continue };
        let ratios = ratios(own, other);
        let (middle, (least, most)) = (median(ratios.iter().copied()), bounds(ratios));
        let verdict = if middle <= bar.times { "ok" } else { "MISSED" };
        let noise = if (least..=most).contains(&bar.times) { ", within the noise of this run" } else { "" };
        println!("  {:.2} x {}; at most {:.2}: {verdict}{noise}", middle, bar.than, bar.times);
        met &= middle <= bar.times;
    }
    println!();
    met
}

/// Whether a server takes part in a case: those without topics of their own take no part in publishing.
pub fn takes_part(case: &Case, name: &str) -> bool {
    case.subscribers == 0 || !servers::WITHOUT_TOPICS.contains(&name)
}
