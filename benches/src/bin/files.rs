//! The cost of a file: CPU per request of `send_file`, beside the same file from `app.files`, the same bytes from memory, `hello`,
//! and nginx.
//!
//!     cargo run --release -p oneloop-benches --bin files [-- --rounds N] [--seconds N] [--connections N] [--huge]
//!
//! wrk asks for one file of each size again and again, over loopback. In each round the contenders for a size run in turn,
//! so that a disturbance affects all of them. CPU is user and system time of the server's process, workers included. nginx
//! has one process, `sendfile on`, and no `open_file_cache`. It fails if `send_file` costs more than 1.5 times `hello` for
//! 4 KiB, or more than nginx up to 64 KiB, or if above that its throughput per CPU is below nine tenths of nginx's; and if
//! `app.files`, in a process of its own, costs more than 1.15 times `send_file` up to 1 MiB.

use oneloop::app::{App, Files};
use oneloop::http;
use oneloop_benches::child::{self, Launch, Server};
use oneloop_benches::figures::{bounds, median};
use oneloop_benches::installed::{self, Processes};
use oneloop_benches::machine;
use oneloop_benches::trial::{option, options, role};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin files [-- OPTIONS]
  --rounds N        each contender once in each (5)
  --seconds N       of each measurement (2)
  --connections N   of wrk (32)
  --huge            1 GiB as well
";

/// The roles of our servers' processes. The next argument is their folder.
const ROLE: &str = "files";
const APP_ROLE: &str = "app-files";
const HELLO: &str = "Hello from one loop\n";
const SIZES: [(&str, usize); 5] =
    [("1 KiB", 1 << 10), ("4 KiB", 4 << 10), ("16 KiB", 16 << 10), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)];
const HUGE: (&str, usize) = ("1 GiB", 1 << 30);
/// Up to this size the way to the file matters most, above it the bytes.
const SMALL: usize = 64 << 10;
/// What `app.files` may cost, times `send_file`.
const THROUGH_APP: f64 = 1.15;
/// A file larger than this is not also served from memory for comparison.
const HELD: usize = 1 << 20;

