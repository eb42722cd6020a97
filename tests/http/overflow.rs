//! Promise 7, peer by peer: who does not take what it is sent is closed at the limit that was set for it; who reads is not
//! judged by how much was written at once.

use crate::support::http::{self as support, Kept, MS, PORT, Record, SECOND, get, only, send, serve};
use oneloop::event_loop::{PanicPolicy, metrics, set_panic_policy};
use oneloop::http::{self, Request, Response};
use oneloop::net::{self, Flow, Overflow, Socket};
use oneloop::sim::{Network, Sim};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const LIMIT: usize = 100_000;

/// A server of sockets that are kept, each with the limit.
fn sockets(sim: &Sim) -> (net::Server, Kept<Socket>, Record) {
    let (kept, record) = (Kept::default(), Record::default());
    let (keep, note) = (kept.clone(), record.clone());
    let server = net::create_server(move |socket| {
        let note = note.clone();
        socket.set_pending_limit(LIMIT, Overflow::Close);
        socket.on_close(move |_, reason| note.add(reason));
        keep.put(socket);
    });
    server.listen(PORT, ()).unwrap();
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    (server, kept, record)
}

#[test]
fn a_peer_that_reads_nothing_is_closed_when_more_is_pending_than_it_may_have() {
    let sim = Sim::new();
    let (server, kept, record) = sockets(&sim);
    let peer = sim.connect(PORT);
    peer.pause_reading();
    sim.settle();
    let socket = kept.take();
    let mut written = 0;
    while !socket.is_closed() {
        let flow = socket.write([b'x'; 1000].as_slice());
        assert!(flow != Flow::Closed && written <= LIMIT + 10_000 + 1000, "{written} bytes were taken");
        written += 1000;
        sim.settle();
    }
    assert!(written > LIMIT + 10_000, "closed already with {written} bytes");
    record.expect(&["overflow"]);
    assert_eq!((server.connections(), metrics().buffered, metrics().closes), (0, 0, vec![("overflow", 1)]));
}

#[test]
fn it_is_closed_also_by_what_is_written_within_one_callback() {
    let sim = Sim::new();
    let (_server, kept, record) = sockets(&sim);
    let peer = sim.connect(PORT);
    peer.pause_reading();
    sim.settle();
    let socket = kept.take();
    for _ in 0..LIMIT / 1000 {
        assert_ne!(socket.write([b'x'; 1000].as_slice()), Flow::Closed);
    }
    sim.settle();
    assert!(record.all().is_empty(), "the kernel has 10,000 of it");
    for _ in 0..11 {
        assert_ne!(socket.write([b'x'; 1000].as_slice()), Flow::Closed);
    }
    assert!(!socket.is_closed(), "it is asked again first");
    sim.settle();
    record.expect(&["overflow"]);
}

#[test]
fn a_peer_that_reads_is_not_closed_for_a_burst_that_it_has_room_for() {
    let sim = Sim::new();
    let (_server, kept, record) = sockets(&sim);
    sim.set_network(Network { buffer: 10_000_000, ..Network::default() });
    let peer = sim.connect(PORT);
    sim.settle();
    let socket = kept.take();
    for _ in 0..5_000 {
        assert_ne!(socket.write([b'x'; 1000].as_slice()), Flow::Closed);
    }
    sim.settle();
    assert_eq!(peer.received().len(), 5_000_000);
    record.expect(&[]);
}

/// The kernel has refused some, and has room again by the time of the next burst: that is seen before it is judged.
#[test]
fn a_peer_that_has_caught_up_meanwhile_is_not_closed() {
    let sim = Sim::new();
    let (_server, kept, record) = sockets(&sim);
    let peer = sim.connect(PORT);
    peer.pause_reading();
    sim.settle();
    let socket = kept.take();
    socket.write(vec![b'x'; 60_000]).ignore();
    sim.settle();
    let again = socket.clone();
    sim.at(SECOND, {
        let peer = peer.clone();
        move || peer.resume_reading()
    });
    oneloop::set_timeout(SECOND, move || {
        for _ in 0..60 {
            assert_ne!(again.write([b'x'; 1000].as_slice()), Flow::Closed);
        }
    });
    sim.set_network(Network { buffer: 10_000_000, ..Network::default() });
    sim.advance(2 * SECOND);
    assert_eq!(peer.received().len(), 120_000);
    record.expect(&[]);
}

#[test]
fn without_a_limit_nothing_is_closed_and_one_can_be_taken_back() {
    let sim = Sim::new();
    let (_server, kept, record) = sockets(&sim);
    let peer = sim.connect(PORT);
    peer.pause_reading();
    sim.settle();
    let socket = kept.take();
    socket.set_pending_limit(usize::MAX, Overflow::Close);
    socket.write(vec![b'x'; 5_000_000]).ignore();
    sim.advance(SECOND);
    record.expect(&[]);
    peer.resume_reading();
    sim.advance(SECOND);
    assert_eq!(peer.received().len(), 5_000_000);
}

