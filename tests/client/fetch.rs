//! `fetch`: one result for each; redirects that keep secrets; bodies in bounds.

use crate::support::client::{Scripted, now};
use crate::support::http::{Record, SECOND};
use oneloop::http::{self, Agent, Fetch, FetchErrorKind, FetchResponse, RequestErrorKind};
use oneloop::net::CloseReason;
use oneloop::set_timeout;
use oneloop::sim::Sim;
use std::cell::Cell;
use std::rc::Rc;

const URL: &str = "http://127.0.0.1/";

/// Sends it and records the result: status and body, or the kind of the error.
fn send(record: &Record, fetch: Fetch) -> http::Fetching {
    let record = record.clone();
    fetch.send(move |result| match result {
        Ok(response) if response.bytes().len() > 100 => {
            record.add(format!("{} {} bytes", response.status(), response.bytes().len()))
        }
        Ok(response) => record.add(format!("{} {}", response.status(), response.text())),
        Err(error) => record.add(error.kind()),
    })
}

/// Fetches, and returns the result.
fn result(sim: &Sim, fetch: Fetch) -> Result<FetchResponse, http::FetchError> {
    let kept = Rc::new(Cell::new(None));
    let into = kept.clone();
    fetch.send(move |result| into.set(Some(result)));
    sim.advance(SECOND * 100);
    kept.take().expect("there is a result")
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn to(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn a_fetch_is_one_request_and_its_whole_response() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, _| {
        peer.write("HTTP/1.1 404 Gone\r\nX: 7\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 6\r\n\r\nbas");
        let peer = peer.clone();
        set_timeout(SECOND, move || peer.write("il\n"));
    });
    let record = Record::default();
    let told = record.clone();
    http::fetch("HTTP://127.0.0.1:80/a%20b?c=1#d").method("PUT").header("X", 1).header("X", "2").body("thyme").send(
        move |result| {
            let response = result.unwrap();
            assert_eq!((response.status(), response.is_ok(), response.text().as_ref()), (404, false, "basil\n"));
            assert_eq!((response.header("x"), response.header_bytes("X")), (Some("7"), Some(&b"7"[..])));
            assert_eq!(response.header_all("set-cookie").collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!((response.headers().count(), response.redirects()), (4, 0));
            assert_eq!(response.url(), "http://127.0.0.1/a%20b?c=1");
            assert_eq!(response.into_bytes(), b"basil\n");
            told.add("told");
        },
    );
    assert!(server.requests().is_empty() && record.all().is_empty(), "nothing happens in the call");
    sim.advance(SECOND / 2);
    record.expect(&[]);
    sim.advance(SECOND);
    record.expect(&["told"]);
    let request = server.requests().concat().replace("Accept-Encoding: gzip\r\n", "");
    assert_eq!(request, "PUT /a%20b?c=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX: 1\r\nX: 2\r\nContent-Length: 5\r\n\r\nthyme");
}

#[test]
fn each_failure_has_one_result_with_its_kind_and_names_no_query() {
    use {FetchErrorKind as E, RequestErrorKind as R};
    for (answer, kind, words) in [
        ("", E::Request(R::Connect), "cannot connect"),
        ("ICY 200\r\n\r\n", E::Request(R::BadResponse), "is not valid"),
        ("HTTP/1.1 100 C\r\n\r\n", E::Request(R::ResponseTimeout), "no response"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbasil",
            E::Closed(CloseReason::SlowReceive),
            "before the body ended",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", E::Closed(CloseReason::BadMessage), "body ended"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", E::TooLarge, "more than 1048576 bytes"),
    ] {
        let sim = Sim::new();
        let _server = (!answer.is_empty()).then(|| Scripted::saying(&sim, answer));
        let agent = Agent::new();
        let error = result(&sim, agent.fetch("http://127.0.0.1/plants?secret=1").max_body(1 << 20)).unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:?}");
        let text = error.to_string();
        assert!(text.starts_with("GET http://127.0.0.1/plants: ") && text.contains(words), "{text}");
        assert_eq!(error.request().is_some(), matches!(kind, E::Request(_)), "{text}");
        assert_eq!((now(&agent), sim.open_fds()), ((0, 0, 0, 0), 0), "{answer:?}");
    }
    let sim = Sim::new();
    for wrong in [
        http::fetch("127.0.0.1"),
        http::fetch("ws://127.0.0.1/"),
        http::fetch("http://user:word@127.0.0.1/?secret"),
        http::fetch(URL).method("G T"),
        http::fetch(URL).header("X", "a\r\nHost: b"),
        http::fetch(URL).header("Content-Length", 7).body("x"),
    ] {
        let error = result(&sim, wrong).unwrap_err();
        assert_eq!(error.kind(), E::Invalid);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn redirects_are_followed_with_the_method_that_their_status_asks_for() {
    for (status, method, then) in [
        (301, "GET", "GET /b"),
        (301, "POST", "GET /b"),
        (302, "POST", "GET /b"),
        (303, "POST", "GET /b"),
        (303, "PUT", "GET /b"),
        (303, "HEAD", "HEAD /b"),
        (307, "POST", "POST /b body"),
        (308, "PUT", "PUT /b body"),
    ] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, request| match request.contains(" /a ") {
            true => peer.write(to(status, "b?c#d")),
            false if request.starts_with("HEAD") => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            false => peer.write(ok("basil")),
        });
        let body = if method == "GET" || method == "HEAD" { "" } else { "body" };
        let fetch = http::fetch("http://127.0.0.1/a").method(method).header("X", "y").body(body);
        let response = result(&sim, fetch).unwrap();
        assert_eq!((response.status(), response.url(), response.redirects()), (200, "http://127.0.0.1/b?c", 1));
        let request = server.requests()[1].clone();
        let (line, rest) = request.split_once(" HTTP/1.1").unwrap();
        let (fields, content) = rest.split_once("\r\n\r\n").unwrap();
        assert_eq!(format!("{} {content}", line.replace("?c", "")).trim(), then, "{status} {method}");
        assert!(fields.contains("\r\nX: y") && fields.contains("Content-Length") == (content == "body"), "{fields}");
        assert_eq!(server.connections(), 1, "the connection of a redirect carries the next request");
    }
}

