//! Bodies of responses: as they come, whole, with a limit; and those that nobody reads.

use crate::support::bytes::pattern;
use crate::support::client::{Scripted, agent, counted, get, note, now};
use crate::support::http::{Record, SECOND, serve};
use oneloop::http::{self, Agent, ClientResponse, ResponseBodyError};
use oneloop::net::{CloseReason, PipeError, pipeline};
use oneloop::set_timeout;
use oneloop::sim::{Network, Sim};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const URL: &str = "http://127.0.0.1/";

#[test]
fn a_body_is_the_same_however_it_is_framed_and_split() {
    let text = "0123456789".repeat(30);
    let chunks: String =
        text.as_bytes().chunks(7).map(|c| format!("{:x};a=b\r\n{}\r\n", c.len(), String::from_utf8_lossy(c))).collect();
    let answers = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n{text}"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\nX: 1\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n\r\n{text}"),
        format!("HTTP/1.0 200 OK\r\n\r\n{text}"),
    ];
    for answer in answers {
        for seed in 0..10 {
            let sim = Sim::with_seed(seed);
            sim.set_network(Network { splits: seed > 0, read_splits: seed > 4, ..Network::default() });
            let all = answer.clone();
            let _server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| {
                peer.write(&all);
                if !all.contains("Length") && !all.contains("chunked") {
                    peer.finish();
                }
            });
            let record = Record::default();
            get(&record, &Agent::new(), "res", URL);
            sim.advance(SECOND);
            record.expect(&["res: 200 300 bytes"]);
        }
    }
}

#[test]
fn a_response_without_content_ends_at_once_even_if_it_is_asked_later() {
    for (method, head) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let sim = Sim::new();
        let _server = Scripted::saying(&sim, head);
        let (record, agent) = (Record::default(), Agent::new());
        let kept = Rc::new(RefCell::new(None));
        let keeps = kept.clone();
        agent.request(method, URL, move |res| *keeps.borrow_mut() = Some(res)).end(());
        sim.settle();
        assert_eq!(now(&agent), (0, 1, 0, 0), "{method} {head}: the connection is free");
        let res = kept.take().unwrap();
        let (end, body) = (record.clone(), record.clone());
        match method {
            "HEAD" => _ = res.on_end(move |_| end.add("end")),
            _ => res.read_body(10, move |all| body.add(format!("{:?}", all.unwrap()))),
        }
        record.expect(&[]);
        sim.settle();
        record.expect(&[if method == "HEAD" { "end" } else { "[]" }]);
    }
}

/// Node #37184, #47228: an error body that nobody read held its socket for ever.
#[test]
fn bodies_that_nobody_reads_hold_no_connection() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, request| {
        let length = if request.contains("/long") { 1_000_000 } else { 2000 };
        peer.write(format!("HTTP/1.1 500 No\r\nContent-Length: {length}\r\n\r\n"));
        peer.write(vec![b'x'; length]);
    });
    let (record, agent) = (Record::default(), agent(|limits| limits.per_host = 2));
    for number in 0..500 {
        let done = record.clone();
        agent.get(if number % 10 == 0 { "http://127.0.0.1/long" } else { URL }, move |res| done.add(res.status()));
    }
    sim.advance(SECOND);
    assert_eq!(counted(&record), [("500".to_owned(), 500)].into());
    assert_eq!(now(&agent).0, 0);
    assert!((50..60).contains(&server.connections()), "long ones close, short ones do not: {}", server.connections());
}

#[test]
fn a_body_that_nobody_reads_and_that_does_not_come_closes_the_connection_after_a_second() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, "HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nx");
    let agent = Agent::new();
    agent.get(URL, |_| ());
    sim.settle();
    assert_eq!(now(&agent), (1, 0, 0, 0));
    sim.advance(SECOND * 2);
    assert_eq!(now(&agent), (0, 0, 0, 0));
    assert!(server.listener.accepted()[0].is_closed());
}

