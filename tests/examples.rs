//! Each example, run as its users run it, and asked by a plain client.

// Each example that is loaded here, for its own tests, brings what the examples share.
#![allow(clippy::duplicate_mod)]

#[allow(dead_code)]
#[path = "../examples/routes.rs"]
mod routes;
#[allow(dead_code)]
#[path = "../examples/sse_chat.rs"]
mod sse_chat;

mod support;

use crate::support::bytes::pattern;
use crate::support::folder::Folder;
use crate::support::websocket::{close_frame, frame, handshake, text};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes a second; a machine that is very busy may need longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running example, ended with its handle.
struct Program {
    child: Child,
    /// `None`: it is closed.
    output: Option<BufReader<ChildStdout>>,
}

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Program {
        Program::spawn(command(name).args(arguments))
    }

    fn spawn(command: &mut Command) -> Program {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().map(BufReader::new);
        Program { child, output }
    }

    /// The next line that it prints; empty at its end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// The port of the next server that it announces.
    fn port(&mut self) -> u16 {
        let line = self.line();
        let port = line.trim_end().rsplit_once("http://localhost:").and_then(|(_, port)| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port is announced by {line:?}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The example that cargo built along with this test.
fn command(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("examples");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    // `cargo test --test examples` builds no example: an old one would be tested.
    let sources = std::fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let newest = sources.split_whitespace().skip(1).filter_map(|source| changed(Path::new(source))).max();
    assert!(
        changed(&program) > newest,
        "{name} is not up to date: run `cargo test`, or `cargo build --examples` before"
    );
    let mut command = Command::new(program);
    command.env_remove("PORT").env_remove("RUST_LOG");
    command
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("localhost", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request that ends the connection, and gives the whole answer.
fn ask(port: u16, method: &str, target: &str, fields: &str, body: &[u8]) -> Answer {
    let mut stream = connect(port);
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("no head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer { status: head[9..12].parse().unwrap(), head, body: bytes[end..].to_vec() }
}

fn get(port: u16, target: &str) -> Answer {
    ask(port, "GET", target, "", b"")
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    fn expect(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text()), (status, text), "{}", self.head);
    }
}

/// Waits for what a program does to its files.
#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "it has not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn hello_says_hello_and_seeds_a_plant() {
    let mut program = Program::start("hello", &["0"]);
    let port = program.port();
    let answer = get(port, "/");
    answer.expect(200, "Hello from one loop\n");
    assert_eq!(answer.field("Content-Type"), Some("text/plain; charset=utf-8"));
    get(port, "/seed-a-plant").expect(200, "🌱 Plant seeded!");
}

/// With the feature alone: without it the signal ends `hello` at once, and as process 1 not at all.
#[cfg(all(target_os = "linux", feature = "signals"))]
#[test]
fn hello_ends_well_by_sigterm_also_as_the_first_process_of_a_container() {
    let terminate = |process: &str| {
        let kill = format!("kill -TERM {process}");
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    let mut program = Program::start("hello", &["0"]);
    assert_eq!(get(program.port(), "/").status, 200);
    terminate(&program.child.id().to_string());
    assert_eq!(program.child.wait().unwrap().code(), Some(0));

    // In a namespace of processes of its own, where the system lets us make one.
    let namespace = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    let may = Command::new("unshare").args(namespace).arg("true").stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        return println!("SKIPPED: no namespace of processes is to be had");
    }
    let hello = command("hello");
    let mut program = Program::spawn(Command::new("unshare").args(namespace).arg(hello.get_program()).arg("0"));
    assert_eq!(get(program.port(), "/").status, 200);
    let outside = program.child.id();
    let children = std::fs::read_to_string(format!("/proc/{outside}/task/{outside}/children")).unwrap();
    terminate(children.trim());
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_port_may_come_from_the_environment() {
    for name in ["hello", "routes"] {
        let mut program = Program::spawn(command(name).env("PORT", "0"));
        assert_eq!(get(program.port(), "/").status, 200);
        let wrong = command(name).arg("http").stderr(Stdio::null()).status().unwrap();
        assert_eq!(wrong.code(), Some(2));
    }
}

#[test]
fn routes_answers_each_route_and_404() {
    let mut program = Program::start("routes", &["0"]);
    let port = program.port();
    assert!(get(port, "/?query").text().contains("/getSecretData"));
    get(port, "/getSecretData").expect(200, "The secret: one thread is enough\n");
    let seeded = ask(port, "POST", "/plants", "", b"tulip");
    seeded.expect(201, "🌱 Plant seeded! There are 1 now\n");
    assert_eq!(seeded.field("Location"), Some("/plants/0"));
    ask(port, "POST", "/plants", "", "röslein".as_bytes()).expect(201, "🌱 Plant seeded! There are 2 now\n");
    get(port, "/plants").expect(200, "tulip\nröslein\n");
    get(port, "/plants/1").expect(200, "röslein\n");
    get(port, "/plants/2").expect(404, "There is no such plant\n");
    get(port, "/plants/x").expect(400, "A plant has a number\n");
    ask(port, "POST", "/plants", "", b"").expect(422, "A plant has a name, of one line\n");
    ask(port, "POST", "/plants", "", b"\xff").expect(400, "A name is UTF-8\n");
    assert_eq!(ask(port, "POST", "/plants", "", &[b'x'; 2000]).status, 413);
    get(port, "/elsewhere").expect(404, "There is nothing here\n");
    ask(port, "HEAD", "/getSecretData", "", b"").expect(200, "");
    let refused = ask(port, "POST", "/getSecretData", "", b"please");
    assert_eq!((refused.status, refused.field("Allow")), (405, Some("GET, HEAD")));
}

#[cfg(feature = "app")]
#[test]
fn app_lets_everybody_read_and_gardeners_plant() {
    let mut program = Program::start("app", &["0"]);
    let port = program.port();
    get(port, "/").expect(200, "Try /plants\n");
    get(port, "/plants").expect(200, "");
    let green = "Authorization: Bearer green\r\n";
    ask(port, "POST", "/plants", "", b"tulip").expect(401, "who are you?\n");
    let planted = ask(port, "POST", "/plants", green, b"tulip");
    planted.expect(201, "");
    assert_eq!(
        (planted.field("Location"), planted.field("X-Content-Type-Options")),
        (Some("/plants/1"), Some("nosniff"))
    );
    get(port, "/pl%61nts/").expect(200, "1 tulip\n");
    assert_eq!(ask(port, "POST", "/plants", green, &[b'x'; 2000]).status, 413);
    ask(port, "DELETE", "/plants/2", green, b"").expect(404, "no such plant\n");
    assert_eq!(ask(port, "DELETE", "/plants/x", green, b"").status, 404);
    ask(port, "DELETE", "/plants/1", green, b"").expect(204, "");
    let refused = ask(port, "PUT", "/plants", green, b"");
    assert_eq!((refused.status, refused.field("Allow")), (405, Some("GET, HEAD, OPTIONS, POST")));
}

#[test]
fn echo_sends_back_more_than_fits_anywhere() {
    let mut program = Program::start("echo", &["0"]);
    let mut stream = connect(program.port());
    let body = pattern(16 * 1024 * 1024);
    let (mut sending, sent) = (stream.try_clone().unwrap(), body.clone());
    let sender = thread::spawn(move || {
        let head = "POST / HTTP/1.0\r\nContent-Type: x/y\r\nContent-Length: 16777216\r\n\r\n";
        sending.write_all(head.as_bytes()).unwrap();
        sending.write_all(&sent).unwrap();
    });
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    sender.join().unwrap();
    let head = bytes.len() - body.len();
    assert!(String::from_utf8_lossy(&bytes[..head]).contains("\r\nContent-Type: x/y\r\n"));
    assert!(bytes[head..] == body);
}

#[test]
fn upload_stores_what_comes_whole_and_nothing_else() {
    let folder = Folder::new("uploads");
    let mut program =
        Program::spawn(command("upload").arg("0").env("TMPDIR", folder.path("")).env("TMP", folder.path("")));
    let port = program.port();
    let body = pattern(3_000_000);
    let answer = ask(port, "PUT", "/", "", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let path = answer.text().trim_end().strip_prefix("3000000 bytes in ").unwrap();
    assert!(std::fs::read(path).unwrap() == body);
    std::fs::remove_file(path).unwrap();
    let files = || std::fs::read_dir(folder.path("")).unwrap().count();

    let mut stream = connect(port);
    stream.write_all(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 500000\r\n\r\n").unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body[..400_000]).unwrap();
    wait_until(|| files() == 1);
    drop(stream);
    wait_until(|| files() == 0);
    for (name, status) in [("/a-name.txt", 201), ("/..", 400), ("/.hidden", 400), ("/a/b", 400), ("/%2e%2e%2fx", 400)] {
        assert_eq!(ask(port, "PUT", name, "", b"x").status, status, "{name}");
    }
    assert_eq!(get(port, "/").status, 405);
}

/// A write that fails midway: a file may not grow beyond what the shell allows it, as on a disk that is full.
#[cfg(unix)]
#[test]
fn upload_answers_500_when_the_disk_is_full_and_leaves_no_half_file() {
    let folder = Folder::new("full");
    let program = command("upload");
    let mut limited = Command::new("sh");
    // The signal that would end the process is ignored, so that the write fails. A unit has 512 or 1024 bytes.
    limited.arg("-c").arg("trap '' XFSZ; ulimit -f 200; exec \"$0\" 0").arg(program.get_program());
    let mut program = Program::spawn(limited.env_remove("PORT").env("RUST_LOG", "off").env("TMPDIR", folder.path("")));
    let port = program.port();
    let files = || std::fs::read_dir(folder.path("")).unwrap().count();
    let large = pattern(3_000_000);
    for _ in 0..5 {
        ask(port, "PUT", "/", "", &large[..600_000]).expect(500, "It could not be stored\n");
        wait_until(|| files() == 0);
    }
    // Others go on meanwhile, and a client that still sends far more learns of it as well.
    let answer = ask(port, "PUT", "/", "", b"small");
    assert_eq!((answer.status, files()), (201, 1));
    let chunked = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut stream = connect(port);
    stream.write_all(chunked.as_bytes()).unwrap();
    let mut sender = stream.try_clone().unwrap();
    let told_it = Arc::new(AtomicBool::new(false));
    let goes_on = told_it.clone();
    let sends = thread::spawn(move || {
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
        while !goes_on.load(Ordering::Relaxed) && sender.write_all(chunk.as_bytes()).is_ok() {}
    });
    let mut told = [0; 12];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 500");
    told_it.store(true, Ordering::Relaxed);
    sends.join().unwrap();
    wait_until(|| files() == 1);
}

#[test]
fn static_files_serves_its_folder() {
    let folder = Folder::new("static-files");
    folder.old_file("site/index.html", "<h1>Home</h1>");
    folder.old_file("site/docs/index.html", "<h1>Docs</h1>");
    folder.old_file("site/a b & ü.txt", "0123456789");
    folder.old_file("site/empty/other.txt", "");
    folder.old_file("site/.well-known/acme-challenge/token", "proof");
    let mut program = Program::start("static_files", &[folder.path("site").to_str().unwrap(), "0"]);
    let port = program.port();

    let home = get(port, "/?query");
    home.expect(200, "<h1>Home</h1>");
    assert_eq!(home.field("Content-Type"), Some("text/html; charset=utf-8"));
    get(port, "/docs/").expect(200, "<h1>Docs</h1>");
    get(port, "/%64ocs/index.html").expect(200, "<h1>Docs</h1>");
    let moved = get(port, "/docs?a=b");
    assert_eq!((moved.status, moved.field("Location")), (308, Some("/docs/?a=b")));
    assert_eq!(get(port, "/empty/").status, 404);
    assert_eq!(ask(port, "DELETE", "/docs/", "", b"").status, 405);

    get(port, "/.well-known/acme-challenge/token").expect(200, "proof");

    let file = "/a%20b%20%26%20%C3%BC.txt";
    let whole = get(port, file);
    whole.expect(200, "0123456789");
    ask(port, "GET", file, "Range: bytes=2-4\r\n", b"").expect(206, "234");
    ask(port, "GET", file, "Range: bytes=-1\r\n", b"").expect(206, "9");
    assert_eq!(ask(port, "GET", file, "Range: bytes=10-\r\n", b"").status, 416);
    ask(port, "HEAD", file, "", b"").expect(200, "");
    let (etag, date) = (whole.field("ETag").unwrap(), whole.field("Last-Modified").unwrap());
    ask(port, "GET", file, &format!("If-None-Match: {etag}\r\n"), b"").expect(304, "");
    ask(port, "GET", file, &format!("If-Modified-Since: {date}\r\n"), b"").expect(304, "");
    ask(port, "GET", file, "If-None-Match: \"other\"\r\n", b"").expect(200, "0123456789");
}

#[test]
fn static_files_gives_nothing_else_away() {
    let folder = Folder::new("static-secrets");
    folder.file("secret.txt", "secret");
    folder.file("site-secret/file.txt", "secret");
    folder.file("site/.env", "secret");
    folder.file("site/.git/config", "secret");
    folder.file("site/sub/fine.txt", "fine");
    folder.file("site/.well-known/.secret", "secret");
    folder.file("site/sub/.well-known/token", "secret");
    let mut targets = vec![
        "/.well-known/.secret",
        "/.well-known/../.env",
        "/sub/.well-known/token",
        "/.well-known./token",
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/..%2fsecret.txt",
        "/..%2Fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/.%2e/secret.txt",
        "/%2e./secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/%252e%252e/secret.txt",
        "/..%5csecret.txt",
        "/..%c0%afsecret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/../site-secret/file.txt",
        "/..%00/secret.txt",
        "/secret.txt%00.html",
        "/sub/fine.txt%00",
        "/sub/fine.txt%2f",
        "/sub%2ffine.txt",
        "/sub//fine.txt",
        "//sub/fine.txt",
        "//secret.txt",
        "/./sub/fine.txt",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/%2egit/config",
        "/.",
        "/..",
        "/%",
        "/%2",
        "/%zz",
        "/%ff",
        "/sub/fine.txt/",
        "/sub/fine.txt/x",
        "//localhost/..",
        "/etc/passwd",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/C:/secret.txt",
    ];
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("../secret.txt", folder.path("site/link.txt")).unwrap();
        symlink("..", folder.path("site/up")).unwrap();
        symlink("/", folder.path("site/root")).unwrap();
        symlink(".env", folder.path("site/shown")).unwrap();
        symlink("loop", folder.path("site/loop")).unwrap();
        symlink("sub", folder.path("site/inside")).unwrap();
        targets.extend(["/link.txt", "/up/secret.txt", "/up", "/root/etc/passwd", "/shown", "/loop", "/loop/x"]);
    }
    let mut program = Program::start("static_files", &[folder.path("site").to_str().unwrap(), "0"]);
    let port = program.port();
    for target in targets {
        let answer = get(port, target);
        assert_eq!((answer.status, answer.text()), (404, "There is no such file\n"), "{target}");
        assert_eq!(answer.field("Location"), None, "{target}");
    }
    get(port, "/sub/fine.txt").expect(200, "fine");
    #[cfg(unix)]
    get(port, "/inside/fine.txt").expect(200, "fine");
}

#[test]
fn tcp_chat_tells_the_others() {
    let mut program = Program::start("tcp_chat", &["0"]);
    let port = program.port();
    let line = |guest: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        guest.read_line(&mut line).unwrap();
        line
    };
    let mut one = BufReader::new(connect(port));
    assert_eq!(line(&mut one), "Welcome, guest 1. Others here: 0\n");
    let mut two = BufReader::new(connect(port));
    assert_eq!(line(&mut two), "Welcome, guest 2. Others here: 1\n");
    assert_eq!(line(&mut one), "guest 2 has come\n");
    one.get_mut().write_all(b"hel").unwrap();
    one.get_mut().write_all(b"lo\r\nbell \x07\npart").unwrap();
    assert_eq!(line(&mut two), "guest 1 says: hello\n");
    assert_eq!(line(&mut two), "guest 1 says: bell ?\n");
    drop(one);
    assert_eq!(line(&mut two), "guest 1 has left (finished)\n");
    two.get_mut().write_all(&[b'x'; 5000]).unwrap();
    let mut rest = Vec::new();
    // The line was too long: closed, or reset, since not all of it was read.
    let _ = two.read_to_end(&mut rest);
    assert!(rest.is_empty());
}

/// What one says at once is much for all others; they are not sent away for it, and the chat goes on without its output.
#[test]
fn tcp_chat_closes_nobody_who_reads_and_who_does_not_read_is_sent_away() {
    let mut program = Program::spawn(command("tcp_chat").arg("0").env("RUST_LOG", "off"));
    let port = program.port();
    program.output = None;
    let mut reader = BufReader::new(connect(port));
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut stalled = connect(port);
    let mut talker = connect(port);
    let heard = std::thread::spawn(move || {
        let (mut said, mut left) = (0, false);
        let mut line = String::new();
        while said < 100_000 || !left {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "it was closed, having heard {said} lines");
            said += usize::from(line.ends_with("says: x\n"));
            left |= line == "guest 2 has left (overflow)\n";
            if said == 100_000 && !left {
                // The kernel holds much for who does not read: talk on.
                said -= 2_000;
                talker.write_all("x\n".repeat(2_000).as_bytes()).unwrap();
            } else if said % 20_000 == 0 && said < 100_000 && line.ends_with("says: x\n")
                || line.contains("guest 3 has come")
            {
                // 40 KB in one piece.
                talker.write_all("x\n".repeat(20_000).as_bytes()).unwrap();
            }
        }
    });
    heard.join().unwrap();
    let mut rest = Vec::new();
    let _ = stalled.read_to_end(&mut rest);
}

/// 400 KB of short lines that are there at once, since the program was held up: seven times as much for all others.
#[cfg(unix)]
#[test]
fn tcp_chat_closes_nobody_who_reads_for_a_flood_that_comes_in_one_turn() {
    const LINES: usize = 200_000;
    let mut program = Program::spawn(command("tcp_chat").arg("0").env("RUST_LOG", "off"));
    let port = program.port();
    let mut reader = BufReader::new(connect(port));
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut talker = connect(port);
    while !line.contains("guest 2 has come") {
        reader.read_line(&mut line).unwrap();
    }
    let signal = |name: &str| {
        let pid = program.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    talker.set_nonblocking(true).unwrap();
    let (text, mut sent) = ("x\n".repeat(LINES), 0);
    // As much as the kernel takes.
    while let Ok(count) = talker.write(&text.as_bytes()[sent..]) {
        sent += count;
        if count == 0 {
            break;
        }
    }
    signal("-CONT");
    talker.set_nonblocking(false).unwrap();
    let rest = thread::spawn(move || talker.write_all(&text.as_bytes()[sent..]).map(|()| talker));
    let mut heard = 0;
    while heard < LINES {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it was closed, having heard {heard} lines");
        heard += usize::from(line == "guest 2 says: x\n");
    }
    rest.join().unwrap().unwrap();
}

#[test]
fn several_servers_share_their_state_and_end_together() {
    let mut program = Program::start("several_servers", &["0"]);
    let (site, admin, lookup) = (program.port(), program.port(), program.port());
    get(site, "/").expect(200, "You are visitor 1\n");
    get(site, "/").expect(200, "You are visitor 2\n");
    let mut answer = String::new();
    connect(lookup).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "2 visits\n");
    get(admin, "/").expect(200, "2 visits, 1 lookups\n");
    ask(admin, "POST", "/close", "", b"").expect(200, "closing\n");
    assert!(program.child.wait().unwrap().success());
}

#[test]
fn timers_shows_the_order_of_the_phases() {
    let output = command("timers").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let who: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(who[..3], ["main", "tick", "immediate"], "{text}");
    assert_eq!(who.last(), Some(&"main"));
    assert!(!who.contains(&"never"), "{text}");
    let worker = who.iter().position(|who| *who == "worker").unwrap();
    assert_eq!(who[worker..worker + 4], ["worker", "tick", "immediate", "timer"], "{text}");
    let first_timer = who.iter().position(|who| *who == "timer").unwrap();
    assert_eq!(who[first_timer + 1], "tick", "{text}");
    assert!(who.contains(&"interval"));
}

#[test]
fn sse_clock_answers_later_and_again() {
    let mut program = Program::start("sse_clock", &["0"]);
    let port = program.port();
    assert!(get(port, "/").text().contains("EventSource"));
    let mut stream = BufReader::new(connect(port));
    stream.get_mut().write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = stream.lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "HTTP/1.1 200 OK");
    assert!(lines.by_ref().any(|line| line == "Content-Type: text/event-stream"));
    let mut events = lines.filter(|line| line.starts_with("data: "));
    let (first, second) = (events.next().unwrap(), events.next().unwrap());
    assert_ne!(first, second, "a second has passed");
}

/// An event's name and its data.
fn next_event(stream: &mut BufReader<TcpStream>) -> (String, String) {
    let (mut name, mut line) = ("message".to_owned(), String::new());
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream has ended");
        match line.trim_end().split_once(": ") {
            Some(("event", event)) => event.clone_into(&mut name),
            Some(("data", data)) => return (name, data.to_owned()),
            _ => {}
        }
    }
}

