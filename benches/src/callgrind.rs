//! Instructions per request, counted by valgrind's callgrind: of the program's own code, not of the kernel's.
//!
//! Each case runs twice, with N and with 2N requests over one connection. The difference divided by N is the cost of one
//! request; start-up, the first exchange and the shutdown cancel out.

use crate::child::{Launch, Server};
use crate::machine;
use crate::traffic::{BODY, Case, Client};
use crate::websocket::{self, Client as Socket, SUBSCRIBE};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

/// The number of requests of the shorter run.
const REQUESTS: usize = 8_000;
/// The number of messages, or of deliveries, of the shorter run.
const MESSAGES: usize = 16_000;

/// A run has one connection with one exchange at a time, so cases that differ only in the number of connections are the
/// same here.
pub const MEASURED: [&str; 3] = ["ka64", "pipe16", "browser"];

/// Returns whether valgrind is installed.
pub fn is_there() -> bool {
    machine::find_program("valgrind").is_some()
}

/// The instructions of one request.
pub fn per_request(server: &Launch, case: &Case) -> io::Result<f64> {
    per_unit(server, case.name, REQUESTS, |port, requests| {
        let mut client = Client::connect(port)?;
        let batch = case.batch(port);
        (0..requests / case.depth).try_for_each(|_| client.exchange(&batch, case.depth, Some(BODY)).map(drop))
    })
}

/// One kind of messages over WebSockets.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    /// The name in the record.
    pub name: &'static str,
    /// Where they are sent.
    pub path: &'static str,
    /// How many bytes each has.
    pub length: usize,
    /// How many are sent before the first answer is read.
    pub depth: usize,
    /// How many sockets get each of them. 0: it is sent back.
    pub subscribers: usize,
}

/// The instructions of one message that is sent back, or of one delivery to a subscriber.
pub fn per_message(server: &Launch, messages: &Messages) -> io::Result<f64> {
    let Messages { path, length, depth, subscribers, .. } = *messages;
    per_unit(server, messages.name, MESSAGES, |port, units| {
        let mut getters = (0..subscribers).map(|_| Socket::open(port, SUBSCRIBE)).collect::<io::Result<Vec<_>>>()?;
        let mut sender = Socket::open(port, path)?;
        let content = websocket::content(length);
        let sent = websocket::sent(true, &content).repeat(depth);
        let answered = websocket::answered(true, &content).repeat(depth);
        for _ in 0..units / depth / subscribers.max(1) {
            sender.send(&sent)?;
            if subscribers == 0 {
                sender.expect(&answered)?;
            }
            getters.iter_mut().try_for_each(|getter| getter.expect(&answered))?;
        }
        Ok(())
    })
}

/// The instructions of one unit of what `drive` lets a server do: the difference of two runs, so that everything that happens once
/// cancels out. `drive` is given the server's port, and how many units it has to do.
fn per_unit(
    server: &Launch,
    name: &str,
    units: usize,
    drive: impl Fn(u16, usize) -> io::Result<()>,
) -> io::Result<f64> {
    let once = run(server, &|port| drive(port, units))?;
    let twice = run(server, &|port| drive(port, 2 * units))?;
    if twice <= once {
        return Err(io::Error::other(format!("{name}: {once} instructions for N units, {twice} for 2N")));
    }
    Ok((twice - once) as f64 / units as f64)
}

/// The instructions of a whole run of a server.
fn run(server: &Launch, drive: &dyn Fn(u16) -> io::Result<()>) -> io::Result<u64> {
    let folder = std::env::temp_dir().join(format!("oneloop-instructions-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let counted = under_callgrind(server, drive, &folder.join("callgrind.out"));
    let _ = std::fs::remove_dir_all(&folder);
    counted
}

fn under_callgrind(server: &Launch, drive: &dyn Fn(u16) -> io::Result<()>, out: &Path) -> io::Result<u64> {
    let out_option = format!("--callgrind-out-file={}", out.display());
    let server = Server::start(&server.clone().under(["valgrind", "--quiet", "--tool=callgrind", &out_option]))?;
    drive(server.port)?;
    // The warden sends SIGTERM, and callgrind writes its counts.
    server.stop();
    total(out)
}

/// What the client is answered.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Date: Mon, 30 Nov 2026 00:00:00 GMT\r\nContent-Length: 20\r\n\r\nHello from one loop\n";

/// The instructions of one request that a client makes: `client PORT COUNT`.
pub fn per_client_request(client: &Path) -> io::Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port().to_string();
    // It ends with this process.
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut landing = [0; 4096];
            while stream.read(&mut landing).is_ok_and(|count| landing[..count].ends_with(b"\r\n\r\n")) {
                if stream.write_all(ANSWER.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    let run = |requests: usize| of_program(client, &[&port, &requests.to_string()]);
    match (run(REQUESTS), run(2 * REQUESTS)) {
        (Some(once), Some(twice)) if twice > once => Ok((twice - once) as f64 / REQUESTS as f64),
        counts => Err(io::Error::other(format!("client: {counts:?} instructions for N and 2N requests"))),
    }
}

/// The instructions of a program that ends by itself. `None` without valgrind, or if the program fails.
pub fn of_program(program: &Path, args: &[&str]) -> Option<u64> {
    let out = std::env::temp_dir().join(format!("oneloop-instructions-{}.out", std::process::id()));
    let mut command = Command::new(machine::find_program("valgrind")?);
    command.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", out.display()));
    let ended = command.arg(program).args(args).status().ok()?;
    let total = total(&out).ok();
    let _ = std::fs::remove_file(&out);
    total.filter(|_| ended.success())
}

/// The sum in a file that callgrind has written.
fn total(out: &Path) -> io::Result<u64> {
    let text =
        std::fs::read_to_string(out).map_err(|error| io::Error::other(format!("callgrind wrote nothing: {error}")))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    let total = total.and_then(|number| number.trim().parse().ok());
    total.ok_or_else(|| io::Error::other("callgrind's file has no total"))
}
