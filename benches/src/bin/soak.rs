//! Thousands of connections of all kinds for minutes, to see whether the server's memory and descriptors stay as they are.
//!
//!     cargo run --release -p oneloop-benches --bin soak [-- --minutes N] [--connections N] [--clients N] [--rate N]
//!
//! A server and its clients, each in a process. Every five seconds a line says what the clients see, the p99 of those
//! clients that behave, and the memory and file descriptors of the server.
//!
//! The verdict. Samples from the first third of the time do not count, because buffers and pools are still growing. Of the
//! rest, the medians of the earlier and the later half are compared. *Flat* means that memory has grown by at most 5 % and
//! 1 MiB (the fragments of an allocator may do that), that descriptors differ by at most 2 %, and that the server, within
//! its longest deadline after all clients have gone, has as many descriptors as before they came. It fails if the server is
//! not flat, if an answer was wrong, if a request of a client that behaves failed, or if fewer than nine tenths of the
//! connections were held.

use oneloop_benches::child::Server;
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::trial::crowd::{self, REPORT, Report};
use oneloop_benches::trial::polite;
use oneloop_benches::trial::site::{self, Deadlines};
use oneloop_benches::trial::{Running, option, options, role, with_connections};
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin soak [-- OPTIONS]
  --minutes N       (5)
  --connections N   (10000)
  --clients N       clients that behave, beside them (50)
  --rate N          requests a second of each of these (20)
";

/// How much memory may grow.
const GROWTH: f64 = 1.05;
const GROWTH_BYTES: f64 = (1 << 20) as f64;
/// How much the number of descriptors may differ.
const DIFFERENCE: f64 = 0.02;
/// The longest time that a connection may stay open after its peer has gone without a word: pending output that makes no
/// progress (60 s), and a sweep. On one machine the kernel tells sooner.
const GONE: Duration = Duration::from_secs(65);

/// How many peers are needed for a hundred connections: about a tenth of them have closed one and not opened the next.
const CROWD: u64 = 112;

struct Sample {
    memory: f64,
    descriptors: f64,
    report: Report,
}

