//! Cases 1 to 3: microseconds of CPU of the server's process, for a request, a handshake, a download.

use crate::load;
use crate::servers::{Kit, Started, Who};
use crate::wrk;
use oneloop_benches::child;
use oneloop_benches::figures::{bounds, median};
use oneloop_benches::machine;
use std::io;
use std::time::Duration;

/// How many clients shake hands at a time, and how many download.
const SHAKING: u64 = 16;
const DOWNLOADING: usize = 8;
const ASKING: usize = 64;

/// What is done again and again.
#[derive(Clone, Copy)]
enum Deed {
    /// Requests for this path, on so many connections that are kept.
    Ask(&'static str, usize),
    ShakeHands,
}

struct Case {
    name: &'static str,
    contenders: &'static [(&'static str, Who, Deed)],
    /// What the first of the contenders may cost at most: so many times what another one costs.
    bars: &'static [Bar],
}

struct Bar {
    who: &'static str,
    than: &'static str,
    times: f64,
}

const FILE: &str = "oneloop, a file";

const CASES: [Case; 3] = [
    Case {
        name: "a request, 64 connections that are kept",
        contenders: &[
            ("oneloop", Who::Oneloop, Deed::Ask("/", ASKING)),
            ("oneloop, plain HTTP", Who::Plain, Deed::Ask("/", ASKING)),
            ("nginx", Who::Nginx, Deed::Ask("/", ASKING)),
        ],
        bars: &[
            Bar { who: "oneloop", than: "oneloop, plain HTTP", times: 1.6 },
            Bar { who: "oneloop", than: "nginx", times: 1.0 },
        ],
    },
    Case {
        name: "a full handshake, ECDSA P-256",
        contenders: &[("oneloop", Who::Oneloop, Deed::ShakeHands), ("nginx", Who::Nginx, Deed::ShakeHands)],
        bars: &[Bar { who: "oneloop", than: "nginx", times: 1.0 / 0.9 }],
    },
    Case {
        name: "a download of 1 MiB, 8 connections",
        contenders: &[
            ("oneloop", Who::Oneloop, Deed::Ask("/large", DOWNLOADING)),
            (FILE, Who::Oneloop, Deed::Ask("/file", DOWNLOADING)),
            ("nginx", Who::Nginx, Deed::Ask("/large", DOWNLOADING)),
        ],
        bars: &[
            Bar { who: "oneloop", than: "nginx", times: 1.0 / 0.9 },
            Bar { who: FILE, than: "nginx", times: 1.0 / 0.9 },
        ],
    },
];

struct Contender {
    name: &'static str,
    at: Started,
    scheme: &'static str,
    deed: Deed,
    /// Microseconds of CPU for each: one figure for each round.
    cost: Vec<f64>,
}

/// Measures the cases that are wanted. Returns whether all bars are met.
pub fn run(
    kit: &Kit,
    pin: &[String],
    rounds: usize,
    seconds: usize,
    wanted: impl Fn(usize) -> bool,
) -> io::Result<bool> {
    let mut met = true;
    for (number, case) in CASES.iter().enumerate().filter(|(number, _)| wanted(number + 1)) {
        if machine::find_program("wrk").is_none() && !matches!(case.contenders[0].2, Deed::ShakeHands) {
            println!("SKIPPED: {}, since there is no wrk on the PATH (apt install wrk)\n", case.name);
            continue;
        }
        let mut contenders = Vec::new();
        for &(name, who, deed) in case.contenders {
            let scheme = if who == Who::Plain { "http" } else { "https" };
            if let Some(at) = kit.start(who, 1024)? {
                contenders.push(Contender { name, at, scheme, deed, cost: Vec::new() });
            }
        }
        for contender in &mut contenders {
            // Caches become warm.
            contender.measure(1, pin)?;
            contender.cost.clear();
        }
        for round in 0..rounds {
            let count = contenders.len();
            for at in 0..count {
                contenders[(at + round) % count].measure(seconds, pin)?;
            }
        }
        println!("case {}: {}", number + 1, case.name);
        met &= report(case, &contenders);
    }
    Ok(met)
}

impl Contender {
    fn measure(&mut self, seconds: usize, pin: &[String]) -> io::Result<()> {
        let pid = self.at.server.pid;
        let used = || machine::cpu_time(pid).ok_or_else(|| io::Error::other("no figure (no /proc?)"));
        let before = used()?;
        let count = match self.deed {
            Deed::Ask(path, connections) => {
                wrk::ask(&format!("{}://127.0.0.1:{}{path}", self.scheme, self.at.port), connections, seconds, pin)?
            }
            Deed::ShakeHands => shake(self.at.port, seconds, pin)?,
        };
        self.cost.push(used()?.since(before).total() * 1e6 / count as f64);
        Ok(())
    }
}

/// Has clients shake hands. Returns how many handshakes there were.
fn shake(port: u16, seconds: usize, pin: &[String]) -> io::Result<u64> {
    let launch = load::launch(load::SHAKE, &[port.into(), SHAKING, seconds as u64 * 1000], pin)?;
    let said = child::run(&launch, Duration::from_secs(seconds as u64 + 30))?;
    let figures: Vec<u64> = said.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    match figures[..] {
        [done, 0] if done > 0 => Ok(done),
        _ => Err(io::Error::other(format!("handshakes: {said:?}"))),
    }
}

/// Prints the case, and returns whether its bars are met.
fn report(case: &Case, contenders: &[Contender]) -> bool {
    for contender in contenders {
        let (least, most) = bounds(contender.cost.iter().copied());
        let middle = median(contender.cost.iter().copied());
        println!(
            "  {:22} {middle:9.2} us of CPU ({least:.2} to {most:.2}), {:.0} a CPU second",
            contender.name,
            1e6 / middle
        );
    }
    let named = |name: &str| contenders.iter().find(|contender| contender.name == name);
    let mut met = true;
    for bar in case.bars {
        let (Some(own), Some(other)) = (named(bar.who), named(bar.than)) else { continue };
        let ratios: Vec<f64> = own.cost.iter().zip(&other.cost).map(|(own, other)| own / other).collect();
        let (middle, (least, most)) = (median(ratios.iter().copied()), bounds(ratios));
        let verdict = if middle <= bar.times { "ok" } else { "MISSED" };
        let noise = if (least..=most).contains(&bar.times) { ", within the noise of this run" } else { "" };
        println!(
            "  {}: {middle:.2} x {} ({least:.2} to {most:.2}); at most {:.2}: {verdict}{noise}",
            bar.who, bar.than, bar.times
        );
        met &= middle <= bar.times;
    }
    println!();
    met
}
