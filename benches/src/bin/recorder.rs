//! What the recorder costs: instructions, and CPU time per request with the recorder off and on.
//!
//!     cargo run --release -p oneloop-benches --bin recorder [-- --pairs N] [--requests N]
//!
//! Three figures for each case, with one connection that has one batch under way: then each batch is an iteration with a
//! turn, which is the most that there is to record for it.
//!
//! * Instructions, by callgrind, of a server process.
//! * User CPU: a server and its peer in the simulated world, which makes no system calls. It fails where the median of the
//!   differences is above 0.25 µs.
//! * All CPU: a server process, which begins and ends its recording when told, so that both are measured in turn in the
//!   same memory. System calls are the same in both, but not to a quarter of a microsecond: on a machine that has other
//!   work the difference says little.

use oneloop::event_loop::{RecordingSize, start_recording, stop_recording};
use oneloop::http;
use oneloop::sim::Sim;
use oneloop_benches::callgrind::{self, MEASURED};
use oneloop_benches::child::{self, Launch, Server};
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::traffic::{BODY, CASES, Case, Client};
use oneloop_benches::trial::{option, options};
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin recorder [-- OPTIONS]
  --pairs N      of measurements without and with the recorder (20)
  --requests N   of each measurement over sockets, as many again before it (20000)
";

