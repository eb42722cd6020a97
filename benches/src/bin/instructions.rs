//! Counts the instructions that `hello` executes per request, by itself and through the layer `app`, and those of a message over a
//! WebSocket, and of a request that the HTTP client makes. Fails when they have grown, when `app` adds more than it may, or when publishing
//! costs more than it may.
//!
//!     cargo run -p oneloop-benches --bin instructions [-- --record]
//!
//! Instructions are counted by valgrind's callgrind, which does not measure time: the figures hardly change on a busy
//! machine, so they can guard in CI what timings cannot. Only the program's own code counts, not the kernel's.
//!
//! The record is `benches/instructions.txt`.

use oneloop_benches::callgrind::{self, MEASURED, Messages};
use oneloop_benches::traffic::{CASES, Case, KA64};
use oneloop_benches::websocket::{EACH, ECHO, PUBLISH};
use oneloop_benches::{child, hello};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// How much a figure may grow, as a share.
const GROWTH: f64 = 0.03;
/// A figure that has shrunk by more than this should be recorded, so that later growth is noticed.
const SHRUNK: f64 = 0.03;

/// A path as programs have it. `hello` takes it like any other; it is there to be compared with.
const PATH: Case = Case { name: "path", path: "/repos/rust-lang/rust/issues/42", ..KA64 };

/// What the layer `app` may add to the same request without it.
struct Bar {
    case: Case,
    /// The site of `src/bin/app.rs`.
    site: &'static str,
    without: Case,
    most: f64,
}

const BARS: [Bar; 2] = [
    Bar { case: Case { name: "app-hello", ..KA64 }, site: "hello", without: KA64, most: 600.0 },
    Bar { case: Case { name: "app-routes", ..PATH }, site: "routes", without: PATH, most: 2_000.0 },
];

const ONE: Messages = Messages { name: "ws-echo", path: ECHO, length: 20, depth: 1, subscribers: 0 };
const DELIVERED: Messages = Messages { name: "ws-publish", path: PUBLISH, subscribers: 100, ..ONE };
const LOOPED: Messages = Messages { name: "ws-each", path: EACH, ..DELIVERED };

/// Messages over WebSockets: those that are sent back, and those that many get.
const MESSAGES: [Messages; 6] = [
    ONE,
    Messages { name: "ws-echo16", depth: 16, ..ONE },
    Messages { name: "ws-echo1k", length: 1024, ..ONE },
    DELIVERED,
    LOOPED,
    Messages { name: "ws-publish1k", length: 1024, ..DELIVERED },
];
/// How many times what a `send` to the same socket costs, one delivery of a published message may cost.
const PUBLISHING: f64 = 1.15;

