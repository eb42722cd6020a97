//! The servers that are compared. Those in Rust are roles of this program: `oneloop-frameworks serve NAME FOLDER`.
//!
//! Each has the routes `GET /hello`, `POST /json` and `GET /files/…`, and two middlewares before them: one sets two fields against
//! attacks, the next an `X-Request-Id` from a counter. Each uses one thread for its connections, and more only for files.

mod actix;
mod axum;
mod oneloop;

use crate::node;
use oneloop_benches::child::{self, Launch};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The role of a server's process.
pub const SERVE: &str = "serve";
/// What `/hello` answers.
pub const HELLO: &str = "Hello from one loop\n";
/// The server with which the others are compared.
pub const ONELOOP: &str = "oneloop";
/// All servers, in the order of the tables.
pub const NAMES: [&str; 5] = [ONELOOP, "express", "fastify", "axum", "actix-web"];

/// What `/json` reads and answers.
#[derive(Serialize, Deserialize)]
pub struct List {
    title: String,
    items: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    id: u32,
    name: String,
    done: bool,
}

/// A list of about 1 KiB as JSON.
pub fn list() -> io::Result<String> {
    let item = |id| Item { id, name: format!("water the plants in room {id}"), done: id % 2 == 0 };
    let list = List { title: "What is to be done".to_owned(), items: (100..116).map(item).collect() };
    serde_json::to_string(&list).map_err(io::Error::other)
}

/// How to start a server that serves the files of `folder`; `None` if it is not installed.
pub fn launch(name: &str, folder: &Path, modules: Option<&Path>) -> io::Result<Option<Launch>> {
    Ok(match name {
        "express" | "fastify" => modules.map(|modules| node::launch(modules, name, folder)),
        _ => Some(Launch::own(SERVE)?.arg(name).arg(folder)),
    })
}

/// The main function of a server's process.
pub fn serve(name: &str, folder: &Path) -> ExitCode {
    child::end_with_parent();
    let served = match name {
        ONELOOP => oneloop::serve(folder),
        "axum" => axum::serve(folder),
        "actix-web" => actix::serve(folder),
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