fn main() -> ExitCode {
    if let Some(ended) = role() {
        return ended;
    }
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some(ROLE) => return ended(serve(Path::new(&args[2])).map(|()| true)),
        Some(APP_ROLE) => return ended(serve_app(Path::new(&args[2])).map(|()| true)),
        _ => {}
    }
    let Some(options) = options(&["rounds", "seconds", "connections", "huge"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    if machine::find_program("wrk").is_none() {
        println!("SKIPPED: there is no wrk on the PATH (apt install wrk)");
        return ExitCode::SUCCESS;
    }
    ended(compare(&options))
}

fn ended(outcome: io::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("files: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The server's process: answers `/hello`, `/memory/SIZE` and `/file/SIZE`.
fn serve(folder: &Path) -> io::Result<()> {
    child::end_with_parent();
    let folder = folder.to_owned();
    let memory: Vec<(String, Rc<[u8]>)> = SIZES
        .iter()
        .filter(|(_, size)| *size <= HELD)
        .map(|(_, size)| Ok((format!("/memory/{size}"), fs::read(folder.join(size.to_string()))?.into())))
        .collect::<io::Result<_>>()?;
    let server = http::create_server(move |req, res| {
        if let Some(size) = req.path().strip_prefix("/file/") {
            return res.send_file(folder.join(size));
        }
        match memory.iter().find(|(path, _)| path == req.path()) {
            Some((_, bytes)) => res.end(bytes.clone()),
            None => res.end(HELLO),
        }
    });
    listen(&server)
}

/// The process of `app.files`: answers `/file/SIZE`.
fn serve_app(folder: &Path) -> io::Result<()> {
    child::end_with_parent();
    let mut app = App::new();
    app.files("/file", Files::of(folder)?);
    listen(&app.server()?)
}

fn listen(server: &http::Server) -> io::Result<()> {
    let listening = server.clone();
    server.listen(("127.0.0.1", 0), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or(0);
        println!("listening on http://127.0.0.1:{port}");
    })?;
    oneloop::run()
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One server and one path on it.
struct Contender<'a> {
    name: &'static str,
    server: &'a Server,
    path: String,
    /// Microseconds of CPU per request, one figure for each round.
    cost: Vec<f64>,
}

fn compare(options: &[(String, u64)]) -> io::Result<bool> {
    let rounds = option(options, "rounds", 5).max(1);
    let seconds = option(options, "seconds", 2).max(1);
    let connections = option(options, "connections", 32);
    let folder = Folder(std::env::temp_dir().join(format!("oneloop-files-{}", std::process::id())));
    fs::create_dir(&folder.0)?;
    let mut sizes = SIZES.to_vec();
    if option(options, "huge", 0) != 0 {
        sizes.push(HUGE);
    }
    for (_, size) in &sizes {
        let mut file = fs::File::create(folder.0.join(size.to_string()))?;
        for _ in 0..size / 1024 {
            file.write_all(&[b'x'; 1024])?;
        }
    }
    let ours = Server::start(&Launch::own(ROLE)?.arg(&folder.0))?;
    let app = Server::start(&Launch::own(APP_ROLE)?.arg(&folder.0))?;
    let served = format!("location /file/ {{ alias {}/; }}", folder.0.display());
    let theirs = installed::nginx(&folder.0, Processes::One, &served)?;
    let theirs = theirs.map(|nginx| nginx.start(|launch| launch)).transpose()?;
    println!("{connections} connections, {rounds} rounds of {seconds} s each; {}", machine::description());
    let mut met = true;
    for (name, size) in sizes {
        let contender = |name, server, path| Contender { name, server, path, cost: Vec::new() };
        let mut contenders = vec![
            contender("hello", &ours, "/hello".to_owned()),
            contender("send_file", &ours, format!("/file/{size}")),
            contender("app.files", &app, format!("/file/{size}")),
        ];
        if size <= HELD {
            contenders.push(contender("memory", &ours, format!("/memory/{size}")));
        }
        contenders.extend(theirs.iter().map(|server| contender("nginx", server, format!("/file/{size}"))));
        let (seconds, connections) = if size > HELD { (seconds.max(10), 2) } else { (seconds, connections) };
        for _ in 0..rounds {
            for contender in &mut contenders {
                contender.cost.push(measure(contender, seconds, connections)?);
            }
        }
        met &= report(name, size, &contenders);
    }
    ours.stop();
    app.stop();
    if let Some(theirs) = theirs {
        theirs.stop();
    }
    println!("{}", if met { "MET" } else { "NOT MET" });
    Ok(met)
}

fn measure(of: &Contender, seconds: u64, connections: u64) -> io::Result<f64> {
    let url = format!("http://127.0.0.1:{}{}", of.server.port, of.path);
    let launch = Launch::new("wrk").arg("-t1").arg(format!("-c{connections}")).arg(format!("-d{seconds}s"));
    let launch = launch.arg("--timeout=60s").arg(url);
    let used = || machine::cpu_time(of.server.pid).map(|time| time.total());
    let before = used();
    let said = child::run(&launch, Duration::from_secs(seconds + 90))?;
    let used = before.zip(used()).map(|(before, after)| after - before);
    let read = said.lines().find_map(|line| line.split_once(" requests in")?.0.trim().parse::<f64>().ok());
    if said.contains("Non-2xx") {
        return Err(io::Error::other(format!("{}: {said}", of.name)));
    }
    match used.zip(read.filter(|count| *count > 0.0)) {
        Some((used, count)) => Ok(used * 1e6 / count),
        None => Err(io::Error::other(format!("{}: no figure (no /proc?): {said}", of.name))),
    }
}

fn report(name: &str, size: usize, contenders: &[Contender]) -> bool {
    let cost =
        |name| contenders.iter().find(|other| other.name == name).map(|other| median(other.cost.iter().copied()));
    let Some(own) = cost("send_file") else { return false };
    println!("{name}");
    for other in contenders {
        let (least, most) = bounds(other.cost.iter().copied());
        let middle = median(other.cost.iter().copied());
        println!(
            "  {:9} {middle:10.2} us of CPU a request ({least:.2} to {most:.2}); send_file costs {:.2} times that",
            other.name,
            own / middle
        );
    }
    let times = |name, most: f64| cost(name).is_none_or(|other| own <= most * other);
    let ok = match size {
        4096 => times("hello", 1.5) && times("nginx", 1.0),
        ..=SMALL => times("nginx", 1.0),
        _ => times("nginx", 1.0 / 0.9),
    };
    let ratio = through_app(contenders);
    println!("  app.files costs {ratio:.2} times send_file, in the median of the rounds");
    let ok = ok && (size > HELD || ratio <= THROUGH_APP);
    println!("  {}", if ok { "ok" } else { "NOT MET" });
    ok
}

/// How many times the cost of `send_file` the same file costs from `app.files`: the median of the ratios in each round.
fn through_app(contenders: &[Contender]) -> f64 {
    let costs = |name| contenders.iter().filter(move |other| other.name == name).flat_map(|other| other.cost.iter());
    median(costs("app.files").zip(costs("send_file")).map(|(app, plain)| app / plain))
}