const HELP: &str = "\
cargo run -p oneloop-benches --bin instructions               compare with benches/instructions.txt
cargo run -p oneloop-benches --bin instructions -- --record   measure and write it anew
";

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let record = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--record"] => true,
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    if !callgrind::is_there() {
        println!("SKIPPED: there is no valgrind on the PATH, so no instructions were counted (apt install valgrind)");
        return ExitCode::SUCCESS;
    }
    match guard(record) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard(record: bool) -> io::Result<ExitCode> {
    let hello = hello::build()?;
    let mut counted = Vec::new();
    for case in CASES.into_iter().filter(|case| MEASURED.contains(&case.name)).chain([PATH]) {
        counted.push((case.name, callgrind::per_request(&hello::launch(&hello), &case)?));
    }
    let app = hello::build_app()?;
    for Bar { case, site, .. } in &BARS {
        counted.push((case.name, callgrind::per_request(&hello::launch(&app).arg(site), case)?));
    }
    let sockets = hello::build_sockets()?;
    counted.push(("client", callgrind::per_client_request(&hello::build_client()?)?));
    for messages in &MESSAGES {
        counted.push((messages.name, callgrind::per_message(&hello::launch(&sockets), messages)?));
    }
    if record {
        std::fs::write(file(), written(&counted))?;
        println!("recorded in {}:", file().display());
        counted.iter().for_each(|(name, count)| println!("  {name:12} {count:8.0}"));
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string(file())
        .map_err(|error| io::Error::other(format!("{}: {error}\nrecord it with:\n{HELP}", file().display())))?;
    let (compared, kept) = (compare(&counted, &text), keeps_bars(&counted));
    Ok(if kept { compared } else { ExitCode::FAILURE })
}

/// Prints what `app` adds, and what publishing costs. Returns whether neither is more than it may be.
fn keeps_bars(counted: &[(&str, f64)]) -> bool {
    let count = |name: &str| counted.iter().find(|(known, _)| *known == name).map_or(f64::NAN, |(_, count)| *count);
    let times = count(DELIVERED.name) / count(LOOPED.name);
    let mut keeps = times <= PUBLISHING;
    println!(
        "{:12} {times:8.2} times {}; at most {PUBLISHING}: {}",
        DELIVERED.name,
        LOOPED.name,
        if keeps { "ok" } else { "MISSED" }
    );
    for Bar { case, without, most, .. } in &BARS {
        let more = count(case.name) - count(without.name);
        let is_kept = more <= *most;
        let verdict = if is_kept { "ok" } else { "MISSED" };
        println!("{:12} {more:+8.0} instructions over {}; at most {most:+.0}: {verdict}", case.name, without.name);
        keeps &= is_kept;
    }
    keeps
}

/// Prints each figure beside its record. Fails if one has grown too much or has no record.
fn compare(counted: &[(&str, f64)], text: &str) -> ExitCode {
    let (mut grown, mut unknown) = (false, false);
    for (name, count) in counted {
        let Some(before) = recorded(text, name) else {
            println!("{name:12} {count:8.0} instructions; NOT RECORDED");
            unknown = true;
            continue;
        };
        let change = count / before - 1.0;
        let verdict = match change {
            c if c > GROWTH => "GROWN TOO MUCH",
            c if c < -SHRUNK => "ok; less: record it, to keep what was won",
            _ => "ok",
        };
        grown |= change > GROWTH;
        println!("{name:12} {count:8.0} instructions; recorded {before:8.0}: {:+.1} %: {verdict}", 100.0 * change);
    }
    if !grown && !unknown {
        return ExitCode::SUCCESS;
    }
    if grown {
        println!(
            "\nA request, or a message, needs over {:.0} % more instructions than {} says.\n\
             Look where they went (callgrind_annotate, or perf diff against the commit before). If the growth is worth\n\
             what it buys, or another compiler brought it ({} was recorded, {} is here), record it and say so in the commit.",
            100.0 * GROWTH,
            file().display(),
            text.lines().find_map(|line| line.strip_prefix("# compiler: ")).unwrap_or("an unknown one"),
            compiler(),
        );
    }
    print!("\n{HELP}");
    ExitCode::FAILURE
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

/// The count in the line `NAME COUNT` of this name. A line that begins with `#` is a comment.
fn recorded(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn written(counted: &[(&str, f64)]) -> String {
    let mut text = format!(
        "# Instructions per request of examples/hello, of the same through the layer app, of a request of the HTTP client, and (ws-) per message\n\
         # over a WebSocket, counted by callgrind. Written by:\n\
         #   cargo run -p oneloop-benches --bin instructions -- --record\n\
         # compiler: {}\n",
        compiler()
    );
    for (name, count) in counted {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} {count:.0}");
    }
    text
}

fn compiler() -> String {
    let asked = Command::new("rustc").arg("--version").output().ok();
    asked.map_or("an unknown rustc".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_can_be_read_back() {
        let text = written(&[("ka64", 4321.4), ("pipe16", 900.0)]);
        assert_eq!(recorded(&text, "ka64"), Some(4321.0));
        assert_eq!(recorded(&text, "pipe16"), Some(900.0));
        assert_eq!(recorded(&text, "browser"), None);
    }
}
