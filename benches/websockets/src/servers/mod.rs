//! The servers that are compared. Those in Rust, but oneloop's, are roles of this program: `oneloop-websockets serve NAME LENGTH`.
//!
//! Each has the places of `oneloop_benches::websocket`: at one each message is sent back, at the others a message goes to all that have
//! subscribed. The last two have the first place only. Each uses one thread, and none compresses.

mod ceiling;
mod fastwebsockets;
mod tungstenite;

use crate::compare::{Case, takes_part};
use crate::node;
use oneloop_benches::child::{self, Launch};
use oneloop_benches::hello;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// The role of a server's process.
pub const SERVE: &str = "serve";
/// The server with which the others are compared: what the kernel leaves possible.
pub const CEILING: &str = "ceiling";
/// The server under test.
pub const ONELOOP: &str = "oneloop";
/// uWebSockets.js on Node.
pub const UWEBSOCKETS: &str = "uwebsockets";
/// Bun's own server.
pub const BUN: &str = "bun";
/// Crates that leave it to the program to send a message to many.
pub const WITHOUT_TOPICS: [&str; 2] = ["fastwebsockets", "tungstenite"];

/// What is needed to start the servers.
pub struct Servers {
    sockets: PathBuf,
    /// Those from npm that run here.
    from_npm: Vec<(&'static str, Launch)>,
}

impl Servers {
    pub fn prepare() -> io::Result<Servers> {
        let sockets = hello::build_sockets()?;
        let modules = node::prepare()?;
        let all = [UWEBSOCKETS, BUN, "ws"].into_iter();
        let from_npm = all.filter_map(|name| Some((name, node::launch(modules.as_deref()?, name)?))).collect();
        Ok(Servers { sockets, from_npm })
    }

    /// All servers, in the order of the tables.
    pub fn names(&self) -> Vec<&'static str> {
        let from_npm = self.from_npm.iter().map(|(name, _)| *name);
        [CEILING, ONELOOP].into_iter().chain(from_npm).chain(WITHOUT_TOPICS).collect()
    }

    /// How to start a server; `None` if it takes no part in this case.
    pub fn launch(&self, name: &str, case: &Case) -> io::Result<Option<Launch>> {
        if !takes_part(case, name) {
            return Ok(None);
        }
        let installed = self.from_npm.iter().find(|(other, _)| *other == name);
        Ok(Some(match installed {
            Some((_, launch)) => launch.clone(),
            None if name == ONELOOP => hello::launch(&self.sockets),
            None => Launch::own(SERVE)?.arg(name).arg(case.length.to_string()).arg(u8::from(case.text).to_string()),
        }))
    }
}

/// The main function of a server's process, with the arguments NAME LENGTH TEXT.
pub fn serve(args: &[String]) -> ExitCode {
    child::end_with_parent();
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let (Some(name), &[length, text]) = (args.first(), &numbers[..]) else {
        eprintln!("{SERVE} wants NAME LENGTH TEXT");
        return ExitCode::FAILURE;
    };
    let served = match name.as_str() {
        CEILING => ceiling::serve(length, text == 1),
        "fastwebsockets" => fastwebsockets::serve(),
        "tungstenite" => tungstenite::serve(),
        _ => Err(io::Error::other("no such server")),
    };
    if let Err(error) = served {
        eprintln!("{name}: {error}");
    }
    ExitCode::FAILURE
}

/// Tells the parent on which port a server listens.
fn announce(port: u16) {
    println!("listening on http://127.0.0.1:{port}");
}
