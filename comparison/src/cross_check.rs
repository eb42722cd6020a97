//! Do other generators see what ours sees? One server, one load each, said in the notes of the run.

use crate::generator::{Load, Outcome};
use crate::measure::Rig;
use crate::progress::Progress;
use crate::workloads::{Mode, Workload};
use oneloop_benches::child::{self, Launch};
use oneloop_benches::machine;
use std::time::Duration;

/// Connections of the closed loop, and of the open one.
const CONNECTIONS: usize = 100;
/// Of the open loop: so many workers of `hey`, each at its part of the rate.
const WORKERS: u64 = 50;
/// Requests a second of the open loop: what every machine can do.
const RATE: u64 = 2000;
/// Seconds that another generator may take beyond its window.
const GRACE: u64 = 10;

/// Asks those that are installed. One that fails is a note too.
pub fn notes(rig: &Rig, workloads: &[Workload], mode: Mode, progress: &mut Progress) -> Vec<String> {
    let seconds = if mode == Mode::Quick { 1 } else { 3 };
    let Some(position) = workloads.first().and_then(|workload| workload.positions.first()) else { return Vec::new() };
    let Some(contender) = position.contenders.iter().find(|contender| contender.design == "loop") else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    let ours = |load: Load| {
        let mut position = position.clone();
        (position.stress.load, position.stress.seconds) = (load, seconds as f64);
        rig.against(&position, contender, |drive| drive.own())
    };
    let other = |launch: Launch| {
        rig.against(position, contender, |drive| {
            child::run(&drive.foreign(launch.clone()), Duration::from_secs(seconds + GRACE))
        })
    };
    if machine::find_program("wrk").is_some() {
        progress.show("cross-check with wrk");
        let wrk =
            Launch::new("wrk").arg("-t1").arg(format!("-c{CONNECTIONS}")).arg(format!("-d{seconds}s")).arg("--latency");
        let said = other(wrk).map(|said| (number_after(&said, "Requests/sec:"), milliseconds(&said, "99%")));
        let load = format!("`loop`, {CONNECTIONS} connections, closed loop");
        notes.push(note("wrk", &load, said, ours(Load::Closed { connections: CONNECTIONS })));
    } else {
        notes.push("cross-check: wrk is not installed".into());
    }
    if machine::find_program("hey").is_some() {
        progress.show("cross-check with hey");
        let each = (RATE / WORKERS).to_string();
        let hey = Launch::new("hey").arg("-z").arg(format!("{seconds}s")).arg("-c").arg(WORKERS.to_string());
        let said = other(hey.arg("-q").arg(each)).map(|said| {
            (number_after(&said, "Requests/sec:"), number_after(&said, "99% in").map(|seconds| seconds * 1000.0))
        });
        let load = format!("`loop`, {RATE} requests/s");
        let load = format!("{load}; hey counts from the send, ours from when it should have been");
        notes.push(note("hey", &load, said, ours(Load::Open { rate: RATE as f64, connections: CONNECTIONS })));
    } else {
        notes.push("cross-check: hey is not installed".into());
    }
    notes
}

fn note(
    program: &str,
    load: &str,
    said: std::io::Result<(Option<f64>, Option<f64>)>,
    ours: std::io::Result<Outcome>,
) -> String {
    match (said, ours) {
        (Ok((Some(rate), Some(p99))), Ok(ours)) => format!(
            "cross-check ({load}): {program} saw {rate:.0} requests/s and a p99 of {p99:.2} ms, our generator {:.0} and {:.2} ms",
            ours.answers as f64 / ours.seconds,
            ours.latency.p99 / 1000.0
        ),
        (Err(error), _) | (_, Err(error)) => format!("cross-check with {program} failed: {error}"),
        _ => format!("cross-check with {program} failed: its report cannot be read"),
    }
}

/// The number behind a word.
fn number_after(text: &str, word: &str) -> Option<f64> {
    let rest = text.split_once(word)?.1;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// As wrk writes times: `812.00us`, `1.24ms`, `1.03s`.
fn milliseconds(text: &str, word: &str) -> Option<f64> {
    let time = text.split_once(word)?.1.split_ascii_whitespace().next()?;
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    units.iter().find_map(|(unit, factor)| Some(time.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_other_generators_are_read() {
        let wrk = "  Latency Distribution\n     50%  812.00us\n     99%    1.24ms\nRequests/sec:  41234.56\n";
        assert_eq!(number_after(wrk, "Requests/sec:"), Some(41234.56));
        assert_eq!(milliseconds(wrk, "99%"), Some(1.24));
        assert_eq!(milliseconds(wrk, "50%"), Some(0.812));
        let hey = "  Requests/sec:\t1999.1\n  99% in 0.0012 secs\n";
        assert_eq!(number_after(hey, "99% in"), Some(0.0012));
    }
}
