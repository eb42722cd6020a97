//! What a server tells of its exchanges when they are over: each once, with what it came to.

use crate::support::http::{self as support, Kept, MS, PORT, Record, SECOND, get, post, send, serve};
use oneloop::http::{Request, Response, Server};
use oneloop::sim::{Network, Sim};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Answers by the path.
fn by_path(req: Request, res: Response) {
    match req.path() {
        "/later" => drop(oneloop::set_timeout(250 * MS, move || res.end("later"))),
        "/chunks" => {
            res.write("four").ignore();
            res.write("fives").ignore();
            res.end("!");
        }
        "/large" => res.end(vec![b'x'; 300_000]),
        "/missing" => res.set_status(404).end("no"),
        "/moved" => res.set_status(301).end(()),
        "/drop" => drop(res),
        "/half" => {
            res.set_header("Content-Length", 10);
            res.write("half").ignore();
        }
        "/echo" => req.pipe(&res),
        "/keep" => oneloop::next_tick(move || std::mem::forget(res)),
        "/until-close" => {
            res.write("until ").ignore();
            res.end("close");
        }
        _ => res.end("hi"),
    }
}

fn observed() -> (Sim, Server, Record) {
    let record = Record::default();
    let (sim, server) = serve(by_path);
    let ends = record.clone();
    server.on_exchange_end(move |end| {
        let status = end.status.map_or("-".to_owned(), |status| status.to_string());
        ends.add(format!(
            "{} {} {status} {} {} {}",
            end.request.method(),
            end.request.url(),
            end.bytes,
            end.duration.as_millis(),
            end.reason
        ));
    });
    (sim, server, record)
}

#[test]
fn each_exchange_is_told_once_with_what_it_came_to() {
    let (sim, _server, record) = observed();
    let cases = [
        (get("/hi?x=1"), "GET /hi?x=1 200 2 0 finished"),
        (get("/later"), "GET /later 200 5 250 finished"),
        (get("/chunks"), "GET /chunks 200 10 0 finished"),
        (get("/missing"), "GET /missing 404 2 0 finished"),
        (get("/moved"), "GET /moved 301 0 0 finished"),
        (get("/drop"), "GET /drop 500 26 0 finished"),
        (get("/half"), "GET /half 200 4 0 bad-response"),
        (post("/echo", "hello"), "POST /echo 200 5 0 finished"),
        ("HEAD /hi HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HEAD /hi 200 0 0 finished"),
        ("HEAD /chunks HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HEAD /chunks 200 0 0 finished"),
        ("GET /until-close HTTP/1.0\r\n\r\n".to_owned(), "GET /until-close 200 11 0 finished"),
        ("nonsense\r\n\r\n".to_owned(), ""),
    ];
    for (bytes, line) in cases {
        let peer = send(&sim, bytes);
        sim.advance(SECOND);
        let told = record.take();
        assert_eq!(told, if line.is_empty() { vec![] } else { vec![line.to_owned()] });
        peer.close();
        sim.settle();
    }
    record.expect(&[]);
}

#[test]
fn the_end_is_when_the_kernel_has_the_last_byte() {
    let (sim, _server, record) = observed();
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/large"));
    sim.advance(2 * SECOND);
    record.expect(&[]);
    peer.resume_reading();
    sim.settle();
    record.expect(&["GET /large 200 300000 2000 finished"]);
}

#[test]
fn pipelined_exchanges_are_told_in_order() {
    let (sim, _server, record) = observed();
    send(&sim, get("/1") + &get("/later") + &get("/3"));
    sim.advance(SECOND);
    record.expect(&["GET /1 200 2 0 finished", "GET /later 200 5 250 finished", "GET /3 200 2 0 finished"]);
}

