//! System calls per request, counted by `strace -c`.
//!
//! Tracing makes a server many times slower, so more connections are ready at each poll than in a free run. The same in
//! both is the number of calls for one readable event: one `recv` and one `send`, and no `epoll_ctl`.

use crate::load::Rig;
use crate::measure;
use crate::report;
use oneloop_benches::machine;
use oneloop_benches::traffic::Case;
use serde_json::json;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long strace may take to write its table after the server has ended.
const WRITTEN: Duration = Duration::from_secs(5);
/// The table leaves out calls that are rarer than this per request.
const RARE: f64 = 0.005;

struct Calls {
    name: String,
    count: f64,
    failed: f64,
}

pub fn count(rig: &Rig) -> io::Result<bool> {
    if machine::find_program("strace").is_none() {
        return Err(io::Error::other("--syscalls needs strace on the PATH"));
    }
    println!("| case | server | requests | calls/request | by call (of these failed) |\n|---|---|--:|--:|---|");
    let mut whole = true;
    let mut results = Vec::new();
    for case in &rig.options.cases {
        for &name in &rig.names {
            let (requests, calls) = match traced(rig, case, name) {
                Ok(counted) => counted,
                Err(error) => {
                    eprintln!("{} {name} FAILED: {error}", case.name);
                    whole = false;
                    continue;
                }
            };
            let per_request = |count: f64| count / requests;
            let total: f64 = calls.iter().map(|call| per_request(call.count)).sum();
            let parts: Vec<String> = calls
                .iter()
                .filter(|call| per_request(call.count) >= RARE)
                .map(|call| {
                    let failed = per_request(call.failed);
                    let failed = if failed >= RARE { format!(" ({failed:.2})") } else { String::new() };
                    format!("{} {:.2}{failed}", call.name, per_request(call.count))
                })
                .collect();
            println!("| {} | {name} | {requests} | {total:.2} | {} |", case.name, parts.join(", "));
            let calls: Vec<_> =
                calls.iter().map(|c| json!({ "call": c.name, "count": c.count, "failed": c.failed })).collect();
            results.push(json!({ "case": case.name, "server": name, "requests": requests, "calls": calls }));
        }
    }
    report::write_json(rig, json!(results))?;
    Ok(whole)
}

fn traced(rig: &Rig, case: &Case, name: &str) -> io::Result<(f64, Vec<Calls>)> {
    let table = rig.folder.path().join("strace.txt");
    let _ = std::fs::remove_file(&table);
    // With -D, the server keeps the process id of our child, and the tracer is the grandchild.
    let tracer = ["strace", "-D", "-f", "-c", "-o"].map(|word| word.to_string());
    let tracer = tracer.into_iter().chain([table.display().to_string()]);
    let server = rig.start(name, |launch| launch.under(tracer))?;
    measure::check(&server, case)?;
    let load = rig.drive(&server, case, rig.options.duration)?;
    server.stop();
    // Start-up, the check and the last unanswered batches are included; together they are less than a thousandth.
    Ok((load.requests as f64, read(&table)?))
}

/// Waits for strace's table and reads it: `% time, seconds, usecs/call, calls, [errors], syscall`.
fn read(table: &Path) -> io::Result<Vec<Calls>> {
    let end = Instant::now() + WRITTEN;
    let text = loop {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        if text.lines().any(|line| line.ends_with(" total")) {
            break text;
        }
        if Instant::now() > end {
            return Err(io::Error::other("strace wrote no table (is tracing allowed here?)"));
        }
        thread::sleep(Duration::from_millis(20));
    };
    let mut calls: Vec<Calls> = text.lines().filter_map(call).collect();
    calls.sort_by(|a, b| b.count.total_cmp(&a.count));
    Ok(calls)
}

fn call(line: &str) -> Option<Calls> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (name, failed) = match words[..] {
        [_, _, _, _, name] => (name, 0.0),
        [_, _, _, _, failed, name] => (name, failed.parse().ok()?),
        _ => return None,
    };
    (name != "total").then_some(())?;
    Some(Calls { name: name.to_string(), count: words[3].parse().ok()?, failed })
}
