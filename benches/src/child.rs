//! Child processes that cannot be left behind.
//!
//! ```text
//!  bench ──stdin──▶ warden ──stdin──▶ server            (each arrow is a pipe; its end says: the one before is gone)
//!        ◀────────── stdout ───────── "… listening on http://…:PORT"
//! ```
//!
//! A server, ours or another's, is started by a *warden*: this very program again, with [`WARDEN`] as its first argument.
//! The warden prints the server's process id and waits. When its standard input ends (because the bench dropped it, or
//! because the bench died), it ends its own child, by process id: first politely, so that a tool around it can write its
//! report, then for good. No process is ever looked up by name.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The first argument that makes one of our programs a warden.
pub const WARDEN: &str = "warden";

/// How long a server may take before it listens. Under valgrind that is seconds.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to end when asked politely; a tool around it writes its report in this time.
const POLITE: Duration = Duration::from_secs(5);
/// How often a child is checked that is waited for.
const GLANCE: Duration = Duration::from_millis(5);

/// How to start a program.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    command: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    open_files: Option<u64>,
}

impl Launch {
    /// Starts `program`.
    pub fn new(program: impl AsRef<OsStr>) -> Launch {
        Launch { command: vec![program.as_ref().into()], ..Launch::default() }
    }

    /// Starts this program again in another role.
    pub fn own(role: &str) -> io::Result<Launch> {
        Ok(Launch::new(std::env::current_exe()?).arg(role))
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Launch {
        self.command.push(arg.as_ref().into());
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Launch {
        self.environment.push((name.into(), value.as_ref().into()));
        self
    }

    /// Puts another command in front, which must end by replacing itself with the rest: `taskset -c 0`, `strace -D …`.
    pub fn under<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, wrapper: I) -> Launch {
        let wrapper = wrapper.into_iter().map(|word| word.as_ref().to_owned());
        self.command.splice(0..0, wrapper);
        self
    }

    /// Lets it open this many files. Without `unsafe` code, only a shell can raise the limit for a child.
    pub fn open_files(mut self, limit: u64) -> Launch {
        self.open_files = cfg!(unix).then_some(limit);
        self
    }

    fn words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        if let Some(limit) = self.open_files {
            words.extend(["sh", "-c", r#"ulimit -n "$0" && exec "$@""#].map(OsString::from));
            words.push(limit.to_string().into());
        }
        words.extend(self.command.iter().cloned());
        words
    }

    /// The command itself, for a program that ends by itself and needs no warden.
    pub fn command(&self) -> Command {
        let words = self.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running server. It is ended when this is dropped.
pub struct Server {
    /// Its process id.
    pub pid: u32,
    /// The port on which it listens.
    pub port: u16,
    warden: Child,
    leash: Option<ChildStdin>,
}

impl Server {
    /// Starts a server and waits until it prints, on its standard output, the port on which it listens.
    pub fn start(launch: &Launch) -> io::Result<Server> {
        let mut warden = Command::new(std::env::current_exe()?)
            .arg(WARDEN)
            .args(launch.words())
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let leash = warden.stdin.take();
        let lines = lines_of(warden.stdout.take());
        // From here on, an error drops the server, which ends it.
        let mut server = Server { pid: 0, port: 0, warden, leash };
        let end = Instant::now() + START;
        while server.pid == 0 || server.port == 0 {
            let line = match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(io::Error::other(format!("not listening after {} s", START.as_secs())));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("ended before it said where it listens (\"… listening on …:PORT\")"));
                }
            };
            if let Some(pid) = line.strip_prefix("warden: pid ") {
                server.pid = pid.parse().map_err(io::Error::other)?;
            } else if let Some(port) = port_in(&line) {
                server.port = port;
            }
        }
        Ok(server)
    }

    /// Ends the server and returns when its process has ended.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.leash.take());
        if !matches!(wait(&mut self.warden, POLITE * 2), Ok(Some(_))) {
            let _ = self.warden.kill();
            let _ = self.warden.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The lines of a child's output, read by a thread, so that the child never waits for a reader.
fn lines_of(output: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = output {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Once the server has started, nobody receives the lines; the pipe is read nevertheless.
                let _ = sender.send(line);
            }
        });
    }
    receiver
}

/// The port in a line such as `Server listening on http://localhost:7777`.
fn port_in(line: &str) -> Option<u16> {
    let (_, place) = line.split_once("listening on")?;
    let (_, rest) = place.rsplit_once(':')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok().filter(|port| *port != 0)
}

/// Waits for a child, for at most this long. `None` if it is still running.
pub fn wait(child: &mut Child, at_most: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    let end = Instant::now() + at_most;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(GLANCE);
    }
}

/// Runs a program that ends by itself and returns its output. If it has not ended after `at_most`, it is ended.
///
/// Its output must fit into a pipe (64 KiB on Linux); tell a program with more output to use a file.
pub fn run(launch: &Launch, at_most: Duration) -> io::Result<String> {
    let mut child = launch.command().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let leash = child.stdin.take();
    let status = wait(&mut child, at_most)?;
    if status.is_none() {
        child.kill()?;
    }
    drop(leash);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match status {
        Some(status) if status.success() => Ok(said),
        Some(status) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(format!("{status}: {} {}", said.trim(), complaint.trim())))
        }
        None => Err(io::Error::other(format!("had not ended after {} s", at_most.as_secs()))),
    }
}

/// Ends this process as soon as its standard input ends: its parent is gone, or wants it gone.
pub fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
}

/// Returns `None` if this process is not to be a warden. Otherwise it is one until its server ends. Call this first in
/// `main`.
pub fn warden() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != WARDEN {
        return None;
    }
    let words: Vec<OsString> = args.collect();
    let (program, rest) = words.split_first()?;
    // From here on the standard output is the server's. The pipe into the server's standard input ends with this process.
    let mut server = match Command::new(program).args(rest).stdin(Stdio::piped()).spawn() {
        Ok(server) => server,
        Err(error) => {
            eprintln!("cannot start {}: {error}", program.to_string_lossy());
            return Some(ExitCode::FAILURE);
        }
    };
    println!("warden: pid {}", server.id());
    let (sender, gone) = mpsc::channel::<()>();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(sender);
    });
    while let Err(mpsc::RecvTimeoutError::Timeout) = gone.recv_timeout(Duration::from_millis(200)) {
        if let Ok(Some(status)) = server.try_wait() {
            eprintln!("{} ended: {status}", program.to_string_lossy());
            return Some(ExitCode::FAILURE);
        }
    }
    end_politely(&mut server);
    Some(ExitCode::SUCCESS)
}

/// Sends SIGTERM, so that strace and callgrind write their results, and SIGKILL if that does not help.
fn end_politely(server: &mut Child) {
    if cfg!(unix) {
        // The child was not waited for, so no other process can have this id.
        let _ = Command::new("kill").args(["-TERM", &server.id().to_string()]).stderr(Stdio::null()).status();
        if matches!(wait(server, POLITE), Ok(Some(_))) {
            return;
        }
    }
    let _ = server.kill();
    let _ = server.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_what_a_server_says() {
        assert_eq!(port_in("Server listening on http://localhost:7777"), Some(7777));
        assert_eq!(port_in("listening on http://[::]:80/"), Some(80));
        assert_eq!(port_in("listening on http://localhost:0"), None);
        assert_eq!(port_in("nothing: 80"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let slow = Launch::new("sleep").arg("60");
        assert!(run(&slow, Duration::from_millis(50)).is_err());
        assert_eq!(run(&Launch::new("echo").arg("x"), Duration::from_secs(5)).unwrap(), "x\n");
    }
}