#[test]
fn sse_chat_knows_who_is_there() {
    let mut program = Program::spawn(command("sse_chat").arg("0").env("RUST_LOG", "off"));
    let port = program.port();
    assert!(get(port, "/").text().contains("EventSource"));
    let join = |name: &str| {
        let mut stream = connect(port);
        stream.write_all(format!("GET /events?{name} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        BufReader::new(stream)
    };
    let here = |names: &str| ("presence".to_owned(), names.to_owned());
    let mut ann = join("ann");
    assert_eq!(next_event(&mut ann), here("ann"));
    let mut bob = join("bob");
    assert_eq!((next_event(&mut ann), next_event(&mut bob)), (here("ann, bob"), here("ann, bob")));
    ask(port, "POST", "/say?bob", "", b"hello\nann").expect(204, "");
    assert_eq!(next_event(&mut ann), ("message".to_owned(), "bob: hello ann".to_owned()));
    drop(bob);
    assert_eq!(next_event(&mut ann), here("ann"));
    for nameless in ["/events", "/events?", "/events?a%20b", "/say?"] {
        assert_eq!(get(port, nameless).status, if nameless == "/say?" { 404 } else { 400 }, "{nameless}");
    }
}

#[test]
fn chat_has_rooms_names_and_a_history() {
    let mut program = Program::spawn(command("chat").arg("0").env("RUST_LOG", "off"));
    let port = program.port();
    assert!(get(port, "/").text().contains("new WebSocket"));
    let mut ann = Guest::enter(port, "/chat/lobby?ann");
    assert_eq!(ann.line(), "*ann");
    let mut bob = Guest::enter(port, "/chat/lobby?bob");
    assert_eq!((ann.line(), bob.line()), ("*ann, bob".into(), "*ann, bob".into()));
    let mut eve = Guest::enter(port, "/chat/elsewhere?eve");
    assert_eq!(eve.line(), "*eve");
    bob.say("hello\nann");
    assert_eq!((ann.line(), bob.line()), ("bob: hello ann".into(), "bob: hello ann".into()));
    let mut late = Guest::enter(port, "/chat/lobby?late");
    assert_eq!((late.line(), late.line()), ("bob: hello ann".into(), "*ann, bob, late".into()));
    assert_eq!(ann.line(), "*ann, bob, late");
    drop(bob);
    assert_eq!((ann.line(), late.line()), ("*ann, late".into(), "*ann, late".into()));
    ann.say(&"x".repeat(1001));
    assert_eq!(ann.line(), "closed with 1009");
    let mut nameless = connect(port);
    nameless.write_all(handshake("/chat/lobby?", "").as_bytes()).unwrap();
    let mut head = [0; 12];
    nameless.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 400");
}

#[test]
fn live_shows_everybody_where_the_others_are() {
    let mut program = Program::spawn(command("live").arg("0").env("RUST_LOG", "off"));
    let port = program.port();
    assert!(get(port, "/").text().contains("new WebSocket"));
    /// The places of the next message that has so many of them: the number of each guest, and where he is.
    fn places(guest: &mut Guest, count: usize) -> Vec<(u32, Vec<u8>)> {
        loop {
            let (kind, content) = guest.frame();
            assert_eq!((kind, content.len() % 8), (0x82, 4));
            let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
            let all: Vec<_> = content[4..].chunks(8).map(|one| (number(&one[..4]), one[4..].to_vec())).collect();
            if all.len() == count && number(&content[..4]) >= count as u32 {
                return all;
            }
        }
    }
    let (mut ann, mut bob) = (Guest::enter(port, "/board"), Guest::enter(port, "/board"));
    let numbers: [u32; 2] = [ann.line().parse().unwrap(), bob.line().parse().unwrap()];
    ann.0.write_all(&frame(0x82, [0, 1, 2, 3])).unwrap();
    assert_eq!(places(&mut bob, 1), [(numbers[0], vec![0, 1, 2, 3])]);
    bob.0.write_all(&frame(0x82, [9, 9, 9, 9])).unwrap();
    let mut both = places(&mut ann, 2);
    both.sort();
    assert_eq!(both, [(numbers[0], vec![0, 1, 2, 3]), (numbers[1], vec![9, 9, 9, 9])]);
    drop(ann);
    assert_eq!(places(&mut bob, 1), [(numbers[1], vec![9, 9, 9, 9])]);
    bob.say("hi");
    while bob.0.peek(&mut [0]).is_ok_and(|read| read > 0) {
        match bob.frame() {
            (0x82, _) => {}
            (first, content) => return assert_eq!((first, &content[..2]), (0x88, &1003_u16.to_be_bytes()[..])),
        }
    }
    panic!("a text did not close the socket");
}

#[test]
fn ws_cases_does_what_it_is_asked_for() {
    let mut program = Program::spawn(command("ws_cases").arg("0"));
    let port = program.port();
    assert!(get(port, "/").text().starts_with("<!DOCTYPE html>"));
    // By the library's client, to the server itself.
    let mut echo = Guest::enter(port, &format!("/relay?ws://127.0.0.1:{port}/echo?7"));
    echo.say("hello");
    assert_eq!(echo.line(), "hello");
    echo.0.write_all(&close_frame(4002, "done")).unwrap();
    assert_eq!(echo.line(), "closed with 4002");
    // As long as this side is open, the server waits for its end, before it tells the other side of the relay.
    drop(echo);
    let mut close = Guest::enter(port, &format!("/relay?ws://127.0.0.1:{port}/close"));
    close.say("4001 bye");
    assert_eq!(close.line(), "closed with 4001");
    let mut ping = Guest::enter(port, "/ping");
    ping.say("are you there?");
    assert_eq!(ping.frame(), (0x89, b"are you there?".to_vec()));
    ping.0.write_all(&frame(0x8a, "are you there?")).unwrap();
    assert_eq!(ping.line(), "are you there?");
    assert_eq!(Guest::enter(port, "/protocol").line(), "none");
    let ends = || get(port, "/ends").text().to_owned();
    let until = Instant::now() + PATIENCE;
    while ends().is_empty() && Instant::now() < until {
        thread::yield_now();
    }
    assert_eq!(ends(), "7 4002 \"done\" clean=true by_peer=true finished\n");
}

#[test]
fn ws_client_prints_what_it_hears_and_comes_back() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ws://{}/news?all", listener.local_addr().unwrap());
    let mut program = Program::spawn(command("ws_client").arg(url).stderr(Stdio::null()));
    for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "101", "101"] {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let (mut line, mut key) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
            key = line.trim_end().strip_prefix("Sec-WebSocket-Key: ").map_or(key, str::to_owned);
        }
        if answer != "101" {
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            assert_eq!(program.line(), "closed: 1006  connect-failed\n");
            continue;
        }
        let accept = oneloop::proto::ws::accept(key.as_bytes()).unwrap();
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        write!(stream.get_mut(), "{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n\x01\x02he").unwrap();
        stream.get_mut().write_all(b"\x80\x03llo\x88\x06\x03\xe9soon").unwrap();
        let mut close = [0; 8];
        stream.read_exact(&mut close).unwrap();
        drop(stream);
        assert_eq!(
            [program.line(), program.line(), program.line()],
            ["connected\n", "hello\n", "closed: 1001 soon finished\n"]
        );
    }
}

