//! Instructions per request, counted by valgrind's callgrind: of the program's own code, not of the kernel's.
//!
//! Each case runs twice, with N and with 2N requests over one connection. The difference divided by N is the cost of one
//! request; start-up, the first exchange and the shutdown cancel out.

use crate::child::{Launch, Server};
use crate::machine;
use crate::traffic::{BODY, Case, Client};
use std::io;
use std::path::Path;
use std::process::Command;

/// The number of requests of the shorter run.
const REQUESTS: usize = 8_000;

/// A run has one connection with one exchange at a time, so cases that differ only in the number of connections are the
/// same here.
pub const MEASURED: [&str; 3] = ["ka64", "pipe16", "browser"];

/// Returns whether valgrind is installed.
pub fn is_there() -> bool {
    machine::find_program("valgrind").is_some()
}

/// The instructions of one request: the difference of two runs, so that everything that happens once cancels out.
pub fn per_request(server: &Launch, case: &Case) -> io::Result<f64> {
    let once = run(server, case, REQUESTS)?;
    let twice = run(server, case, 2 * REQUESTS)?;
    if twice <= once {
        return Err(io::Error::other(format!("{}: {once} instructions for N requests, {twice} for 2N", case.name)));
    }
    Ok((twice - once) as f64 / REQUESTS as f64)
}

/// The instructions of a whole run of a server.
fn run(server: &Launch, case: &Case, requests: usize) -> io::Result<u64> {
    let folder = std::env::temp_dir().join(format!("oneloop-instructions-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let counted = under_callgrind(server, case, requests, &folder.join("callgrind.out"));
    let _ = std::fs::remove_dir_all(&folder);
    counted
}

fn under_callgrind(server: &Launch, case: &Case, requests: usize, out: &Path) -> io::Result<u64> {
    let out_option = format!("--callgrind-out-file={}", out.display());
    let server = Server::start(&server.clone().under(["valgrind", "--quiet", "--tool=callgrind", &out_option]))?;
    let mut client = Client::connect(server.port)?;
    let batch = case.batch(server.port);
    for _ in 0..requests / case.depth {
        client.exchange(&batch, case.depth, Some(BODY))?;
    }
    drop(client);
    // The warden sends SIGTERM, and callgrind writes its counts.
    server.stop();
    total(out)
}

/// The instructions of a program that ends by itself. `None` without valgrind, or if the program fails.
pub fn of_program(program: &Path, args: &[&str]) -> Option<u64> {
    let out = std::env::temp_dir().join(format!("oneloop-instructions-{}.out", std::process::id()));
    let mut command = Command::new(machine::find_program("valgrind")?);
    command.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", out.display()));
    let ended = command.arg(program).args(args).status().ok()?;
    let total = total(&out).ok();
    let _ = std::fs::remove_file(&out);
    total.filter(|_| ended.success())
}

/// The sum in a file that callgrind has written.
fn total(out: &Path) -> io::Result<u64> {
    let text =
        std::fs::read_to_string(out).map_err(|error| io::Error::other(format!("callgrind wrote nothing: {error}")))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    let total = total.and_then(|number| number.trim().parse().ok());
    total.ok_or_else(|| io::Error::other("callgrind's file has no total"))
}
