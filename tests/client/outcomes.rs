//! Each request has exactly one outcome: a response or an error, told once, by the loop.

use crate::support::client::{Scripted, agent, get, note, now, post, watch};
use crate::support::http::{Record, SECOND, serve};
use oneloop::http::{self, Agent, RequestErrorKind};
use oneloop::net::CloseReason;
use oneloop::sim::Sim;
use std::rc::Rc;

const URL: &str = "http://127.0.0.1/";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn a_request_is_sent_as_it_was_set_and_its_response_is_told_once() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, "HTTP/1.1 200 Fine\r\nX-Tag: 7\r\nContent-Length: 2\r\n\r\nhi");
    let record = Record::default();
    let req = http::request("PUT", "http://127.0.0.1:80/a%20b?c=1#d", note(&record, "res"));
    req.set_header("X-One", 1).append_header("X-One", "2").set_header("Gone", "x").remove_header("gone");
    watch(&record, "req", &req);
    let closed = record.clone();
    req.on_close(move |_, reason| closed.add(format!("closed: {reason}")));
    req.end("body");
    assert!(server.requests().is_empty() && record.all().is_empty(), "nothing happens in the call");
    sim.settle();
    assert_eq!(
        server.requests(),
        ["PUT /a%20b?c=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-One: 1\r\nX-One: 2\r\nContent-Length: 4\r\n\r\nbody"]
    );
    record.expect(&["res: 200 hi", "closed: finished"]);
    assert!(req.is_closed());
}

#[test]
fn each_failure_has_its_kind_and_says_what_was_asked_without_the_query() {
    let sim = Sim::new();
    let record = Record::default();
    let cases: [(&str, &str, &str); 7] = [
        ("", "connect", "cannot connect to 127.0.0.1:80"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "bad-response", "the response is not valid: "),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "bad-response",
            "the response is not valid: ",
        ),
        ("HTTP/1.1 999 OK\r\n\r\n", "bad-response", "the response is not valid: "),
        ("SSH-2.0-OpenSSH\r\n", "bad-response", "the response is not valid: "),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "bad-response", "101"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "response-timeout", "no response within 60s"),
    ];
    for (answer, kind, words) in cases {
        let server = (!answer.is_empty()).then(|| Scripted::saying(&sim, answer));
        let agent = Agent::new();
        let said = record.clone();
        agent.get("http://127.0.0.1/secret?key=1", |_| unreachable!()).on_error(move |_, error| {
            said.add(error.kind());
            assert!(error.to_string().starts_with("GET http://127.0.0.1/secret: "), "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.is_reused());
        });
        sim.advance(SECOND * 61);
        record.expect(&[kind]);
        assert_eq!(now(&agent), (0, 0, 0, 0), "{answer:?}");
        drop(server);
        sim.settle();
    }
}

#[test]
fn a_mistake_of_the_program_is_an_error_and_nothing_is_sent() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, OK);
    let record = Record::default();
    let agent = Agent::new();
    for url in ["", "127.0.0.1", "ftp://127.0.0.1/", "http://a b/", "http://user:word@127.0.0.1/", "http://127.0.0.1/ä"]
    {
        let said = record.clone();
        agent.get(url, |_| unreachable!()).on_error(move |_, error| {
            assert!(!error.to_string().contains(":word"), "{error}");
            said.add(error.kind());
        });
    }
    for (name, value) in
        [("X", "a\r\nHost: evil"), ("X Y", "1"), ("Content-Length", "7, 7"), ("Transfer-Encoding", "gzip")]
    {
        let req = agent.request("POST", URL, |_| unreachable!());
        req.set_header(name, value);
        watch(&record, name, &req);
        req.end("body");
    }
    watch(&record, "method", &agent.request("GET /evil HTTP/1.1", URL, |_| unreachable!()));
    let short = agent.request("POST", URL, |_| unreachable!());
    short.set_header("Content-Length", 9).end("body");
    watch(&record, "short", &short);
    sim.settle();
    let mut kinds = vec!["invalid"; 6];
    kinds.extend([
        "X: invalid",
        "X Y: invalid",
        "Content-Length: invalid",
        "Transfer-Encoding: invalid",
        "method: invalid",
        "short: invalid",
    ]);
    record.expect(&kinds);
    assert!(server.requests().is_empty());
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn a_body_that_belies_its_length_is_cut_so_that_the_server_does_not_take_it_for_whole() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:80").unwrap();
    let record = Record::default();
    for (parts, length) in [(["too", "long"], 4), (["too", "short"], 10)] {
        let req = http::request("POST", URL, |_| unreachable!());
        req.set_header("Content-Length", length);
        watch(&record, "req", &req);
        req.write(parts[0]).ignore();
        sim.settle();
        req.end(parts[1]);
        sim.settle();
        record.expect(&["req: invalid"]);
        let peer = server.accepted().pop().unwrap();
        assert!(peer.is_closed() && !peer.text().ends_with(parts[1]), "{}", peer.text());
    }
}