/// A browser in the chat.
struct Guest(TcpStream);

impl Guest {
    fn enter(port: u16, path: &str) -> Guest {
        let mut stream = connect(port);
        stream.write_all(handshake(path, "").as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Guest(stream)
    }

    fn say(&mut self, line: &str) {
        self.0.write_all(&text(line)).unwrap();
    }

    /// The next frame, with less than 126 bytes: its first byte, and its content.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        let mut content = vec![0; usize::from(head[1])];
        self.0.read_exact(&mut content).unwrap();
        (head[0], content)
    }

    /// The next message of text, or the end.
    fn line(&mut self) -> String {
        match self.frame() {
            (0x81, content) => String::from_utf8(content).unwrap(),
            (0x88, content) => format!("closed with {}", u16::from_be_bytes([content[0], content[1]])),
            (other, _) => panic!("a frame that begins with {other}"),
        }
    }
}

#[test]
fn ws_autobahn_sends_back_what_each_case_says_and_asks_for_the_reports() {
    let server = oneloop::http::create_server(|_, res| res.end(()));
    let endpoint = oneloop::ws::mount(&server, "/");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let add = seen.clone();
    endpoint.on_open(move |socket, req| {
        add.borrow_mut().push(req.url().to_owned());
        match req.path() {
            "/getCaseCount" => socket.send("3").ignore(),
            "/runCase" => return socket.send(&b"hello"[..]).ignore(),
            _ => {}
        }
        socket.close();
    });
    let add = seen.clone();
    endpoint.on_message(move |socket, message| {
        add.borrow_mut().push(format!("{message:?}"));
        socket.close();
    });
    let (listening, program) = (server.clone(), Rc::new(RefCell::new(None)));
    let (started, mut command) = (program.clone(), command("ws_autobahn"));
    let start = move || {
        let url = format!("ws://{}", listening.address().unwrap());
        *started.borrow_mut() = Some(Program::spawn(command.args([url.as_str(), "2"])));
    };
    server.listen(("127.0.0.1", 0), start).unwrap();
    let (until, child, ended) = (Instant::now() + PATIENCE, program.clone(), Rc::new(Cell::new(None)));
    let end = ended.clone();
    oneloop::set_interval(Duration::from_millis(10), move || {
        end.set(child.borrow_mut().as_mut().and_then(|program| program.child.try_wait().ok().flatten()));
        if end.get().is_some() || Instant::now() > until {
            oneloop::stop();
        }
    });
    oneloop::run().unwrap();
    assert!(ended.get().is_some_and(|status| status.success()));
    let mut seen = seen.take();
    assert_eq!((seen.remove(0), seen.pop().unwrap()), ("/getCaseCount".into(), "/updateReports?agent=oneloop".into()));
    seen.sort();
    let case = |number: u32| format!("/runCase?case={number}&agent=oneloop");
    let hello = format!("{:?}", oneloop::ws::Message::Binary(b"hello"));
    assert_eq!(seen, [case(1), case(2), case(3), hello.clone(), hello.clone(), hello]);
}

