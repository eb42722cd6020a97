//! `app::drain::on_signals`, in a real process: told to end it says that it is not ready, goes on to answer, closes, and exits
//! with 0; told again it cuts.
#![cfg(unix)]

mod support;

use crate::support::http::{Reply, get, whole};
use oneloop::app::{drain, ready};
use oneloop::http::{self, Request, Response};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

const CHILD: &str = "ONELOOP_TEST_DRAIN";
/// What nobody waits for on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server, with the wait that the parent sets.
#[test]
#[ignore = "the child process of the tests beside it"]
fn child() {
    let Ok(wait) = std::env::var(CHILD) else { return };
    let wait = Duration::from_millis(wait.parse().unwrap());
    let server = http::create_server(|req: Request, res: Response| match req.path() {
        "/never" => std::mem::forget(res),
        path => res.end(path),
    });
    server.on_path("/readyz", ready);
    let held = Rc::new(RefCell::new(Vec::<Response>::new()));
    let waiting = held.clone();
    server.on_path("/at-the-close", move |_, res| waiting.borrow_mut().push(res));
    server.on_closing(move || held.take().iter().for_each(|res| res.end("closing")));
    server.listen(("127.0.0.1", 0), ()).unwrap();
    drain::on_signals(&server, wait).unwrap();
    println!("\nport {}", server.address().unwrap().port().unwrap());
    oneloop::run().unwrap();
    // Not by the harness: this is how a program ends.
    std::process::exit(0);
}

struct Program {
    child: Child,
    port: u16,
}

impl Program {
    fn start(wait: Duration) -> Program {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(CHILD, wait.as_millis().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = output.find_map(|line| line.unwrap().split_once("port ")?.1.parse().ok());
        Program { child, port: port.expect("the child says its port") }
    }

    fn tell(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn ask(&self, path: &str) -> Reply {
        let mut stream = self.connect();
        stream.write_all(get(path).as_bytes()).unwrap();
        answer(&mut stream).unwrap_or_else(|| panic!("{path} is not answered"))
    }

    /// Asks until the program says that it wants no more requests.
    fn becomes_unready(&self) {
        let began = Instant::now();
        while self.ask("/readyz").status == 200 {
            assert!(began.elapsed() < PATIENCE, "it stays ready");
        }
    }

    /// It has ended by itself, and well.
    #[track_caller]
    fn has_ended(mut self) {
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nothing where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first answer on a connection; `None` if the connection ends before it is whole.
fn answer(stream: &mut TcpStream) -> Option<Reply> {
    let mut bytes = Vec::new();
    loop {
        if let Some(reply) = whole(&bytes).0.into_iter().next() {
            return Some(reply);
        }
        let mut piece = [0; 1024];
        match stream.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nobody answers"),
            _ => return None,
        }
    }
}

#[test]
fn told_to_end_it_is_not_ready_goes_on_and_told_again_it_cuts() {
    let program = Program::start(10 * PATIENCE);
    let mut stuck = program.connect();
    stuck.write_all(get("/never").as_bytes()).unwrap();
    assert_eq!(program.ask("/readyz").status, 200);
    program.tell("TERM");
    program.becomes_unready();
    assert_eq!(program.ask("/new").text(), "/new", "who did not hear of it is answered");
    program.tell("TERM");
    assert!(answer(&mut stuck).is_none());
    program.has_ended();
}

#[test]
fn after_the_wait_what_was_begun_is_answered_and_the_process_exits_with_0() {
    let program = Program::start(Duration::from_millis(100));
    let mut begun = program.connect();
    begun.write_all(get("/at-the-close").as_bytes()).unwrap();
    assert_eq!(program.ask("/readyz").status, 200);
    program.tell("TERM");
    let reply = answer(&mut begun).expect("it is answered");
    assert!(reply.text() == "closing" && reply.closes(), "{reply:?}");
    drop(begun);
    program.has_ended();
}

#[test]
fn from_a_terminal_it_closes_at_once() {
    let program = Program::start(10 * PATIENCE);
    let mut idle = program.connect();
    idle.write_all(get("/").as_bytes()).unwrap();
    assert_eq!(answer(&mut idle).unwrap().status, 200);
    program.tell("INT");
    assert_eq!(idle.read(&mut [0; 10]).unwrap(), 0);
    drop(idle);
    program.has_ended();
}
