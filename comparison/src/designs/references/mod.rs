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
use oneloop_benches::machine;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The references, by their short names.
pub const NAMES: [&str; 7] = ["hyper", "tiny_http", "node", "nginx", "apache-event", "apache-worker", "apache-prefork"];

/// How long a server that was started may take to listen.
const START: Duration = Duration::from_secs(10);

/// The one download that those who serve static files have, in bytes.
pub const DOWNLOAD: usize = 1024 * 1024;

/// A server of others that is installed here.
pub struct Reference {
    /// Paths of the handlers that it has. Of `/download`, some have the one of [`DOWNLOAD`] bytes only.
    pub serves: &'static [&'static str],
    /// Its process has children that do the work.
    pub has_children: bool,
    launch: Launch,
    port: Option<u16>,
    /// Its configuration and files, removed with this.
    _folder: Option<Folder>,
}

impl Reference {
    /// Starts it: `dress` may put a `taskset` in front of its command, or raise its limits. Keep `self` until it has ended.
    pub fn start(&self, dress: impl FnOnce(Launch) -> Launch) -> io::Result<Server> {
        let server = Server::start(&dress(self.launch.clone()))?;
        let end = Instant::now() + START;
        while let Some(port) = self.port
            && let Err(error) = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        {
            if Instant::now() > end {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
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
    Ok(Reference { serves, has_children: false, launch, port: None, _folder: None })
}

/// One that serves static files from a folder, and does not say when it listens.
fn of_files(folder: Folder, port: u16, command: &[&str]) -> Reference {
    // The shell is replaced by the server, which so has the process id that the warden knows.
    let launch = Launch::new("sh").arg("-c").arg(r#"echo "listening on http://127.0.0.1:$0"; exec "$@""#);
    let launch = command.iter().fold(launch.arg(port.to_string()), |launch, word| launch.arg(word));
    let serves = &["/", "/download"];
    Reference { serves, has_children: true, launch, port: Some(port), _folder: Some(folder) }
}

/// A port that nobody listens on. Another program could take it before the server does, which then does not start.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Looks for a daemon, which the `PATH` of a user does not always lead to.
fn find_daemon(names: &[&str]) -> Option<PathBuf> {
    let beside = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(Path::new);
    let known = names.iter().find_map(|name| machine::find_program(name));
    known.or_else(|| names.iter().flat_map(|name| beside.map(|folder| folder.join(name))).find(|file| file.is_file()))
}

/// A path in a configuration file.
fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::Error::other("the temporary folder's path is no text"))
}
