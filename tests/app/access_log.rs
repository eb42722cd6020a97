//! The access log: the lines of morgan's formats, out of which nothing of a peer can break; and where they go, without ever
//! holding up the loop.

use crate::support::http::*;
use crate::support::json::Json;
use oneloop::app::{AccessLog, App, Format, access_log};
use oneloop::http::{self, Request, Response, Server};
use oneloop::sim::Sim;
use proptest::prelude::*;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answers by the path: a status, or in one of the ways in which an exchange can end.
fn by_path(req: Request, res: Response) {
    match req.path().trim_start_matches('/') {
        "later" => drop(oneloop::set_timeout(12 * MS + MS / 2, move || res.end("later"))),
        "keep" => oneloop::next_tick(move || std::mem::forget(res)),
        "half" => {
            res.set_header("Content-Length", 10);
            res.write("half").ignore();
        }
        path => match path.parse() {
            Ok(status) => res.set_status(status).end("hello"),
            Err(_) => res.end("hello"),
        },
    }
}

/// The lines that a log in this format writes for one connection that sends these bytes.
fn lines(format: Format, bytes: impl AsRef<[u8]>) -> Vec<String> {
    let (sim, server) = serve(by_path);
    let record = Record::default();
    let told = record.clone();
    AccessLog::new(format).to_callback(move |line| told.add(line)).attach(&server);
    let peer = send(&sim, bytes);
    sim.advance(SECOND);
    peer.reset();
    sim.settle();
    record.take()
}

fn asks(line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: a\r\n{fields}\r\n")
}

const TJ: &str = "Authorization: Basic dGo6\r\n";
const FROM: &str = "Referer: http://localhost/\r\nUser-Agent: my-ua\r\n";

