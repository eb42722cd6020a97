//! Idle keep-alive connections: how much memory each costs, and how much they cost the active ones.
//!
//! A process of its own, the *holder*, opens them. Each sends one request, gets its answer and stays open.

use crate::load::{self, Rig};
use crate::measure::{self, Sample};
use crate::report::{self, shown};
use crate::servers::{HTTPARSE, ONELOOP};
use oneloop_benches::child::{self, Launch, Server};
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::traffic::{BODY, Case, Client};
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The role of the process that holds the idle connections.
pub const HOLD: &str = "hold";

/// How many files a process needs besides its idle connections: the active ones, the listener, poll, pipes, libraries.
const OTHER_FILES: u64 = 1024;
/// How many connections are made from one local address. The ports of one address last for about 28,000.
const PER_ADDRESS: usize = 5_000;
/// How long one connection and how long all of them may take to open.
const ONE: Duration = Duration::from_secs(5);
const ALL: Duration = Duration::from_secs(60);
/// How many exchanges there are before memory is first read, so that what is set up lazily does not count for the
/// connections.
const SETTLING: usize = 20;
/// How long to wait before memory is read, for allocators and the kernel to come to rest.
const REST: Duration = Duration::from_millis(700);
/// The bars for oneloop: bytes per connection, and the share of throughput that the active connections may lose.
const MOST_BYTES: f64 = 300.0;
const MOST_LOSS: f64 = 0.08;

/// The results of one round of one server.
struct Round {
    bytes: f64,
    /// How many idle connections the server closed before the end.
    closed: usize,
    alone: Sample,
    beside: Sample,
}

impl Round {
    fn loss(&self) -> f64 {
        1.0 - self.beside.rate / self.alone.rate
    }

    fn dearer(&self) -> f64 {
        self.beside.cpu() / self.alone.cpu() - 1.0
    }
}

pub fn compare(rig: &Rig, connections: usize) -> io::Result<bool> {
    let needed = connections as u64 + OTHER_FILES;
    if let (_, Some(most)) = machine::open_files()
        && most < needed
    {
        return Err(io::Error::other(format!(
            "--idle {connections} needs {needed} open files in a process, and the hard limit here is {most}: raise it \
             (ulimit -Hn as root, LimitNOFILE= in systemd, --ulimit nofile= in docker) or ask for fewer connections"
        )));
    }
    let active = Case::named("ka64").ok_or_else(|| io::Error::other("no case ka64"))?;
    let mut rounds: Vec<(&str, Vec<Round>)> = rig.names.iter().map(|name| (*name, Vec::new())).collect();
    if !rig.options.chosen {
        // tiny_http would need a thread for each, or the active ones starve. The second ceiling has the same idle
        // connections as the first. Name them with --only to see that.
        rounds.retain(|(name, _)| !["tiny_http", HTTPARSE].contains(name));
    }
    let mut whole = true;
    for round in 0..rig.options.rounds {
        for name in rig.order(round) {
            let Some((_, measured)) = rounds.iter_mut().find(|(server, _)| *server == name) else { continue };
            match measure(rig, name, connections, &active, round % 2 == 1) {
                Ok(figures) => {
                    eprintln!(
                        "round {} {name:13} {:6.0} bytes each, active lose {:.1} % of req/s, CPU {:+.1} %",
                        round + 1,
                        figures.bytes,
                        100.0 * figures.loss(),
                        100.0 * figures.dearer(),
                    );
                    measured.push(figures);
                }
                Err(error) => {
                    eprintln!("round {} {name} FAILED: {error}", round + 1);
                    whole = false;
                }
            }
        }
    }
    print(connections, &rounds);
    let results: Vec<_> = rounds
        .iter()
        .map(|(name, rounds)| {
            let rounds: Vec<_> = rounds
                .iter()
                .map(|r| json!({ "bytes": r.bytes, "closed": r.closed, "alone": r.alone.json(), "beside": r.beside.json() }))
                .collect();
            json!({ "server": name, "idle": connections, "rounds": rounds })
        })
        .collect();
    report::write_json(rig, json!(results))?;
    Ok(whole)
}

fn print(connections: usize, rounds: &[(&str, Vec<Round>)]) {
    println!(
        "### {connections} idle connections\n\n\
         | server | bytes/connection | closed early | req/s alone | beside them | loss % | CPU µs/req alone | beside them \
         | more % | rounds |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (name, rounds) in rounds.iter().filter(|(_, rounds)| !rounds.is_empty()) {
        let middle = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            shown(middle(|r| r.bytes), 0),
            rounds.iter().map(|r| r.closed).sum::<usize>(),
            shown(middle(|r| r.alone.rate), 0),
            shown(middle(|r| r.beside.rate), 0),
            shown(100.0 * middle(Round::loss), 1),
            shown(middle(|r| r.alone.cpu()), 3),
            shown(middle(|r| r.beside.cpu()), 3),
            shown(100.0 * middle(Round::dearer), 1),
            rounds.len(),
        );
    }
    if let Some((_, rounds)) = rounds.iter().find(|(name, rounds)| *name == ONELOOP && !rounds.is_empty()) {
        let (bytes, loss) = (median(rounds.iter().map(|r| r.bytes)), median(rounds.iter().map(Round::loss)));
        println!(
            "\nBars: at most {MOST_BYTES:.0} bytes of resident memory each: {}. At most {:.0} % of req/s lost: {}.",
            report::met(bytes, MOST_BYTES),
            100.0 * MOST_LOSS,
            report::met(loss, MOST_LOSS)
        );
    }
}

