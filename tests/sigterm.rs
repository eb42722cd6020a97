//! SIGTERM under load: a real process, asked by many clients at once, is told to end. What it has begun to answer it
//! answers whole; who is not answered finds the connection closed; it exits with 0, and nobody waits for the rest.
#![cfg(unix)]

mod support;

use crate::support::http::{Kept, MS, get, post, whole};
use oneloop::http::{self, Request, Response};
use oneloop::signals::{self, SIGTERM};
use oneloop::{run, set_timeout};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

const CHILD: &str = "ONELOOP_TEST_SIGTERM";
const CLIENTS: usize = 12;
/// Answers of each client before the signal: all are in full swing then.
const BEFORE: usize = 15;
/// What nobody waits for on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server: it ends its HTTP server on SIGTERM, and so itself.
#[test]
#[ignore = "the child process of the tests beside it"]
fn child() {
    let Ok(shutdown) = std::env::var(CHILD) else { return };
    let kept = Kept::default();
    let server = http::create_server(move |req: Request, res: Response| match req.path() {
        "/never" => kept.put(res),
        // The loop is busy until the parent says so.
        "/busy" => {
            println!("busy");
            std::io::stdin().read_line(&mut String::new()).unwrap();
            res.end("busy");
        }
        "/later" => drop(set_timeout(20 * MS, move || res.end("later"))),
        "/large" => res.end(vec![b'x'; 100_000]),
        "/chunks" => {
            res.write("one").ignore();
            let more = res.clone();
            set_timeout(10 * MS, move || more.write("two").ignore());
            set_timeout(20 * MS, move || res.end("three"));
        }
        "/body" => req.read_body(100_000, move |body| {
            if let Ok(body) = body {
                res.end(body);
            }
        }),
        path => res.end(path),
    });
    let mut limits = server.limits();
    limits.shutdown = shutdown.parse::<u32>().unwrap() * MS;
    server.set_limits(limits);
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    println!("\nport {}", server.address().unwrap().port().unwrap());
    signals::on(SIGTERM, move |_| server.close(|| ())).unwrap();
    run().unwrap();
    // Not by the harness: this is how a program ends.
    std::process::exit(0);
}

struct Server {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Server {
    fn start(shutdown: Duration) -> Server {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(CHILD, shutdown.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = output.find_map(|line| line.unwrap().split_once("port ")?.1.parse().ok());
        Server { child, output, port: port.expect("the child says its port") }
    }

    fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// It has ended by itself, and well.
    #[track_caller]
    fn ended(mut self) {
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Some(stream)
}

/// Reads until so many whole responses are here. An end comes only between two of them.
fn answers(stream: &mut TcpStream, count: usize) -> Vec<support::http::Reply> {
    let mut bytes = Vec::new();
    loop {
        let (replies, rest) = whole(&bytes);
        if replies.len() == count {
            assert!(rest.is_empty());
            return replies;
        }
        let mut piece = [0; 65_536];
        match stream.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend_from_slice(&piece[..length]),
            end => {
                assert!(!end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "nobody answers");
                assert!(rest.is_empty(), "cut after {:?}", String::from_utf8_lossy(&rest[..rest.len().min(300)]));
                return replies;
            }
        }
    }
}

/// Asks again and again, on connections of a few requests each, until nobody is there any more. Says how often a request
/// that was sent was not answered, and how many answers said that they were the last.
fn client(port: u16, number: usize, answered: &Sender<usize>) -> (usize, usize) {
    let requests = [
        (vec![get("/now")], vec!["/now"]),
        (vec![get("/later"), get("/now")], vec!["later", "/now"]),
        (vec![get("/chunks")], vec!["onetwothree"]),
        (vec![post("/body", "body"), get("/later"), get("/b")], vec!["body", "later", "/b"]),
        (vec![get("/large")], vec![]),
    ];
    let (mut unanswered, mut last) = (0, 0);
    let mut turn = number;
    while let Some(mut stream) = connect(port) {
        for _ in 0..7 {
            let (bytes, expected) = &requests[turn % requests.len()];
            turn += 1;
            if stream.write_all(bytes.concat().as_bytes()).is_err() {
                break;
            }
            let replies = answers(&mut stream, bytes.len());
            unanswered += bytes.len() - replies.len();
            for (reply, expected) in replies.iter().zip(expected) {
                assert_eq!((reply.status, reply.text().as_str()), (200, *expected));
            }
            answered.send(replies.len()).ok();
            last += replies.iter().filter(|reply| reply.closes()).count();
            if replies.len() < bytes.len() || replies.iter().any(|reply| reply.closes()) {
                break;
            }
        }
    }
    (unanswered, last)
}

#[test]
fn what_was_begun_is_answered_whole_and_the_process_exits_with_0() {
    // So long that whoever were cut at its end would be seen as hanging.
    let server = Server::start(PATIENCE);
    let (port, (answered, told)) = (server.port, channel());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let answered = answered.clone();
            thread::spawn(move || client(port, number, &answered))
        })
        .collect();
    let mut answers = 0;
    while answers < CLIENTS * BEFORE {
        answers += told.recv_timeout(PATIENCE).expect("the clients have given up");
    }
    // It is dispatched, and its answer far from over.
    let mut begun = connect(port).unwrap();
    begun.write_all(get("/chunks").as_bytes()).unwrap();
    begun.read_exact(&mut [0; 17]).unwrap();
    server.terminate();
    let mut rest = String::new();
    begun.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"), "{rest}");
    drop(begun);
    server.ended();
    let ends: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    // Each client had at most the requests of one write on their way when the listener was closed.
    assert!(ends.iter().all(|(unanswered, _)| *unanswered <= 3), "{ends:?}");
}

/// Requests that the kernel has when the signal comes, on new connections and on idle ones, are answered.
#[test]
fn who_had_asked_while_the_loop_was_busy_is_answered() {
    let mut server = Server::start(PATIENCE);
    let mut idle: Vec<_> = (0..20).map(|_| connect(server.port).unwrap()).collect();
    for stream in &mut idle {
        stream.write_all(get("/now").as_bytes()).unwrap();
        assert_eq!(answers(stream, 1)[0].text(), "/now");
    }
    let mut busy = connect(server.port).unwrap();
    busy.write_all(get("/busy").as_bytes()).unwrap();
    assert!(server.output.any(|line| line.unwrap().ends_with("busy")), "the child says that it is busy");
    let mut asks: Vec<_> = (0..200).map(|_| connect(server.port).unwrap()).chain(idle).collect();
    for stream in &mut asks {
        stream.write_all(get("/now").as_bytes()).unwrap();
    }
    server.terminate();
    server.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let unanswered = asks.iter_mut().map(|stream| answers(stream, 1).len()).filter(|count| *count != 1).count();
    assert_eq!((unanswered, answers(&mut busy, 1).len()), (0, 1));
    drop((asks, busy));
    server.ended();
}

#[test]
fn a_handler_that_never_answers_does_not_keep_the_process() {
    let server = Server::start(200 * MS);
    let mut stuck = connect(server.port).unwrap();
    stuck.write_all((get("/now") + &get("/never")).as_bytes()).unwrap();
    assert_eq!(answers(&mut stuck, 1)[0].text(), "/now");
    let mut idle = connect(server.port).unwrap();
    idle.write_all(get("/now").as_bytes()).unwrap();
    assert_eq!(answers(&mut idle, 1)[0].text(), "/now");
    server.terminate();
    for mut stream in [stuck, idle] {
        assert_eq!(stream.read(&mut [0; 100]).unwrap(), 0, "closed without a word");
    }
    server.ended();
}
