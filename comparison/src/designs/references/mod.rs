//! Servers of others, as points of reference: with their own HTTP, so that they say nothing about designs alone.
//!
//! | name | what it is | `threads` |
//! |---|---|---|
//! | `hyper` | hyper 1 on tokio's multi-thread runtime; a role of this program | the runtime's |
//! | `tiny_http` | blocking threads; a role of this program | those that answer, as its documentation shows |
//! | `node` | the one that is installed; one process | |
//! | `nginx` | the one that is installed; static files | worker processes |
//! | `apache-event`, `apache-worker`, `apache-prefork` | the one that is installed; static files | all workers together; its own default where none are given |
//!
//! They keep deadlines and limits of their own, set to ours where they have the same (keep-alive 65 s, backlog 4096, no
//! log of requests). Those with [`Reference::has_children`] use CPU and memory in several processes.

mod apache;
mod folder;
mod hyper;
mod nginx;
mod node;
mod tiny_http;

use super::{Listening, Setup};
use folder::Folder;
use oneloop_benches::child::{Launch, Server};
use oneloop_benches::installed::Installed;
use std::io;

/// The references, by their short names.
pub const NAMES: [&str; 7] = ["hyper", "tiny_http", "node", "nginx", "apache-event", "apache-worker", "apache-prefork"];

/// The one download that those who serve static files have, in bytes.
pub const DOWNLOAD: usize = 1024 * 1024;

/// A server of others that is installed here.
pub struct Reference {
    /// Paths of the handlers that it has. Of `/download`, some have the one of [`DOWNLOAD`] bytes only.
    pub serves: &'static [&'static str],
    /// Its process has children that do the work.
    pub has_children: bool,
    program: Program,
    /// Its configuration and files, removed with this.
    _folder: Option<Folder>,
}

enum Program {
    /// It says where it listens.
    Says(Launch),
    Installed(Installed),
}

impl Reference {
    /// Starts it: `dress` may put a `taskset` in front of its command, or raise its limits. Keep `self` until it has ended.
    pub fn start(&self, dress: impl FnOnce(Launch) -> Launch) -> io::Result<Server> {
        match &self.program {
            Program::Says(launch) => Server::start(&dress(launch.clone())),
            Program::Installed(installed) => installed.start(dress),
        }
    }
}

/// Prepares a server with so many threads (or processes, where it has one thread in each); `None` where it is not installed.
pub fn prepare(name: &str, threads: Option<usize>) -> io::Result<Option<Reference>> {
    match name {
        "hyper" => own(name, threads, hyper::SERVES).map(Some),
        "tiny_http" => own(name, threads, tiny_http::SERVES).map(Some),
        "node" => Ok(node::prepare()),
        "nginx" => nginx::prepare(threads),
        _ => match name.strip_prefix("apache-") {
            Some(module) => apache::prepare(module, threads),
            None => Err(io::Error::other(format!("no such server; there are {}", NAMES.join(", ")))),
        },
    }
}

/// Serves by one of those that are part of this program; `None` where it is not.
pub fn serve(setup: &Setup, listening: Listening) -> Option<io::Result<()>> {
    match setup.design.as_str() {
        "hyper" => Some(hyper::serve(setup, listening)),
        "tiny_http" => Some(tiny_http::serve(setup, listening)),
        _ => None,
    }
}

fn own(name: &str, threads: Option<usize>, serves: &'static [&'static str]) -> io::Result<Reference> {
    let mut launch = Launch::own(super::SERVER)?.arg("--design").arg(name);
    if let Some(threads) = threads {
        launch = launch.arg("--threads").arg(threads.to_string());
    }
    Ok(Reference { serves, has_children: false, program: Program::Says(launch), _folder: None })
}

/// One that serves static files from a folder.
fn of_files(folder: Folder, installed: Installed) -> Reference {
    let serves = &["/", "/download"];
    Reference { serves, has_children: true, program: Program::Installed(installed), _folder: Some(folder) }
}
