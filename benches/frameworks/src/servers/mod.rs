//! The servers that are compared. Those in Rust are roles of this program: `oneloop-frameworks serve NAME FOLDER`.
//!
//! Each has the routes `GET /hello`, `POST /json` and `GET /files/…`, and two middlewares before them: one sets two fields against
//! attacks, the next an `X-Request-Id` from a counter. Some have `GET /todos/:account` as well, a query of a database. Each uses one
//! thread for its connections, and more only for files and the database.

mod actix;
mod axum;
mod oneloop;

use crate::node::Node;
use oneloop_benches::child::{self, Launch};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// The role of a server's process.
pub const SERVE: &str = "serve";
/// What `/hello` answers.
pub const HELLO: &str = "Hello from one loop\n";
/// The server with which the others are compared.
pub const ONELOOP: &str = "oneloop";
/// All servers, in the order of the tables.
pub const NAMES: [&str; 5] = [ONELOOP, "express", "fastify", "axum", "actix-web"];

/// The folder with all that is served.
pub struct Site(pub PathBuf);

impl Site {
    /// The folder of the files.
    pub fn public(&self) -> PathBuf {
        self.0.join("public")
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.0.join("todos.db")
    }
}

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

/// How to start a server; `None` if it is not installed.
pub fn launch(name: &str, site: &Site, node: Option<&Node>) -> io::Result<Option<Launch>> {
    Ok(match name {
        "express" | "fastify" => node.map(|node| node.launch(name, site)),
        _ => Some(Launch::own(SERVE)?.arg(name).arg(&site.0)),
    })
}

/// The main function of a server's process.
pub fn serve(name: &str, site: &Site) -> ExitCode {
    child::end_with_parent();
    let served = match name {
        ONELOOP => oneloop::serve(site),
        "axum" => axum::serve(site),
        "actix-web" => actix::serve(site),
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