/// What morgan's own tests expect of its formats. It takes the length of the content from `Content-Length`, and so writes `-`
/// for what is chunked: we count the bytes that were sent. It shows `-` as the status if the client has gone, and so do we,
/// with the reason behind.
#[test]
fn the_formats_are_those_of_morgan() {
    let both = format!("{TJ}{FROM}");
    let (zero, day) = ("\x1b[0m", "01/Jan/2026:00:00:00 +0000");
    let cases: Vec<(Format, &str, &str, String)> = vec![
        (
            Format::Combined,
            "GET / HTTP/1.1",
            &both,
            format!("127.0.0.1 - tj [{day}] \"GET / HTTP/1.1\" 200 5 \"http://localhost/\" \"my-ua\""),
        ),
        (Format::Combined, "GET / HTTP/1.1", "", format!("127.0.0.1 - - [{day}] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"")),
        (Format::Common, "GET / HTTP/1.1", TJ, format!("127.0.0.1 - tj [{day}] \"GET / HTTP/1.1\" 200 5")),
        (Format::Common, "GET /x?y=z HTTP/1.0", "", format!("127.0.0.1 - - [{day}] \"GET /x?y=z HTTP/1.0\" 200 5")),
        (Format::Common, "HEAD /404 HTTP/1.1", "", format!("127.0.0.1 - - [{day}] \"HEAD /404 HTTP/1.1\" 404 -")),
        (Format::Short, "GET / HTTP/1.1", TJ, "127.0.0.1 tj GET / HTTP/1.1 200 5 - 0.000 ms".to_owned()),
        (Format::Tiny, "GET /later HTTP/1.1", "", "GET /later 200 5 - 12.500 ms".to_owned()),
        (Format::Tiny, "GET /204 HTTP/1.1", "", "GET /204 204 - - 0.000 ms".to_owned()),
        (Format::Dev, "GET /200 HTTP/1.1", "", format!("{zero}GET /200 \x1b[32m200{zero} 0.000 ms - 5{zero}")),
        (Format::Dev, "GET /300 HTTP/1.1", "", format!("{zero}GET /300 \x1b[36m300{zero} 0.000 ms - 5{zero}")),
        (Format::Dev, "GET /400 HTTP/1.1", "", format!("{zero}GET /400 \x1b[33m400{zero} 0.000 ms - 5{zero}")),
        (Format::Dev, "GET /500 HTTP/1.1", "", format!("{zero}GET /500 \x1b[31m500{zero} 0.000 ms - 5{zero}")),
        // Exchanges that were cut.
        (Format::Tiny, "GET /keep HTTP/1.1", "", "GET /keep - - - 1000.000 ms reset".to_owned()),
        (Format::Tiny, "GET /half HTTP/1.1", "", "GET /half 200 4 - 0.000 ms bad-response".to_owned()),
        (Format::Short, "GET /keep HTTP/1.1", "", "127.0.0.1 - GET /keep HTTP/1.1 - - - 1000.000 ms reset".to_owned()),
        (Format::Dev, "GET /keep HTTP/1.1", "", format!("{zero}GET /keep \x1b[0m-{zero} 1000.000 ms - - reset{zero}")),
    ];
    for (format, line, fields, expected) in cases {
        let case = format!("{format:?} {line}");
        assert_eq!(lines(format, asks(line, fields)), [expected], "{case}");
    }
}

#[test]
fn the_json_has_all_that_is_known() {
    let request = asks("POST /404?q=%22 HTTP/1.1", &format!("{TJ}{FROM}Content-Length: 0\r\n"));
    assert_eq!(
        lines(Format::Json, request),
        ["{\"time\":\"2026-01-01T00:00:00.000Z\",\"addr\":\"127.0.0.1\",\"user\":\"tj\",\"method\":\"POST\",\
          \"url\":\"/404?q=%22\",\"route\":null,\"version\":\"HTTP/1.1\",\"status\":404,\"bytes\":5,\"ms\":0.000,\
          \"reason\":\"finished\",\"referrer\":\"http://localhost/\",\"user_agent\":\"my-ua\",\"id\":null}"]
    );
    let line = lines(Format::Json, get("/keep")).remove(0);
    let object = Json::parse(&line);
    for name in ["user", "status", "referrer", "user_agent"] {
        assert_eq!(*object.at(name), Json::Null, "{name}");
    }
    assert_eq!(*object.at("reason"), Json::Text("reset".to_owned()));
    assert_eq!(*object.at("time"), Json::Text("2026-01-01T00:00:01.000Z".to_owned()), "the time of the end");
}

/// The user is whatever bytes the client has encoded: morgan wrote them as they were (CVE-2026-5078).
#[test]
fn a_user_cannot_write_lines_of_its_own() {
    let cases = [
        ("dGo6", "tj"),
        ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin"),
        // `x\n127.0.0.1 - admin:pw`, `\x1b[2J:`, `"quoted" name\:`, `ü:`
        ("eAoxMjcuMC4wLjEgLSBhZG1pbjpwdw==", "x\\x0a127.0.0.1\\x20-\\x20admin"),
        ("G1sySjo=", "\\x1b[2J"),
        ("InF1b3RlZCIgbmFtZVw6", "\\\"quoted\\\"\\x20name\\\\"),
        ("w7w6", "\\xc3\\xbc"),
        // No user: an empty one, none at all, no base64, another scheme.
        ("Og==", "-"),
        ("dGo=", "-"),
        ("d!o6", "-"),
        ("", "-"),
    ];
    for (token, user) in cases {
        let request = asks("GET / HTTP/1.1", &format!("Authorization: Basic {token}\r\n"));
        assert_eq!(lines(Format::Short, request), [format!("127.0.0.1 {user} GET / HTTP/1.1 200 5 - 0.000 ms")]);
    }
    let bearer = asks("GET / HTTP/1.1", "Authorization: Bearer dGo6\r\n");
    assert_eq!(lines(Format::Short, bearer), ["127.0.0.1 - GET / HTTP/1.1 200 5 - 0.000 ms"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_a_peer_sends_stays_in_its_field(
        value in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8], 0..40),
        user in proptest::collection::vec(any::<u8>().prop_filter("it would end the name", |byte| *byte != b':'), 1..40),
        query in "[!\"$-~]{0,20}",
    ) {
        let token = base64(&[&user[..], b":pw"].concat());
        let mut request = format!("GET /?{query} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {token}\r\nUser-Agent: ").into_bytes();
        request.extend_from_slice(&value);
        request.extend_from_slice(b"\r\n\r\n");
        let value = value.trim_ascii();
        for format in [Format::Combined, Format::Short, Format::Dev, Format::Json] {
            let json = matches!(format, Format::Json);
            let colours = matches!(format, Format::Dev);
            let combined = matches!(format, Format::Combined);
            let lines = lines(format, &request);
            prop_assert_eq!(lines.len(), 1);
            let line = lines[0].replace("\x1b[0m", if colours { "" } else { "\x1b" }).replace("\x1b[32m", "");
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", line);
            if json {
                let object = Json::parse(&line);
                let text = |bytes: &[u8]| Json::Text(String::from_utf8_lossy(bytes).into_owned());
                prop_assert_eq!(object.at("user"), &text(&user));
                prop_assert_eq!(object.at("user_agent"), &text(value));
                prop_assert_eq!(object.at("url"), &text(format!("/?{query}").as_bytes()));
            }
            if combined {
                // The blanks outside of quotes separate as many fields as there are.
                prop_assert_eq!(fields(&line), 10, "{}", line);
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).map(|group| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digits = (0..=group.len()).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]));
        format!("{:=<4}", digits.collect::<String>())
    });
    groups.collect()
}

