//! Connections that the server has closed, or spoken on, while they were idle; and what is sent again.

use crate::support::client::{Scripted, agent, counted, get, now, post};
use crate::support::http::{MS, Record, SECOND};
use oneloop::http::Agent;
use oneloop::set_timeout;
use oneloop::sim::{Network, Sim, block};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const URL: &str = "http://127.0.0.1/";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Calls `f` in an iteration in which all that was sent has come to the system, but the loop was told nothing of it.
fn in_the_wait(sim: &Sim, f: impl FnOnce() + 'static) {
    set_timeout(MS, f);
    sim.stop(MS * 2);
    sim.settle();
}

/// undici GHSA-35p6-xmwp-9g52, Bun #42128: a response to nobody was taken for the next request's.
#[test]
fn whatever_comes_on_an_idle_connection_closes_it_and_is_no_response() {
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let late = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for bytes in [poison, "\r\n", "\0", "garbage", late] {
        // It comes with the response, before the next request, or in the moment of it.
        for when in 0..3 {
            let sim = Sim::new();
            let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, number, _| {
                peer.write(OK);
                if when == 0 && number == 1 {
                    peer.write(bytes);
                }
            });
            let (record, agent) = (Record::default(), Agent::new());
            get(&record, &agent, "first", URL);
            sim.settle();
            if when > 0 {
                assert_eq!(now(&agent), (0, 1, 0, 0));
                server.listener.accepted()[0].write(bytes);
            }
            if when == 1 {
                sim.settle();
                assert_eq!(now(&agent), (0, 0, 0, 0), "closed at once");
                assert!(server.listener.accepted()[0].is_closed());
            }
            let (second, asks) = (record.clone(), agent.clone());
            in_the_wait(&sim, move || _ = get(&second, &asks, "second", URL));
            record.expect(&["first: 200 hi", "second: 200 hi"]);
            assert_eq!(server.lines(), ["1: GET / HTTP/1.1", "2: GET / HTTP/1.1"], "{bytes:?} {when}");
        }
    }
}

/// The response ends where the loop's buffer for reading ends, so the read that has brought it says nothing of what is behind.
#[test]
fn a_request_that_waits_gets_no_response_to_nobody_either() {
    for behind in ["", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", "\r\n"] {
        let sim = Sim::new();
        sim.set_network(Network { buffer: 1 << 20, ..Network::default() });
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, request| {
            if request.starts_with("GET /long") {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 65494\r\n\r\n";
                let rest = "x".repeat(65_494);
                assert_eq!(head.len() + rest.len(), 64 * 1024);
                peer.write(format!("{head}{rest}{behind}"));
            } else {
                peer.write(OK);
            }
        });
        let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 1));
        agent.get(&format!("{URL}long"), |res| _ = res.on_data(|_, _| ()));
        get(&record, &agent, "second", URL);
        sim.settle();
        record.expect(&["second: 200 hi"]);
        let connections = if behind.is_empty() { 1 } else { 2 };
        assert_eq!(server.lines(), ["1: GET /long HTTP/1.1".to_owned(), format!("{connections}: GET / HTTP/1.1")]);
    }
}

/// A request that is made when a response ends needs no second question: the read that brought the end has found that there is no more. But
/// a callback that takes long has given the server time to close.
#[test]
fn the_kernel_is_asked_once_unless_a_callback_takes_long_or_another_connection_is_taken() {
    for (takes, other, questions) in [(Duration::ZERO, false, 0), (MS * 20, false, 1), (Duration::ZERO, true, 1)] {
        let sim = Rc::new(Sim::new());
        let _servers = ["127.0.0.1:80", "127.0.0.2:80"].map(|at| Scripted::at(&sim, at, |peer, _, _| peer.write(OK)));
        let (record, agent) = (Record::default(), Agent::new());
        get(&record, &agent, "warm", "http://127.0.0.2/");
        sim.settle();
        let (second, asks, calls) = (record.clone(), agent.clone(), sim.clone());
        agent.get(URL, move |res| {
            res.on_end(move |_| {
                block(takes);
                let before = calls.calls();
                post(&second, &asks, "second", if other { "http://127.0.0.2/" } else { URL }, "x");
                assert_eq!(calls.calls() - before, questions, "{takes:?} {other}");
            });
        });
        sim.settle();
        record.expect(&["warm: 200 hi", "second: 200 hi"]);
        assert_eq!(agent.stats().connections, 2);
    }
}