/// aiohttp#12275, superagent#1844, CVE-2023-45143 (undici), CVE-2022-27774 (curl). The schemes are in the table of `redirect.rs`.
#[test]
fn credentials_are_not_sent_to_another_host_or_port_and_do_not_come_back() {
    for status in [301, 302, 303, 307, 308] {
        let sim = Sim::new();
        let home = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, request| match request {
            request if request.starts_with("GET /same") => peer.write(to(status, "/away")),
            request if request.starts_with("GET /away") => peer.write(to(status, "http://127.0.0.1:81/")),
            _ => peer.write(ok("back")),
        });
        let other =
            Scripted::at(&sim, "127.0.0.1:81", move |peer, _, _| peer.write(to(status, "http://127.0.0.2:81/")));
        let third = Scripted::at(&sim, "127.0.0.2:81", move |peer, _, _| peer.write(to(status, "//127.0.0.1/back")));
        // The scheme stays, and `//127.0.0.1` is port 80.
        let fetch = http::fetch("http://127.0.0.1/same")
            .header("Authorization", "Bearer green")
            .header("COOKIE", "a=b")
            .header("Proxy-Authorization", "c")
            .header("Host", "virtual.example")
            .header("X-Kept", "d");
        assert_eq!(result(&sim, fetch).unwrap().text(), "back");
        let told = |request: &String| {
            let lower = request.to_ascii_lowercase();
            let secrets = ["bearer green", "a=b", "proxy-authorization", "virtual.example"];
            assert!(lower.contains("x-kept: d"));
            secrets.iter().filter(|secret| lower.contains(**secret)).count()
        };
        let counts: Vec<_> = home.requests().iter().map(told).collect();
        assert_eq!(counts, [4, 4, 0], "{status}");
        assert_eq!(other.requests().iter().chain(&third.requests()).map(told).collect::<Vec<_>>(), [0, 0], "{status}");
        assert!(other.requests()[0].contains("Host: 127.0.0.1:81\r\n"));
    }
}

