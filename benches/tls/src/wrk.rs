//! wrk as the load of requests.

use oneloop_benches::child::{self, Launch};
use std::io;
use std::time::Duration;

/// Has wrk ask for some seconds. Returns how many answers came.
pub fn ask(url: &str, connections: usize, seconds: usize, pin: &[String]) -> io::Result<u64> {
    let launch = Launch::new("wrk").arg("-t1").arg(format!("-c{connections}")).arg(format!("-d{seconds}s"));
    let launch = launch.arg("--timeout=60s").arg(url).under(pin);
    let said = child::run(&launch, Duration::from_secs(seconds as u64 + 90))?;
    let read = said.lines().find_map(|line| line.split_once(" requests in")?.0.trim().parse().ok());
    match read.filter(|count| *count > 0) {
        Some(count) if !said.contains("Non-2xx") && !said.contains("Socket errors") => Ok(count),
        _ => Err(io::Error::other(format!("{url}: {said}"))),
    }
}
