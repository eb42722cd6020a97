//! What is judged.

use super::shown;
use crate::results::Measured;

/// A figure by which designs are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Right answers per second.
    Throughput,
    /// The 99th percentile of latency, in microseconds.
    P99,
    /// User and system CPU time of the server's process per request, in microseconds.
    Cpu,
    /// Resident memory of the server's process, in bytes.
    Memory,
}

impl Figure {
    /// All of them, in the order of the tables.
    pub const ALL: [Figure; 4] = [Figure::Throughput, Figure::P99, Figure::Cpu, Figure::Memory];

    /// Its value; `None` where this system does not tell, or where nothing was answered.
    pub fn of(self, measured: &Measured) -> Option<f64> {
        let answered = measured.answers > 0;
        match self {
            Figure::Throughput => Some(measured.rate),
            Figure::P99 => answered.then_some(measured.latency.p99),
            Figure::Cpu if answered => Some(measured.server.user? + measured.server.system?),
            Figure::Cpu => None,
            Figure::Memory => measured.server.resident.map(|bytes| bytes as f64),
        }
    }

    /// Returns whether a larger figure is better.
    pub fn more_is_better(self) -> bool {
        self == Figure::Throughput
    }

    /// Returns whether a limit of the generator would falsify it.
    pub fn is_of_the_generator(self) -> bool {
        matches!(self, Figure::Throughput | Figure::P99)
    }

    /// Returns whether it counts the answers of a window, some of which were begun before it.
    pub fn is_of_a_window(self) -> bool {
        matches!(self, Figure::Throughput | Figure::Cpu)
    }

    /// How many times better the first is than the second: above 1 where it is better.
    pub fn advantage(self, first: f64, second: f64) -> f64 {
        if self.more_is_better() { first / second } else { second / first }
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Throughput => "answers/s",
            Figure::P99 => "p99",
            Figure::Cpu => "CPU/request",
            Figure::Memory => "memory",
        }
    }

    /// A value with its unit.
    pub fn shown(self, value: f64) -> String {
        match self {
            Figure::Throughput => format!("{}/s", shown::count(value)),
            Figure::P99 | Figure::Cpu => shown::time(value),
            Figure::Memory => shown::bytes(value),
        }
    }

    /// An advantage in words: `12 % more`, `a third`.
    pub fn ahead(self, by: f64) -> String {
        let word = if self.more_is_better() { "more" } else { "less" };
        match by {
            by if !by.is_finite() => format!("infinitely {word}"),
            by if by >= 2.0 => format!("{}× {word}", shown::short(by)),
            by if self.more_is_better() => format!("{:.0} % {word}", 100.0 * (by - 1.0)),
            by => format!("{:.0} % {word}", 100.0 * (1.0 - 1.0 / by)),
        }
    }
}
