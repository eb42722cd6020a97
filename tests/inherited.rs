//! Listening sockets that come from elsewhere: from a supervisor, or from the process before (a rolling restart).
#![cfg(unix)]

mod support;

use crate::support::folder::Folder;
use crate::support::own_thread::on_own_thread;
use oneloop::http;
use oneloop::net::{self, Listen};
use oneloop::signals::{self, SIGTERM};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write, stdin};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What nobody waits for on any machine: a test that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const CHILD: &str = "ONELOOP_INHERITED";
const BODY: &str = "inherited\n";

/// The program of the recipe: it serves the socket that is its standard input until it is told to end.
#[test]
#[ignore = "a process of its own, run by the tests below"]
fn child() {
    let Ok(kind) = std::env::var(CHILD) else { return };
    let fd = stdin().as_fd().try_clone_to_owned().unwrap();
    let listen =
        if kind == "unix" { Listen::from(UnixListener::from(fd)) } else { Listen::from(TcpListener::from(fd)) };
    let server = http::create_server(|_req, res| res.end(BODY));
    server.listen(listen, || eprintln!("\nserving")).unwrap();
    signals::on(SIGTERM, move |_| server.close(|| ())).unwrap();
    oneloop::run().unwrap();
    // Not by the harness: this is how a program ends.
    std::process::exit(0);
}

/// A command that runs `child`, all of whose output goes to its standard error.
fn child_command(kind: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let script = format!("exec env {CHILD}={kind} \"$0\" --exact child --ignored --nocapture 1>&2");
    ["sh", "-c", &script, program.to_str().unwrap()].map(str::to_owned).to_vec()
}

/// A process that serves, or a supervisor of one.
struct Process(Child);

impl Process {
    /// Starts it and waits until it says this.
    fn start(command: &mut Command, says: &str) -> Process {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 && !line.contains(says) {
            line.clear();
        }
        assert!(line.contains(says), "it ended before it said {says:?}");
        // What it says later has a reader.
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Process(child)
    }

    fn serving(listener: &TcpListener) -> Process {
        let [program, arguments @ ..] = &child_command("tcp")[..] else { unreachable!() };
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        Process::start(Command::new(program).args(arguments).stdin(Stdio::from(socket)), "serving")
    }

