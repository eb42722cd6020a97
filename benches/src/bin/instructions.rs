//! Counts the instructions that `hello` executes per request, and fails when they have grown.
//!
//!     cargo run -p oneloop-benches --bin instructions [-- --record]
//!
//! Instructions are counted by valgrind's callgrind, which knows no clock: the figures hardly move on a busy machine, so
//! they can guard in CI what timings cannot. Only the program's own code counts, not the kernel's.
//!
//! Each case runs twice, with N and with 2N requests over one connection; the difference over N is the cost of one, and
//! start-up, the first exchange and the shutdown cancel out. The record is `benches/instructions.txt`.

use oneloop_benches::child::{self, Server};
use oneloop_benches::traffic::{BODY, CASES, Case, Client};
use oneloop_benches::{hello, machine};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Requests of the shorter run.
const REQUESTS: usize = 8_000;
/// How much a figure may grow.
const GROWTH: f64 = 0.03;
/// A figure that shrank by more than this is worth recording, so that the guard stands closer.
const SHRUNK: f64 = 0.03;
/// One connection does one exchange at a time, so the cases that differ only in their connections are one here.
const MEASURED: [&str; 3] = ["ka64", "pipe16", "browser"];

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
    if machine::find_program("valgrind").is_none() {
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
        counted.push((case.name, per_request(&hello, &case)?));
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

/// Prints each figure beside its record; fails where one has grown too much or has no record.
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

/// Instructions of one request: the difference of two runs, so that all which happens once cancels out.
fn per_request(hello: &Path, case: &Case) -> io::Result<f64> {
    let once = run(hello, case, REQUESTS)?;
    let twice = run(hello, case, 2 * REQUESTS)?;
    if twice <= once {
        return Err(io::Error::other(format!("{}: {once} instructions for N requests, {twice} for 2N", case.name)));
    }
    Ok((twice - once) as f64 / REQUESTS as f64)
}

/// Instructions of a whole run of `hello` under callgrind.
fn run(hello: &Path, case: &Case, requests: usize) -> io::Result<u64> {
    let folder = std::env::temp_dir().join(format!("oneloop-instructions-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let counted = under_callgrind(hello, case, requests, &folder.join("callgrind.out"));
    let _ = std::fs::remove_dir_all(&folder);
    counted
}

fn under_callgrind(hello: &Path, case: &Case, requests: usize, out: &Path) -> io::Result<u64> {
    let out_option = format!("--callgrind-out-file={}", out.display());
    let launch = hello::launch(hello).under(["valgrind", "--quiet", "--tool=callgrind", &out_option]);
    let server = Server::start(&launch)?;
    let mut client = Client::connect(server.port)?;
    let batch = case.batch(server.port);
    for _ in 0..requests / case.depth {
        client.exchange(&batch, case.depth, Some(BODY))?;
    }
    drop(client);
    // SIGTERM by the warden; callgrind writes what it counted.
    server.stop();
    let text =
        std::fs::read_to_string(out).map_err(|error| io::Error::other(format!("callgrind wrote nothing: {error}")))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    let total = total.and_then(|number| number.trim().parse().ok());
    total.ok_or_else(|| io::Error::other("callgrind's file has no total"))
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

/// `NAME COUNT` lines; `#` begins a comment.
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
