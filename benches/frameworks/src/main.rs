//! CPU per request of oneloop's `app` beside Express 5, Fastify, axum and actix-web.
//!
//!     cargo run --release --manifest-path benches/frameworks/Cargo.toml [-- --rounds N] [--seconds N] [--connections N] [--row N]
//!
//! The same routes and middlewares everywhere: see [`servers`]. In each round the servers are measured in turn, in another order
//! each time, so that a disturbance affects all of them. CPU is user and system time of the server's process, all its threads.
//! The figure to compare is the ratio to oneloop's of the same round. It fails if oneloop is not below each of the others in
//! each row.

mod node;
mod servers;
mod todos;

use oneloop_benches::child::{self, Launch, Server};
use oneloop_benches::figures::{bounds, median};
use oneloop_benches::machine;
use oneloop_benches::trial::{option, options};
use servers::{HELLO, NAMES, ONELOOP, SERVE, Site};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
cargo run --release --manifest-path benches/frameworks/Cargo.toml [-- OPTIONS]
  --rounds N        each server once in each (9)
  --seconds N       of each measurement (2)
  --connections N   of wrk (64)
  --row N           only this row of the table (0: all)
";
/// The size of the file, in bytes.
const FILE: usize = 4096;
/// The row that needs a database.
const TODOS: &str = "20 todos from SQLite";
/// Seconds that each server is asked before a row is measured.
const WARM_UP: u64 = 6;
/// How often a measurement is begun anew because an answer was late, as on a machine with other work, before the run ends.
const ATTEMPTS: u32 = 3;