#[test]
fn redirects_have_an_end() {
    use FetchErrorKind as E;
    // The n-th leads to the next.
    let chain = |peer: &oneloop::sim::Peer, _: usize, request: &str| {
        let number: u32 = request.split(['/', ' ']).find_map(|part| part.parse().ok()).unwrap();
        peer.write(if number == 11 { ok("end") } else { to(302, &format!("/{}", number + 1)) });
    };
    for (first, most, outcome) in
        [(1, 10, Ok(10)), (0, 10, Err(E::TooManyRedirects)), (9, 1, Err(E::TooManyRedirects)), (10, 1, Ok(1))]
    {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", chain);
        let fetch = http::fetch(&format!("http://127.0.0.1/{first}")).redirects(most);
        let told = result(&sim, fetch).map(|response| response.redirects()).map_err(|error| error.kind());
        assert_eq!(told, outcome, "{first}");
        assert_eq!(server.requests().len(), most + 1);
    }
    for (locations, requests) in [(["/a", "/a"], 1), (["/b", "/a"], 2)] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, request| {
            peer.write(to(302, locations[usize::from(request.starts_with("GET /b"))]))
        });
        let error = result(&sim, http::fetch("http://127.0.0.1/a?secret")).map(|response| response.status());
        let outcome = error.map_err(|error| error.kind());
        // The query tells the first two apart.
        assert!(matches!(outcome, Err(E::RedirectLoop)), "{outcome:?}");
        assert_eq!(server.requests().len(), requests + 1);
    }
}

#[test]
fn what_is_no_redirect_to_follow_is_the_response_or_an_error() {
    use FetchErrorKind as E;
    for (answer, outcome) in [
        (to(302, "/b").replace("Location", "X"), Ok(302)),
        (to(300, "/b"), Ok(300)),
        (to(305, "/b"), Ok(305)),
        ("HTTP/1.1 304 X\r\nLocation: /b\r\nContent-Length: 9\r\n\r\n".to_owned(), Ok(304)),
        (to(201, "/b"), Ok(201)),
        (to(302, "file:///etc/passwd"), Err(E::RedirectRefused)),
        (to(302, "unix:/run/docker.sock:/"), Err(E::RedirectRefused)),
        (to(302, "http://a b/"), Err(E::RedirectRefused)),
        (to(302, "/b\r\nLocation: /c"), Err(E::RedirectRefused)),
    ] {
        let sim = Sim::new();
        let told = answer.clone();
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&told));
        let agent = Agent::new();
        let result = result(&sim, agent.fetch(URL)).map(|response| response.status());
        assert_eq!(result.map_err(|error| error.kind()), outcome, "{answer}");
        assert_eq!((server.requests().len(), now(&agent).0), (1, 0), "{answer}");
    }
    let sim = Sim::new();
    let _server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, _| peer.write(to(302, "/b")));
    assert_eq!(result(&sim, http::fetch(URL).redirects(0)).unwrap().status(), 302);
}

#[test]
fn the_body_of_a_redirect_is_bounded_and_does_not_hold_it_up() {
    let sim = Sim::new();
    // It never ends; and one that is longer than what is discarded.
    let endless = "HTTP/1.1 302 X\r\nLocation: /long\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n".to_owned();
    let long = format!("HTTP/1.1 302 X\r\nLocation: /end\r\nContent-Length: 1000000\r\n\r\n{}", "x".repeat(100_000));
    let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, request| match request {
        request if request.starts_with("GET /long") => peer.write(&long),
        request if request.starts_with("GET /end") => peer.write(ok("end")),
        _ => peer.write(&endless),
    });
    let agent = Agent::new();
    let record = Record::default();
    send(&record, agent.fetch(URL));
    sim.advance(SECOND * 3);
    record.expect(&["200 end"]);
    assert_eq!((server.connections(), now(&agent).0), (3, 0));
}