/// Node #47130: sockets that the server has closed stayed in the agent's list until their event.
#[test]
fn a_connection_that_was_closed_before_the_loop_looked_is_not_taken() {
    for reset in [false, true] {
        let sim = Sim::new();
        let server = Scripted::saying(&sim, OK);
        let (record, agent) = (Record::default(), Agent::new());
        get(&record, &agent, "first", URL);
        sim.settle();
        let peer = server.listener.accepted()[0].clone();
        if reset {
            peer.reset()
        } else {
            peer.finish()
        }
        // Without the question to the kernel, this POST would fail.
        let (second, asks) = (record.clone(), agent.clone());
        in_the_wait(&sim, move || _ = post(&second, &asks, "second", URL, "x"));
        record.expect(&["first: 200 hi", "second: 200 hi"]);
        assert_eq!(server.lines(), ["1: GET / HTTP/1.1", "2: POST / HTTP/1.1"]);
        assert_eq!(agent.stats().retried, 0);
    }
}

#[test]
fn what_may_be_sent_twice_is_sent_again_once_on_a_new_connection_and_nothing_else_is() {
    for (method, body, again) in [
        ("GET", "", true),
        ("HEAD", "", true),
        ("PUT", "seed", true),
        ("DELETE", "", true),
        ("OPTIONS", "", true),
        ("POST", "seed", false),
        ("PATCH", "seed", false),
    ] {
        let sim = Sim::new();
        // The second request on a connection is answered by its end.
        let server = Scripted::at(&sim, "127.0.0.1:80", |peer, number, request| match (number, request) {
            (1, request) if !request.contains("/warm") => peer.close(),
            _ => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        });
        let (record, agent) = (Record::default(), Agent::new());
        get(&record, &agent, "warm", "http://127.0.0.1/warm");
        sim.settle();
        let (done, failed) = (record.clone(), record.clone());
        let req = agent.request(method, URL, move |res| done.add(res.status()));
        req.on_error(move |_, error| {
            assert!(error.is_reused() && error.is_sent());
            failed.add(error.kind());
        });
        req.end(body);
        sim.settle();
        record.expect(&["warm: 200 ", if again { "200" } else { "closed" }]);
        assert_eq!(server.connections(), if again { 2 } else { 1 }, "{method}");
        assert_eq!(agent.stats().retried, u64::from(again));
        let bodies: Vec<_> = server.requests().iter().filter(|request| request.ends_with("seed")).cloned().collect();
        assert_eq!(bodies.len(), if body.is_empty() { 0 } else { 1 + usize::from(again) }, "the body went with it");
    }
}

#[test]
fn a_program_can_forbid_it_or_allow_it_by_a_key() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, request| match request {
        request if request.contains("/warm") => peer.write(OK),
        request if request.contains("/cut") && request.len() < 1000 => peer.close(),
        _ => peer.write(OK),
    });
    let record = Record::default();
    let agent = Agent::new();
    get(&record, &agent, "warm", "http://127.0.0.1/warm");
    sim.settle();
    get(&record, &agent, "forbidden", "http://127.0.0.1/cut").set_retry(false);
    sim.settle();
    record.expect(&["warm: 200 hi", "forbidden: closed"]);
    get(&record, &agent, "warm", "http://127.0.0.1/warm");
    sim.settle();
    let req = agent.request("POST", "http://127.0.0.1/cut", |_| unreachable!());
    let failed = record.clone();
    req.set_header("Idempotency-Key", "7").on_error(move |_, error| failed.add(error.is_reused()));
    req.end("x");
    sim.settle();
    record.expect(&["warm: 200 hi", "false"]);
    assert_eq!(agent.stats().retried, 1);
    assert_eq!(server.lines().iter().filter(|line| line.contains("POST")).count(), 2);
}

