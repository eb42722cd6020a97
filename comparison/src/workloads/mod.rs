//! What is measured: W1 to W10, as data.
//!
//! ```text
//!  Workload ── Position: a point on its axis, with its load
//!                └─ Contender: a design with a variant, or an outside reference
//! ```
//! [`list`] makes them from what this machine has; [`schedule`] fits them into the time there is.
//!
//! Pools are swept over [`SWEEP`] on W1, W5 and W6; elsewhere they have the sizes [`USUAL`]. Which of them is at its best is
//! for the summary to find.

mod contenders;
mod load;
pub mod schedule;
#[cfg(test)]
mod tests;

use crate::generator::{Load, Peers, Request};
use crate::results::Point;
use contenders::{designs, in_full, loops_too, on_the_worker_pool, references, small_stack, threads};
pub use load::place as point_in_words;
use load::{closed, hello, position};

/// Sizes of pools: few threads, a moderate number, the default of Tomcat and Jetty, very many.
pub const SWEEP: [usize; 4] = [8, 32, 200, 1000];
/// Their sizes where they are not swept.
pub const USUAL: [usize; 2] = [32, 200];
/// The size in a quick run: the common default.
pub const QUICK: [usize; 1] = [200];
/// Bytes of a small stack: enough for every handler here.
pub const SMALL_STACK: usize = 64 * 1024;
/// Seconds after which a client of W10 has gone.
const TOO_LATE: f64 = 1.0;
/// A megabyte, as uploads and downloads have it.
const MIB: usize = 1024 * 1024;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In two minutes.
    Quick,
    /// In three quarters of an hour.
    Full,
}

/// What this machine has.
#[derive(Clone, Debug)]
pub struct Facts {
    pub mode: Mode,
    /// CPUs that this program may use.
    pub cpus: usize,
    /// Those of the server.
    pub server_cpus: usize,
    /// Outside references, installed or not.
    pub references: Vec<Reference>,
    /// Files that a process may open.
    pub open_files: usize,
    /// Threads that a process may have.
    pub threads: usize,
    /// Local ports: connections to one address from another at most.
    pub ports: usize,
}

/// A server of others.
#[derive(Clone, Debug)]
pub struct Reference {
    pub name: String,
    pub installed: bool,
    /// Paths of the handlers that it has.
    pub serves: Vec<String>,
    /// Threads or processes that it is given.
    pub threads: Option<usize>,
}

/// A workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// `W1` to `W10`.
    pub name: &'static str,
    pub positions: Vec<Position>,
}

/// A point on a workload's axis.
#[derive(Clone, Debug)]
pub struct Position {
    pub point: Point,
    pub stress: Stress,
    pub contenders: Vec<Contender>,
    /// CPUs of the server, where it is not all that it has.
    pub server_cpus: Option<usize>,
    /// Which positions go first when time is short: those with the highest number.
    pub rank: u8,
}

/// The load of a position.
#[derive(Clone, Debug)]
pub struct Stress {
    pub load: Load,
    /// The rate of an open load is so many times the capacity of each contender.
    pub of_capacity: bool,
    pub requests: Vec<Request>,
    pub fresh: bool,
    pub peers: Peers,
    /// Seconds.
    pub ramp: f64,
    /// Seconds.
    pub warm_up: f64,
    /// Seconds.
    pub seconds: f64,
    /// Seconds.
    pub timeout: f64,
}

impl Stress {
    /// Connections that are open at a time, at most.
    pub fn connections(&self) -> usize {
        let clients = match self.load {
            Load::Closed { connections } | Load::Open { connections, .. } => connections,
            Load::Events { waiters } => waiters + 1,
        };
        clients + self.peers.idle + self.peers.slow_senders + self.peers.slow_readers
    }
}

/// Who is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// As the command line has it.
    pub design: String,
    /// How it is set up, in words.
    pub variant: String,
    /// Threads of its pool, or loops.
    pub threads: Option<usize>,
    /// Bytes of stack.
    pub stack: Option<usize>,
    /// A server of others.
    pub outside: bool,
    /// Asks for this path instead.
    pub path: Option<&'static str>,
    /// Why it cannot be measured here, where it cannot.
    pub without: Option<String>,
}

impl Contender {
    /// The design with its variant.
    pub fn label(&self) -> String {
        if self.variant.is_empty() { self.design.clone() } else { format!("{} {}", self.design, self.variant) }
    }
}