#[test]
fn a_body_has_a_limit_and_a_larger_one_closes_its_connection() {
    let body = "x".repeat(1000);
    for (answer, most, outcome) in [
        (ok(&body), 1000, Ok(1000)),
        (ok(&body), 999, Err(FetchErrorKind::TooLarge)),
        (format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{body}\r\n0\r\n\r\n"), 1000, Ok(1000)),
        (
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{body}\r\n0\r\n\r\n"),
            999,
            Err(FetchErrorKind::TooLarge),
        ),
        // Without an end.
        (format!("HTTP/1.1 200 OK\r\n\r\n{}", body.repeat(20)), 10_000, Err(FetchErrorKind::TooLarge)),
        (ok(""), 0, Ok(0)),
        (ok("x"), 0, Err(FetchErrorKind::TooLarge)),
    ] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&answer));
        let agent = Agent::new();
        let result = result(&sim, agent.fetch(URL).max_body(most));
        assert_eq!(result.map(|response| response.bytes().len()).map_err(|error| error.kind()), outcome);
        assert!(outcome.is_ok() || server.listener.accepted()[0].is_closed());
        assert_eq!(now(&agent).0, 0);
    }
    // What announces the length of another response is none of its own.
    let sim = Sim::new();
    let _server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    assert_eq!(result(&sim, http::fetch(URL).method("HEAD").max_body(1)).unwrap().bytes(), b"");
}

#[test]
fn one_deadline_covers_redirects_and_bodies() {
    let sim = Sim::new();
    let _slow = Scripted::at(&sim, "127.0.0.1:80", |peer, _, request| {
        let number: u32 = request.split(['/', ' ']).find_map(|part| part.parse().ok()).unwrap();
        let peer = peer.clone();
        set_timeout(SECOND * 2, move || peer.write(to(302, &format!("/{}", number + 1))));
    });
    let _drop_by_drop = Scripted::at(&sim, "127.0.0.1:81", |peer, _, _| {
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        let peer = peer.clone();
        oneloop::set_interval(SECOND, move || peer.write("x"));
    });
    for url in ["http://127.0.0.1/1", "http://127.0.0.1:81/"] {
        let record = Record::default();
        let agent = Agent::new();
        send(&record, agent.fetch(url).timeout(SECOND * 5));
        sim.advance(SECOND * 9 / 2);
        record.expect(&[]);
        sim.advance(SECOND);
        record.expect(&["timeout"]);
        assert_eq!(now(&agent).0, 0);
    }
}

#[test]
fn an_abort_is_told_once_and_closes_the_connection_at_any_stage() {
    for stage in ["connecting", "response", "redirect", "body", "over"] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| match stage {
            "redirect" => peer.write("HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 9\r\n\r\n"),
            "body" => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            "over" => peer.write(ok("basil")),
            _ => {}
        });
        let (record, agent) = (Record::default(), Agent::new());
        let fetching = send(&record, agent.fetch(URL));
        if stage != "connecting" {
            sim.advance(SECOND / 2);
        }
        fetching.abort();
        fetching.abort();
        record.expect(if stage == "over" { &["200 basil"] } else { &[] });
        sim.advance(SECOND * 100);
        record.expect(if stage == "over" { &[] } else { &["aborted"] });
        assert_eq!(now(&agent).0, 0, "{stage}");
        assert!(server.requests().len() <= 1, "{stage}");
    }
}