/// Measures one round of one server, alone and beside idle connections, in either order. Each part starts the server anew.
fn measure(rig: &Rig, name: &str, connections: usize, active: &Case, idle_first: bool) -> io::Result<Round> {
    let start = || {
        let files = connections as u64 + OTHER_FILES;
        rig.start(name, |launch| if cfg!(unix) { launch.open_files(files) } else { launch })
    };
    let seconds = rig.options.duration;
    let measured = |server: &Server| {
        measure::warm_up(rig, server, active)?;
        measure::window(rig, server, active, seconds)
    };
    let alone = || load::undisturbed(rig, name, || measured(&start()?));
    let beside = || {
        let server = start()?;
        for _ in 0..SETTLING {
            measure::check(&server, active)?;
        }
        let before = rested(&server);
        let mut holder = Holder::start(server.port, connections)?;
        let bytes = (rested(&server) - before) / connections as f64;
        let sample = load::undisturbed(rig, name, || measured(&server))?;
        io::Result::Ok((bytes, connections - holder.open()?, sample))
    };
    let ((bytes, closed, beside), alone) = if idle_first {
        (beside()?, alone()?)
    } else {
        let alone = alone()?;
        (beside()?, alone)
    };
    Ok(Round { bytes, closed, alone, beside })
}

/// The resident memory after a rest.
fn rested(server: &Server) -> f64 {
    thread::sleep(REST);
    machine::resident_bytes(server.pid).map_or(f64::NAN, |bytes| bytes as f64)
}

/// The process that holds the idle connections. When this is dropped, the process ends, and its connections with it.
struct Holder {
    process: Child,
    ask: Option<ChildStdin>,
    tell: BufReader<ChildStdout>,
}

impl Holder {
    /// Starts it. Returns when all connections are open and have had one answer.
    fn start(port: u16, connections: usize) -> io::Result<Holder> {
        let launch = Launch::own(HOLD)?
            .arg(port.to_string())
            .arg(connections.to_string())
            .open_files(connections as u64 + OTHER_FILES);
        let mut process = launch.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = process.stdin.take();
        let tell = process.stdout.take().ok_or_else(|| io::Error::other("the holder has no stdout"))?;
        let mut holder = Holder { process, ask, tell: BufReader::new(tell) };
        match holder.number()? {
            open if open == connections => Ok(holder),
            open => Err(io::Error::other(format!("only {open} of {connections} idle connections could be opened"))),
        }
    }

    /// How many of the connections are still open.
    fn open(&mut self) -> io::Result<usize> {
        if let Some(ask) = &mut self.ask {
            ask.write_all(b"how many?\n")?;
        }
        self.number()
    }

    fn number(&mut self) -> io::Result<usize> {
        let mut line = String::new();
        self.tell.read_line(&mut line)?;
        line.trim().parse().map_err(|_| io::Error::other("the holder of the idle connections ended"))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.ask.take());
        if !matches!(child::wait(&mut self.process, ONE), Ok(Some(_))) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// The main function of the holder's process, with the arguments PORT CONNECTIONS. It prints how many connections are open,
/// and prints it again for each line of its standard input.
pub fn main(args: &[String]) -> ExitCode {
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let &[port, connections] = &numbers[..] else {
        eprintln!("{HOLD} wants PORT CONNECTIONS");
        return ExitCode::FAILURE;
    };
    let mut held = Vec::with_capacity(connections);
    let end = Instant::now() + ALL;
    while held.len() < connections && Instant::now() < end {
        match open(port as u16, held.len()) {
            Ok(stream) => held.push(stream),
            Err(error) => {
                eprintln!("idle connection {}: {error}", held.len() + 1);
                break;
            }
        }
    }
    println!("{}", held.len());
    // The loop ends with the bench, as every child does.
    for _ in io::stdin().lock().lines().map_while(Result::ok) {
        println!("{}", held.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count());
    }
    ExitCode::SUCCESS
}

fn open(port: u16, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // One address has too few ports. On Linux all of 127.0.0.0/8 is local without any setting.
    if cfg!(target_os = "linux") {
        let block = (number / PER_ADDRESS) as u32;
        let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 2).to_bits() + block);
        socket.bind(&SocketAddr::from((from, 0)).into())?;
    }
    socket.connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(), ONE)?;
    let mut client = Client::over(socket.into())?;
    let batch = Case::named("ka64").map(|case| case.batch(port)).unwrap_or_default();
    client.exchange(&batch, 1, Some(BODY))?;
    let stream = client.into_stream();
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Returns whether a connection is open: a read finds nothing, but no end and no error.
fn is_open(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}
