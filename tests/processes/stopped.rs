//! Promise 8 where the kernel matters: a real process that is stopped, or that a handler holds, cuts nobody who did in time
//! what was awaited, however many they are.

use crate::support::http::{MS, get, whole};
use oneloop::http::{self, Request, Response};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const CHILD: &str = "ONELOOP_TEST_STOPPED";
/// What nobody waits for on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "the child process of the tests beside it"]
fn child() {
    let Ok(seconds) = std::env::var(CHILD) else { return };
    // What a connection may be idle, and a head take.
    let limit = Duration::from_secs(seconds.parse().unwrap());
    let server = http::create_server(|req: Request, res: Response| match req.path() {
        // The loop is busy until the parent says so.
        "/busy" => {
            println!("busy");
            std::io::stdin().read_line(&mut String::new()).unwrap();
            res.end("busy");
        }
        path => res.end(path),
    });
    let mut limits = server.limits();
    (limits.header, limits.keep_alive) = (limit, limit);
    server.set_limits(limits);
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    println!("\nport {}", server.address().unwrap().port().unwrap());
    oneloop::run().unwrap();
}

struct Server {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Server {
    fn start(limit: Duration) -> Server {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stopped::child", "--ignored", "--nocapture"])
            .env(CHILD, limit.as_secs().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = output.find_map(|line| line.unwrap().split_once("port ")?.1.parse().ok());
        Server { child, output, port: port.expect("the child says its port") }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// A client of a crowd. Each hundredth asks something, which is answered when all before it have been accepted. (Who finds
    /// the backlog full tries again after a second.)
    fn connected(&self, number: usize) -> TcpStream {
        let mut stream = self.connect();
        if number % 100 == 99 {
            stream.write_all(get("/a").as_bytes()).unwrap();
            assert_eq!(answer(&mut stream).as_deref(), Some("/a"));
        }
        stream
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next answer's content; nothing where the connection was cut.
fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let [reply] = whole(&bytes).0.as_slice() {
            return Some(reply.text());
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}

#[test]
fn who_was_in_time_is_answered_when_a_stopped_process_goes_on() {
    let limit = Duration::from_secs(1);
    let server = Server::start(limit);
    // Idle, in the middle of a head, and new.
    let mut streams: Vec<_> = (0..60).map(|_| server.connect()).collect();
    for stream in &mut streams[..20] {
        stream.write_all(get("/a").as_bytes()).unwrap();
        assert_eq!(answer(stream).as_deref(), Some("/a"));
    }
    for stream in &mut streams[20..40] {
        stream.write_all(&get("/b").as_bytes()[..10]).unwrap();
    }
    server.signal("STOP");
    for (number, stream) in streams.iter_mut().enumerate() {
        let from = if (20..40).contains(&number) { 10 } else { 0 };
        stream.write_all(&get("/b").as_bytes()[from..]).unwrap();
    }
    // It is time that has to pass.
    sleep(limit + 800 * MS);
    server.signal("CONT");
    let answered = streams.iter_mut().filter_map(answer).filter(|text| text == "/b").count();
    assert_eq!(answered, streams.len());
}

#[test]
fn two_thousand_clients_are_answered_after_a_handler_that_blocks() {
    let files = Command::new("sh").args(["-c", "ulimit -n"]).output().unwrap().stdout;
    let files = String::from_utf8(files).unwrap().trim().parse().unwrap_or(usize::MAX);
    if files < 2_200 {
        eprintln!("SKIPPED: 2,000 clients need a limit of 2,200 open files, and it is {files} (see `ulimit -n`)");
        return;
    }
    // All have to be there before the time of the first is over: a slow machine gets more of it.
    let Some(answered) = [1, 4, 16].into_iter().find_map(|limit| crowd(Duration::from_secs(limit))) else {
        eprintln!("SKIPPED: 2,000 clients could not connect and write within 16 s");
        return;
    };
    assert_eq!(answered, (2_000, Some("busy".to_owned())));
}

/// Two thousand clients that write while a handler blocks for longer than anybody may wait: how many are answered, and what the
/// blocked one gets. Nothing where they were not all in time.
fn crowd(limit: Duration) -> Option<(usize, Option<String>)> {
    let mut server = Server::start(limit);
    let began = Instant::now();
    let mut streams: Vec<_> = (0..2_000).map(|number| server.connected(number)).collect();
    let mut busy = server.connect();
    busy.write_all(get("/busy").as_bytes()).unwrap();
    assert!(server.output.any(|line| line.unwrap().ends_with("busy")), "the child says that it is busy");
    let written = streams.iter_mut().all(|stream| stream.write_all(get("/b").as_bytes()).is_ok());
    if began.elapsed() >= limit {
        return None;
    }
    assert!(written, "a client was cut before its time was over");
    sleep(limit + 800 * MS);
    server.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let answered = streams.iter_mut().filter_map(answer).filter(|text| text == "/b").count();
    Some((answered, answer(&mut busy)))
}