#[test]
fn a_body_waits_for_the_100_if_asked_and_a_417_is_asked_again_without() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, request| {
        if request.contains("Expect") {
            peer.write("HTTP/1.1 417 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        } else {
            peer.write(ok("taken"));
        }
    });
    let head = sim.listen("127.0.0.1:81").unwrap();
    head.on_accept(|peer| {
        peer.on_data(|peer, bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            match text.contains("Expect: 100-continue") {
                true => {
                    assert!(text.ends_with("\r\n\r\n"), "the body has to wait: {text:?}");
                    peer.write("HTTP/1.1 417 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                }
                false => {
                    assert!(text.ends_with("\r\n\r\nbasil"), "{text:?}");
                    peer.write(ok("once again"));
                }
            }
        });
        peer.on_close(|peer| peer.close());
    });
    for (url, answer) in [(URL, "taken"), ("http://127.0.0.1:81/", "once again")] {
        let fetch = http::fetch(url).method("PUT").body("basil").expect_continue();
        assert_eq!(result(&sim, fetch).unwrap().text(), answer);
    }
    assert!(server.requests().last().is_some_and(|request| request.ends_with("basil")));
}

#[test]
fn the_result_may_do_anything_and_a_panic_in_it_costs_nothing_else() {
    let sim = Sim::new();
    oneloop::event_loop::set_panic_policy(oneloop::event_loop::PanicPolicy::Catch);
    let _server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, _| peer.write(ok("basil")));
    let record = Record::default();
    let told = record.clone();
    http::fetch(URL).send(move |_| {
        send(&told, http::fetch(URL));
        panic!("in a result");
    });
    sim.settle();
    record.expect(&["200 basil"]);
}