#[test]
fn trace_shows_where_the_time_went() {
    let mut program = Program::start("trace", &["0"]);
    let port = program.port();
    for path in ["/", "/block", "/worker", "/later", "/ticks"] {
        assert_eq!(get(port, path).status, 200, "{path}");
    }
    let trace = get(port, "/trace");
    assert_eq!((trace.status, trace.field("content-type")), (200, Some("application/json")));
    let slices: Vec<_> = trace.text().lines().filter(|line| line.contains("\"ph\":\"X\"")).collect();
    // In microseconds.
    let took = |slice: &str| slice.split_once("\"dur\":")?.1.split_once(',')?.0.parse::<f64>().ok();
    let held = |label: &str| {
        let name = format!("\"name\":\"{label}\"");
        let turns = slices.iter().filter(|slice| slice.contains(&name) && slice.contains("\"cat\":\"turn\""));
        turns.filter_map(|slice| took(slice)).fold(0.0, f64::max)
    };
    assert!(held("GET /block") >= 99_999.0 && held("GET /ticks") >= 4_999.0, "{slices:?}");
    assert!(held("GET /worker") > 0.0, "{slices:?}");
}

#[test]
fn event_loop_is_broken_by_its_own_page_only() {
    let mut program = Program::start("event_loop", &["0"]);
    let (port, pool) = (program.port(), program.port());
    assert!(get(port, "/").text().contains("<title>See the loop</title>"));
    assert_eq!((get(port, "/__loop/").status, get(port, "/quiz").status), (200, 200));
    for part in ["/demo.js", "/try.js", "/quiz.js", "/demo.css", "/__loop/main.js", "/__loop/style.css"] {
        assert_eq!(get(port, part).status, 200, "{part}");
    }
    get(pool, "/hello").expect(200, "hello\n");
    assert!(get(port, "/demo").text().contains(&format!("\"loop\":{port},\"pool\":{pool},")));
    let order = |path: &str, fields: &str| ask(port, "POST", path, fields, b"").status;
    assert_eq!(order("/try/block", "Origin: http://example.com\r\n"), 403);
    assert_eq!(order("/try/block", "Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(order("/try/nothing", "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n"), 404);
    assert_eq!(order("/try/worker?on=pool", ""), 404);
    let report = ask(port, "POST", "/try/block?on=loop", "", b"");
    let of = |field: &str| {
        let after = report.text().split_once(&format!("\"{field}\":")).unwrap_or_else(|| panic!("{}", report.text())).1;
        after.split([',', '}']).next().unwrap().to_owned()
    };
    assert_eq!((of("on"), of("failed"), of("made")), ("\"loop\"".to_owned(), "0".to_owned(), "1".to_owned()));
    assert!(of("took").parse::<u32>().unwrap() >= 200_000, "{}", report.text());
    let history = get(port, "/__loop/history");
    assert!(history.text().contains("\"l\":\"GET /block\",\"a\":\"examples/event_loop/main.rs:"), "no turn of /block");
}

#[test]
fn each_program_of_the_quiz_comes_in_the_order_that_is_explained() {
    let mut program = Program::start("event_loop", &["0"]);
    let port = program.port();
    for (name, order) in [
        ("four-ways", &["callback", "tick", "immediate", "timeout"][..]),
        ("ticks", &["callback", "first tick", "second tick", "tick of the first tick", "immediate"]),
        (
            "immediates",
            &["first immediate", "tick of the first immediate", "second immediate", "immediate of the first immediate"],
        ),
        ("deadlines", &["blocked for 30 ms", "immediate", "10 ms", "20 ms"]),
        ("sockets", &["callback", "connected", "tick", "immediate", "closed", "timeout"]),
        ("workers", &["callback", "tick", "immediate", "result", "timeout"]),
    ] {
        let answer = ask(port, "POST", &format!("/quiz/{name}"), "", b"");
        let lines: Vec<_> =
            answer.text().split("{\"line\":\"").skip(1).map(|line| line.split('"').next().unwrap()).collect();
        assert_eq!(lines, order, "{}", answer.text());
        assert!(!answer.text().contains("\"why\":\"\""), "{}", answer.text());
    }
    let blocked = ask(port, "POST", "/quiz/deadlines", "", b"");
    let after = blocked.text().split("\"after\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap().to_owned();
    assert!(after.parse::<u32>().unwrap() >= 30_000, "the line comes behind 30 ms of sleep: {}", blocked.text());
    let four = ask(port, "POST", "/quiz/four-ways", "", b"");
    let phases: Vec<_> =
        four.text().split("\"phase\":\"").skip(1).map(|line| line.split('"').next().unwrap()).collect();
    assert_eq!(phases, ["poll", "poll", "check", "timers"]);
    assert!(get(port, "/quiz").text().contains("set_timeout(Duration::ZERO, say.later(\\\"timeout\\\"));"));
}

#[test]
fn stdin_adds_up_what_is_typed() {
    let mut program = Program::spawn(command("stdin").stdin(Stdio::piped()).stderr(Stdio::null()));
    program.child.stdin.take().unwrap().write_all(b"1\n2\nthree\n40").unwrap();
    assert_eq!(program.line(), "the sum is 43\n");
    assert!(program.child.wait().unwrap().success());
}

#[test]
fn no_example_panics_where_nobody_reads_what_it_prints() {
    let (unread, output) = std::io::pipe().unwrap();
    drop(unread);
    let spawn = |name: &str| {
        let mut command = command(name);
        command.arg("0").env("RUST_LOG", "info").stdin(Stdio::piped()).stdout(output.try_clone().unwrap());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        (Program { child, output: None }, errors)
    };
    let (mut stdin, mut errors) = spawn("stdin");
    stdin.child.stdin.take().unwrap().write_all(b"1\nthree\n").unwrap();
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    assert!(text.contains("\"three\" is not added") && !text.contains("panicked"), "{text}");
    assert!(stdin.child.wait().unwrap().success());

    let (mut hello, mut errors) = spawn("hello");
    text.clear();
    let port = loop {
        let start = text.len();
        assert!(errors.read_line(&mut text).unwrap() > 0, "it has ended: {text}");
        if let Some((_, port)) = text[start..].rsplit_once(':')
            && text[start..].contains("listening on ")
        {
            break port.trim_end().parse().unwrap();
        }
    };
    get(port, "/").expect(200, "Hello from one loop\n");
    hello.child.kill().unwrap();
    errors.read_to_string(&mut text).unwrap();
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn get_prints_what_a_url_has_and_fails_if_there_is_nothing() {
    let hello = Program::start("hello", &["0"]);
    let mut hello = hello;
    let url = format!("http://127.0.0.1:{}/", hello.port());
    let output = command("get").arg(&url).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !output.stdout.is_empty(), "{errors}");
    assert!(errors.contains("< 200 OK") && errors.contains(" bytes, finished: "), "{errors}");
    let output = command("get").arg("http://127.0.0.1:1/").output().unwrap();
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("GET http://127.0.0.1:1/: cannot connect to 127.0.0.1:1: ")
    );
}

#[test]
fn crawler_gets_a_hundred_pages_on_sixteen_connections() {
    let output = command("crawler").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains(" 200 ")).count(), 100, "{text}");
    assert!(text.ends_with("100 requests on 16 connections\n"), "{text}");
}