/// The first argument that makes this program the server.
const SERVE: &str = "serve";
/// Microseconds that recording may cost a request.
const MOST: f64 = 0.25;
/// Exchanges in memory that are timed together: some milliseconds, so that some are not interrupted.
const SLICE: usize = 1_000;
/// Slices of a measurement. So many exchanges fill the rings.
const SLICES: usize = 20;
/// A server that has answered goes to sleep within this time; the kernel then knows how long it ran.
const REST: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let outcome = if std::env::args().nth(1).is_some_and(|role| role == SERVE) {
        serve(std::env::args().nth(2).is_some_and(|state| state == "on")).map(|()| true)
    } else {
        let Some(options) = options(&["pairs", "requests"]) else {
            eprint!("{HELP}");
            return ExitCode::from(2);
        };
        compare(option(&options, "pairs", 20), option(&options, "requests", 20_000))
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("recorder: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `examples/hello`, which records when it is told to.
fn serve(on: bool) -> io::Result<()> {
    if on {
        start_recording(RecordingSize::default());
    }
    let server = http::create_server(|req, res| {
        match req.url() {
            "/on" => start_recording(RecordingSize::default()),
            "/off" => stop_recording(),
            _ => {}
        }
        res.set_header("Content-Type", "text/plain; charset=utf-8");
        res.end(BODY);
    });
    let listening = server.clone();
    server.listen(("127.0.0.1", 0), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or(0);
        println!("listening on http://127.0.0.1:{port}");
    })?;
    oneloop::run()
}

fn launch(state: &str) -> io::Result<Launch> {
    Ok(Launch::own(SERVE)?.arg(state))
}

fn compare(pairs: u64, requests: u64) -> io::Result<bool> {
    println!("the recorder off and on; {}", machine::description());
    let mut held = true;
    for case in CASES.into_iter().filter(|case| MEASURED.contains(&case.name)) {
        if callgrind::is_there() {
            let (off, on) =
                (callgrind::per_request(&launch("off")?, &case)?, callgrind::per_request(&launch("on")?, &case)?);
            println!("{:8} {off:6.0} instructions per request, {on:6.0} on: {:+.0}", case.name, on - off);
        } else {
            println!("{:8} SKIPPED: no instructions are counted without valgrind", case.name);
        }
        let costs = in_memory(&case, pairs);
        let (off, more) = middle(&costs);
        let verdict = if more <= MOST { "ok" } else { "NOT MET" };
        held &= more <= MOST;
        println!(
            "{:8} {off:6.2} µs of user CPU per request in memory, {more:+.3} µs on (at most {MOST} µs): {verdict}",
            case.name
        );
        let Some(costs) = over_sockets(&case, pairs, requests)? else {
            println!("{:8} SKIPPED: this system does not say how long a process ran", case.name);
            continue;
        };
        let (off, more) = middle(&costs);
        println!("{:8} {off:6.2} µs of all CPU per request over a socket, {more:+.3} µs on", case.name);
    }
    Ok(held)
}

/// The medians of what a request costs without the recorder, and of what it costs more with it.
fn middle(costs: &[(f64, f64)]) -> (f64, f64) {
    (median(costs.iter().map(|(off, _)| *off)), median(costs.iter().map(|(off, on)| on - off)))
}

/// Microseconds per request in the simulated world, off and on.
fn in_memory(case: &Case, pairs: u64) -> Vec<(f64, f64)> {
    let sim = Sim::new();
    let server = http::create_server(|_, res| {
        res.set_header("Content-Type", "text/plain; charset=utf-8");
        res.end(BODY);
    });
    let listens = server.listen(80, || ());
    assert!(listens.is_ok(), "{listens:?}");
    let peer = sim.connect(80);
    sim.settle();
    let batch = case.batch(80);
    let slice = || {
        let began = Instant::now();
        for _ in 0..SLICE {
            peer.write(&batch);
            sim.settle();
            assert!(peer.take().ends_with(BODY.as_bytes()));
        }
        1e6 * began.elapsed().as_secs_f64() / (SLICE * case.depth) as f64
    };
    let measure = || {
        // Until the rings are full, each page of theirs is a page fault.
        for _ in 0..SLICES {
            slice();
        }
        // The quickest is the one that nobody interrupted.
        (0..SLICES).map(|_| slice()).fold(f64::INFINITY, f64::min)
    };
    let pair = |_| {
        stop_recording();
        let off = measure();
        start_recording(RecordingSize::default());
        (off, measure())
    };
    (0..pairs.max(1)).map(pair).collect()
}

/// CPU microseconds per request, off and on. `None` where the system does not tell.
fn over_sockets(case: &Case, pairs: u64, requests: u64) -> io::Result<Option<Vec<(f64, f64)>>> {
    let cpus = machine::cpus();
    let pin = |cpu: usize| vec!["taskset".to_string(), "-c".into(), cpu.to_string()];
    let place = match cpus.first() {
        Some(first) if cpus.len() > 1 && machine::find_program("taskset").is_some() => pin(*first),
        _ => Vec::new(),
    };
    let server = Server::start(&launch("off")?.under(&place))?;
    let mut client = Client::connect(server.port)?;
    let mut costs = Vec::new();
    for pair in 0..pairs.max(1) {
        let mut measured = [None, None];
        // Each comes first as often as the other.
        for on in if pair % 2 == 0 { [false, true] } else { [true, false] } {
            measured[usize::from(on)] = cost(&mut client, &server, case, requests, on)?;
        }
        let [Some(off), Some(on)] = measured else { return Ok(None) };
        costs.push((off, on));
    }
    drop(client);
    server.stop();
    Ok(Some(costs))
}

fn cost(client: &mut Client, server: &Server, case: &Case, requests: u64, on: bool) -> io::Result<Option<f64>> {
    let told = if on { "/on" } else { "/off" };
    client.exchange(format!("GET {told} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), 1, Some(BODY))?;
    let batch = case.batch(server.port);
    let batches = requests.div_ceil(case.depth as u64);
    let mut load = || -> io::Result<()> {
        for _ in 0..batches {
            client.exchange(&batch, case.depth, Some(BODY))?;
        }
        thread::sleep(REST);
        Ok(())
    };
    // Until the rings are full, each page of theirs is a page fault.
    load()?;
    let before = machine::ran(server.pid);
    load()?;
    let ran = before.zip(machine::ran(server.pid)).map(|(before, after)| after - before);
    Ok(ran.map(|seconds| 1e6 * seconds / (batches * case.depth as u64) as f64))
}