#[test]
fn a_response_that_is_cut_is_no_error_of_the_request_but_closes_with_a_reason() {
    let sim = Sim::new();
    let record = Record::default();
    for (head, last, whole) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", false, false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", false, false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, false),
        ("HTTP/1.1 200 OK\r\n\r\nhi", false, true),
        ("HTTP/1.1 200 OK\r\n\r\nhi", true, false),
    ] {
        let server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| {
            peer.write(head);
            if last { peer.reset() } else { peer.finish() }
        });
        let agent = Agent::new();
        let (came, ended, closed) = (record.clone(), record.clone(), record.clone());
        let req = agent.get(URL, move |res| {
            came.add(res.status());
            res.on_end(move |_| ended.add("end"));
            res.on_close(move |_, reason| closed.add(if reason == CloseReason::Finished { "whole" } else { "cut" }));
        });
        watch(&record, "req", &req);
        sim.settle();
        // A reset may take the response with it that came just before.
        let lines = record.take();
        match whole {
            true => assert_eq!(lines, ["200", "end", "whole"], "{head}"),
            false => assert!(lines == ["200", "cut"] || last && lines == ["req: closed"], "{head} {lines:?}"),
        }
        assert_eq!(now(&agent), (0, 0, 0, 0));
        drop(server);
        sim.settle();
    }
}

#[test]
fn dropping_a_request_before_its_end_aborts_it() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:80").unwrap();
    let (record, agent) = (Record::default(), Agent::new());
    // Before anything was sent.
    let req = agent.request("POST", URL, |_| unreachable!());
    watch(&record, "never sent", &req);
    drop(req);
    sim.settle();
    // In the middle of its body.
    let req = agent.request("POST", URL, |_| unreachable!());
    watch(&record, "half sent", &req);
    req.write("half").ignore();
    sim.settle();
    drop(req);
    sim.settle();
    record.expect(&["never sent: aborted", "half sent: aborted"]);
    assert_eq!(server.accepted().len(), 1);
    assert!(server.accepted()[0].is_closed());
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn dropping_the_handle_of_a_request_that_has_ended_changes_nothing() {
    let sim = Sim::new();
    let _server = Scripted::saying(&sim, OK);
    let record = Record::default();
    drop(http::get(URL, note(&record, "res")));
    sim.settle();
    record.expect(&["res: 200 hi"]);
}

#[test]
fn abort_ends_a_request_at_each_stage_and_closes_its_connection() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, _| {
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    });
    let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 1));
    let first = get(&record, &agent, "first", URL);
    let waits = get(&record, &agent, "waits", URL);
    first.abort();
    first.abort();
    record.expect(&[]);
    waits.abort();
    sim.settle();
    record.expect(&["first: aborted", "waits: aborted"]);
    let third = get(&record, &agent, "third", URL);
    sim.settle();
    assert_eq!(now(&agent), (1, 0, 0, 0));
    third.abort();
    sim.settle();
    record.expect(&["third: 200 the connection was closed before the body ended: destroyed"]);
    assert_eq!(now(&agent), (0, 0, 0, 0));
    assert!(server.listener.accepted().iter().all(|peer| peer.is_closed()));
}

