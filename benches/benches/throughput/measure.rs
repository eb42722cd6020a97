//! One measured window: a server under one case for some seconds.

use crate::generator::Load;
use crate::load::Rig;
use oneloop_benches::child::Server;
use oneloop_benches::figures::median;
use oneloop_benches::machine::{self, CpuTime};
use oneloop_benches::traffic::{BODY, Case, Client};
use serde_json::{Value, json};
use std::io;
use std::time::Instant;

/// The results of a window. A figure that the system does not tell is NaN: a dash in the tables, null in JSON.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Answers per second.
    pub rate: f64,
    /// Microseconds until a batch was answered: median and 99th percentile.
    pub p50: f64,
    pub p99: f64,
    /// The server's CPU time in microseconds per request, in its own code and in the kernel.
    pub user: f64,
    pub system: f64,
    /// Shares of one CPU.
    pub server_share: f64,
    pub generator_share: f64,
    /// The share of the server's CPU that other processes used. Ticks make it rough: it can even be a little below zero.
    pub other_share: f64,
    /// The share of all CPUs that the hypervisor took away.
    pub steal: f64,
    pub errors: f64,
    /// Bytes of an answer's head.
    pub head: f64,
}

impl Sample {
    /// The server's CPU time in microseconds per request.
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }

    /// Combines windows of the same length. Latencies become their median.
    pub fn of(slices: &[Sample]) -> Sample {
        let sum = |figure: fn(&Sample) -> f64| slices.iter().map(figure).sum::<f64>();
        let mean = |figure| sum(figure) / slices.len() as f64;
        // Each window is weighted by its requests.
        let per_request = |figure: fn(&Sample) -> f64| {
            slices.iter().map(|slice| figure(slice) * slice.rate).sum::<f64>() / sum(|slice| slice.rate)
        };
        Sample {
            rate: mean(|slice| slice.rate),
            p50: median(slices.iter().map(|slice| slice.p50)),
            p99: median(slices.iter().map(|slice| slice.p99)),
            user: per_request(|slice| slice.user),
            system: per_request(|slice| slice.system),
            server_share: mean(|slice| slice.server_share),
            generator_share: mean(|slice| slice.generator_share),
            other_share: mean(|slice| slice.other_share),
            steal: mean(|slice| slice.steal),
            errors: sum(|slice| slice.errors),
            head: slices.first().map_or(f64::NAN, |slice| slice.head),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "requests_per_second": self.rate,
            "p50_us": self.p50,
            "p99_us": self.p99,
            "cpu_us_per_request": self.cpu(),
            "user_us_per_request": self.user,
            "system_us_per_request": self.system,
            "server_cpu_share": self.server_share,
            "generator_cpu_share": self.generator_share,
            "other_cpu_share": self.other_share,
            "steal": self.steal,
            "errors": self.errors,
            "head_bytes": self.head,
        })
    }
}

/// The counters at one moment.
struct Reading {
    at: Instant,
    server: Option<CpuTime>,
    generators: Option<CpuTime>,
    /// Times of the server's CPU, if the server is pinned to one.
    busy: Option<f64>,
    stolen: Option<f64>,
}

impl Reading {
    fn take(server: &Server, cpu: Option<usize>) -> Reading {
        Reading {
            at: Instant::now(),
            server: machine::cpu_time(server.pid),
            generators: machine::children_time(),
            busy: cpu.and_then(|cpu| machine::cpu_use(Some(cpu))).map(|(busy, _)| busy),
            stolen: machine::cpu_use(None).map(|(_, stolen)| stolen),
        }
    }
}

/// Sends a batch of the case once on one connection, and checks every answer. Returns the size of an answer's head.
pub fn check(server: &Server, case: &Case) -> io::Result<usize> {
    Client::connect(server.port)?.exchange(&case.batch(server.port), case.depth, Some(BODY))
}

/// Checks a server and warms it up.
pub fn warm_up(rig: &Rig, server: &Server, case: &Case) -> io::Result<()> {
    check(server, case)?;
    if rig.options.warmup > 0 {
        rig.drive(server, case, rig.options.warmup)?;
    }
    Ok(())
}

/// Checks a server once more and measures it for some seconds.
pub fn window(rig: &Rig, server: &Server, case: &Case, seconds: u64) -> io::Result<Sample> {
    let head = check(server, case)?;
    let before = Reading::take(server, rig.place.server_cpu);
    let load = rig.drive(server, case, seconds)?;
    let after = Reading::take(server, rig.place.server_cpu);
    Ok(sample(&before, &after, &load, head))
}

fn sample(before: &Reading, after: &Reading, load: &Load, head: usize) -> Sample {
    let elapsed = after.at.duration_since(before.at).as_secs_f64();
    let used = |earlier: Option<CpuTime>, later: Option<CpuTime>| match (earlier, later) {
        (Some(earlier), Some(later)) => later.since(earlier),
        _ => CpuTime { user: f64::NAN, system: f64::NAN },
    };
    let grown = |earlier: Option<f64>, later: Option<f64>| later.unwrap_or(f64::NAN) - earlier.unwrap_or(f64::NAN);
    let server = used(before.server, after.server);
    let requests = load.requests as f64;
    Sample {
        rate: requests / load.seconds,
        p50: load.p50,
        p99: load.p99,
        user: server.user * 1e6 / requests,
        system: server.system * 1e6 / requests,
        server_share: server.total() / elapsed,
        generator_share: used(before.generators, after.generators).total() / elapsed,
        other_share: (grown(before.busy, after.busy) - server.total()) / elapsed,
        steal: grown(before.stolen, after.stolen) / (elapsed * machine::cpus().len() as f64),
        errors: load.errors as f64,
        head: head as f64,
    }
}
