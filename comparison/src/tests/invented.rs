//! Figures that nobody measured: cells by hand for the rules, and a whole run of a plausible shape for the page.

use crate::results::{Cell, Latency, Machine, Measured, Outcome, Point, Process, Run};

/// A point of connections.
pub fn connections(value: f64) -> Point {
    Point { name: "connections".to_string(), value, unit: String::new() }
}

/// Figures of a server that answers so many requests a second, half a second long.
pub fn answering(rate: f64) -> Measured {
    Measured {
        seconds: 0.5,
        answers: (rate / 2.0) as u64,
        rate,
        latency: latency(1e6 / rate, 3.0),
        server: Process {
            user: Some(3.0),
            system: Some(7.0),
            resident: Some(4 << 20),
            threads: Some(1),
            ..Process::default()
        },
        generator_cpu: 0.5,
        ..Measured::default()
    }
}

/// A distribution with this median (µs), whose tail is this many times as long at every nine.
pub fn latency(median: f64, tail: f64) -> Latency {
    let at = |quantile: f64| median * tail.powf(-(1.0 - quantile).log10() - 2_f64.log10());
    let spectrum =
        [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999].map(|quantile| (quantile, at(quantile)));
    let spectrum = spectrum.into_iter().chain([(1.0, at(0.99999))]).collect();
    Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(0.99999), spectrum }
}

/// A run of these cells.
pub fn run(cells: Vec<Cell>) -> Run {
    Run {
        version: 1,
        began: "2026-01-02T03:04:05Z".to_string(),
        seconds: 2400.0,
        mode: "full".to_string(),
        command: "cargo run --release -p comparison".to_string(),
        commit: "0123456789ab+".to_string(),
        machine: Machine {
            description: "Invented CPU, 8 cores, Linux 6.1, 16 GiB".to_string(),
            server_cpus: vec![0, 1, 2, 3],
            client_cpus: vec![4, 5],
            compiler: "rustc 1.90, release".to_string(),
        },
        notes: vec!["These figures are invented.".to_string()],
        cells,
    }
}

/// Cells of one design at 64 connections of W1, a rate for each round.
pub fn rates(design: &str, rates: &[f64]) -> Vec<Cell> {
    rates
        .iter()
        .enumerate()
        .map(|(round, rate)| cell("W1", connections(64.0), design, "", round as u32, answering(*rate)))
        .collect()
}

/// A measured cell.
pub fn cell(workload: &str, point: Point, design: &str, variant: &str, round: u32, measured: Measured) -> Cell {
    let outcome = Outcome::Measured(Box::new(measured));
    Cell {
        workload: workload.to_string(),
        point,
        design: design.to_string(),
        variant: variant.to_string(),
        round,
        outcome,
    }
}

/// A cell without figures.
pub fn without(design: &str, why: &str) -> Cell {
    let (workload, variant) = ("W1".to_string(), String::new());
    Cell {
        workload,
        point: connections(64.0),
        design: design.to_string(),
        variant,
        round: 0,
        outcome: Outcome::Without(why.to_string()),
    }
}

/// What a design costs, for the run below.
struct Shape {
    design: &'static str,
    variant: &'static str,
    /// CPU per request at few connections, µs.
    cost: f64,
    /// What each factor of ten of connections adds, as a share.
    growth: f64,
    /// Connections beyond which it breaks.
    most: f64,
    /// Memory: of the server, and of each connection, in KiB.
    memory: (f64, f64),
    tail: f64,
}

const SHAPES: [Shape; 12] = [
    Shape { design: "loop", variant: "", cost: 9.0, growth: 0.03, most: 1e9, memory: (3_000.0, 0.6), tail: 1.5 },
    Shape {
        design: "loop-workers",
        variant: "",
        cost: 9.2,
        growth: 0.03,
        most: 1e9,
        memory: (3_400.0, 0.6),
        tail: 1.5,
    },
    Shape {
        design: "pool-connection",
        variant: "threads=16",
        cost: 8.1,
        growth: 0.05,
        most: 16.0,
        memory: (3_000.0, 2.0),
        tail: 1.7,
    },
    Shape {
        design: "pool-connection",
        variant: "threads=200",
        cost: 8.4,
        growth: 0.1,
        most: 200.0,
        memory: (4_600.0, 2.0),
        tail: 1.9,
    },
    Shape {
        design: "pool-connection",
        variant: "threads=1000",
        cost: 8.8,
        growth: 0.15,
        most: 1000.0,
        memory: (12_000.0, 2.0),
        tail: 2.1,
    },
    Shape {
        design: "pool-request",
        variant: "threads=16",
        cost: 13.5,
        growth: 0.06,
        most: 1e9,
        memory: (3_100.0, 1.4),
        tail: 2.0,
    },
    Shape {
        design: "pool-request",
        variant: "threads=200",
        cost: 15.0,
        growth: 0.08,
        most: 1e9,
        memory: (4_700.0, 1.4),
        tail: 2.6,
    },
    Shape {
        design: "thread-each",
        variant: "",
        cost: 8.2,
        growth: 0.16,
        most: 5_000.0,
        memory: (2_600.0, 18.0),
        tail: 2.2,
    },
    Shape {
        design: "thread-each",
        variant: "stack=64k",
        cost: 8.2,
        growth: 0.16,
        most: 9_000.0,
        memory: (2_600.0, 10.0),
        tail: 2.2,
    },
    Shape { design: "nginx", variant: "", cost: 10.5, growth: 0.03, most: 1e9, memory: (6_000.0, 0.8), tail: 1.5 },
    Shape { design: "node", variant: "", cost: 45.0, growth: 0.05, most: 1e9, memory: (60_000.0, 6.0), tail: 2.4 },
    Shape {
        design: "apache-event",
        variant: "",
        cost: 30.0,
        growth: 0.09,
        most: 1e9,
        memory: (20_000.0, 3.0),
        tail: 2.5,
    },
];