#[test]
fn chunks_without_end_that_nobody_reads_close_the_connection() {
    let sim = Sim::new();
    let (server, written) = (sim.listen("127.0.0.1:80").unwrap(), Rc::new(Cell::new(0)));
    server.on_accept(move |peer| {
        peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer.on_close(|peer| peer.close());
        let peer = peer.clone();
        let written = written.clone();
        let more = oneloop::set_interval_with(Duration::from_millis(1), move |timer| {
            written.set(written.get() + 1);
            peer.write(format!("2000\r\n{}\r\n", "x".repeat(0x2000)));
            if peer.is_closed() {
                timer.clear();
            }
            assert!(written.get() < 100, "it goes on for ever");
        });
        more.unref();
    });
    let agent = Agent::new();
    agent.get(URL, |_| ());
    sim.advance(SECOND);
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn a_response_that_is_kept_waits_until_somebody_reads_it() {
    let sim = Sim::new();
    let _server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let (record, agent) = (Record::default(), Agent::new());
    let later = record.clone();
    agent.get(URL, move |res| _ = set_timeout(SECOND * 300, move || note(&later, "later")(res)));
    sim.advance(SECOND * 299);
    assert_eq!(now(&agent), (1, 0, 0, 0));
    sim.advance(SECOND * 2);
    record.expect(&["later: 200 hi"]);
}

#[test]
fn a_pause_slows_the_server_down_and_nothing_is_lost() {
    let body = pattern(2_000_000);
    let sent = body.clone();
    let (sim, _server) = serve(move |_req, res| res.end(sent.clone()));
    let (got, ended) = (Rc::<RefCell<Vec<u8>>>::default(), Rc::new(Cell::new(false)));
    let (all, done) = (got.clone(), ended.clone());
    http::get(URL, move |res| {
        res.on_data(move |res, bytes| {
            all.borrow_mut().extend_from_slice(bytes);
            res.pause();
            let res = res.clone();
            set_timeout(SECOND, move || res.resume());
        });
        res.on_end(move |_| done.set(true));
    });
    sim.settle();
    assert!(got.borrow().len() < 200_000, "{}", got.borrow().len());
    sim.advance(SECOND * 100);
    assert!(ended.get() && *got.borrow() == body);
}

#[test]
fn read_body_has_a_limit_and_a_body_is_read_once() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, request| {
        peer.write(if request.contains("/chunks") {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"
        });
    });
    let (record, agent) = (Record::default(), Agent::new());
    for path in ["", "chunks"] {
        for limit in [5, 6] {
            let (first, second) = (record.clone(), record.clone());
            agent.get(&format!("{URL}{path}"), move |res| {
                res.read_body(limit, move |body| {
                    first.add(body.map_or_else(|error| error.to_string(), |b| b.len().to_string()))
                });
                if limit == 6 {
                    res.on_close(move |res, _| res.read_body(limit, move |body| second.add(body.is_err())));
                }
            });
            sim.settle();
        }
        record.expect(&["the body has more than 5 bytes", "6", "true"]);
    }
    assert_eq!(server.connections(), 1, "the rest of a short body is discarded");
}

#[test]
fn destroy_closes_a_response_at_once() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    let (record, agent) = (Record::default(), Agent::new());
    let closed = record.clone();
    agent.get(URL, move |res| {
        res.on_data(|res, _| res.destroy());
        res.on_end(|_| unreachable!());
        res.on_close(move |_, reason| closed.add(reason));
    });
    sim.settle();
    record.expect(&[CloseReason::Destroyed.as_str()]);
    assert!(server.listener.accepted()[0].is_closed());
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

/// It was `Ok([])`, and the second half of a body of which the first was given away: as if that were all of it.
#[test]
fn a_body_of_which_others_have_got_bytes_is_an_error_for_whoever_asks_for_all_of_it_later() {
    type Listen = fn(&ClientResponse);
    let listens: [(&str, Listen); 2] =
        [("data", |res| _ = res.on_data(|_, _| ())), ("end", |res| _ = res.on_end(|_| ()))];
    for (said, (how, listen)) in ["seeds", "se"].into_iter().flat_map(|said| listens.map(|listen| (said, listen))) {
        let sim = Sim::new();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{said}");
        let _server = Scripted::at(&sim, "127.0.0.1:80", move |peer, _, _| peer.write(&answer));
        let record = Record::default();
        let seen = record.clone();
        let _request = http::get(URL, move |res| {
            listen(&res);
            let seen = seen.clone();
            set_timeout(SECOND, move || {
                let (heard, ended) = (seen.clone(), seen.clone());
                res.read_body(10, move |body| {
                    let Err(error) = body else { panic!("it came twice") };
                    assert!(matches!(error, ResponseBodyError::AlreadyRead { by } if by.file() == file!()));
                    heard.add("refused");
                });
                if !res.is_complete() {
                    return;
                }
                res.on_end(move |_| ended.add("end"));
                let sink = http::request("POST", "http://127.0.0.1:8080/", |_| ());
                pipeline(&res, &sink, move |outcome| {
                    assert!(matches!(outcome, Err(PipeError::Source(_))), "{outcome:?}");
                    seen.add("not piped");
                });
            });
        });
        sim.advance(2 * SECOND);
        let mut heard = record.take();
        heard.sort();
        let expected: &[&str] = match (said, how) {
            ("seeds", "data") => &["end", "not piped", "refused"],
            ("seeds", _) => &["not piped", "refused"],
            _ => &["refused"],
        };
        assert_eq!(heard, expected, "{how} {said}");
    }
}
