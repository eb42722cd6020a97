//! All figures as HTML tables: by workload, medians over the rounds; and raw, a row for each cell.

use super::escape;
use crate::results::{Cell, Measured, Outcome, workload_title};
use crate::summary::designs::design;
use crate::summary::figure::Figure;
use crate::summary::grid::{Entry, Place, faults};
use crate::summary::rounds::Rounds;
use crate::summary::shown::{NOTHING, bytes, count, percent, short, time};
use crate::summary::spans::{amount, place as place_in_words};
use std::fmt::Write;

/// A table for each workload.
pub fn by_workload(html: &mut String, places: &[Place<'_>]) {
    let mut last = "";
    for place in places {
        if place.workload != last {
            if !last.is_empty() {
                html.push_str("</tbody></table></div></details>\n");
            }
            last = place.workload;
            let _ = writeln!(html, "<details><summary>{} {}</summary>", escape(last), escape(workload_title(last)));
            html.push_str("<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>design</th>");
            for head in HEADS {
                let _ = write!(html, "<th>{head}</th>");
            }
            html.push_str("</tr></thead><tbody>\n");
        }
        let _ = writeln!(
            html,
            "<tr class=\"first\"><th colspan=\"{}\" scope=\"rowgroup\">{}</th></tr>",
            HEADS.len() + 1,
            escape(&place_in_words(place.point))
        );
        for entry in &place.entries {
            row(html, place, entry);
        }
    }
    if !last.is_empty() {
        html.push_str("</tbody></table></div></details>\n");
    }
}

const HEADS: [&str; 15] = [
    "offered/s",
    "answers/s",
    "spread",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "max",
    "CPU/request: user + system",
    "switches/request: voluntary + not",
    "threads",
    "memory",
    "per connection",
    "system calls/request",
    "errors, time-outs, refusals",
];

fn row(html: &mut String, place: &Place<'_>, entry: &Entry<'_>) {
    let _ = write!(html, "<tr><th scope=\"row\">{}", escape(&entry.label()));
    let best = place.best(entry.design, Figure::Throughput);
    if !entry.variant.is_empty()
        && design(entry.design).is_some()
        && best.is_some_and(|best| best.variant == entry.variant)
    {
        html.push_str(" <span class=\"soft\">most answers/s</span>");
    }
    html.push_str("</th>");
    if entry.measured.is_empty() {
        let _ = writeln!(
            html,
            "<td colspan=\"{}\" class=\"left soft\">{}</td></tr>",
            HEADS.len(),
            escape(&entry.without.join("; "))
        );
        return;
    }
    let over = |of: fn(&Measured) -> Option<f64>| entry.over(of);
    let shown =
        |of: fn(&Measured) -> Option<f64>, how: fn(f64) -> String| over(of).median().map_or(NOTHING.to_string(), how);
    let rate = over(|measured| Some(measured.rate));
    let limited = if entry.is_generator_limited() { " <span class=\"soft\">generator's limit</span>" } else { "" };
    let without =
        entry.without.first().map_or(String::new(), |why| format!(" <span class=\"soft\">{}</span>", escape(why)));
    let cells = [
        shown(|measured| measured.offered, count),
        shown(|measured| Some(measured.rate), count) + limited,
        relative(&rate),
        shown(|measured| Some(measured.latency.p50), time),
        shown(|measured| Some(measured.latency.p90), time),
        shown(|measured| Some(measured.latency.p99), time),
        shown(|measured| Some(measured.latency.p999), time),
        shown(|measured| Some(measured.latency.max), time),
        format!(
            "{} + {}",
            shown(|measured| measured.server.user, time),
            shown(|measured| measured.server.system, time)
        ),
        format!(
            "{} + {}",
            shown(|measured| Some(measured.server.switches?.0), short),
            shown(|measured| Some(measured.server.switches?.1), short)
        ),
        shown(|measured| measured.server.threads.map(|threads| threads as f64), count),
        shown(|measured| measured.server.resident.map(|resident| resident as f64), bytes),
        shown(|measured| measured.server.per_connection, bytes),
        shown(|measured| measured.server.syscalls, short),
        failed(entry) + &without,
    ];
    for cell in cells {
        let _ = write!(html, "<td>{cell}</td>");
    }
    html.push_str("</tr>\n");
}

/// The spread as a share of the median.
pub fn relative(rounds: &Rounds) -> String {
    match rounds.median() {
        Some(median) if rounds.count() > 1 && median > 0.0 => percent(rounds.spread() / median),
        _ => NOTHING.to_string(),
    }
}

/// Errors, time-outs and refusals of all rounds, with their share in the worst round.
fn failed(entry: &Entry<'_>) -> String {
    let sum = |of: fn(&Measured) -> u64| entry.measured.iter().map(|(_, measured)| of(measured)).sum::<u64>() as f64;
    let (errors, timeouts, refusals) =
        (sum(|measured| measured.errors), sum(|measured| measured.timeouts), sum(|measured| measured.refusals));
    if errors + timeouts + refusals == 0.0 {
        return "0".to_string();
    }
    let all = format!("{}, {}, {}", count(errors), count(timeouts), count(refusals));
    format!("{all} (up to {})", percent(entry.faults()))
}

/// Every cell of the run.
pub fn raw(html: &mut String, cells: &[Cell]) {
    html.push_str("<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>design</th><th>work</th><th>point</th><th>round</th>");
    for head in [
        "seconds",
        "answers",
        "offered/s",
        "answers/s",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "user",
        "system",
        "threads",
        "memory",
    ] {
        let _ = write!(html, "<th>{head}</th>");
    }
    html.push_str("<th>errors</th><th>time-outs</th><th>refusals</th><th>faults</th><th>generator's CPU</th></tr></thead><tbody>\n");
    for cell in cells {
        let label = crate::summary::grid::label(&cell.design, &cell.variant);
        let point = format!("{} = {}", cell.point.name, amount(&cell.point));
        let [label, work, point] = [&label, &cell.workload, &point].map(|text| escape(text));
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{label}</th><td class=\"left\">{work}</td><td class=\"left\">{point}</td><td>{}</td>",
            cell.round
        );
        match &cell.outcome {
            Outcome::Without(why) => _ = write!(html, "<td colspan=\"18\" class=\"left soft\">{}</td>", escape(why)),
            Outcome::Measured(measured) => raw_row(html, measured),
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
}

fn raw_row(html: &mut String, measured: &Measured) {
    let latency = &measured.latency;
    let or = |figure: Option<f64>, how: fn(f64) -> String| figure.map_or(NOTHING.to_string(), how);
    let limited = if measured.generator_limited { ", the limit" } else { "" };
    let server = &measured.server;
    let cells = [
        short(measured.seconds),
        count(measured.answers as f64),
        or(measured.offered, count),
        count(measured.rate),
        time(latency.p50),
        time(latency.p90),
        time(latency.p99),
        time(latency.p999),
        time(latency.max),
        or(server.user, time),
        or(server.system, time),
        or(server.threads.map(|threads| threads as f64), count),
        or(server.resident.map(|resident| resident as f64), bytes),
        count(measured.errors as f64),
        count(measured.timeouts as f64),
        count(measured.refusals as f64),
        percent(faults(measured)),
        format!("{}{limited}", percent(measured.generator_cpu)),
    ];
    for cell in cells {
        let _ = write!(html, "<td>{cell}</td>");
    }
}