/// nodejs/node#37184: an error body that nobody reads holds the connection.
#[test]
fn five_hundred_failures_of_two_connections_hold_none() {
    let sim = Sim::new();
    let body = "x".repeat(2000);
    let answer = format!("HTTP/1.1 500 X\r\nContent-Length: 2000\r\n\r\n{body}");
    let _server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&answer));
    let record = Record::default();
    let agent = crate::support::client::agent(|limits| limits.per_host = 2);
    for _ in 0..500 {
        send(&record, agent.fetch(URL).max_body(1000));
    }
    sim.advance(SECOND * 10);
    assert_eq!(record.take(), vec!["too-large"; 500]);
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[cfg(feature = "compression")]
mod compressed {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn answer(codings: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {codings}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    /// undici's CVE-2026-22036: a chain of codings without a bound.
    #[test]
    fn a_compressed_body_is_inflated_in_bounds() {
        use FetchErrorKind as E;
        let (once, bomb) = (gzip(b"basil"), gzip(&vec![0; 2 << 20]));
        for (codings, body, outcome) in [
            ("gzip", once.clone(), Ok("basil")),
            ("gzip, gzip", gzip(&once), Ok("basil")),
            ("gzip, gzip, gzip", gzip(&gzip(&once)), Err(E::Coding)),
            ("br", b"basil".to_vec(), Ok("basil")),
            ("gzip", b"basil".to_vec(), Err(E::Coding)),
            ("gzip", once[..once.len() - 1].to_vec(), Err(E::Coding)),
            ("gzip", Vec::new(), Ok("")),
            ("gzip", bomb.clone(), Err(E::Coding)),
            ("gzip", gzip(&[b'x'; 1001]), Err(E::TooLarge)),
            (&"gzip,".repeat(1000), once.clone(), Err(E::Coding)),
        ] {
            let sim = Sim::new();
            let wire = answer(codings, &body);
            let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&wire));
            let agent = Agent::new();
            let limit = if body.len() > 2000 { 1 << 30 } else { 1000 };
            let result = result(&sim, agent.fetch(URL).max_body(limit));
            let told = result.as_ref().map(|response| response.text()).map_err(|error| error.kind());
            assert_eq!(told.as_deref(), outcome.as_ref().map(|text| *text), "{codings:.20}");
            assert!(server.requests()[0].contains("Accept-Encoding: gzip\r\n"));
            assert_eq!(now(&agent).0, 0);
        }
    }

    #[test]
    fn who_asks_for_codings_gets_the_body_as_it_comes() {
        let sim = Sim::new();
        let (once, wire) = (gzip(b"basil"), answer("gzip", &gzip(b"basil")));
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&wire));
        let fetch = http::fetch(URL).header("Accept-Encoding", "gzip, br");
        assert_eq!(result(&sim, fetch).unwrap().bytes(), once);
        assert_eq!(server.requests()[0].matches("Encoding").count(), 1);
    }

    /// Content that is this text, behind so many bytes of blocks in which there is nothing.
    fn slow(bytes: usize, text: &str) -> Vec<u8> {
        let gzip = gzip(text.as_bytes());
        [&gzip[..10], &[0, 0, 0, 0xff, 0xff].repeat(bytes / 5), &gzip[10..]].concat()
    }

    /// Fetches what takes long to inflate and, meanwhile, something else: then `now` gets the first one.
    fn meanwhile(wire: Vec<u8>, now: impl FnOnce(&http::Fetching) + 'static) -> (Vec<String>, Scripted, Agent) {
        let sim = Sim::new();
        let waiting = Rc::new(std::cell::RefCell::new(Vec::<oneloop::sim::Peer>::new()));
        let (both, wire) = (waiting.clone(), Rc::new(wire));
        let quick = Scripted::at(&sim, "127.0.0.1:81", move |peer, _, _| both.borrow_mut().push(peer.clone()));
        // The answers come in the same iteration.
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| {
            peer.write(&*wire);
            waiting.borrow().iter().for_each(|peer| peer.write(ok("quick")));
        });
        let (record, agent) = (Record::default(), Agent::new());
        let (told, fetching) = (record.clone(), Rc::new(Cell::new(None)));
        let first = fetching.clone();
        agent.fetch("http://127.0.0.1:81/").send(move |result| {
            told.add(result.unwrap().text());
            let fetching: Option<http::Fetching> = first.take();
            now(&fetching.unwrap());
        });
        sim.settle();
        fetching.set(Some(send(&record, agent.fetch(URL))));
        sim.settle();
        drop(quick);
        (record.take(), server, agent)
    }

    #[test]
    fn a_body_that_takes_long_to_inflate_holds_up_nothing_else() {
        for bytes in [50_000, 400_000] {
            let (told, _, agent) = meanwhile(answer("gzip", &slow(bytes, "slow")), |_| ());
            assert_eq!(told, ["quick", "200 slow"]);
            assert_eq!(now(&agent).0, 0);
            let (told, _, _) = meanwhile(answer("gzip, gzip", &gzip(&slow(bytes, "slow"))), |_| ());
            assert_eq!(told, ["quick", "200 slow"]);
            let (told, ..) = meanwhile(answer("gzip", &[&slow(bytes, "slow")[..], b"x"].concat()), |_| ());
            assert_eq!(told, ["quick", "coding"]);
        }
        let endless = [&gzip(b"")[..10], &[0, 0, 0, 0xff, 0xff].repeat(200_000)].concat();
        let chunk = [&b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"[..], &endless].concat();
        let sim = Sim::new();
        let _server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&chunk));
        let told = result(&sim, http::fetch(URL).max_body(500_000));
        assert_eq!(told.map(|_| ()).map_err(|error| error.kind()), Err(FetchErrorKind::TooLarge));
    }

    #[test]
    fn an_abort_while_it_is_inflated_is_told_once() {
        for bytes in [50_000, 400_000] {
            let (told, _, agent) = meanwhile(answer("gzip", &slow(bytes, "slow")), |fetching| fetching.abort());
            assert_eq!(told, ["quick", "aborted"], "{bytes}");
            assert_eq!(now(&agent).0, 0);
        }
    }
}