/// hyper-util #150: sent again for ever, on new connections that were closed at once.
#[test]
fn a_server_that_takes_connections_and_closes_them_is_asked_twice_at_most() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, number, request| match (number, request) {
        (1, request) if request.contains("/warm") => peer.write(OK),
        _ => peer.close(),
    });
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "fresh", "http://127.0.0.1/warm");
    sim.settle();
    get(&record, &agent, "one", URL);
    sim.advance(SECOND * 60);
    record.expect(&["fresh: 200 hi", "one: closed"]);
    assert_eq!(server.connections(), 2);
    get(&record, &agent, "two", URL);
    sim.advance(SECOND * 60);
    record.expect(&["two: closed"]);
    assert_eq!(server.connections(), 3, "on a new connection it is not sent again");
}

#[test]
fn bytes_of_a_response_forbid_to_send_it_again() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, request| {
        peer.write(if request.contains("/warm") { OK } else { "HTTP/1.1 2" });
        if !request.contains("/warm") {
            peer.finish();
        }
    });
    let (record, agent) = (Record::default(), Agent::new());
    get(&record, &agent, "warm", "http://127.0.0.1/warm");
    sim.settle();
    get(&record, &agent, "cut", URL);
    sim.settle();
    record.expect(&["warm: 200 hi", "cut: closed"]);
    assert_eq!(server.connections(), 1);
}

/// Node #52649, PRs #54863 and #59315: the race near the end of the server's patience.
#[test]
fn no_get_fails_and_no_post_is_sent_twice_whenever_the_server_closes_idle_connections() {
    let (mut gets, mut lost) = (0, 0);
    for seed in 0..40 {
        let sim = Sim::with_seed(seed);
        let latency = Duration::from_micros(200 + sim.random(3000));
        sim.set_network(Network { latency: latency..=latency, ..Network::default() });
        let random = Cell::new(seed);
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| {
            peer.write(OK);
            // It has lost its patience after 0 to 20 ms, and does not look whether anything has come since.
            let closes = peer.clone();
            random.set(random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
            set_timeout(Duration::from_micros((random.get() >> 33) % 20_000), move || closes.close());
        });
        let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 1));
        for number in 0..275 {
            if number % 11 == 0 {
                post(&record, &agent, "post", &format!("{URL}{number}"), "x");
            } else {
                get(&record, &agent, "get", URL);
            }
            sim.advance(Duration::from_micros(sim.random(20_000)));
        }
        sim.advance(SECOND * 5);
        let counts = counted(&record);
        let count = |line: &str| counts.get(line).copied().unwrap_or(0);
        assert_eq!(count("get: 200 hi"), 250, "seed {seed}: {counts:?}");
        assert_eq!(count("post: 200 hi") + count("post: closed"), 25, "seed {seed}: {counts:?}");
        let sent: Vec<_> =
            server.lines().into_iter().filter_map(|line| Some(line.split_once(": POST")?.1.to_owned())).collect();
        let mut once = sent.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), sent.len(), "seed {seed}: a POST was sent twice");
        gets += count("get: 200 hi");
        lost += count("post: closed");
    }
    assert_eq!(gets, 10_000);
    assert!(lost > 0, "the race was not met");
}

#[test]
fn the_hint_of_the_server_ends_a_connection_a_second_before_the_server_does() {
    for (hint, reused) in [("timeout=3", false), ("timeout=20", true), ("timeout=1", false), ("max=5", false)] {
        let sim = Sim::new();
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| {
            peer.write(format!("HTTP/1.1 200 OK\r\nKeep-Alive: {hint}\r\nContent-Length: 2\r\n\r\nhi"));
        });
        let (record, agent) = (Record::default(), Agent::new());
        // Something else keeps the loop running.
        let other = oneloop::set_interval(SECOND, || ());
        get(&record, &agent, "first", URL);
        sim.advance(SECOND * 5);
        get(&record, &agent, "second", URL);
        sim.advance(MS);
        record.expect(&["first: 200 hi", "second: 200 hi"]);
        assert_eq!(server.connections(), if reused { 1 } else { 2 }, "{hint}");
        other.clear();
    }
}