/// All workloads, as far as this machine can carry them, and what it cannot.
pub fn list(facts: &Facts) -> (Vec<Workload>, Vec<String>) {
    let mut workloads = vec![
        w1(facts),
        w2(facts),
        w3(facts),
        w4(facts),
        w5(facts),
        w6(facts),
        w7(facts),
        w8(facts),
        w9(facts),
        w10(facts),
    ];
    let notes = workloads.iter_mut().flat_map(|workload| load::restrain(workload, facts)).collect();
    (workloads, notes)
}

fn sizes(facts: &Facts, full: &'static [usize]) -> &'static [usize] {
    if facts.mode == Mode::Quick { &QUICK } else { full }
}

/// Points of the axis with their ranks: those of the quick run, or those of the full one.
fn points<T: Copy>(facts: &Facts, quick: &[(T, u8)], full: &[(T, u8)]) -> Vec<(T, u8)> {
    if facts.mode == Mode::Quick { quick.to_vec() } else { full.to_vec() }
}

fn count(name: &str, value: usize) -> Point {
    Point { name: name.into(), value: value as f64, unit: String::new() }
}

fn w1(facts: &Facts) -> Workload {
    let axis = points(facts, &[(100, 0)], &[(1, 1), (10, 3), (100, 0), (1000, 1), (10_000, 0)]);
    let at = |(connections, rank)| {
        let mut contenders = loops_too(facts, sizes(facts, &SWEEP));
        contenders.extend(small_stack(facts));
        // Enough to place ourselves.
        if [100, 10_000].contains(&connections) {
            contenders.extend(references(facts, &["/"]));
        }
        position(facts, count("connections", connections), rank, closed(connections), hello(), contenders)
    };
    let mut positions: Vec<Position> = axis.into_iter().map(at).collect();
    if facts.mode == Mode::Full {
        positions.extend(scaling(facts));
    }
    Workload { name: "W1", positions }
}

/// The same load over the CPUs that the server has: what only a machine with several can show.
fn scaling(facts: &Facts) -> Vec<Position> {
    let steps =
        std::iter::successors(Some(2), |cpus| Some(cpus * 2)).take_while(|cpus| *cpus <= facts.server_cpus.max(2));
    let at = |cpus: usize| {
        let mut contenders = loops_too(facts, &USUAL);
        for contender in &mut contenders {
            if contender.design == "loops" {
                contender.threads = Some(cpus);
                contender.variant = format!("threads={cpus}");
            }
            if facts.cpus < contenders::MULTI_CORE || facts.server_cpus < cpus {
                contender.without = Some(contenders::not_measurable(facts));
            }
        }
        let position = position(facts, count("server_cpus", cpus), 1, closed(256), hello(), contenders);
        Position { server_cpus: Some(cpus), ..position }
    };
    steps.map(at).collect()
}

fn w2(facts: &Facts) -> Workload {
    let contenders = [loops_too(facts, sizes(facts, &USUAL)), in_full(facts, &["/"])].concat();
    let mut position = position(facts, count("connections", 64), 0, closed(64), hello(), contenders);
    position.stress.fresh = true;
    Workload { name: "W2", positions: vec![position] }
}

fn w3(facts: &Facts) -> Workload {
    let axis = points(facts, &[(500, 0)], &[(1000, 2), (10_000, 0)]);
    let at = |(idle, rank)| {
        let mut contenders = designs(sizes(facts, &USUAL));
        contenders.extend(small_stack(facts));
        if idle == 10_000 {
            contenders.extend(references(facts, &["/"]));
        }
        let mut position = position(facts, count("idle", idle), rank, closed(100), hello(), contenders);
        position.stress.peers.idle = idle;
        position
    };
    Workload { name: "W3", positions: axis.into_iter().map(at).collect() }
}

fn w4(facts: &Facts) -> Workload {
    let contenders = designs(sizes(facts, &USUAL));
    let axis = points(facts, &[(240, 0)], &[(100, 2), (500, 0)]);
    let at = |(slow, rank)| {
        let mut position = position(facts, count("slow", slow), rank, closed(100), hello(), contenders.clone());
        // Few readers: each has megabytes in the kernel before it is slow.
        position.stress.peers.slow_readers = slow / 6;
        position.stress.peers.slow_senders = slow - slow / 6;
        position
    };
    Workload { name: "W4", positions: axis.into_iter().map(at).collect() }
}

fn w5(facts: &Facts) -> Workload {
    let axis = points(facts, &[(300, 0)], &[(10, 2), (100, 0), (1000, 1), (5000, 2)]);
    let wait = vec![Request::get("/wait?ms=10")];
    let at = |(connections, rank)| {
        let mut contenders = designs(sizes(facts, &SWEEP));
        contenders.extend(small_stack(facts));
        contenders.extend(on_the_worker_pool(sizes(facts, &[32, 200])));
        let mut mistake = threads("loop", None);
        (mistake.variant, mistake.path) = ("blocking".into(), Some("/block?ms=10"));
        contenders.push(mistake);
        if connections == 100 {
            contenders.extend(references(facts, &["/wait"]));
        }
        position(facts, count("connections", connections), rank, closed(connections), wait.clone(), contenders)
    };
    Workload { name: "W5", positions: axis.into_iter().map(at).collect() }
}

fn w6(facts: &Facts) -> Workload {
    let mut contenders = loops_too(facts, sizes(facts, &[8, 32, 200]));
    contenders.extend(on_the_worker_pool(if facts.mode == Mode::Quick { &[] } else { &[32] }));
    contenders.extend(in_full(facts, &["/cpu"]));
    let axis = points(facts, &[(10, 0)], &[(1, 1), (10, 0), (100, 1)]);
    let at = |(ms, rank): (usize, u8)| {
        let point = Point { name: "handler_ms".into(), value: ms as f64, unit: "ms".into() };
        let requests = vec![Request::get(&format!("/cpu?ms={ms}"))];
        let mut position = position(facts, point, rank, closed(16), requests, contenders.clone());
        // Sixteen requests of 100 ms are 1.6 s of one CPU.
        position.stress.timeout = 5.0;
        position
    };
    Workload { name: "W6", positions: axis.into_iter().map(at).collect() }
}

/// A fixed rate, so that the slow ones are as many for every design. The latencies are those of the fast ones.
fn w7(facts: &Facts) -> Workload {
    let mut contenders = designs(sizes(facts, &USUAL));
    contenders.extend(on_the_worker_pool(&[]));
    let axis = points(
        facts,
        &[("cpu", 20, 0)].map(|(kind, ms, rank)| ((kind, ms), rank)),
        &[(("wait", 100), 1), (("cpu", 20), 0)],
    );
    let at = |((kind, ms), rank): ((&str, usize), u8)| {
        let point = Point { name: format!("slow_{kind}"), value: ms as f64, unit: "ms".into() };
        let slow = Request { timed: false, ..Request::get(&format!("/{kind}?ms={ms}")) };
        let fast = Request { weight: 99, ..Request::get("/") };
        let load = Load::Open { rate: 1000.0, connections: 512 };
        position(facts, point, rank, load, vec![fast, slow], contenders.clone())
    };
    Workload { name: "W7", positions: axis.into_iter().map(at).collect() }
}

fn w8(facts: &Facts) -> Workload {
    let contenders = [loops_too(facts, sizes(facts, &USUAL)), in_full(facts, &["/download", "/upload"])].concat();
    let bytes = |name: &str| Point { name: name.into(), value: MIB as f64, unit: "B".into() };
    let down = Request { expect: Some(MIB as u64), ..Request::get(&format!("/download?bytes={MIB}")) };
    let digits = Some(MIB.to_string().len() as u64);
    let up = Request { method: "POST".into(), body: MIB, expect: digits, ..Request::get("/upload") };
    let mut positions = vec![
        position(facts, bytes("download"), 0, closed(16), vec![down], contenders.clone()),
        position(facts, bytes("upload"), 1, closed(16), vec![up], contenders),
    ];
    if facts.mode == Mode::Quick {
        positions.truncate(1);
    }
    Workload { name: "W8", positions }
}

fn w9(facts: &Facts) -> Workload {
    let contenders = designs(sizes(facts, &USUAL));
    let axis = points(facts, &[(100, 0)], &[(100, 1), (1000, 0), (5000, 2)]);
    let at = |(waiters, rank)| {
        position(facts, count("waiters", waiters), rank, Load::Events { waiters }, Vec::new(), contenders.clone())
    };
    Workload { name: "W9", positions: axis.into_iter().map(at).collect() }
}

/// Each millisecond of computing, so that the generator can offer more than any server can do.
fn w10(facts: &Facts) -> Workload {
    let mut contenders = designs(sizes(facts, &USUAL));
    contenders.extend(on_the_worker_pool(&[]));
    let axis = points(facts, &[(1.5, 0)], &[(0.5, 1), (0.75, 2), (1.0, 1), (1.25, 2), (1.5, 0), (2.0, 1)]);
    let at = |(load, rank)| {
        let point = Point { name: "load".into(), value: load, unit: "x capacity".into() };
        let open = Load::Open { rate: load, connections: 512 };
        let mut position = position(facts, point, rank, open, vec![Request::get("/cpu?ms=1")], contenders.clone());
        position.stress.of_capacity = true;
        position.stress.timeout = position.stress.timeout.min(TOO_LATE);
        position
    };
    Workload { name: "W10", positions: axis.into_iter().map(at).collect() }
}
