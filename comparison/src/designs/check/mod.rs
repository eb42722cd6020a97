//! What every design must get right before it is worth measuring: the same bytes as oneloop for every handler, connections
//! that live on, pipelined requests in order, a MiB in either direction, all who wait for the event, late peers. Of the
//! references that are installed, that they serve what they say.

mod client;
mod promises;

use super::handlers::{DONE, HELLO};
use super::{NAMES, SERVER, Setup, references};
use client::{Client, request};
use oneloop_benches::child::{Launch, Server};
use promises::CHECKS;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

/// The role that checks all designs.
pub const CHECK: &str = "check";

/// Those who wait for the event; the pool of [`setups`] has more threads, as `pool-connection` needs.
const WAITING: usize = 50;
const MIB: usize = 1024 * 1024;

/// The server in question twice, and oneloop's, whose bytes are the measure.
#[derive(Clone, Copy)]
pub struct Ports {
    /// With many threads and the usual deadlines.
    pub many: u16,
    /// With two threads and a header deadline of 300 ms.
    pub few: u16,
    pub reference: u16,
}

/// The setups of [`Ports::many`] and [`Ports::few`].
pub fn setups(design: &str) -> [Setup; 2] {
    let mut many = Setup { work_per_ms: 1000, ..Setup::new(design) };
    let mut few = Setup { threads: 2, ..many.clone() };
    many.threads = if design == "loops" { 3 } else { WAITING + 14 };
    few.limits.header = Duration::from_millis(300);
    [many, few]
}

/// Runs all checks on one design; says which failed.
pub fn design(ports: Ports) -> Result<(), String> {
    let failed = CHECKS.iter().filter_map(|(promise, check)| {
        let error = check(ports).err()?;
        Some(format!("{promise}: {error}"))
    });
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// The body of the role: all designs, each as a process of its own.
pub fn main() -> ExitCode {
    let mut good = true;
    for name in NAMES {
        match check_process(name) {
            Ok(()) => println!("{name}: all {} checks passed", CHECKS.len()),
            Err(error) => {
                good = false;
                eprintln!("{name}: {error}");
            }
        }
    }
    for name in references::NAMES {
        match reference(name) {
            Ok(Some(what)) => println!("{name}: serves {what}"),
            Ok(None) => println!("{name}: not installed"),
            Err(error) => {
                good = false;
                eprintln!("{name}: {error}");
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check_process(name: &str) -> Result<(), String> {
    let start = |setup: &Setup| -> io::Result<Server> {
        let options = [
            ("--design", setup.design.clone()),
            ("--threads", setup.threads.to_string()),
            ("--work-per-ms", setup.work_per_ms.to_string()),
            ("--header-ms", setup.limits.header.as_millis().to_string()),
        ];
        let launch = Launch::own(SERVER)?;
        Server::start(&options.iter().fold(launch, |launch, (name, value)| launch.arg(name).arg(value)))
    };
    let started = || -> io::Result<_> {
        let [many, few] = setups(name);
        Ok((start(&many)?, start(&few)?, start(&setups("loop")[0])?))
    };
    let (many, few, reference) = started().map_err(|error| error.to_string())?;
    design(Ports { many: many.port, few: few.port, reference: reference.port })
}

/// What one of the references serves, if it is installed; an error where it does not serve what it says.
pub fn reference(name: &str) -> io::Result<Option<String>> {
    let Some(reference) = references::prepare(name, Some(2))? else { return Ok(None) };
    let server = reference.start(|launch| launch)?;
    for path in reference.serves {
        let mut client = Client::connect(server.port)?;
        match *path {
            "/" => client.get("/")?,
            "/event" => {
                promises::event(Ports { many: server.port, few: 0, reference: 0 })?;
                continue;
            }
            "/download" => client.get(&format!("/download?bytes={}", references::DOWNLOAD))?,
            "/upload" => {
                client.stream.write_all(&request("POST", path, MIB))?;
                client.stream.write_all(&vec![b'x'; MIB])?;
            }
            "/publish" => client.stream.write_all(&request("POST", path, 0))?,
            _ => client.get(&format!("{path}?ms=1"))?,
        }
        match *path {
            "/" => client.expect(HELLO.as_bytes()),
            "/download" => client.expect(&vec![b'x'; references::DOWNLOAD]),
            "/upload" => client.expect(MIB.to_string().as_bytes()),
            "/publish" => client.expect(b"0"),
            "/cpu" => client.answer().map(drop),
            _ => client.expect(DONE.as_bytes()),
        }
        .map_err(|error| io::Error::other(format!("{path}: {error}")))?;
    }
    let how = if reference.has_children { ", by several processes" } else { "" };
    Ok(Some(reference.serves.join(" ") + how))
}
