//! Trials: a server, clients that behave, and peers that do not, each in a process of its own.
//!
//! ```text
//!   fairness, slow, soak ──start──▶ site      the server under trial, with deadlines as told
//!                        ──start──▶ polite    clients whose latency is measured
//!                        ──start──▶ greedy    a pipeliner and an uploader without end           (fairness)
//!                                   sluggish  slowloris, slow post, slow read                   (slow)
//!                                   crowd     connections of all kinds, with a few polite ones  (soak)
//!   hostile ─────────────start──▶ hall      the server of WebSockets under trial
//!                        ──start──▶ guests    clients of it whose latency is measured
//!                        ──start──▶ intruders peers that do not behave: those that flood, and the others, in a process each
//! ```
//! Clients and attackers run on oneloop's own `net`, one loop per process, except the two greedy ones, which are threads. A
//! role is the first argument of the program. [`role`] runs it; call it first in `main`.

pub mod crowd;
pub mod greedy;
pub mod guests;
pub mod hall;
pub mod intruders;
pub mod polite;
pub mod site;
pub mod sluggish;

use crate::child::{self, Launch};
use crate::machine;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Returns `None` if the first argument is no role. Otherwise runs the role until it ends.
pub fn role() -> Option<ExitCode> {
    if let Some(ended) = child::warden() {
        return Some(ended);
    }
    let mut args = std::env::args().skip(1);
    let role = args.next()?;
    let rest: Vec<String> = args.collect();
    let outcome = match role.as_str() {
        site::ROLE => site::main(&rest),
        polite::ROLE => polite::main(&rest),
        greedy::ROLE => greedy::main(&rest),
        sluggish::ROLE => sluggish::main(&rest),
        crowd::ROLE => crowd::main(&rest),
        hall::ROLE => hall::main(&rest),
        guests::ROLE => guests::main(&rest),
        intruders::ROLE => intruders::main(&rest),
        _ => return None,
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// The first `N` numbers among a role's arguments.
pub fn numbers<const N: usize>(args: &[String]) -> io::Result<[u64; N]> {
    let numbers: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    numbers.try_into().map_err(|_| io::Error::other(format!("{N} numbers are wanted, got {args:?}")))
}

/// Reads `--name value` and `--flag` (whose value is 1) from the command line. `None` if a name is unknown.
pub fn options(names: &[&str]) -> Option<Vec<(String, u64)>> {
    let mut found = Vec::new();
    let mut args = std::env::args().skip(1).peekable();
    while let Some(arg) = args.next() {
        let name = arg.strip_prefix("--").filter(|name| names.contains(name))?.to_owned();
        let value = args.next_if(|next| !next.starts_with("--"));
        found.push((name, value.map_or(Some(1), |value| value.parse().ok())?));
    }
    Some(found)
}

/// The value of an option, or its default.
pub fn option(options: &[(String, u64)], name: &str, unless_told: u64) -> u64 {
    options.iter().rev().find(|(other, _)| other == name).map_or(unless_told, |(_, value)| *value)
}

/// How many files a process of a trial needs besides its many connections.
const OTHER_FILES: u64 = 1024;

/// Lets a process have this many connections. An error if the system does not allow it.
pub fn with_connections(launch: Launch, connections: u64) -> io::Result<Launch> {
    let needed = connections + OTHER_FILES;
    match machine::open_files() {
        (_, Some(most)) if most < needed => Err(io::Error::other(format!(
            "{connections} connections need {needed} open files for a process; {most} are allowed (ulimit -Hn)"
        ))),
        (Some(now), _) if now >= needed => Ok(launch),
        _ => Ok(launch.open_files(needed)),
    }
}

/// The local address (of 127.0.0.0/8) for the connection with this number. There are 28,000 ports between two addresses,
/// and those of closed connections stay taken for a minute: 16 addresses are enough.
pub fn address(number: usize) -> String {
    let last = if cfg!(target_os = "linux") { 1 + number % 16 } else { 1 };
    Ipv4Addr::new(127, 0, 0, last as u8).to_string()
}

/// A running role, which ends when it is told to and may print lines meanwhile.
pub struct Running {
    process: Child,
    leash: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Running {
    /// Starts it.
    pub fn start(launch: &Launch) -> io::Result<Running> {
        let mut process = launch.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let leash = process.stdin.take();
        let output = process.stdout.take();
        let (sender, lines) = mpsc::channel();
        if let Some(output) = output {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Running { process, leash, lines })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it prints, if one comes in time.
    pub fn line(&self, at_most: Duration) -> Option<String> {
        self.lines.recv_timeout(at_most).ok()
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        self.leash.as_mut().map_or(Ok(()), |leash| leash.write_all(line.as_bytes()))
    }

    /// Tells it to end, waits for that, and returns the last line that it printed.
    pub fn end(mut self, at_most: Duration) -> Option<String> {
        drop(self.leash.take());
        let _ = child::wait(&mut self.process, at_most);
        self.lines.try_iter().last()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.leash.take());
        if !matches!(child::wait(&mut self.process, Duration::from_secs(5)), Ok(Some(_))) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// For a role: calls `f` on this thread's loop when the parent wants the role to end, or is gone.
pub fn on_leash(f: impl FnOnce() + Send + 'static) {
    let remote = oneloop::remote();
    thread::spawn(move || {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        let _ = remote.post(f);
    });
}
