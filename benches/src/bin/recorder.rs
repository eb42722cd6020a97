//! The cost of the recorder: instructions, and CPU time per request with the recorder off and on.
//!
//!     cargo run --release -p oneloop-benches --bin recorder [-- --pairs N] [--requests N]
//!
//! Three figures for each case. The first two have one connection with one batch under way: then each batch is an iteration
//! with a turn, which is the most that there is to record for it.
//!
//! * Instructions, by callgrind, of a server process.
//! * User CPU of a server and its peer in the simulated world, which makes no system calls: the median of the differences.
//! * User CPU of a server process under the case's own load, over real sockets. It starts and stops recording on request,
//!   so that both are measured in turn in the same memory. Many kernels split user from system time by where a clock tick
//!   happens to fall, so this figure needs millions of requests.
//!
//! It fails if one of the latter two is above 0.25 µs.

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
use std::time::Instant;

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin recorder [-- OPTIONS]
  --pairs N      of measurements without and with the recorder (20)
  --requests N   of each measurement over sockets (200000)
";

/// The first argument that makes this program the server.
const SERVE: &str = "serve";
/// How many microseconds recording may cost per request.
const MOST: f64 = 0.25;
/// How many exchanges in memory are timed together. They take some milliseconds, so that some slices are not interrupted.
const SLICE: usize = 1_000;
/// How many slices a measurement has. This many exchanges fill the rings.
const SLICES: usize = 20;
/// How many requests fill the rings; each has at least one turn.
const FILLING: u64 = 20_000;

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
        compare(option(&options, "pairs", 20), option(&options, "requests", 200_000))
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

/// Does what `examples/hello` does, and records when told to.
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
        let Some([off, on]) = over_sockets(&case, pairs, requests)? else {
            println!("{:8} SKIPPED: this system does not say how long a process ran", case.name);
            continue;
        };
        let more = on.micros(on.user) - off.micros(off.user);
        let verdict = if more <= MOST { "ok" } else { "NOT MET" };
        held &= more <= MOST;
        println!(
            "{:8} {:6.2} µs of user CPU per request over sockets, {more:+.3} µs on (at most {MOST} µs): {verdict}; of all \
             CPU {:.2} µs, {:+.3} µs on",
            case.name,
            off.micros(off.user),
            off.micros(off.all),
            on.micros(on.all) - off.micros(off.all)
        );
    }
    Ok(held)
}

/// The medians of the cost of a request without the recorder, and of the additional cost with it.
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
        // Until the rings are full, each of their pages causes a page fault.
        for _ in 0..SLICES {
            slice();
        }
        // The quickest slice is one that was not interrupted.
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

/// The CPU time that one server used over real sockets, and the number of requests.
#[derive(Clone, Copy, Default)]
struct Used {
    user: f64,
    all: f64,
    requests: u64,
}

impl Used {
    fn micros(self, seconds: f64) -> f64 {
        1e6 * seconds / self.requests as f64
    }
}

/// The CPU time with the recorder off, and on. `None` if the system does not tell.
fn over_sockets(case: &Case, pairs: u64, requests: u64) -> io::Result<Option<[Used; 2]>> {
    let cpus = machine::cpus();
    let pin = |cpu: usize| vec!["taskset".to_string(), "-c".into(), cpu.to_string()];
    let place = match cpus.first() {
        Some(first) if cpus.len() > 1 && machine::find_program("taskset").is_some() => pin(*first),
        _ => Vec::new(),
    };
    let server = Server::start(&launch("off")?.under(&place))?;
    let mut clients = Vec::new();
    for _ in 0..case.connections {
        clients.push(Client::connect(server.port)?);
    }
    let mut used = [Used::default(); 2];
    for pair in 0..pairs.max(1) {
        // So each comes first equally often.
        for on in if pair % 2 == 0 { [false, true] } else { [true, false] } {
            let told = if on { "/on" } else { "/off" };
            clients[0].exchange(format!("GET {told} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), 1, Some(BODY))?;
            // Until the rings are full, each of their pages causes a page fault.
            load(&mut clients, &server, case, requests.min(FILLING))?;
            let before = machine::cpu_time(server.pid);
            let sent = load(&mut clients, &server, case, requests)?;
            let Some(time) = before.zip(machine::cpu_time(server.pid)).map(|(before, after)| after.since(before))
            else {
                return Ok(None);
            };
            let used = &mut used[usize::from(on)];
            used.user += time.user;
            used.all += time.total();
            used.requests += sent;
        }
    }
    drop(clients);
    server.stop();
    Ok(Some(used))
}

/// Sends a batch on each connection, then receives the answers of each, so that a wait finds many of them ready. Returns
/// how many requests were sent.
fn load(clients: &mut [Client], server: &Server, case: &Case, requests: u64) -> io::Result<u64> {
    let batch = case.batch(server.port);
    let each_round = (clients.len() * case.depth) as u64;
    let rounds = requests.div_ceil(each_round);
    for _ in 0..rounds {
        for client in &mut *clients {
            client.send(&batch)?;
        }
        for client in &mut *clients {
            client.receive(case.depth, Some(BODY))?;
        }
    }
    Ok(rounds * each_round)
}