/// A run of a plausible shape. The seed moves every figure by a percent or two.
pub fn plausible(rounds: u32, seed: u64) -> Run {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        1.0 + ((state >> 40) as f64 / (1u64 << 24) as f64 - 0.5) * 0.03
    };
    let mut cells = Vec::new();
    for round in 0..rounds {
        for shape in &SHAPES {
            let mut add = |workload: &str, point: Point, measured: Measured| {
                cells.push(cell(workload, point, shape.design, shape.variant, round, measured));
            };
            for count in [1.0, 10.0, 100.0, 1_000.0, 10_000.0] {
                add("W1", connections(count), hello(shape, count, 1.0, &mut noise));
            }
            for count in [10.0, 100.0, 1_000.0] {
                add("W2", connections(count), hello(shape, count, 4.0, &mut noise));
            }
            for count in [10.0, 100.0, 1_000.0] {
                add("W5", connections(count), waiting(shape, count, &mut noise));
            }
            for ms in [1.0, 10.0, 100.0] {
                let point = Point { name: "handler_ms".to_string(), value: ms, unit: "ms".to_string() };
                add("W6", point, hello(shape, 64.0, 1.0 + 110.0 * ms, &mut noise));
            }
            let slow = Point { name: "slow_cpu".to_string(), value: 20.0, unit: "ms".to_string() };
            let wait = 40.0 * shape.cost * noise();
            let fast = measured(shape, 100.0, shape.cost, 1000.0, wait, 1.0, &mut noise);
            add("W7", slow, Measured { offered: Some(1000.0), ..fast });
            for load in [0.5, 0.8, 1.0, 1.2, 1.5, 2.0] {
                let point = Point { name: "load".to_string(), value: load, unit: "x capacity".to_string() };
                add("W10", point, overload(shape, load, &mut noise));
            }
        }
        let why = "not measurable here: fewer than 4 cores";
        cells.push(Cell { round, ..without("loops", why) });
    }
    let mut run = run(cells);
    run.notes.push("hyper: not installed".to_string());
    run
}

fn hello(shape: &Shape, count: f64, times: f64, noise: &mut impl FnMut() -> f64) -> Measured {
    let cost = shape.cost * times * (1.0 + shape.growth * count.log10()) * noise();
    // One connection waits for round trips; many fill the core.
    let rate = (count / (cost + 25.0)).min(1.0 / cost) * 1e6;
    let served = (shape.most / count).min(1.0);
    measured(shape, count, cost, rate, count / rate * 1e6 * served, served, noise)
}

fn waiting(shape: &Shape, count: f64, noise: &mut impl FnMut() -> f64) -> Measured {
    let threads = shape.variant.strip_prefix("threads=").map_or(f64::INFINITY, |size| size.parse().unwrap());
    let at_once = count.min(threads);
    let rate = (at_once * 97.0 * noise()).min(1e6 / shape.cost / 1.5);
    measured(shape, count, shape.cost * 1.5 * noise(), rate, count / rate * 1e6, (shape.most / count).min(1.0), noise)
}

fn overload(shape: &Shape, load: f64, noise: &mut impl FnMut() -> f64) -> Measured {
    let capacity = 1e6 / shape.cost;
    let served = if load <= 1.0 { 1.0 } else { 1.0 / load };
    let wait = if load < 1.0 { 60.0 / (1.0 - load) } else { 1e6 * (load - 0.9) };
    let mut measured = measured(shape, 100.0, shape.cost, capacity * load.min(1.0) * noise(), wait, served, noise);
    measured.offered = Some(capacity * load);
    measured
}

fn measured(
    shape: &Shape,
    count: f64,
    cost: f64,
    rate: f64,
    median: f64,
    served: f64,
    noise: &mut impl FnMut() -> f64,
) -> Measured {
    let answers = (rate * 3.0) as u64;
    Measured {
        seconds: 3.0,
        answers,
        rate,
        latency: latency(median * noise(), shape.tail * noise()),
        timeouts: (answers as f64 * (1.0 / served - 1.0)) as u64,
        server: Process {
            user: Some(cost * 0.3),
            system: Some(cost * 0.7),
            switches: Some((0.2, 0.01)),
            threads: Some(if shape.design == "thread-each" { count as u64 + 1 } else { 1 }),
            resident: Some(((shape.memory.0 + shape.memory.1 * count.min(shape.most)) * 1024.0 * noise()) as u64),
            per_connection: Some(shape.memory.1 * 1024.0),
            syscalls: None,
        },
        generator_cpu: 0.7,
        ..Measured::default()
    }
}