/// Counts the fields of a line, as a program that reads combined logs splits it.
fn fields(line: &str) -> usize {
    let (mut count, mut quoted, mut escaped) = (1, false, false);
    for byte in line.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b' ' if !quoted => count += 1,
            _ => {}
        }
    }
    assert!(!quoted, "{line}");
    count
}

#[test]
fn a_format_of_the_program_writes_what_it_likes_on_one_line() {
    let format =
        Format::custom(|end, line| write!(line, "{} \u{fc}\n{}\x1b[2J\u{9b}\u{202e}", end.request.path(), end.bytes));
    assert_eq!(lines(format, get("/a")), ["/a \u{fc}\\u{a}5\\u{1b}[2J\\u{9b}\\u{202e}"]);
    let nothing = Format::custom(|_, _| Ok(()));
    assert_eq!(lines(nothing, get("/a")), [""; 0]);
    let failing = Format::custom(|_, line| line.write_str("half").and(Err(std::fmt::Error)));
    assert_eq!(lines(failing, get("/a")), [""; 0]);
}

#[test]
fn exchanges_that_are_skipped_have_no_line() {
    let (sim, server) = serve(by_path);
    let record = Record::default();
    let told = record.clone();
    AccessLog::new(Format::Tiny)
        .skip(|end| end.request.path() == "/healthz" || end.status == Some(304))
        .to_callback(move |line| told.add(line))
        .attach(&server);
    send(&sim, ["/a", "/healthz", "/304", "/b"].map(get).concat());
    record.expect(&["GET /a 200 5 - 0.000 ms", "GET /b 200 5 - 0.000 ms"]);
}

#[test]
fn the_route_is_in_the_json() {
    let sim = Sim::new();
    let record = Record::default();
    let mut app = App::new();
    app.get("/todos/:id", |_, res| res.end(()));
    let server = app.listen(PORT, ()).unwrap();
    let told = record.clone();
    AccessLog::new(Format::Json).to_callback(move |line| told.add(line)).attach(&server);
    send(&sim, get("/todos/7"));
    assert_eq!(*Json::parse(&record.take()[0]).at("route"), Json::Text("/todos/:id".to_owned()));
}

#[test]
fn without_another_place_lines_go_to_the_log() {
    let (sim, server) = serve(by_path);
    access_log(&server, Format::Tiny);
    send(&sim, get("/a"));
    let lines: Vec<_> = sim.log().iter().map(ToString::to_string).collect();
    assert_eq!(lines.last().unwrap(), "INFO oneloop::access: GET /a 200 5 - 0.000 ms");
}

/// A writer that keeps what it gets, call by call, and fails or panics where it is told to.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    written: Vec<String>,
    full: bool,
    panics: bool,
}

impl Disk {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls().written)
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose server's exchanges are written to it.
    fn serve(&self) -> (Sim, Server) {
        let (sim, server) = serve(by_path);
        let format = Format::custom(|end, line| line.write_str(end.request.path()));
        AccessLog::new(format).to(self.clone()).attach(&server);
        (sim, server)
    }
}

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!calls.panics, "on purpose");
        if calls.full {
            return Err(io::Error::other("the disk is full"));
        }
        calls.written.push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_lines_of_an_iteration_are_one_write() {
    let disk = Disk::default();
    let (sim, _server) = disk.serve();
    sim.connect(PORT).write(["/a", "/b", "/c"].map(get).concat());
    sim.connect(PORT).write(get("/d"));
    sim.settle();
    assert_eq!(disk.take(), [""; 0], "a worker is to write them");
    sim.advance(SECOND);
    assert_eq!(disk.take(), ["/a\n/b\n/c\n/d\n"]);
    send(&sim, get("/e"));
    sim.advance(SECOND);
    assert_eq!(disk.take(), ["/e\n"]);
}

