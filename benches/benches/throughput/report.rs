//! The report: tables, the bars, JSON.

use crate::load::{Rig, Row};
use crate::measure::Sample;
use crate::servers::{CEILING, ONELOOP};
use oneloop_benches::figures::{bounds, median, spread};
use oneloop_benches::machine;
use oneloop_benches::traffic::{CASES, Case};
use serde_json::{Value, json};
use std::fmt::Write;
use std::io;

/// A bar for oneloop: the ratio of its CPU time per request to the ceiling's, and its user time in microseconds.
struct Bar {
    case: &'static str,
    ratio: f64,
    user: f64,
}

const BARS: [Bar; 4] = [
    Bar { case: "ka64", ratio: 1.08, user: 0.9 },
    Bar { case: "ka256", ratio: 1.08, user: 0.9 },
    Bar { case: "pipe16", ratio: 1.45, user: 0.30 },
    Bar { case: "browser", ratio: 1.08, user: 1.4 },
];

/// The ratio of a server's CPU time to the ceiling's.
struct Ratio {
    /// The median of the ratios of all slices.
    median: f64,
    /// The bounds between which the ratios of the single rounds lie.
    low: f64,
    high: f64,
}

impl Ratio {
    /// Returns whether the bar lies within the bounds, so that this run cannot decide.
    fn leaves_open(&self, bar: f64) -> bool {
        self.low <= bar && bar < self.high
    }

    fn shown(&self) -> String {
        let median = shown(self.median, 2);
        // The ceiling itself, or a single round.
        if self.low == self.high {
            return median;
        }
        format!("{median} ({} to {})", shown(self.low, 2), shown(self.high, 2))
    }
}

impl Row {
    pub fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| figure(&round.whole)))
    }

    /// The ratio of CPU time to the ceiling's. Each slice is compared with that of the ceiling from the same turn of the
    /// servers: if the machine runs faster for some seconds (its clock rate, its neighbours), it does so for both. The
    /// bounds are made of rounds, because rounds differ by more than their slices.
    fn over(&self, ceiling: Option<&Row>) -> Ratio {
        let of = |number| ceiling?.rounds.iter().find(|round| round.number == number);
        let rounds: Vec<Vec<f64>> = self
            .rounds
            .iter()
            .filter_map(|round| Some(round.slices.iter().zip(&of(round.number)?.slices)))
            .map(|pairs| pairs.map(|(ours, theirs)| ours.cpu() / theirs.cpu()).collect())
            .collect();
        let (low, high) = bounds(rounds.iter().map(|ratios| median(ratios.iter().copied())));
        Ratio { median: median(rounds.into_iter().flatten()), low, high }
    }

    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        spread(&self.rounds.iter().map(|round| figure(&round.whole)).collect::<Vec<_>>())
    }
}

/// A figure with this number of decimals, or a dash.
pub fn shown(figure: f64, digits: usize) -> String {
    if figure.is_finite() { format!("{figure:.digits$}") } else { "–".to_string() }
}

/// Says whether a figure keeps to its bar.
pub fn met(figure: f64, most: f64) -> &'static str {
    match figure {
        _ if figure.is_nan() => "not known",
        _ if figure <= most => "met",
        _ => "MISSED",
    }
}

fn percent(share: f64) -> String {
    shown(100.0 * share, 0)
}

/// A table for each case, and the verdict on the bars.
pub fn tables(rows: &[Row]) -> String {
    let mut text = String::new();
    for case in CASES {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.case == case && !row.rounds.is_empty()).collect();
        if !rows.is_empty() {
            table(&mut text, &case, &rows);
        }
    }
    text
}

fn table(text: &mut String, case: &Case, rows: &[&Row]) {
    let find = |name| rows.iter().copied().find(|row: &&Row| row.server == name);
    let ceiling = find(CEILING);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "### {}: {}\n\n\
         | server | CPU µs/req | x ceiling (rounds) | user | system | req/s | p50 µs | p99 µs | spread % (CPU, req/s) \
         | server CPU % | generator CPU % | others % | steal % | errors | rounds |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        case.name, case.about
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {}, {} | {} | {} | {} | {} | {} | {} |",
            row.server,
            shown(row.median(Sample::cpu), 3),
            row.over(ceiling).shown(),
            shown(row.median(|s| s.user), 3),
            shown(row.median(|s| s.system), 3),
            shown(row.median(|s| s.rate), 0),
            shown(row.median(|s| s.p50), 0),
            shown(row.median(|s| s.p99), 0),
            percent(row.spread(Sample::cpu)),
            percent(row.spread(|s| s.rate)),
            percent(row.median(|s| s.server_share)),
            percent(row.median(|s| s.generator_share)),
            percent(row.median(|s| s.other_share).max(0.0)),
            shown(100.0 * row.median(|s| s.steal), 1),
            row.rounds.iter().map(|round| round.whole.errors).sum::<f64>(),
            row.rounds.len(),
        );
    }
    let bar = BARS.iter().find(|bar| bar.case == case.name);
    if let (Some(bar), Some(row)) = (bar, find(ONELOOP)) {
        let (ratio, user) = (row.over(ceiling), row.median(|s| s.user));
        let _ = writeln!(
            text,
            "\nBars: CPU at most {:.2} of the ceiling's: {}{}. User at most {:.2} µs: {}.",
            bar.ratio,
            met(ratio.median, bar.ratio),
            if ratio.leaves_open(bar.ratio) { " (within the noise of this run)" } else { "" },
            bar.user,
            met(user, bar.user)
        );
    }
    text.push('\n');
}

/// Writes the results as JSON to the file that the user named.
pub fn write_json(rig: &Rig, results: Value) -> io::Result<()> {
    let Some(path) = &rig.options.out else { return Ok(()) };
    let all = json!({
        "machine": machine::description(),
        "method": rig.description(),
        "clock_tick_seconds": machine::tick(),
        "results": results,
    });
    std::fs::write(path, format!("{all:#}\n"))
        .map_err(|error| io::Error::other(format!("cannot write {}: {error}", path.display())))?;
    eprintln!("written: {}", path.display());
    Ok(())
}
