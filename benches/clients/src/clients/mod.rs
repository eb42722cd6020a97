//! The clients that are compared. Those in Rust are roles of this program: `oneloop-clients ask NAME PORT`.
//!
//! Each has one thread, and keeps [`IN_FLIGHT`] requests under way on as many connections: when one is answered, and its body was read, the
//! next one is made. A line on its standard input says how many to make; when the last one is answered, it says so, and waits for
//! the next line. Its connections stay.

mod ceiling;
mod hyper_conn;
mod hyper_util;
mod oneloop;

use crate::{failed, node};
use ::oneloop_benches::child::Launch;
use std::io::{self, BufRead};
use std::path::PathBuf;
use std::process::ExitCode;

/// The role of a client's process.
pub const ASK: &str = "ask";
/// The client with which the others are compared: what the kernel leaves possible.
pub const CEILING: &str = "ceiling";
/// The client under test.
pub const ONELOOP: &str = "oneloop";
/// hyper's own connections, without a pool.
pub const HYPER: &str = "hyper";
/// The client of hyper-util, with a pool.
pub const HYPER_UTIL: &str = "hyper-util";
/// Node's `http` with an agent.
pub const NODE: &str = "node";
/// The package undici, on Node.
pub const UNDICI: &str = "undici";

/// How many requests are under way.
pub const IN_FLIGHT: usize = 64;
/// What they ask for.
pub const PATH: &str = "/seed-a-plant";

/// The names of the clients, and how to start each of them, but for the port.
pub fn all() -> io::Result<Vec<(&'static str, Launch)>> {
    let mut all = Vec::new();
    for name in [CEILING, ONELOOP, HYPER, HYPER_UTIL] {
        all.push((name, Launch::own(ASK)?.arg(name).env("RUST_LOG", "error")));
    }
    let modules: Option<PathBuf> = node::prepare()?;
    for name in [NODE, UNDICI] {
        all.extend(modules.as_deref().map(|modules| (name, node::launch(modules, name))));
    }
    Ok(all)
}

/// The main function of a client's process, with the arguments NAME PORT.
pub fn main(args: &[String]) -> ExitCode {
    let port = args.get(1).and_then(|port| port.parse().ok());
    let (Some(name), Some(port)) = (args.first(), port) else {
        eprintln!("{ASK} wants NAME PORT");
        return ExitCode::FAILURE;
    };
    let asked = match name.as_str() {
        CEILING => ceiling::ask(port),
        ONELOOP => oneloop::ask(port),
        HYPER => hyper_conn::ask(port),
        HYPER_UTIL => hyper_util::ask(port),
        _ => Err(io::Error::other("no such client")),
    };
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the lines of the standard input say: `make` makes so many requests, and returns how many bytes their bodies had.
fn on_demand(mut make: impl FnMut(usize) -> io::Result<u64>) -> io::Result<()> {
    println!("ready");
    for line in io::stdin().lock().lines() {
        let count = line?.trim().parse::<usize>().map_err(io::Error::other)?;
        let bytes = make(count)?;
        if bytes != (count * crate::canned::BODY.len()) as u64 {
            return Err(failed("bodies", format!("{count} of them had {bytes} bytes")));
        }
        println!("done");
    }
    Ok(())
}