/// A feed of events: fast readers, and one that stalls.
#[test]
fn of_a_feed_every_message_reaches_a_reader_that_keeps_up_and_a_stalled_one_is_cut() {
    let readers: Rc<RefCell<Vec<Response>>> = Rc::default();
    let record = Record::default();
    let (join, note) = (readers.clone(), record.clone());
    let (sim, server) = serve(move |req: Request, res: Response| {
        let (note, path) = (note.clone(), req.url().to_owned());
        res.set_header("Content-Type", "text/event-stream").set_pending_limit(LIMIT, Overflow::Close);
        res.flush_headers();
        res.on_close(move |_, reason| note.add(format!("{path} {reason}")));
        join.borrow_mut().push(res);
    });
    let (fast, slow, stalled) = (send(&sim, get("/fast")), send(&sim, get("/slow")), send(&sim, get("/stalled")));
    stalled.pause_reading();
    slow.read_at_rate(20_000, 100 * MS);
    let message = format!("data: {}\n\n", "x".repeat(120));
    for _ in 0..150 {
        // Ten at once, 150 times: as bursts come.
        for _ in 0..10 {
            for res in readers.borrow().iter() {
                res.write(&message).ignore();
            }
        }
        sim.advance(20 * MS);
    }
    record.expect(&["/stalled overflow"]);
    sim.advance(5 * SECOND);
    for res in readers.take() {
        res.end(());
    }
    sim.advance(5 * SECOND);
    for peer in [&fast, &slow] {
        assert_eq!(only(peer).text().matches("data: ").count(), 1_500);
    }
    assert!(stalled.is_closed());
    assert_eq!(server.connections(), 2);
}

#[test]
fn the_limit_is_of_one_response_and_not_of_the_next_nor_of_what_was_ended() {
    let first = Rc::new(Cell::new(true));
    let (sim, server) = serve(move |_: Request, res: Response| {
        if first.replace(false) {
            res.set_pending_limit(10, Overflow::Close);
            return res.end("small");
        }
        res.write(vec![b'x'; 300_000]).ignore();
        res.end(());
    });
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.read_at_rate(50_000, 100 * MS);
    peer.write(get("/").repeat(2));
    sim.advance(10 * SECOND);
    let replies = support::replies(&peer.received());
    assert_eq!(replies.iter().map(|reply| reply.body.len()).collect::<Vec<_>>(), [5, 300_000]);
    assert_eq!(server.connections(), 1);

    let (sim, _server) = serve(|_: Request, res: Response| {
        res.set_pending_limit(10, Overflow::Close).end(vec![b'x'; 300_000]);
    });
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.read_at_rate(50_000, 100 * MS);
    peer.write(get("/"));
    sim.advance(10 * SECOND);
    assert_eq!(only(&peer).body.len(), 300_000);
}

/// The feed goes on in bursts of 90 KB, each when the one before has been read: `write` says `Full` in each of them.
#[test]
fn a_real_reader_gets_all_of_a_feed_and_a_real_one_that_stalls_is_cut() {
    set_panic_policy(PanicPolicy::Resume);
    let readers: Rc<RefCell<Vec<Response>>> = Rc::default();
    let reasons: Rc<RefCell<Vec<String>>> = Rc::default();
    let (join, why) = (readers.clone(), reasons.clone());
    let server = http::create_server(move |req: Request, res: Response| {
        let (why, path) = (why.clone(), req.url().to_owned());
        res.set_pending_limit(LIMIT, Overflow::Close).set_header("X-Feed", 1).flush_headers();
        res.on_close(move |_, reason| why.borrow_mut().push(format!("{path} {reason}")));
        join.borrow_mut().push(res);
    });
    server.listen(("127.0.0.1", 0), ()).unwrap();
    let address = server.address().unwrap().to_string();
    let read = Arc::new(AtomicUsize::new(0));
    let (progress, sent) = (read.clone(), Rc::new(Cell::new(0)));
    let count = sent.clone();
    oneloop::set_interval_with(MS, move |timer| {
        let all = readers.borrow();
        if all.len() < 2 || progress.load(Ordering::Relaxed) < count.get() {
            return;
        }
        if all.iter().any(Response::is_ended) {
            timer.clear();
            all.iter().for_each(|res| res.end(()));
            return server.close(());
        }
        count.set(count.get() + 90_000);
        for _ in 0..90 {
            all.iter().for_each(|res| res.write([b'x'; 1000].as_slice()).ignore());
        }
    });
    let clients = thread::spawn(move || {
        let connect = |path: &str| {
            let mut stream = TcpStream::connect(&address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            stream
        };
        let (_stalled, mut fast) = (connect("/stalled"), connect("/fast"));
        let mut piece = vec![0; 1 << 20];
        loop {
            match fast.read(&mut piece).unwrap() {
                0 => return,
                bytes => {
                    let count = piece[..bytes].iter().filter(|byte| **byte == b'x').count();
                    read.fetch_add(count, Ordering::Relaxed);
                }
            }
        }
    });
    oneloop::run().unwrap();
    clients.join().unwrap();
    assert!(sent.get() > 200_000, "the kernel alone holds more than that: {}", sent.get());
    let mut reasons = reasons.take();
    reasons.sort();
    assert_eq!(reasons, ["/fast finished", "/stalled overflow"]);
}
