//! What a reader sees: a table in the terminal, and `report.html`, which holds everything it shows.
//!
//! ```text
//!  run.json ── summary ──┬── terminal          at most 120 columns
//!                        └── page              report.html: no network, no script
//!                             ├── verdicts     which design for which work
//!                             ├── gallery      which charts ── chart: how they are drawn
//!                             ├── figures      all figures, by workload, and raw
//!                             └── prose        method, pitfalls
//! ```
//!
//! A report is made of a `run.json` alone, so that it can be made again from an old one: `comparison report DIR`. With
//! `--with OTHER.json`, wins that the other run contradicts are ties in it.

pub mod chart;
pub mod figures;
pub mod gallery;
pub mod page;
pub mod prose;
pub mod terminal;
pub mod verdicts;

use crate::results::Run;
use crate::summary::Summary;
use crate::summary::compare::{self, Comparison};
use std::fs;
use std::path::{Path, PathBuf};

/// The raw figures, beside the page.
pub const RUN: &str = "run.json";
/// The page.
pub const PAGE: &str = "report.html";

/// Writes both into the folder, which is made where it is missing.
pub fn save(folder: &Path, run: &Run) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let json = serde_json::to_string(run).map_err(|error| error.to_string())?;
    write(&folder.join(RUN), &(json + "\n"))?;
    write(&folder.join(PAGE), &page::page(run, &Summary::of(run, None)))
}

/// Reads a run back; its folder does as well as the file.
pub fn read(path: &Path) -> Result<Run, String> {
    let file = if path.is_dir() { path.join(RUN) } else { path.to_path_buf() };
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let run: Run = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    match run.version {
        1 => Ok(run),
        other => Err(format!("{}: format {other}, and this reads format 1", file.display())),
    }
}

/// The role `report DIR [--with OTHER.json]`: makes the page again, and answers the table.
pub fn again(args: &[String]) -> Result<String, String> {
    const USAGE: &str = "usage: comparison report DIR [--with OTHER.json]";
    let (folder, other) = match args {
        [folder] => (PathBuf::from(folder), None),
        [folder, with, other] if with == "--with" => (PathBuf::from(folder), Some(read(Path::new(other))?)),
        [with, other, folder] if with == "--with" => (PathBuf::from(folder), Some(read(Path::new(other))?)),
        _ => return Err(USAGE.to_string()),
    };
    let run = read(&folder)?;
    let summary = Summary::of(&run, other.as_ref());
    write(&folder.join(PAGE), &page::page(&run, &summary))?;
    Ok(terminal::text(&run, &summary))
}

/// The role `compare A.json B.json`: answers what to print, and whether no contradicted win is left in the summary of both.
pub fn compared(args: &[String]) -> Result<(String, bool), String> {
    let [one, two] = args else { return Err("usage: comparison compare A.json B.json".to_string()) };
    let comparison: Comparison = compare::compare(&read(Path::new(one))?, &read(Path::new(two))?);
    Ok((comparison.text(), comparison.left.is_empty()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Text as HTML and SVG take it, between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}
