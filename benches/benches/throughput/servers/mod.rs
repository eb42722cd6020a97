//! The servers that are compared. All except oneloop's and Node's are roles of this program: `throughput serve NAME`.
//!
//! Each answers `GET /` with [`BODY`](oneloop_benches::traffic::BODY) as `text/plain`, chooses a port and prints it, and
//! ends when its standard input does. Each uses one thread for its connections (tiny_http: its own pool), and all are built
//! with oneloop's release profile: fat LTO, one codegen unit, unwinding panics.

mod ceiling;
mod hyper;
mod may_minihttp;
mod tiny_http;

use ceiling::Httparse;
use oneloop_benches::child::{self, Launch};
use oneloop_benches::traffic::BlankLines;
use oneloop_benches::{hello, machine};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// The role of a server child.
pub const SERVE: &str = "serve";

/// The server with which the others are compared.
pub const CEILING: &str = "ceiling";
/// The ceiling for servers that parse with httparse.
pub const HTTPARSE: &str = "httparse";
/// The server under test.
pub const ONELOOP: &str = "oneloop";

/// All servers, in the order of the tables.
pub const NAMES: [&str; 7] = [CEILING, HTTPARSE, ONELOOP, "may_minihttp", "hyper", "tiny_http", "node"];

/// The paths of the programs that are started as servers, found once for a run.
pub struct Servers {
    hello: Option<PathBuf>,
    node: Option<PathBuf>,
}

impl Servers {
    /// Looks for the programs other than this one, and builds `hello` if it is wanted.
    pub fn prepare(wanted: &[&str]) -> io::Result<Servers> {
        let hello = if wanted.contains(&ONELOOP) { Some(hello::build()?) } else { None };
        Ok(Servers { hello, node: machine::find_program("node") })
    }

    /// How to start a server; `None` if it is not installed.
    pub fn launch(&self, name: &str) -> io::Result<Option<Launch>> {
        Ok(match name {
            ONELOOP => self.hello.as_deref().map(hello::launch),
            "node" => self.node.as_ref().map(|node| Launch::new(node).arg("-e").arg(NODE)),
            _ => Some(Launch::own(SERVE)?.arg(name)),
        })
    }
}

/// Node's `http`. Its newest releases keep idle connections for 65 s, as oneloop does. Older ones keep them for 5 s, and
/// would close those of `--idle` before they are counted.
const NODE: &str = r#"
const server = require('http').createServer((req, res) => {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.end('Hello from one loop\n');
});
server.keepAliveTimeout = 65000;
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit()).resume();
"#;

/// The main function of a server process.
pub fn serve(name: &str) -> ExitCode {
    child::end_with_parent();
    let served = match name {
        CEILING => ceiling::serve::<BlankLines>(),
        HTTPARSE => ceiling::serve::<Httparse>(),
        "hyper" => hyper::serve(),
        "may_minihttp" => may_minihttp::serve(),
        "tiny_http" => tiny_http::serve(),
        _ => Err(io::Error::other("no such server")),
    };
    if let Err(error) = served {
        eprintln!("{name}: {error}");
    }
    ExitCode::FAILURE
}

/// Tells the bench on which port a server listens.
fn announce(port: u16) {
    println!("listening on http://127.0.0.1:{port}");
}
