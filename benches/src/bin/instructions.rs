//! Counts the instructions that `hello` executes per request, and fails when they have grown.
//!
//!     cargo run -p oneloop-benches --bin instructions [-- --record]
//!
//! Instructions are counted by valgrind's callgrind, which does not measure time: the figures hardly change on a busy
//! machine, so they can guard in CI what timings cannot. Only the program's own code counts, not the kernel's.
//!
//! The record is `benches/instructions.txt`.

use oneloop_benches::callgrind::{self, MEASURED};
use oneloop_benches::traffic::CASES;
use oneloop_benches::{child, hello};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// How much a figure may grow, as a share.
const GROWTH: f64 = 0.03;
/// A figure that has shrunk by more than this should be recorded, so that later growth is noticed.
const SHRUNK: f64 = 0.03;

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
    for case in CASES.into_iter().filter(|case| MEASURED.contains(&case.name)) {
        counted.push((case.name, callgrind::per_request(&hello::launch(&hello), &case)?));
    }
    if record {
        std::fs::write(file(), written(&counted))?;
        println!("recorded in {}:", file().display());
        counted.iter().for_each(|(name, count)| println!("  {name:8} {count:8.0}"));
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string(file())
        .map_err(|error| io::Error::other(format!("{}: {error}\nrecord it with:\n{HELP}", file().display())))?;
    Ok(compare(&counted, &text))
}

/// Prints each figure beside its record. Fails if one has grown too much or has no record.
fn compare(counted: &[(&str, f64)], text: &str) -> ExitCode {
    let (mut grown, mut unknown) = (false, false);
    for (name, count) in counted {
        let Some(before) = recorded(text, name) else {
            println!("{name:8} {count:8.0} instructions per request; NOT RECORDED");
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
        println!(
            "{name:8} {count:8.0} instructions per request; recorded {before:8.0}: {:+.1} %: {verdict}",
            100.0 * change
        );
    }
    if !grown && !unknown {
        return ExitCode::SUCCESS;
    }
    if grown {
        println!(
            "\nhello needs over {:.0} % more instructions per request than {} says.\n\
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
        "# Instructions per request of examples/hello, counted by callgrind. Written by:\n\
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
