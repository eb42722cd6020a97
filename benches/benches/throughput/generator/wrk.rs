//! wrk, told by a Lua script what to send and where to write what it recorded.

use super::{GRACE, Load, TIMEOUT};
use oneloop_benches::child::{self, Launch};
use oneloop_benches::traffic::Case;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

pub fn run(case: &Case, port: u16, seconds: u64, wrapper: &[String], folder: &Path) -> io::Result<Load> {
    let script = folder.join("load.lua");
    let record = folder.join("load.txt");
    let batch = case.batch(port);
    std::fs::write(&script, lua(&batch, &record))?;
    let launch = Launch::new("wrk")
        .arg("--threads=1")
        .arg(format!("--connections={}", case.connections))
        .arg(format!("--duration={seconds}s"))
        .arg(format!("--timeout={TIMEOUT}s"))
        .arg("--script")
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}/"))
        .under(wrapper);
    child::run(&launch, Duration::from_secs(seconds + GRACE))?;
    let text = std::fs::read_to_string(&record)?;
    parse(&text, case.connections).ok_or_else(|| io::Error::other("wrk's record cannot be read"))
}

/// The script: one string for every batch, and at the end the totals and each latency recorded with its count.
fn lua(batch: &[u8], record: &Path) -> String {
    format!(
        r#"local batch = {batch}
function request() return batch end
function done(summary, latency)
  local file = io.open({record}, "w")
  local e = summary.errors
  file:write(summary.requests, " ", summary.duration, " ", e.connect + e.read + e.write + e.status + e.timeout, "\n")
  for i = 1, #latency do
    local microseconds, count = latency(i)
    file:write(string.format("%d %d\n", microseconds, count))
  end
  file:close()
end
"#,
        batch = quoted(batch),
        record = quoted(record.as_os_str().as_encoded_bytes()),
    )
}

/// A Lua string: every byte that is not plain as `\ddd`.
fn quoted(bytes: &[u8]) -> String {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\' || b == b' ';
    let text: String =
        bytes.iter().map(|&b| if plain(b) { (b as char).to_string() } else { format!("\\{b:03}") }).collect();
    format!("\"{text}\"")
}

fn parse(text: &str, connections: usize) -> Option<Load> {
    let mut lines = text.lines().map(|line| line.split(' ').map(|word| word.parse::<u64>().ok()));
    let mut totals = lines.next()?;
    let (requests, duration, errors) = (totals.next()??, totals.next()??, totals.next()??);
    let mut latencies = BTreeMap::new();
    for mut line in lines {
        latencies.insert(line.next()??, line.next()??);
    }
    let per_connection = requests / connections as u64;
    if per_connection > 0 {
        take_back(&mut latencies, duration / per_connection);
    }
    let total = latencies.values().sum();
    Some(Load {
        requests,
        seconds: duration as f64 / 1e6,
        errors,
        p50: percentile(&latencies, total, 0.50)?,
        p99: percentile(&latencies, total, 0.99)?,
    })
}

/// Takes the samples back that wrk has made up.
///
/// wrk means its figures for a constant rate: for each latency of twice the mean interval between the answers of a
/// connection and above, it adds one shorter by an interval, by two, and so on (`stats_correct` in its source). This is
/// a closed loop, which never meant to send those; and for pipelined batches wrk's interval is that of single answers,
/// so that what it prints is wrong by far. The additions always go below the latency that causes them, so going from
/// the longest latency down finds each count as it was.
fn take_back(latencies: &mut BTreeMap<u64, u64>, interval: u64) {
    if interval == 0 {
        return;
    }
    let longest_first: Vec<u64> = latencies.keys().rev().copied().take_while(|n| *n >= 2 * interval).collect();
    for latency in longest_first {
        let count = latencies.get(&latency).copied().unwrap_or(0);
        if count == 0 {
            continue;
        }
        let mut added = latency - interval;
        while added > interval {
            if let Some(n) = latencies.get_mut(&added) {
                *n = n.saturating_sub(count);
            }
            added -= interval;
        }
    }
    latencies.retain(|_, count| *count > 0);
}

fn percentile(latencies: &BTreeMap<u64, u64>, total: u64, share: f64) -> Option<f64> {
    let mut seen = 0;
    latencies.iter().find_map(|(latency, count)| {
        seen += count;
        (seen as f64 >= total as f64 * share).then_some(*latency as f64)
    })
}
