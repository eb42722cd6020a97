//! The simulated client: a request is sent as told, and its answer comes back whole and decoded, or the test fails and
//! says what is missing and what was logged.

use oneloop::http::{self, Request, Response};
use oneloop::net;
use oneloop::set_interval;
use oneloop::sim::{Network, Sim};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn serve(handler: impl FnMut(Request, Response) + 'static) -> (Sim, http::Server) {
    let sim = Sim::new();
    let server = http::create_server(handler);
    server.listen(80, ()).unwrap();
    (sim, server)
}

/// A server that says these bytes to each connection once something has come, and closes it where `ends`.
fn says(bytes: &'static [u8], ends: bool) -> Sim {
    let sim = Sim::new();
    let server = net::create_server(move |socket| {
        socket.on_data(move |socket, _| {
            let _ = socket.write(bytes);
            if ends {
                socket.end(());
            }
        });
    });
    server.listen(80, ()).unwrap();
    sim
}

/// With what message this panics.
fn complaint(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it was to panic");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_request_is_sent_as_told() {
    let (sim, _server) = serve(|req, res| {
        let head: Vec<_> = req.headers().map(|(name, value)| format!("{name}={value}")).collect();
        let line = format!("{} {} {}", req.method(), req.url(), head.join(" "));
        req.read_body(1000, move |body| {
            let body = String::from_utf8(body?)?;
            res.end(format!("{line} [{body}]"));
            Ok(())
        });
    });
    let sent = |request: oneloop::sim::ClientRequest| request.send().expect(200).text();
    assert_eq!(sent(sim.request("GET", "/x?y=z")), "GET /x?y=z Host=localhost []");
    assert_eq!(
        sent(sim.request("PUT", "/x").header("host", "b").header("A", "1").header("A", b"2").body("hi")),
        "PUT /x host=b A=1 A=2 Content-Length=2 [hi]"
    );
    assert_eq!(sent(sim.request("POST", "/").body("")), "POST / Host=localhost Content-Length=0 []");
    let chunked = sim.request("POST", "/").header("Transfer-Encoding", "chunked");
    assert_eq!(sent(chunked.body("in a chunk")), "POST / Host=localhost Transfer-Encoding=chunked [in a chunk]");
    assert_eq!(sim.request("GET", "no path").send().status(), 400, "nothing is checked");
}

