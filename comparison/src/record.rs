//! The file that a run leaves behind, and what its head says.

use crate::measure::Place;
use crate::results::{Machine, Run};
use oneloop_benches::machine;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The file's name.
const NAME: &str = "run.json";

/// A run without figures.
pub fn begin(mode: &str, place: &Place) -> Run {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Run {
        version: 1,
        began: rfc3339(now),
        seconds: 0.0,
        mode: mode.into(),
        command: format!("cargo run --release -p comparison -- {}", args.join(" ")).trim_end().into(),
        commit: commit(),
        machine: Machine {
            description: format!("{}{}", machine::description(), memory()),
            server_cpus: place.server_cpus.clone(),
            client_cpus: place.client_cpus.clone(),
            compiler: compiler(),
        },
        notes: Vec::new(),
        cells: Vec::new(),
    }
}

/// Writes it, whole or not at all: a reader never sees half a file.
pub fn write(run: &Run, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!("{NAME}.new"));
    fs::write(&unfinished, serde_json::to_vec(run)?)?;
    fs::rename(unfinished, folder.join(NAME))
}

fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn commit() -> String {
    let changed = said("git", &["status", "--porcelain"]).is_some_and(|files| !files.is_empty());
    let commit = said("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    if changed { commit + "+" } else { commit }
}

fn compiler() -> String {
    let compiler = said("rustc", &["--version"]).unwrap_or("unknown compiler".into());
    let profile = if cfg!(debug_assertions) { "debug build" } else { "release profile" };
    format!("{compiler}, {profile}")
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(String::new(), |kib| format!(", {:.0} GiB of memory", kib / (1024.0 * 1024.0)))
}

/// Seconds since 1970 as a date and time in UTC.
fn rfc3339(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}T{:02}:{:02}:{:02}Z", days + 1, rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}
