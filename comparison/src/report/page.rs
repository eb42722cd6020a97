//! The page.

use super::chart::Chart;
use super::chart::svg::{NARROW, WIDE, draw};
use super::gallery::gallery;
use super::{RUN, escape, figures, prose, verdicts};
use crate::results::Run;
use crate::summary::Summary;
use crate::summary::grid::places;
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// All of it, in one file.
pub fn page(run: &Run, summary: &Summary) -> String {
    let places = places(run);
    let gallery = gallery(&places);
    let mut html = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.push_str(
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Event loop or threads, for which work?</title>\n",
    );
    let _ = write!(
        html,
        "<style>\n{STYLE}</style></head>\n<body><main>\n<h1>Event loop or threads, for which work?</h1>\n"
    );
    head(&mut html, run);
    verdicts::section(&mut html, summary);
    html.push_str("<h2>Charts</h2>\n");
    if run.mode == "quick" {
        html.push_str("<p>A quick run has one point of each workload: lines over points come with a full one.</p>\n");
    }
    for chart in &gallery.main {
        figure(&mut html, chart);
    }
    if !gallery.more.is_empty() {
        let _ = writeln!(html, "<details><summary>{} more charts</summary>", gallery.more.len());
        for chart in &gallery.more {
            figure(&mut html, chart);
        }
        html.push_str("</details>\n");
    }
    html.push_str("<h2>All figures</h2>\n<p>Medians over the rounds; the spread is (most − least) / median.</p>\n");
    figures::by_workload(&mut html, &places);
    let _ =
        writeln!(html, "<details><summary>Raw: {} cells, one per design, point and round</summary>", run.cells.len());
    figures::raw(&mut html, &run.cells);
    let _ = writeln!(html, "</details>\n<p>The same with full spectra: <a href=\"{RUN}\">{RUN}</a>.</p>");
    list(&mut html, "What not to conclude", &prose::PITFALLS);
    list(&mut html, "Method", &prose::METHOD);
    html.push_str("</main></body></html>\n");
    html
}

fn head(html: &mut String, run: &Run) {
    let cpus = |cpus: &[usize]| {
        let names: Vec<String> = cpus.iter().map(ToString::to_string).collect();
        if names.is_empty() { "not pinned".to_string() } else { names.join(", ") }
    };
    let rounds = run.cells.iter().map(|cell| cell.round + 1).max().unwrap_or(0);
    let commit = if run.commit.is_empty() { "not known" } else { &run.commit };
    let rows = [
        ("machine", run.machine.description.clone()),
        ("CPUs of the server", cpus(&run.machine.server_cpus)),
        ("CPUs of the generator", cpus(&run.machine.client_cpus)),
        ("compiler", run.machine.compiler.clone()),
        ("commit", commit.to_string()),
        ("run", format!("{}, rounds: {rounds}, {:.0} s, began {}", run.mode, run.seconds, run.began)),
        ("command", run.command.clone()),
    ];
    html.push_str("<dl class=\"head\">\n");
    for (name, value) in rows {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    html.push_str("</dl>\n");
    if !run.notes.is_empty() {
        let open = if run.notes.len() <= 4 { " open" } else { "" };
        let _ = writeln!(html, "<details{open}><summary>{} notes of this run</summary><ul>", run.notes.len());
        for note in &run.notes {
            let _ = writeln!(html, "<li>{}</li>", escape(note));
        }
        html.push_str("</ul></details>\n");
    }
}

fn figure(html: &mut String, chart: &Chart) {
    let _ = writeln!(html, "<figure><h3>{}</h3>", escape(&chart.title));
    let _ = writeln!(html, "{}\n{}", draw(chart, WIDE), draw(chart, NARROW));
    let _ = writeln!(html, "<figcaption>{}</figcaption></figure>", escape(&chart.note));
}

fn list(html: &mut String, head: &str, items: &[&str]) {
    let _ = writeln!(html, "<h2>{head}</h2>\n<ul>");
    for item in items {
        let _ = writeln!(html, "<li>{}</li>", escape(item));
    }
    html.push_str("</ul>\n");
}
