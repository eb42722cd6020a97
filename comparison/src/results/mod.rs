//! What a run leaves behind: the raw JSON that every table, chart and verdict is computed from, and nothing else.
//!
//! ```text
//!  Run ── machine, commit, options
//!   └─ cells: one per workload × point × design × round
//!        ├─ Outcome::Measured   what the generator saw, what the server's process used
//!        └─ Outcome::Without    why there is no figure: not measurable here, not installed, failed, cut for time
//! ```
//!
//! Units: latencies in microseconds, CPU in microseconds per request, memory in bytes, rates in requests per second.

use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Of this format: 1.
    pub version: u32,
    /// When it began, as an RFC 3339 date and time in UTC.
    pub began: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// `quick` or `full`.
    pub mode: String,
    /// The command line.
    pub command: String,
    /// The commit of the source, with `+` where files were changed; empty where unknown.
    pub commit: String,
    /// The machine.
    pub machine: Machine,
    /// What a reader should know: cut points, designs that are not installed, cross-checks with other generators.
    pub notes: Vec<String>,
    /// The figures.
    pub cells: Vec<Cell>,
}

/// Where it ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// CPU model, kernel, memory, in one line.
    pub description: String,
    /// CPUs that the server had.
    pub server_cpus: Vec<usize>,
    /// CPUs that the generator had.
    pub client_cpus: Vec<usize>,
    /// Compiler and profile.
    pub compiler: String,
}

/// One design under one load, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// `W1` to `W10`.
    pub workload: String,
    /// What is varied within the workload: `connections` = 64, `handler_ms` = 10, `load` = 1.5 (of the capacity) …
    pub point: Point,
    /// The design's short name, as the command line has it: `loop`, `loops`, `pool-connection`, `pool-request`, `thread-each`,
    /// `loop-workers`, or an outside reference: `nginx`, `node`, `apache-event`, …
    pub design: String,
    /// How it was set up: `threads=16`, `stack=64k`; empty where there is nothing to choose.
    pub variant: String,
    /// From 0.
    pub round: u32,
    /// What came out.
    pub outcome: Outcome,
}

/// A position on the axis of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// What the number is.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit, for axes; empty for a count.
    pub unit: String,
}

/// A figure, or why there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was measured.
    Measured(Box<Measured>),
    /// It was not, for this reason.
    Without(String),
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Length of the measured window in seconds.
    pub seconds: f64,
    /// Whole, right answers in it.
    pub answers: u64,
    /// Where the load is open: requests per second that were meant to be sent.
    pub offered: Option<f64>,
    /// Answers per second.
    pub rate: f64,
    /// From the intended send time (open loop) or the send (closed loop) to the last byte of the answer. Of the well-behaved
    /// clients, where there are others.
    pub latency: Latency,
    /// Answers that were wrong or had another status, by status.
    pub errors: u64,
    /// Requests without an answer within the time limit.
    pub timeouts: u64,
    /// Connections that were refused, reset or not accepted in time; 503s.
    pub refusals: u64,
    /// The server's process.
    pub server: Process,
    /// The share of one CPU that the generator used, 0 to 1, the largest of its threads.
    pub generator_cpu: f64,
    /// The generator was the limit: the rate is its own, not the server's.
    pub generator_limited: bool,
}

/// A distribution of latencies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Percentiles.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// The spectrum, for charts: pairs of quantile (0 to 1, ever closer to 1) and microseconds, at most 60.
    pub spectrum: Vec<(f64, f64)>,
}

/// What a server's process used, per request where that makes sense. `None` where this system does not tell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Process {
    /// User CPU per request.
    pub user: Option<f64>,
    /// System CPU per request.
    pub system: Option<f64>,
    /// Context switches per request, voluntary and not.
    pub switches: Option<(f64, f64)>,
    /// Threads at the end of the window.
    pub threads: Option<u64>,
    /// Resident memory at the end of the window.
    pub resident: Option<u64>,
    /// Its growth over that of the idle server, per open connection.
    pub per_connection: Option<f64>,
    /// System calls per request, where strace was asked for.
    pub syscalls: Option<f64>,
}

/// What the workloads are, for the schedule and the report.
const TITLES: [(&str, &str); 10] = [
    ("W1", "hello on keep-alive"),
    ("W2", "a new connection per request"),
    ("W3", "100 active clients beside idle ones"),
    ("W4", "100 normal clients beside slow senders and readers"),
    ("W5", "a handler that waits 10 ms for something else"),
    ("W6", "a handler that computes, 16 clients"),
    ("W7", "1 % slow and 99 % fast requests, 1000 a second"),
    ("W8", "uploads and downloads of 1 MiB, 16 clients"),
    ("W9", "one event to many waiting clients"),
    ("W10", "open-loop overload, 1 ms of computing"),
];

/// What a workload is; empty where it is not known.
pub fn workload_title(name: &str) -> &'static str {
    TITLES.iter().find(|(other, _)| *other == name).map_or("", |(_, title)| title)
}
