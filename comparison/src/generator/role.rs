//! The generator as a process, seen from inside and from outside.
//!
//! ```text
//!  bench ── stdin ──▶ generate      the plan, a line of JSON; later an empty line: the counters were read
//!        ◀─ stdout ──               "begins"; "ends"; the outcome, a line of JSON
//! ```
//! It ends when its stdin does: the bench is gone, or wants it gone.

use super::{Outcome, Phase, Plan, run};
use oneloop_benches::child::{self, Launch};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// The role of the generator's process.
pub const GENERATE: &str = "generate";

/// How long the bench may take to read the counters.
const HEARD: Duration = Duration::from_secs(10);

/// The body of the generator's process.
pub fn main() -> ExitCode {
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn generate() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line)?;
    let (sender, heard) = mpsc::channel();
    thread::spawn(move || {
        for _ in io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(());
        }
        std::process::exit(0);
    });
    let outcome = run(&plan, |phase| match phase {
        Phase::Begins => println!("begins"),
        Phase::Ends => {
            println!("ends");
            let _ = heard.recv_timeout(HEARD);
        }
    })?;
    let mut said = serde_json::to_string(&outcome)?;
    said.push('\n');
    io::stdout().write_all(said.as_bytes())
}

/// A generator that runs.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    complaint: Receiver<String>,
}

/// Starts a generator under `wrapper`, allowed so many open files where that is not the default.
pub fn start(plan: &Plan, wrapper: &[String], open_files: Option<u64>) -> io::Result<Running> {
    let mut launch = Launch::own(GENERATE)?.under(wrapper);
    if let Some(limit) = open_files {
        launch = launch.open_files(limit);
    }
    let mut command = launch.command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lines = lines_of(child.stdout.take());
    let complaint = lines_of(child.stderr.take());
    // From here on an error drops this, which ends it.
    let mut running = Running { child, lines, complaint };
    running.say(&serde_json::to_string(plan)?)?;
    Ok(running)
}

impl Running {
    /// Waits for the moment at which the window begins or ends.
    pub fn wait_for(&mut self, phase: Phase, until: Instant) -> io::Result<()> {
        let line = self.line(until)?;
        let word = if phase == Phase::Begins { "begins" } else { "ends" };
        if line == word { Ok(()) } else { Err(io::Error::other(format!("said {line:?}"))) }
    }

    /// Tells that the counters were read, and waits for the outcome.
    pub fn outcome(mut self, until: Instant) -> io::Result<Outcome> {
        self.say("")?;
        Ok(serde_json::from_str(&self.line(until)?)?)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        let Some(stdin) = &mut self.child.stdin else { return Ok(()) };
        stdin.write_all(format!("{line}\n").as_bytes())?;
        stdin.flush()
    }

    fn line(&mut self, until: Instant) -> io::Result<String> {
        self.lines.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|_| {
            let complaint: Vec<String> = self.complaint.try_iter().collect();
            io::Error::other(format!("the generator said nothing in time {}", complaint.join(" ")))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends with its stdin; a loop that hangs must not keep the bench.
        if !matches!(child::wait(&mut self.child, Duration::from_secs(2)), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn lines_of(output: Option<impl io::Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = output {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
    }
    receiver
}