fn main() -> ExitCode {
    if let Some(ended) = role() {
        return ended;
    }
    let Some(options) = options(&["minutes", "connections", "clients", "rate"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let time = Duration::from_secs(60 * option(&options, "minutes", 5).max(1));
    match soak(option(&options, "connections", 10_000), polite::pace(&options), time) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn soak(connections: u64, pace: polite::Pace, time: Duration) -> io::Result<bool> {
    let crowd = connections * CROWD / 100;
    let server = Server::start(&with_connections(site::launch(Deadlines::default())?, crowd)?)?;
    let before = look(&server)?;
    println!(
        "{connections} connections for {} s, {} of them polite ones beside; {}\n\
         the server alone: {:.1} MiB, {:.0} descriptors\n\n\
         | s | open | made/s | answers/s | polite/s | p50 ms | p99 ms | max ms | failed | wrong | server CPU % | clients' CPU % | MiB | fds \
         |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        time.as_secs(),
        pace.clients,
        machine::description(),
        before.0 / GROWTH_BYTES,
        before.1
    );
    let launch = with_connections(crowd::launch(server.port, crowd, pace)?, crowd)?;
    let crowd = Running::start(&launch)?;
    let (began, mut samples) = (Instant::now(), Vec::new());
    let cpu = || [server.pid, crowd.pid()].map(|pid| machine::cpu_time(pid).unwrap_or_default());
    let (mut used, mut last) = (cpu(), Instant::now());
    while began.elapsed() < time {
        let line = crowd.line(REPORT * 4);
        let report = line.as_deref().and_then(Report::parse);
        let report = report.ok_or_else(|| io::Error::other(format!("the crowd said {line:?}")))?;
        let (memory, descriptors) = look(&server)?;
        let (now, each, polite) = (cpu(), last.elapsed().as_secs_f64(), report.polite);
        last = Instant::now();
        let share = |process: usize| 100.0 * now[process].since(used[process]).total() / each;
        println!(
            "| {:.0} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {} | {} | {:.0} | {:.0} | {:.1} | {descriptors:.0} |",
            began.elapsed().as_secs_f64(),
            report.open,
            report.made as f64 / each,
            report.answered as f64 / each,
            polite.answered as f64 / each,
            polite.p50,
            polite.p99,
            polite.max,
            polite.failed,
            report.wrong,
            share(0),
            share(1),
            memory / GROWTH_BYTES,
        );
        used = now;
        samples.push(Sample { memory, descriptors, report });
    }
    crowd.end(Duration::from_secs(10));
    let left = rest(&server, before.1)?;
    let held = verdict(connections, &samples, left - before.1);
    server.stop();
    Ok(held)
}

/// The resident memory in bytes, and the number of descriptors.
fn look(server: &Server) -> io::Result<(f64, f64)> {
    let memory = machine::resident_bytes(server.pid);
    let both = memory.zip(machine::open_descriptors(server.pid));
    let (memory, descriptors) = both.ok_or_else(|| io::Error::other("the server has ended, or there is no /proc"))?;
    Ok((memory as f64, descriptors as f64))
}

/// Waits until the server has no more descriptors than before. Returns how many it has.
fn rest(server: &Server, before: f64) -> io::Result<f64> {
    let began = Instant::now();
    loop {
        let (memory, descriptors) = look(server)?;
        if descriptors <= before || began.elapsed() > GONE {
            let seconds = began.elapsed().as_secs_f64();
            println!(
                "\n{seconds:.1} s after all clients have gone: {:.1} MiB, {descriptors:.0} descriptors",
                memory / GROWTH_BYTES
            );
            return Ok(descriptors);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Returns whether the samples are flat, by the rule above.
fn verdict(connections: u64, samples: &[Sample], left: f64) -> bool {
    let counted = samples.get(samples.len() / 3..).unwrap_or_default();
    let (earlier, later) = counted.split_at(counted.len() / 2);
    let middle = |half: &[Sample], figure: fn(&Sample) -> f64| median(half.iter().map(figure));
    let memory = [earlier, later].map(|half| middle(half, |sample| sample.memory));
    let descriptors = [earlier, later].map(|half| middle(half, |sample| sample.descriptors));
    let open = middle(counted, |sample| sample.report.open as f64);
    let wrong = samples.last().map_or(0, |sample| sample.report.wrong);
    let failed: u64 = samples.iter().map(|sample| sample.report.polite.failed).sum();
    let p99 = middle(counted, |sample| sample.report.polite.p99);
    println!("the clients that behave: p99 {p99:.2} ms in the median, {failed} requests failed");
    let mut held = true;
    let mut judge = |what: String, is_so: bool| {
        println!("{what}: {}", if is_so { "ok" } else { "NOT SO" });
        held &= is_so;
    };
    judge(
        format!("memory is flat ({:.1}, then {:.1} MiB)", memory[0] / GROWTH_BYTES, memory[1] / GROWTH_BYTES),
        memory[1] <= memory[0] * GROWTH + GROWTH_BYTES,
    );
    judge(
        format!("descriptors are flat ({:.0}, then {:.0})", descriptors[0], descriptors[1]),
        (descriptors[1] - descriptors[0]).abs() <= descriptors[0] * DIFFERENCE,
    );
    judge(format!("none is left over ({left:.0})"), left <= 0.0);
    judge(format!("{open:.0} connections were held"), open >= connections as f64 * 0.9);
    judge(format!("every answer was what it must be ({wrong} were not)"), wrong == 0);
    judge(format!("no request of a client that behaves failed ({failed} did)"), failed == 0);
    println!("{}", if held { "FLAT" } else { "NOT FLAT" });
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(usize) -> f64) -> Vec<Sample> {
        let report = Report { open: 95, ..Report::default() };
        (0..60).map(|at| Sample { memory: memory(at) * GROWTH_BYTES, descriptors: 100.0, report }).collect()
    }

    #[test]
    fn what_grows_after_the_first_third_is_not_flat() {
        assert!(verdict(100, &samples(|at| 50.0 + (at as f64).min(20.0)), 0.0));
        assert!(!verdict(100, &samples(|at| 50.0 + at as f64), 0.0));
        assert!(!verdict(100, &samples(|_| 50.0), 1.0));
    }
}
