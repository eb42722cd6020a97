//! How much load, for how long, and what this machine cannot carry of it.

use super::{Contender, Facts, Load, Mode, Peers, Point, Position, Request, Stress, Workload};

/// Files that a process needs beside its connections.
const OTHER_FILES: usize = 64;
/// Threads that a process needs beside one for each connection.
const OTHER_THREADS: usize = 16;
/// Seconds until 10,000 connections are there, at most; fewer get their share, and a little more.
const RAMP: f64 = 8.0;

pub fn closed(connections: usize) -> Load {
    Load::Closed { connections }
}

pub fn hello() -> Vec<Request> {
    vec![Request::get("/")]
}

/// A position with the times of its mode.
pub fn position(
    facts: &Facts,
    point: Point,
    rank: u8,
    load: Load,
    requests: Vec<Request>,
    contenders: Vec<Contender>,
) -> Position {
    let (warm_up, seconds, timeout) = match facts.mode {
        Mode::Quick => (0.1, 0.25, 0.4),
        Mode::Full => (0.3, 1.4, 1.5),
    };
    let stress = Stress {
        load,
        of_capacity: false,
        requests,
        fresh: false,
        peers: Peers::default(),
        ramp: 0.0,
        warm_up,
        seconds,
        timeout,
    };
    Position { point, stress, contenders, server_cpus: None, rank }
}

/// Takes out what this machine cannot carry; says what.
pub fn restrain(workload: &mut Workload, facts: &Facts) -> Vec<String> {
    let mut notes = Vec::new();
    workload.positions.retain(|position| {
        let needs = position.stress.connections();
        let why = if needs + OTHER_FILES > facts.open_files {
            format!(
                "{} connections need {} open files in each process; the limit is {}",
                needs,
                needs + OTHER_FILES,
                facts.open_files
            )
        } else if needs > facts.ports {
            format!("{needs} connections need as many local ports; there are {}", facts.ports)
        } else {
            return true;
        };
        notes.push(format!("{} {}: cut, {why}", workload.name, place(&position.point)));
        false
    });
    for position in &mut workload.positions {
        let connections = position.stress.connections();
        position.stress.ramp = 0.3 + RAMP * connections as f64 / 10_000.0;
        let threads = |contender: &Contender| match contender.design.as_str() {
            "thread-each" => connections + OTHER_THREADS,
            _ => contender.threads.unwrap_or(0) + OTHER_THREADS,
        };
        for contender in position.contenders.iter_mut().filter(|contender| contender.without.is_none()) {
            let needs = threads(contender);
            if needs > facts.threads {
                let why = format!("not measurable here: needs {needs} threads; the limit is {}", facts.threads);
                contender.without = Some(why);
            }
        }
    }
    notes
}

/// A point in words: `connections = 100`, `load = 1.5 x capacity`.
pub fn place(point: &Point) -> String {
    format!("{} = {} {}", point.name, point.value, point.unit).trim_end().to_string()
}
