//! What goes wrong is said: to the logger, where one is installed; else on standard error, once for each kind; and in a
//! simulated world to whoever asks it. Each case runs as a process of its own, since a logger is for all of a process.

use oneloop::http::{self, Request, Response};
use oneloop::sim::Sim;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

const CASE: &str = "ONELOOP_NOTICE_CASE";

/// Runs a case in a process of its own. What it says on standard error.
fn said_by(case: &str, environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "notices::child", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env_remove("RUST_LOG")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

/// The other side of [`said_by`]; without a case, as in an ordinary run, it does nothing.
#[test]
fn child() {
    match std::env::var(CASE).as_deref() {
        Err(_) => {}
        Ok("mistakes") => mistakes(),
        #[cfg(feature = "app")]
        Ok("failing steps") => failing_steps(),
        Ok("turned off") => {
            oneloop::set_stderr_fallback(false);
            mistakes();
        }
        Ok("logger") => {
            env_logger::init();
            mistakes();
        }
        Ok("never run") => {
            let server = http::create_server(|_, res| res.end("hi"));
            server.listen(("127.0.0.1", 0), ()).unwrap();
        }
        Ok("a tick") => oneloop::next_tick(|| println!("it ran")),
        Ok("a job") => oneloop::worker::run(|| (), |_| println!("it ran")),
        Ok("a message") => oneloop::channel(|_: u8| println!("it ran")).send(1).unwrap(),
        Ok("a sender") => std::mem::forget(oneloop::channel(|_: u8| println!("it ran"))),
        Ok("a connection") => std::mem::forget(oneloop::net::connect(("127.0.0.1", 1), |_| ())),
        Ok("nothing waits") => {
            oneloop::channel(|_: u8| println!("it ran")).unref();
            let _gone = oneloop::remote();
            let server = http::create_server(|_, res| res.end("hi"));
            server.listen(("127.0.0.1", 0), ()).unwrap();
            server.unref();
            oneloop::set_timeout(Duration::from_secs(60), || ()).unref();
            let closed = http::create_server(|_, res| res.end("hi"));
            closed.listen(("127.0.0.1", 0), ()).unwrap();
            closed.close(());
        }
        Ok("it ran") => {
            let server = http::create_server(|_, res| res.end("hi"));
            server.listen(("127.0.0.1", 0), ()).unwrap();
            oneloop::set_immediate(oneloop::stop);
            oneloop::run().unwrap();
        }
        Ok("a world") => {
            let _sim = Sim::new();
            let server = http::create_server(|_, res| res.end("hi"));
            server.listen(80, ()).unwrap();
        }
        Ok(other) => panic!("no such case: {other}"),
    }
}

/// An app of which each request, but the last, finds a mistake of one of two steps.
#[cfg(feature = "app")]
fn failing_steps() {
    let mut app = oneloop::app::App::new();
    app.get("/error", |_, _| Err("no such table".into()));
    app.get("/forgotten", |_, _| ());
    app.get("/last", |_, res| {
        res.end("bye");
        oneloop::stop();
    });
    let server = app.listen(("127.0.0.1", 0), ()).unwrap();
    let client = ask(&server, &["/error", "/forgotten", "/error", "/forgotten", "/last"]);
    oneloop::run().unwrap();
    client.join().unwrap();
}

/// Asks for these paths, one after the other.
fn ask(server: &http::Server, paths: &'static [&str]) -> JoinHandle<()> {
    let address = server.address().unwrap().to_string();
    std::thread::spawn(move || {
        for path in paths {
            let mut stream = TcpStream::connect(&address).unwrap();
            write!(stream, "GET {path}?from=test HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        }
    })
}

/// A server of which each request, but the last, finds a mistake; each is made twice.
fn mistakes() {
    let server = http::create_server(|req: Request, res: Response| {
        match req.path() {
            "/error" => Err(std::io::Error::other("no such table"))?,
            "/forgotten" => drop(res),
            "/field" => {
                res.set_header("X", "two\nlines");
                res.end("hi");
            }
            "/status" => {
                res.set_status(99).end("hi");
            }
            "/length" => {
                res.set_header("Content-Length", 10);
                res.end("hi");
            }
            "/early" => {
                res.set_header("Content-Length", 10);
                res.write("hi").ignore();
                res.end(());
            }
            _ => {
                res.end("bye");
                oneloop::stop();
            }
        }
        Ok(())
    });
    server.listen(("127.0.0.1", 0), ()).unwrap();
    let paths = &["/error", "/forgotten", "/field", "/status", "/length", "/early", "/error", "/forgotten", "/last"];
    let client = ask(&server, paths);
    oneloop::run().unwrap();
    client.join().unwrap();
}

#[test]
fn without_a_logger_the_first_mistake_of_each_kind_is_told_with_its_route() {
    let text = said_by("mistakes", &[]);
    let times = |what: &str| text.lines().filter(|line| line.contains("oneloop::http") && line.contains(what)).count();
    for what in
        ["/error?from=test: the handler failed: no such table", "/forgotten?from=test: the response was dropped"]
    {
        assert_eq!(times(what), 1, "{what}\n{text}");
    }
    for what in ["/field", "/status", "/length", "/early"] {
        assert_eq!(times(what), 1, "{what}\n{text}");
    }
    assert_eq!(text.matches("env_logger::init()").count(), 1, "{text}");
}

/// All 500s of an app looked alike: the first one was told, and no other.
#[cfg(feature = "app")]
#[test]
fn without_a_logger_the_first_failure_of_each_step_of_an_app_is_told_with_its_place() {
    let text = said_by("failing steps", &[]);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("oneloop::app")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, path, what) in [
        (lines[0], "GET /error?from=test: ", "failed with 500: no such table"),
        (lines[1], "GET /forgotten?from=test: ", "neither answered nor went on; that is a 500"),
    ] {
        assert!(line.contains(path) && line.ends_with(what), "{line}");
        assert_eq!(line.matches("the step registered at tests/processes/notices.rs:").count(), 1, "{line}");
    }
}

#[test]
fn that_can_be_turned_off() {
    assert_eq!(said_by("turned off", &[]).matches("oneloop").count(), 0);
}

#[test]
fn a_logger_that_is_installed_gets_all_of_it_and_decides() {
    let text = said_by("logger", &[("RUST_LOG", "oneloop=warn")]);
    assert_eq!(text.matches("the handler failed: no such table").count(), 2, "{text}");
    assert_eq!(text.matches("the response was dropped").count(), 2, "{text}");
    assert!(!text.contains("No logger is installed"), "{text}");
    let text = said_by("logger", &[("RUST_LOG", "error")]);
    assert_eq!(text.matches("the response was dropped").count(), 0, "{text}");
}

#[test]
fn a_loop_that_was_never_run_is_told_when_its_thread_ends() {
    let text = said_by("never run", &[]);
    assert!(
        text.contains("event loop never ran (listening servers: 1, timers: 0): oneloop::run() was forgotten, or a panic came first"),
        "{text}"
    );
    for (case, what) in [
        ("a tick", "timers: 0, immediates and ticks: 1"),
        ("a job", "timers: 0, jobs: 1"),
        ("a message", "timers: 0, messages and senders: 1"),
        ("a sender", "timers: 0, messages and senders: 1"),
        ("a connection", "connections: 1"),
    ] {
        let text = said_by(case, &[]);
        assert!(text.contains("event loop never ran") && text.contains(what), "{case}: {text}");
    }
    for case in ["nothing waits", "it ran", "a world"] {
        let text = said_by(case, &[]);
        assert!(!text.contains("oneloop::"), "{case}: {text}");
    }
}

#[test]
fn a_closed_standard_error_is_no_fault() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "notices::child", "--nocapture", "--test-threads=1"])
        .env(CASE, "mistakes")
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_simulated_world_keeps_what_was_said_in_it() {
    let sim = Sim::new();
    let server = http::create_server(|req: Request, res: Response| match req.path() {
        "/forgotten" => drop(res),
        path => res.end(path),
    });
    server.listen(80, ()).unwrap();
    for path in ["/forgotten", "/fine", "/forgotten"] {
        sim.connect(80).write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    sim.settle();
    let warnings = |sim: &Sim| sim.log().iter().filter(|line| line.level == log::Level::Warn).count();
    assert_eq!(warnings(&sim), 2, "{:?}", sim.log());
    assert!(sim.log().iter().any(|line| line.text.contains("listening on")));
    drop(server);
    // Another world begins with nothing, and the first gets nothing of it.
    let other = Sim::new();
    assert!(other.log().is_empty());
    let server = http::create_server(|_: Request, res: Response| drop(res));
    server.listen(80, ()).unwrap();
    for _ in 0..10 {
        other.connect(80).write("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200));
        other.settle();
    }
    assert_eq!((warnings(&sim), other.log().len()), (2, 1000), "the last thousand lines");
    drop(other);
}
