//! Bodies of requests: with backpressure, in both directions at once, with early answers, and upgrades.

use crate::support::bytes::pattern;
use crate::support::client::{Scripted, agent, get, note, now, watch};
use crate::support::http::{MS, Record, SECOND, serve};
use oneloop::http::{self, Agent, ClientRequest};
use oneloop::net::Flow;
use oneloop::set_timeout;
use oneloop::sim::{Network, Sim};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

const URL: &str = "http://127.0.0.1/";

/// Writes the bytes in pieces, as fast as `Flow` allows, and ends.
fn write_all(req: &ClientRequest, bytes: Rc<Vec<u8>>, at: usize) {
    let mut at = at;
    while at < bytes.len() {
        let end = (at + 10_000).min(bytes.len());
        match req.write(&bytes[at..end]) {
            Flow::Ready => at = end,
            Flow::Full => return FULL.with(|full| full.borrow_mut().push((end, bytes.clone()))),
            Flow::Closed => return,
        }
    }
    req.end(());
}

thread_local!(static FULL: RefCell<Vec<(usize, Rc<Vec<u8>>)>> = RefCell::default());

fn upload(req: &ClientRequest, bytes: &[u8]) {
    write_all(req, Rc::new(bytes.to_vec()), 0);
    req.on_drain(|req| {
        if let Some((at, bytes)) = FULL.with(|full| full.borrow_mut().pop()) {
            write_all(req, bytes, at);
        }
    });
}

#[test]
fn a_body_goes_out_in_chunks_and_comes_back_at_the_same_time() {
    for seed in 0..5 {
        let (sim, _server) = serve(|req, res| req.pipe(&res));
        sim.set_network(Network { partial_writes: seed > 0, splits: seed > 2, ..Network::default() });
        let body = pattern(1_000_000);
        let got = Rc::<RefCell<Vec<u8>>>::default();
        let all = got.clone();
        let req = http::request("POST", URL, move |res| {
            res.on_data(move |_, bytes| all.borrow_mut().extend_from_slice(bytes));
        });
        upload(&req, &body);
        assert!(req.pending() < 100_000, "{}", req.pending());
        drop(req.clone());
        sim.advance(SECOND * 60);
        assert!(req.is_closed() && *got.borrow() == body, "seed {seed}");
    }
}

#[test]
fn write_is_full_before_there_is_a_connection_and_drain_follows() {
    let (sim, _server) = serve(|req, res| req.pipe(&res));
    let record = Record::default();
    let req = http::request("POST", URL, note(&record, "res"));
    let mut writes = 0;
    while req.write(vec![b'x'; 10_000]) == Flow::Ready {
        writes += 1;
    }
    assert_eq!(writes, 6);
    let drained = record.clone();
    req.on_drain(move |req| {
        drained.add("drain");
        req.end("y");
    });
    sim.settle();
    record.expect(&["drain", "res: 200 70001 bytes"]);
}

#[test]
fn a_set_length_is_kept_and_what_is_ended_at_once_has_its_length() {
    let sim = Sim::new();
    let server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let agent = Agent::new();
    let req = agent.request("POST", URL, |_| ());
    req.set_header("Content-Length", 4).write("ab").ignore();
    req.end("cd");
    agent.request("POST", URL, |_| ()).end("abcd");
    agent.request("POST", URL, |_| ()).end(());
    agent.request("DELETE", URL, |_| ()).end(());
    let req = agent.request("POST", URL, |_| ());
    req.write("ab").ignore();
    req.end("cd");
    sim.settle();
    let mut rests: Vec<_> =
        server.requests().iter().map(|all| all.split_once("Host: 127.0.0.1\r\n").unwrap().1.to_owned()).collect();
    rests.sort();
    assert_eq!(
        rests,
        [
            "\r\n",
            "Content-Length: 0\r\n\r\n",
            "Content-Length: 4\r\n\r\nabcd",
            "Content-Length: 4\r\n\r\nabcd",
            "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
        ]
    );
}

#[test]
fn an_early_refusal_is_told_and_the_rest_of_the_body_goes_nowhere() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:80").unwrap();
    server.on_accept(|peer| {
        let refused = Cell::new(false);
        peer.on_data(move |peer, _| {
            if !refused.replace(true) {
                peer.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
            }
        });
    });
    let (record, agent) = (Record::default(), Agent::new());
    let req = agent.request("POST", URL, note(&record, "res"));
    watch(&record, "res", &req);
    req.write("begins").ignore();
    sim.settle();
    record.expect(&["res: 413 no"]);
    assert_eq!(req.write("goes on"), Flow::Closed);
    assert!(server.accepted()[0].is_closed() && !server.accepted()[0].text().contains("goes on"));
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