#[test]
fn a_slow_disk_holds_up_nothing_and_gets_the_lines_in_order() {
    let disk = Disk::default();
    let (sim, _server) = disk.serve();
    sim.set_worker_latency(10 * SECOND);
    for path in ["/a", "/b", "/c"] {
        assert_eq!(only(&send(&sim, get(path))).status, 200, "while the disk is busy");
        sim.advance(SECOND);
    }
    assert_eq!(disk.take(), [""; 0]);
    sim.advance(20 * SECOND);
    assert_eq!(disk.take(), ["/a\n", "/b\n/c\n"]);
    assert_eq!(sim.log().len(), 1, "{:?}", sim.log());
}

#[test]
fn a_disk_that_stands_still_costs_lines_and_not_memory() {
    let disk = Disk::default();
    let (sim, _server) = disk.serve();
    sim.set_worker_latency(60 * SECOND);
    send(&sim, get("/first"));
    let path = format!("/{}", "x".repeat(9_999));
    send(&sim, get(&path).repeat(110));
    sim.advance(180 * SECOND);
    let written = disk.take();
    let lengths: Vec<_> = written.iter().map(String::len).collect();
    assert_eq!(lengths, [7, 104 * 10_001], "at most a MiB waits");
    let last = sim.log().pop().unwrap();
    assert_eq!(
        last.to_string(),
        "WARN oneloop::access: lines of the access log were dropped, since writing is slow: 6"
    );
    send(&sim, get("/last"));
    sim.advance(60 * SECOND);
    assert_eq!(disk.take(), ["/last\n"]);
}

#[test]
fn lines_that_cannot_be_written_are_said_and_later_ones_are_tried() {
    let disk = Disk::default();
    let (sim, _server) = disk.serve();
    let said = |sim: &Sim| sim.log().pop().unwrap().to_string();
    disk.calls().full = true;
    send(&sim, get("/a"));
    sim.advance(SECOND);
    assert_eq!(said(&sim), "WARN oneloop::access: lines of the access log cannot be written: the disk is full");
    disk.calls().full = false;
    disk.calls().panics = true;
    send(&sim, get("/b"));
    sim.advance(SECOND);
    assert!(
        said(&sim).starts_with("WARN oneloop::access: lines of the access log cannot be written: the work panicked"),
        "{}",
        said(&sim)
    );
    disk.calls().panics = false;
    send(&sim, get("/c"));
    sim.advance(SECOND);
    assert_eq!(disk.take(), ["/c\n"]);
}

#[test]
fn a_program_that_ends_has_written_all_lines() {
    let disk = Disk::default();
    let (sim, server) = disk.serve();
    let peer = sim.connect(PORT);
    peer.write(get("/a"));
    sim.at(MS, move || server.close(()));
    sim.run_to_rest();
    assert_eq!(disk.take(), ["/a\n"]);
}

/// With threads, since a world that is dropped in the middle of its work is no program.
#[test]
fn a_loop_that_is_stopped_writes_the_rest_when_it_ends() {
    use std::io::Read;
    let disk = Disk::default();
    let written = disk.clone();
    std::thread::spawn(move || {
        let server = http::create_server(|_, res| {
            res.end("hello");
            oneloop::stop();
        });
        AccessLog::new(Format::Tiny).to(written).attach(&server);
        server.listen(("127.0.0.1", 0), ()).unwrap();
        let port = server.address().unwrap().port().unwrap();
        let client = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            io::Write::write_all(&mut stream, get("/a").as_bytes()).unwrap();
            // Until the loop is gone, and the connection with it.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        oneloop::run().unwrap();
        client
    })
    .join()
    .unwrap()
    .join()
    .unwrap();
    let lines = disk.take();
    assert!(lines.len() == 1 && lines[0].starts_with("GET /a 200 5 - "), "{lines:?}");
}