#[test]
fn the_answer_is_decoded_whatever_its_framing() {
    for rough in [false, true] {
        let (sim, _server) = serve(|req, res| match req.path() {
            "/length" => {
                res.set_header("X-Kind", "length");
                res.append_header("Set-Cookie", "a=1");
                res.append_header("Set-Cookie", "b=2");
                res.end("hello");
            }
            "/chunks" => {
                res.set_header("Trailer", "X-Sum");
                res.write("hel").ignore();
                res.add_trailers(&[("X-Sum", "5")]);
                oneloop::set_timeout(SECOND, move || res.end("lo"));
            }
            "/hints" => {
                res.write_early_hints(&[("Link", "</a.css>; rel=preload")]);
                res.end("hello");
            }
            "/none" => {
                res.set_status(204).end(());
            }
            _ => res.end("hello"),
        });
        if rough {
            let network = Network { splits: true, partial_writes: true, read_splits: true, ..Network::default() };
            sim.set_network(network);
        }
        let get = |path| sim.request("GET", path).send();
        let reply = get("/length").expect(200);
        assert_eq!((reply.reason(), reply.text().as_str(), reply.body()), ("OK", "hello", &b"hello"[..]));
        assert_eq!((reply.header("x-kind"), reply.header("none")), (Some("length"), None));
        assert_eq!(reply.header_all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert!(reply.headers().any(|(name, value)| name == "Content-Length" && value == b"5"));
        let before = sim.now();
        let reply = sim.request("GET", "/chunks").header("TE", "trailers").send();
        assert_eq!((reply.text().as_str(), reply.trailers().next()), ("hello", Some(("X-Sum", "5"))));
        let took = sim.now() - before;
        assert!(took < SECOND + SECOND / 2, "the clock moves no further than it must, rough {rough}: {took:?}");
        let reply = sim.request("HEAD", "/length").send();
        assert_eq!((reply.status(), reply.header("Content-Length"), reply.body()), (200, Some("5"), &b""[..]));
        assert_eq!(get("/none").expect(204).body(), b"");
        assert_eq!(get("/hints").expect(200).text(), "hello", "103 is passed over");
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole_then() {
    let sim = says(b"HTTP/1.1 200 OK\r\nX: \xe9\r\n\r\nto the end", true);
    let reply = sim.request("GET", "/").send().expect(200);
    assert_eq!((reply.text().as_str(), reply.header("X")), ("to the end", None));
    assert!(reply.headers().any(|(name, value)| name == "X" && value == b"\xe9"), "a value is bytes");
    let sim = says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes of x", false);
    assert_eq!(sim.request("GET", "/").send().expect(101).body(), b"");
}

#[test]
fn requests_on_one_connection_keep_it() {
    let (sim, server) = serve(|req, res| res.end(req.path()));
    let peer = sim.connect(80);
    for path in ["/first", "/second", "/third"] {
        assert_eq!(sim.request("GET", path).on(&peer).send().text(), path);
    }
    assert_eq!(server.connections(), 1);
    let of_its_own = sim.request("GET", "/").send();
    assert_eq!((of_its_own.status(), server.connections()), (200, 1), "its connection is closed");
}

#[test]
fn the_only_listener_is_found_else_80() {
    let sim = Sim::new();
    let serve = |text: &'static str| http::create_server(move |_, res| res.end(text));
    let one = serve("one");
    one.listen(8080, ()).unwrap();
    assert_eq!(sim.request("GET", "/").send().text(), "one");
    let upstream = sim.listen("127.0.0.1:9000").unwrap();
    assert_eq!(sim.request("GET", "/").send().text(), "one", "a scripted server is no part of the program");
    let two = serve("two");
    two.listen(80, ()).unwrap();
    assert_eq!(sim.request("GET", "/").send().text(), "two");
    assert_eq!(sim.request("GET", "/").port(8080).send().text(), "one");
    drop(upstream);
    for server in [one, two] {
        server.close(());
    }
    sim.settle();
    let path = serve("path");
    path.listen(std::path::Path::new("/run/x.sock"), ()).unwrap();
    assert_eq!(sim.request("GET", "/").send().text(), "path");
}

#[test]
fn an_answer_that_is_not_whole_fails_the_test_and_says_what_is_missing() {
    let failed = |sim: &Sim| complaint(|| drop(sim.request("GET", "/x").at_most(3 * SECOND).send()));
    let cases: &[(&'static [u8], bool, &str)] = &[
        (b"", true, "the connection was closed; nothing of the answer has come"),
        (b"", false, "3s have passed; nothing of the answer has come"),
        (b"HTTP/1.1 200", false, "3s have passed; only this of its head has come: \"HTTP/1.1 200\""),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour",
            true,
            "200, and 4 bytes of the body have come; 5 are missing",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", true, "its last chunk is missing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", true, "its body is not well formed"),
        (
            b"HTTP/1.1 200 OK\r\n\r\nx",
            false,
            "3s have passed; 200, and 1 bytes of a body that ends with the connection",
        ),
        (b"hello", true, "its head is not well formed"),
    ];
    for (bytes, ends, what) in cases {
        let text = failed(&says(bytes, *ends));
        assert!(text.contains("GET /x") && text.contains(what), "{what}\n{text}");
    }
    assert!(failed(&Sim::new()).contains("the connection was refused"));
    let (sim, _server) = serve(|_, res| {
        res.set_header("Content-Length", 10);
        res.write("hi").ignore();
        drop(res);
    });
    let text = failed(&sim);
    assert!(text.contains("8 are missing") && text.contains("the response was dropped"), "{text}");
}

#[test]
fn a_status_that_was_not_expected_is_explained_by_the_log() {
    let sim = Sim::new();
    let server = http::create_server(|req, res| match req.path() {
        "/fine" => {
            res.end("fine");
            Ok(())
        }
        _ => Err(std::io::Error::other("no such table"))?,
    });
    server.listen(80, ()).unwrap();
    let text = complaint(|| drop(sim.request("GET", "/todos").send().expect(200)));
    assert!(text.contains("200 was expected, not\n500 Internal Server Error\n"), "{text}");
    assert!(text.contains("GET /todos: the handler failed: no such table"), "{text}");
    let reply = sim.request("GET", "/fine").send().expect(200);
    assert!(reply.log().is_empty(), "what was logged before is not its");
    assert!(format!("{reply:?}").ends_with("\n\nfine\n(nothing was logged)"), "{reply:?}");
}

#[test]
fn what_the_test_expects_of_an_answer_is_there_or_the_test_fails() {
    let (sim, _server) = serve(|_, res| {
        res.append_header("Vary", "Accept");
        res.append_header("Vary", "Origin");
        res.end("fine");
    });
    let reply = sim.request("GET", "/").send();
    let reply = reply.expect(200).expect_header("vary", "Origin").expect_header("Vary", "Accept").expect_text("fine");
    let text = complaint(|| drop(reply.clone().expect_header("Vary", "Accept, Origin")));
    assert!(text.starts_with("oneloop: `Vary: Accept, Origin` was expected, not\n200 OK\n"), "{text}");
    let text = complaint(|| drop(reply.expect_text("fin")));
    assert!(text.starts_with("oneloop: the text \"fin\" was expected, not\n200 OK\n"), "{text}");
}

#[test]
fn a_slow_request_comes_byte_by_byte() {
    let sim = Sim::new();
    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let pieces: Rc<RefCell<Vec<usize>>> = Rc::default();
    let seen = pieces.clone();
    let server = net::create_server(move |socket| {
        let seen = seen.clone();
        socket.on_data(move |socket, bytes| {
            seen.borrow_mut().push(bytes.len());
            if seen.borrow().len() == REQUEST.len() {
                socket.end("HTTP/1.1 204 No Content\r\n\r\n");
            }
        });
    });
    server.listen(80, ()).unwrap();
    sim.request("GET", "/").slowly().send().expect(204);
    assert_eq!(*pieces.borrow(), [1; REQUEST.len()]);
}

#[test]
fn a_request_can_be_cut_at_each_byte_and_leaves_nothing_open() {
    let (sim, server) = serve(|req, res| {
        req.read_body(100, move |body| {
            res.end(body?);
            Ok(())
        });
    });
    let mut cuts = 0;
    while sim.request("POST", "/").body("hello").cut_after(cuts) {
        assert_eq!(server.connections(), 0, "after {cuts} bytes");
        cuts += 1;
    }
    assert_eq!(cuts, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".len());
    assert_eq!(server.requests(), 6, "its head is whole with 0 to 5 bytes of the body");
    assert!(!sim.request("POST", "/").slowly().cut_after(1000));
    assert_eq!(server.requests(), 7);
}

#[test]
fn a_client_connects_from_the_address_that_it_is_given() {
    let (sim, _server) = serve(|req, res| res.end(req.remote_addr().unwrap().to_string()));
    for address in ["192.0.2.7", "2001:db8::7"] {
        let address: std::net::IpAddr = address.parse().unwrap();
        for request in [sim.request("GET", "/"), sim.request("GET", "/").port(80)] {
            let from: std::net::SocketAddr = request.sent_from(address).send().text().parse().unwrap();
            assert_eq!(from.ip(), address);
        }
    }
}

#[test]
fn an_answer_is_read_part_by_part_while_it_comes() {
    let (sim, server) = serve(|req, res| {
        res.write("0;").ignore();
        let count = Cell::new(0);
        let end = req.path() == "/end";
        let ticking = set_interval(SECOND, move || {
            count.set(count.get() + 1);
            res.write(format!("{};", count.get())).ignore();
            if end && count.get() == 2 {
                res.end("over");
            }
        });
        req.on_close(move |_, _| ticking.clear());
    });
    let mut reply = sim.request("GET", "/").open().expect(200);
    assert_eq!(reply.header("Transfer-Encoding"), Some("chunked"));
    assert_eq!((reply.read().as_str(), reply.read().as_str(), sim.now()), ("0;", "", Duration::ZERO));
    let mut second = sim.request("GET", "/end").open();
    assert_eq!(reply.read_until("2"), "1;2");
    assert_eq!(reply.read(), ";");
    assert_eq!((reply.text().as_str(), sim.now(), reply.is_whole()), ("0;1;2;", 2 * SECOND, false));
    assert_eq!(second.read_until(";"), "0;");
    let text = complaint(|| drop(reply.read_until("a text")));
    assert!(text.contains("no \"a text\" to GET /: 300s have passed; 200, and "), "{text}");
    let text = complaint(|| drop(second.read_until("a text")));
    assert!(text.contains("no \"a text\" to GET /end: the answer has ended; 200, whole"), "{text}");
    assert!(second.is_whole());
    assert_eq!(second.read(), "1;2;over");
    second.whole().expect(200).expect_text("0;1;2;over");
    assert_eq!(server.connections(), 1);
    drop(reply);
    sim.settle();
    assert_eq!(server.connections(), 0, "who drops an answer has gone away");
    let text = complaint(|| drop(sim.request("GET", "/").open().expect(404)));
    assert!(text.contains("404 was expected, not\n200 OK\n"), "{text}");
    let text = complaint(|| drop(Sim::new().request("GET", "/").open()));
    assert!(text.contains("no answer to GET /: the connection was refused"), "{text}");
}