#[test]
fn a_body_waits_for_100_continue_or_a_second_and_is_not_sent_after_a_refusal() {
    let sim = Sim::new();
    let server = sim.listen("127.0.0.1:80").unwrap();
    let (record, agent) = (Record::default(), agent(|limits| limits.idle = std::time::Duration::ZERO));
    let ask = |path: &str| {
        let req = agent.request("POST", &format!("{URL}{path}"), note(&record, path));
        watch(&record, path, &req);
        req.set_header("Expect", "100-continue").end("body");
        sim.settle();
        server.accepted().pop().unwrap()
    };
    let told = ask("told");
    assert!(!told.text().ends_with("body"));
    told.write("HTTP/1.1 100 Continue\r\n\r\n");
    sim.settle();
    assert!(told.text().ends_with("\r\n\r\nbody"));
    told.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    sim.settle();
    let silent = ask("silent");
    sim.advance(SECOND * 2);
    assert!(silent.text().ends_with("\r\n\r\nbody"));
    silent.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    sim.settle();
    let refused = ask("refused");
    refused.write("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    sim.advance(SECOND * 2);
    assert!(!refused.text().ends_with("body") && refused.is_closed());
    record.expect(&["told: 200 ", "silent: 200 ", "refused: 403 "]);
}

#[test]
fn an_upgrade_gives_the_socket_with_what_came_behind_the_head() {
    let sim = Sim::new();
    let server = Scripted::at(&sim, "127.0.0.1:80", |peer, _, _| {
        peer.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nfirst");
    });
    let (record, agent) = (Record::default(), Agent::new());
    let req = agent.request("GET", URL, |_| unreachable!());
    req.set_header("Connection", "upgrade").set_header("Upgrade", "chat");
    let (told, closed) = (record.clone(), record.clone());
    req.on_upgrade(move |res, socket| {
        told.add(format!("{} {:?}", res.status(), res.header("upgrade")));
        let data = told.clone();
        socket.on_data(move |_, bytes| data.add(String::from_utf8_lossy(bytes)));
    });
    req.on_close(move |_, reason| closed.add(reason));
    req.end(());
    sim.settle();
    record.expect(&[r#"101 Some("chat")"#, "finished", "first"]);
    assert_eq!(now(&agent), (0, 0, 0, 0), "it is no connection of the agent any more");
    server.listener.accepted()[0].write("second");
    sim.advance(SECOND * 100);
    record.expect(&["second"]);
}

#[test]
fn a_refused_upgrade_is_a_response() {
    let sim = Sim::new();
    let _server = Scripted::saying(&sim, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    let (record, agent) = (Record::default(), Agent::new());
    let req = agent.request("GET", URL, note(&record, "res"));
    req.set_header("Connection", "upgrade").set_header("Upgrade", "chat").on_upgrade(|_, _| unreachable!());
    req.end(());
    sim.settle();
    record.expect(&["res: 200 no"]);
    assert_eq!(now(&agent), (0, 1, 0, 0));
}

#[test]
fn a_pipe_into_a_request_that_fails_gives_up_its_source_and_a_source_that_fails_cuts_the_request() {
    let (sim, _server) = serve(|req, res| {
        let failed = res.clone();
        let to = http::request("POST", "http://127.0.0.1:9000/", move |from| {
            res.set_status(from.status());
            from.pipe(&res);
        });
        to.on_error(move |_, error| failed.set_status(502).end(error.kind().as_str()));
        req.pipe(&to);
    });
    sim.request("POST", "/").body("seeds").send().expect(502).expect_text("connect");
    let other = Scripted::at(&sim, "127.0.0.1:9000", |peer, _, request| {
        assert!(request.ends_with("5\r\nseeds\r\n0\r\n\r\n"), "{request}");
        peer.write("HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok");
    });
    sim.request("POST", "/").body("seeds").send().expect(201).expect_text("ok");
    // A client that breaks off in the middle of its body.
    let client = sim.connect(80);
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nseeds");
    sim.advance(MS);
    client.reset();
    sim.advance(MS);
    assert_eq!(other.requests().len(), 1, "what was cut is not whole");
    assert!(other.listener.accepted().iter().skip(1).all(|peer| peer.is_closed()));
}

/// Bun #40380, rustls #1895, for plain connections: a half-close of the server while the request is still pending.
#[test]
fn a_server_that_ends_its_side_early_does_not_lose_the_response_that_it_sent() {
    let sim = Sim::new();
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let server = sim.listen("127.0.0.1:80").unwrap();
    server.on_accept(|peer| {
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        peer.finish();
        peer.read_at_rate(100_000, SECOND);
    });
    let (record, agent) = (Record::default(), Agent::new());
    let req = agent.request("POST", URL, note(&record, "res"));
    watch(&record, "res", &req);
    let late = req.clone();
    set_timeout(MS, move || late.end(vec![b'x'; 1_000_000]));
    req.flush_headers();
    sim.advance(SECOND * 60);
    record.expect(&["res: 200 hi"]);
    get(&record, &agent, "next", URL);
    sim.advance(SECOND * 60);
    record.expect(&["next: 200 hi"]);
    assert_eq!(now(&agent), (0, 0, 0, 0));
}

/// nginx ticket #669, actix-web #3967: the answer that comes early was lost, because the write failed first.
#[test]
fn an_early_answer_is_read_though_the_server_has_reset_the_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (go, goes) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        goes.recv().unwrap();
        socket.read_exact(&mut [0; 10]).unwrap();
        socket.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").unwrap();
        // It closes with input that it has not read: a reset.
    });
    let record = Record::default();
    let req = http::request("POST", &url, note(&record, "res"));
    watch(&record, "res", &req);
    req.write("x".repeat(10_000)).ignore();
    let (server, writes) = (Cell::new(Some(server)), req.clone());
    oneloop::set_interval_with(MS, move |timer| {
        if writes.remote_addr().is_some() && writes.pending() == 0 {
            timer.clear();
            // The loop learns nothing until the server is gone. Then it writes before it reads.
            go.send(()).unwrap();
            server.take().unwrap().join().unwrap();
            writes.write("more").ignore();
        }
    });
    oneloop::run().unwrap();
    record.expect(&["res: 413 no"]);
}
