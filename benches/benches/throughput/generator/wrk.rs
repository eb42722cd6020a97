//! wrk. A Lua script tells it what to send, and where to write its results.

use super::{GRACE, Load, TIMEOUT};
use oneloop_benches::child::{self, Launch};
use oneloop_benches::figures::Latencies;
use oneloop_benches::traffic::Case;
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

/// The script: it sends one string as every batch, and at the end writes the totals and each latency with its count.
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

/// A string for Lua: every byte that is not plain is written as `\ddd`.
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
    let mut latencies = Latencies::default();
    for mut line in lines {
        latencies.add(line.next()??, line.next()??);
    }
    // Computed as in wrk.
    let interval = duration.checked_div(requests / connections as u64).unwrap_or(0);
    latencies.take_back_made_up(interval);
    Some(Load {
        requests,
        seconds: duration as f64 / 1e6,
        errors,
        p50: latencies.percentile(0.50),
        p99: latencies.percentile(0.99),
    })
}