#[test]
fn those_that_are_cut_or_handed_over_are_told_as_well() {
    let (sim, server, record) = observed();
    server.on_upgrade(|_, socket, _| socket.destroy());
    let peer = send(&sim, get("/keep"));
    peer.reset();
    sim.settle();
    record.expect(&["GET /keep - 0 0 reset"]);
    let peer = send(&sim, get("/keep"));
    peer.finish();
    sim.advance(3 * SECOND);
    let told = record.take();
    assert!(told.len() == 1 && told[0].ends_with(" disconnected"), "{told:?}");
    send(&sim, "GET /up HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    record.expect(&["GET /up - 0 0 finished"]);
}

#[test]
fn it_comes_behind_the_listeners_of_the_exchange_and_a_panic_in_it_costs_nothing_else() {
    oneloop::event_loop::set_panic_policy(oneloop::event_loop::PanicPolicy::Catch);
    let record = Record::default();
    let (own, ends) = (record.clone(), record.clone());
    let (sim, server) = serve(move |req: Request, res: Response| {
        own.watch(&req, &res);
        res.end("hi");
    });
    oneloop::event_loop::set_panic_policy(oneloop::event_loop::PanicPolicy::Catch);
    server.on_exchange_end(|_| panic!("on purpose"));
    server.on_exchange_end(move |end| ends.add(end));
    let peer = send(&sim, get("/") + &get("/2"));
    let lines = record.take();
    assert_eq!(support::replies(&peer.received()).len(), 2);
    assert_eq!(lines.len(), 8, "{lines:?}");
    assert_eq!(lines[..3], ["finish", "res close finished", "req close finished"]);
    assert!(lines[3].starts_with("127.0.0.1:") && lines[3].contains(" GET / 200 2 "), "{}", lines[3]);
}

#[test]
fn a_handler_that_blocks_shows_in_the_duration_and_in_the_clock() {
    let took = Rc::new(Cell::new(Duration::ZERO));
    let seen = took.clone();
    let (sim, server) = serve(move |_: Request, res: Response| {
        let (now, clock) = (oneloop::now(), oneloop::clock());
        oneloop::sim::block(70 * MS);
        assert_eq!(oneloop::now(), now, "it stands still within a callback");
        seen.set(oneloop::clock() - clock);
        res.end("hi");
    });
    let ends = Kept::default();
    let keep = ends.clone();
    server.on_exchange_end(move |end| keep.put(end.duration));
    send(&sim, get("/"));
    assert_eq!((ends.take(), took.get()), (70 * MS, 70 * MS));
    assert_eq!(oneloop::clock(), sim.now());
}

#[test]
fn metrics_count_responses_by_class_and_measure_them() {
    let (sim, server) = serve(by_path);
    server.set_metrics(true);
    let mut sent = 0;
    let mut peers = Vec::new();
    for path in ["/hi", "/hi", "/later", "/moved", "/missing", "/drop", "/keep"] {
        sent += get(path).len() as u64;
        peers.push(send(&sim, get(path)));
        sim.advance(SECOND);
    }
    peers.pop().unwrap().reset();
    send(&sim, "nonsense\r\n\r\n").close();
    sent += "nonsense\r\n\r\n".len() as u64;
    sim.settle();
    let metrics = server.metrics();
    assert_eq!((metrics.requests, metrics.responses, metrics.unanswered, metrics.refused), (7, [3, 1, 1, 1], 1, 1));
    assert_eq!(metrics.bytes_read, sent);
    let received: usize = peers.iter().map(|peer| peer.received().len()).sum();
    assert!(metrics.bytes_written > received as u64, "the refusal is in it");
    assert_eq!(metrics.latency.count(), 7);
    assert!((SECOND..2 * SECOND).contains(&metrics.latency.max()), "{:?}", metrics.latency.max());
    // Bytes of connections that are gone stay counted.
    peers.clear();
    server.close_all_connections();
    sim.settle();
    assert_eq!((server.connections(), server.metrics().bytes_read), (0, sent));

    server.set_metrics(false);
    sim.advance(SECOND);
    send(&sim, get("/hi"));
    assert_eq!((server.metrics().requests, server.metrics().responses), (8, [3, 1, 1, 1]), "turned off");
}

#[test]
fn nobody_who_asks_changes_what_the_peer_sees() {
    let bytes = |observed: bool| {
        let sim = Sim::with_seed(3);
        sim.set_network(Network { splits: true, partial_writes: true, ..Network::default() });
        let server = support::listen(by_path);
        if observed {
            server.on_exchange_end(|_| ());
        }
        let peer = sim.connect(PORT);
        peer.write(["/hi", "/chunks", "/large", "/later", "/missing", "/hi"].map(get).concat());
        sim.advance(5 * SECOND);
        assert_eq!(server.connections(), 1);
        peer.received()
    };
    assert!(bytes(true) == bytes(false));
}