fn main() -> ExitCode {
    if let Some(ended) = child::warden() {
        return ended;
    }
    let args: Vec<String> = std::env::args().collect();
    if let [_, role, name, folder] = &args[..]
        && role == SERVE
    {
        return servers::serve(name, &Site(folder.into()));
    }
    let Some(options) = options(&["rounds", "seconds", "connections", "row"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    if machine::find_program("wrk").is_none() {
        println!("SKIPPED: there is no wrk on the PATH (apt install wrk)");
        return ExitCode::SUCCESS;
    }
    match compare(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("frameworks: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A row of the table: one request, asked again and again.
struct Row {
    name: &'static str,
    request: String,
    /// The body of every answer.
    answer: String,
    /// The servers that have it.
    of: &'static [&'static str],
}

fn rows(site: &Site) -> io::Result<[Row; 4]> {
    let list = servers::list()?;
    let todos = todos::open(&site.database()).and_then(|connection| todos::list(&connection, 7));
    let todos = serde_json::to_string(&todos.map_err(io::Error::other)?)?;
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let length = list.len();
    let post = format!(
        "POST /json HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{list}"
    );
    Ok([
        Row { name: "hello", request: get("/hello"), answer: HELLO.to_owned(), of: &NAMES },
        Row { name: "JSON, 1 KiB in and out", request: post, answer: list, of: &NAMES },
        Row { name: "file of 4 KiB", request: get("/files/file.txt"), answer: "x".repeat(FILE), of: &NAMES },
        Row { name: TODOS, request: get("/todos/7"), answer: todos, of: &[ONELOOP, "express", "axum"] },
    ])
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Contender {
    name: &'static str,
    server: Server,
    /// Microseconds of CPU per request, one figure for each round of a row.
    cost: Vec<f64>,
}

/// The commands that pin the servers and wrk to a CPU each.
fn pins() -> Option<[Vec<String>; 2]> {
    let cpus = machine::cpus();
    let pin = |cpu: &usize| ["taskset".to_owned(), "-c".to_owned(), cpu.to_string()].to_vec();
    machine::find_program("taskset").filter(|_| cpus.len() > 1)?;
    Some([pin(cpus.first()?), pin(cpus.last()?)])
}

fn compare(options: &[(String, u64)]) -> io::Result<bool> {
    let rounds = option(options, "rounds", 9).max(1);
    let seconds = option(options, "seconds", 2).max(1);
    let connections = option(options, "connections", 64).max(1);
    let only = option(options, "row", 0);
    let folder = Folder(std::env::temp_dir().join(format!("oneloop-frameworks-{}", std::process::id())));
    let site = Site(folder.0.clone());
    fs::create_dir_all(site.public())?;
    fs::write(site.public().join("file.txt"), "x".repeat(FILE))?;
    todos::create(&site.database()).map_err(io::Error::other)?;
    let node = node::prepare()?;
    let pinned = pins();
    if pinned.is_none() {
        println!("NOT PINNED (one CPU, or no taskset): ratios are rough");
    }
    let [server_pin, wrk_pin] = pinned.unwrap_or_default();
    let load = Load { connections, pin: wrk_pin, script: folder.0.join("load.lua") };
    let mut contenders = Vec::new();
    for name in NAMES {
        if let Some(launch) = servers::launch(name, &site, node.as_ref())? {
            let server = Server::start(&launch.under(&server_pin))?;
            contenders.push(Contender { name, server, cost: Vec::new() });
        }
    }
    println!("{connections} connections, {rounds} rounds of {seconds} s each; {}", machine::description());
    let mut met = true;
    let asked = |row: &Row, contender: &Contender| match contender.name {
        "express" if row.name == TODOS => node.as_ref().is_some_and(|node| node.has_sqlite),
        name => row.of.contains(&name),
    };
    let chosen = (1..).zip(rows(&site)?).filter(|(number, _)| only == 0 || only == *number);
    for (_, row) in chosen {
        contenders.iter_mut().for_each(|contender| contender.cost.clear());
        for contender in contenders.iter_mut().filter(|contender| asked(&row, contender)) {
            check(contender, &row)?;
            // Just-in-time compilers and caches become warm. Node's compiler takes some seconds.
            load.measure(contender, &row, WARM_UP)?;
        }
        for _ in 0..rounds {
            for contender in contenders.iter_mut().filter(|contender| asked(&row, contender)) {
                contender.cost.push(load.measure_patiently(contender, &row, seconds)?);
            }
            contenders.rotate_left(1);
        }
        contenders.sort_by_key(|contender| NAMES.iter().position(|name| *name == contender.name));
        met &= report(&row, &contenders);
    }
    println!("{}", if met { "MET" } else { "NOT MET" });
    Ok(met)
}

/// Asks once, and looks at all of the answer.
fn check(of: &Contender, row: &Row) -> io::Result<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, of.server.port))?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = row.request.replacen("Host: localhost", "Host: localhost\r\nConnection: close", 1);
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let head = head.to_ascii_lowercase();
    let fields = ["x-content-type-options: nosniff", "x-frame-options: deny", "x-request-id: 0"];
    if head.starts_with("http/1.1 200 ") && fields.iter().all(|field| head.contains(field)) && body == row.answer {
        return Ok(());
    }
    Err(io::Error::other(format!("{} answers {} wrongly: {answer}", of.name, row.name)))
}

/// How the servers are asked.
struct Load {
    connections: u64,
    /// The command that pins wrk to a CPU.
    pin: Vec<String>,
    /// The file of wrk's program.
    script: PathBuf,
}

impl Load {
    /// As [`measure`](Load::measure), once more if it fails.
    fn measure_patiently(&self, of: &Contender, row: &Row, seconds: u64) -> io::Result<f64> {
        let mut attempts = 1;
        loop {
            match self.measure(of, row, seconds) {
                Err(error) if attempts < ATTEMPTS => eprintln!("  measured again: {error}"),
                result => return result,
            }
            attempts += 1;
        }
    }

    /// Microseconds of CPU per request.
    fn measure(&self, of: &Contender, row: &Row, seconds: u64) -> io::Result<f64> {
        // A long bracket of Lua would turn CRLF into LF; what Rust escapes, Lua escapes in the same way.
        fs::write(&self.script, format!("local text = {:?}\nfunction request() return text end\n", row.request))?;
        let launch = Launch::new("wrk").arg("-t1").arg(format!("-c{}", self.connections)).arg(format!("-d{seconds}s"));
        let launch = launch.arg("-s").arg(&self.script).arg(format!("http://127.0.0.1:{}/", of.server.port));
        let used = || machine::cpu_time(of.server.pid).map(|time| time.total());
        let before = used();
        let said = child::run(&launch.under(&self.pin), Duration::from_secs(seconds + 30))?;
        let used = before.zip(used()).map(|(before, after)| after - before);
        let read = said.lines().find_map(|line| line.split_once(" requests in")?.0.trim().parse::<f64>().ok());
        if said.contains("Non-2xx") || said.contains("Socket errors") {
            return Err(io::Error::other(format!("{}: {said}", of.name)));
        }
        match used.zip(read.filter(|count| *count > 0.0)) {
            Some((used, count)) => Ok(used * 1e6 / count),
            None => Err(io::Error::other(format!("{}: no figure (no /proc?): {said}", of.name))),
        }
    }
}

fn report(row: &Row, contenders: &[Contender]) -> bool {
    println!("{}", row.name);
    let Some(own) = contenders.iter().find(|other| other.name == ONELOOP) else { return false };
    let mut met = true;
    for other in contenders.iter().filter(|other| !other.cost.is_empty()) {
        let ratios = || other.cost.iter().zip(&own.cost).map(|(theirs, ours)| theirs / ours);
        let (least, most) = bounds(ratios());
        let (middle, cost) = (median(ratios()), median(other.cost.iter().copied()));
        let below = other.name == ONELOOP || middle > 1.0;
        met &= below;
        println!(
            "  {:10} {cost:8.2} us of CPU a request; {middle:5.2} x oneloop ({least:.2} to {most:.2}){}",
            other.name,
            if below { "" } else { "  NOT MET" }
        );
    }
    met
}