    /// Tells it to end.
    fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// It has ended by itself, and well.
    #[track_caller]
    fn ended(mut self) {
        let status = self.0.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// ---- In one process

#[test]
fn a_listener_of_the_standard_library_serves_and_stays_open_where_it_is_kept() {
    on_own_thread(|| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let kept = listener.try_clone().unwrap();
        for greeting in ["first", "second", "third"] {
            let server = net::create_server(|_| ());
            let closing = server.clone();
            server.on_connection(move |socket| {
                socket.end(greeting);
                closing.close(|| ());
            });
            // It waits in the backlog while nobody accepts.
            let mut client = TcpStream::connect(address).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            server.listen(kept.try_clone().unwrap(), || ()).unwrap();
            assert_eq!(server.address().unwrap().port(), Some(address.port()));
            let client = thread::spawn(move || {
                let mut text = String::new();
                client.read_to_string(&mut text).unwrap();
                text
            });
            oneloop::run().unwrap();
            assert_eq!(client.join().unwrap(), greeting);
        }
    });
}

#[test]
fn what_does_not_listen_is_an_error() {
    on_own_thread(|| {
        let refused = |listen: Listen| {
            let error = net::create_server(|_| ()).listen(listen, || ()).unwrap_err();
            assert!(error.to_string().starts_with("cannot listen on an inherited socket: "), "{error}");
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        refused(TcpListener::from(OwnedFd::from(connected)).into());
        refused(UnixListener::from(OwnedFd::from(UnixStream::pair().unwrap().0)).into());
        let file = std::fs::File::open("/dev/null").unwrap();
        refused(TcpListener::from(OwnedFd::from(file)).into());
        let folder = Folder::new("inherited-kind");
        let unix = UnixListener::bind(folder.path("server")).unwrap();
        refused(TcpListener::from(OwnedFd::from(unix)).into());
    });
}

// ---- Several processes

/// Reads one whole answer. `false`: the end came before its first byte.
fn read_answer(stream: &mut impl Read, bytes: &mut Vec<u8>) -> std::io::Result<bool> {
    bytes.clear();
    let mut piece = [0; 4096];
    loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.len() - head - 4;
            if body >= BODY.len() {
                assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n") && bytes.ends_with(BODY.as_bytes()));
                return Ok(true);
            }
        }
        match stream.read(&mut piece)? {
            0 if bytes.is_empty() => return Ok(false),
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

const SHORT: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const LONG: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection for each request: each must be answered.
fn short_client(address: SocketAddr, done: &AtomicUsize, until: usize) {
    let mut bytes = Vec::new();
    while done.load(Ordering::Relaxed) < until {
        let mut stream = connect(address);
        stream.write_all(SHORT).unwrap();
        assert!(read_answer(&mut stream, &mut bytes).unwrap(), "a new connection was closed without an answer");
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// One connection for many requests. Where it ends instead of answering, the request is asked again on a new one, as every
/// client does (RFC 9112, section 9.3.1), for the server may close a connection that is idle.
fn long_client(address: SocketAddr, done: &AtomicUsize, until: usize) {
    let mut bytes = Vec::new();
    'connections: while done.load(Ordering::Relaxed) < until {
        let mut stream = connect(address);
        for number in 0.. {
            if done.load(Ordering::Relaxed) >= until {
                return;
            }
            let answered = stream.write_all(LONG).and_then(|()| read_answer(&mut stream, &mut bytes));
            match answered {
                Ok(true) => {}
                Ok(false) if number > 0 => continue 'connections,
                Err(error)
                    if number > 0 && matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
                {
                    continue 'connections;
                }
                failed => panic!("the first request of a connection failed: {failed:?}"),
            }
            done.fetch_add(1, Ordering::Relaxed);
            if String::from_utf8_lossy(&bytes).to_ascii_lowercase().contains("connection: close") {
                continue 'connections;
            }
        }
    }
}

#[test]
fn twenty_thousand_requests_through_ten_restarts_are_all_answered() {
    const REQUESTS: usize = 20_000;
    const RESTARTS: usize = 10;
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = Process::serving(&listener);
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let done = done.clone();
            thread::spawn(move || {
                let client = if number % 2 == 0 { short_client } else { long_client };
                client(address, &done, REQUESTS);
            })
        })
        .collect();
    for restart in 1..=RESTARTS {
        while done.load(Ordering::Relaxed) < REQUESTS * restart / (RESTARTS + 1)
            && !clients.iter().any(thread::JoinHandle::is_finished)
        {
            thread::sleep(Duration::from_millis(1));
        }
        let next = Process::serving(&listener);
        serving.terminate();
        serving.ended();
        serving = next;
    }
    for client in clients {
        client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
    assert!(done.load(Ordering::Relaxed) >= REQUESTS);
    serving.terminate();
    serving.ended();
}

#[test]
fn systemd_hands_over_a_socket_with_the_first_connection() {
    let there = Command::new("systemd-socket-activate").arg("--version").stdout(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no systemd-socket-activate on this machine");
        return;
    }
    let folder = Folder::new("activated");
    let path = folder.path("server");
    let mut command = Command::new("systemd-socket-activate");
    command.arg("--inetd").arg(format!("--listen={}", path.display())).args(child_command("unix"));
    let process = Process::start(command.stdin(Stdio::null()), "istening on");
    let mut bytes = Vec::new();
    for _ in 0..3 {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(SHORT).unwrap();
        assert!(read_answer(&mut stream, &mut bytes).unwrap());
    }
    // The supervisor has become the program.
    process.terminate();
    process.ended();
    assert!(path.exists(), "the path is the supervisor's");
}