#[test]
fn destroying_an_agent_ends_what_it_carries_and_what_waits() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:80").unwrap();
    let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 1));
    get(&record, &agent, "carried", URL);
    sim.settle();
    get(&record, &agent, "waits", URL);
    agent.destroy();
    record.expect(&[]);
    sim.settle();
    let mut lines = record.take();
    lines.sort();
    assert_eq!(lines, ["carried: aborted", "waits: aborted"]);
    get(&record, &agent, "later", URL);
    sim.settle();
    record.expect(&["later: aborted"]);
    assert!(server.accepted().iter().all(|peer| peer.is_closed()));
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn a_panic_in_a_callback_costs_its_request_only() {
    let sim = Sim::new();
    oneloop::event_loop::set_panic_policy(oneloop::event_loop::PanicPolicy::Catch);
    let _server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let (record, agent) = (Record::default(), Agent::new());
    let closed = record.clone();
    agent.get(URL, |_| panic!("on purpose")).on_close(move |_, reason| closed.add(reason));
    let closed = record.clone();
    agent.get(URL, move |res| {
        res.on_close(move |_, reason| closed.add(reason));
        res.on_data(|_, _| panic!("on purpose"));
    });
    get(&record, &agent, "other", URL);
    sim.settle();
    let mut lines = record.take();
    lines.sort();
    assert_eq!(lines, ["other: 200 hi", "panicked", "panicked"]);
    assert_eq!(now(&agent).0, 0);
}

#[test]
fn callbacks_give_away_what_they_captured_when_the_request_is_over() {
    let sim = Sim::new();
    let _server = Scripted::saying(&sim, OK);
    let held = Rc::new(());
    for url in [URL, "http://127.0.0.1:1/"] {
        let (a, b, c, d) = (held.clone(), held.clone(), held.clone(), held.clone());
        let req = http::get(url, move |res| {
            let (x, y) = (a.clone(), a);
            res.on_data(move |_, _| drop(x.clone()));
            res.on_end(move |_| drop(y));
        });
        req.on_error(move |_, _| drop(b)).on_close(move |_, _| drop(c)).on_drain(move |_| drop(d.clone()));
    }
    sim.settle();
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn what_is_called_on_a_request_that_is_over_does_nothing() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, OK);
    let (record, agent) = (Record::default(), Agent::new());
    let req = post(&record, &agent, "first", URL, "x");
    sim.settle();
    get(&record, &agent, "second", URL);
    req.write("late").ignore();
    req.end("late");
    req.abort();
    req.set_header("Late", 1).flush_headers();
    req.on_error(|_, _| unreachable!()).on_close(|_, _| unreachable!());
    sim.settle();
    record.expect(&["first: 200 hi", "second: 200 hi"]);
    assert_eq!(server.lines(), ["1: POST / HTTP/1.1", "1: GET / HTTP/1.1"]);
}

#[test]
fn a_handler_asks_another_server_and_answers_with_what_that_says() {
    let (sim, _server) = serve(|_req, res| {
        let failed = res.clone();
        http::get("http://127.0.0.1:9000/", move |from| {
            res.set_status(from.status());
            from.pipe(&res);
        })
        .on_error(move |_, error| {
            assert_eq!(error.kind(), RequestErrorKind::Connect);
            failed.fail(error.clone());
        });
    });
    sim.request("GET", "/").send().expect(502);
    let _other = Scripted::at(&sim, "127.0.0.1:9000", |peer, _, _| {
        peer.write("HTTP/1.1 203 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbasil\r\n0\r\n\r\n");
    });
    sim.request("GET", "/").send().expect(203).expect_text("basil");
}
