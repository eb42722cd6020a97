//! The result for a terminal of 120 columns.

use super::figures::relative;
use super::verdicts::tally;
use crate::results::{Measured, Run, workload_title};
use crate::summary::Summary;
use crate::summary::contest::Contest;
use crate::summary::designs::{MISTAKE, design};
use crate::summary::figure::Figure;
use crate::summary::grid::{Entry, Place, places};
use crate::summary::shown::{NOTHING, bytes, count, percent, time};
use crate::summary::spans::{lines, place as place_in_words};
use std::fmt::Write;

/// Columns of a line at most.
const WIDTH: usize = 120;
/// Of the design's name with its variant.
const NAME: usize = 31;

/// The table and the summary.
pub fn text(run: &Run, summary: &Summary) -> String {
    let mut text = String::new();
    table(&mut text, run);
    verdicts(&mut text, "Which design for which work, each at its best:", &summary.best);
    verdicts(&mut text, "The same with common defaults:", &summary.defaults);
    if summary.with_another {
        let count = summary.contradicted.len();
        wrapped(&mut text, 0, &format!("The other run contradicts {count} wins of pairs: they count as ties above."));
    }
    for note in &run.notes {
        wrapped(&mut text, 2, &format!("* {note}"));
    }
    text
}

/// Each design by its variant with most answers per second (at a fixed rate: with the least p99), and by its default where
/// that is another.
fn table(text: &mut String, run: &Run) {
    let mut last = "";
    for place in &places(run) {
        if place.workload != last {
            last = place.workload;
            let _ = writeln!(text, "\n{last} {}", workload_title(last));
            let heads = ["answers/s", "spread", "p50", "p99", "p99.9", "max", "CPU/req", "memory", "threads", "faults"];
            line(text, "", heads.map(str::to_string));
        }
        let _ = writeln!(text, " {}", place_in_words(place.point));
        for name in place.designs() {
            let shown = shown(place, name);
            shown.iter().for_each(|entry| row(text, entry));
            if shown.is_empty()
                && let Some(entry) = place.entries.iter().find(|entry| entry.design == name)
            {
                let why = format!("  {:NAME$} {}", name, entry.without.join("; "));
                let _ = writeln!(text, "{}", cut(&why, WIDTH));
            }
        }
    }
    text.push('\n');
    let flags = "spread: (most − least) / median of answers/s. faults: requests without a right answer. G: the generator was the limit.";
    let _ = writeln!(text, "{flags}\n");
}

fn shown<'p, 'a>(place: &'p Place<'a>, name: &str) -> Vec<&'p Entry<'a>> {
    let by = if place.is_open() { Figure::P99 } else { Figure::Throughput };
    let mut shown: Vec<&Entry<'_>> = place.best(name, by).or_else(|| place.measured(name).next()).into_iter().collect();
    let variants: Vec<&str> = place.measured(name).map(|entry| entry.variant).collect();
    if let Some(common) = design(name).and_then(|design| design.common(&variants))
        && shown.iter().all(|entry| entry.variant != common)
    {
        shown.extend(place.measured(name).find(|entry| entry.variant == common));
    }
    shown.extend(place.measured(name).filter(|entry| entry.variant == MISTAKE));
    shown
}

fn row(text: &mut String, entry: &Entry<'_>) {
    let median = |of: fn(&Measured) -> Option<f64>, how: fn(f64) -> String| {
        entry.over(of).median().map_or(NOTHING.to_string(), how)
    };
    let limited = if entry.is_generator_limited() { " G" } else { "" };
    let cells = [
        median(|measured| Some(measured.rate), count) + limited,
        relative(&entry.rounds(Figure::Throughput)),
        median(|measured| Some(measured.latency.p50), time),
        median(|measured| Some(measured.latency.p99), time),
        median(|measured| Some(measured.latency.p999), time),
        median(|measured| Some(measured.latency.max), time),
        median(|measured| Figure::Cpu.of(measured), time),
        median(|measured| Figure::Memory.of(measured), bytes),
        median(|measured| measured.server.threads.map(|threads| threads as f64), count),
        percent(entry.faults()),
    ];
    line(text, &entry.label(), cells);
}

fn line(text: &mut String, name: &str, cells: [String; 10]) {
    const WIDTHS: [usize; 10] = [10, 7, 8, 8, 8, 8, 8, 9, 8, 8];
    let _ = write!(text, "  {:NAME$}", cut(name, NAME));
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let _ = write!(text, " {cell:>0$}", width - 1);
    }
    text.push('\n');
}

fn verdicts(text: &mut String, head: &str, contests: &[Contest]) {
    let _ = writeln!(text, "{head}");
    wrapped(text, 2, &tally(contests));
    if !contests.iter().any(|contest| contest.ending.is_verdict()) {
        text.push('\n');
        return;
    }
    let mut last = String::new();
    for line in lines(contests) {
        if line.workload != last {
            last.clone_from(&line.workload);
            let _ = writeln!(text, " {last} {}", workload_title(&last));
        }
        for (at, span) in line.spans.iter().enumerate() {
            let name = if at == 0 { line.figure.name() } else { "" };
            let failing = span.failing();
            let out =
                if failing.is_empty() { String::new() } else { format!(" [over 1 % faults: {}]", failing.join(", ")) };
            wrapped(text, 16, &format!("  {name:13} {}: {}{out}", span.place(), span.outcome()));
        }
    }
    text.push('\n');
}

/// Breaks a line between words; what follows the break is indented so far.
fn wrapped(text: &mut String, indent: usize, line: &str) {
    let mut rest: Vec<char> = line.chars().collect();
    while rest.len() > WIDTH {
        let space = rest[..WIDTH].iter().rposition(|letter| *letter == ' ').filter(|at| *at > indent);
        let at = space.unwrap_or(WIDTH);
        let _ = writeln!(text, "{}", rest[..at].iter().collect::<String>().trim_end());
        let after = if space.is_some() { at + 1 } else { at };
        rest = std::iter::repeat_n(' ', indent).chain(rest[after..].iter().copied()).collect();
    }
    let _ = writeln!(text, "{}", rest.into_iter().collect::<String>());
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_string() } else { text.chars().take(most - 1).chain(['…']).collect() }
}
