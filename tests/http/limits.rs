//! Promises 7 and 10: what a peer can make grow has a bound with a documented answer, and no connection starves another.

use crate::support::http::{
    self as support, Kept, PORT, SECOND, bodies, get, only, post, replies, send, serve, statuses,
};
use oneloop::event_loop::metrics;
use oneloop::http::{Limits, Request, Response, Server};
use oneloop::net::Flow;
use oneloop::sim::{Peer, Sim};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const KIB: usize = 1024;

fn set(server: &Server, change: impl FnOnce(&mut Limits)) {
    let mut limits = server.limits();
    change(&mut limits);
    server.set_limits(limits);
}

/// A server that answers with the path, without looking at the body.
fn paths(req: Request, res: Response) {
    res.end(req.path());
}

/// A server that reads the whole body and answers with its length.
fn lengths(req: Request, res: Response) {
    req.read_body(usize::MAX, move |body| {
        if let Ok(body) = body {
            res.end(body.len().to_string());
        }
    });
}

/// The status that answers these bytes, whole and in pieces; what is refused is followed by a close.
#[track_caller]
fn status(handler: fn(Request, Response), change: impl Fn(&mut Limits), bytes: &str) -> u16 {
    let mut found = Vec::new();
    for piece in [bytes.len(), 7, 1] {
        let (sim, server) = serve(handler);
        set(&server, &change);
        let peer = sim.connect(PORT);
        for piece in bytes.as_bytes().chunks(piece) {
            peer.write(piece);
            if bytes.len() < 2000 {
                sim.settle();
            }
        }
        sim.settle();
        let reply = only(&peer);
        let refused = reply.status >= 400;
        assert_eq!((reply.closes(), peer.is_closed()), (refused, refused), "{reply:?}");
        if refused {
            peer.close();
            sim.advance(SECOND);
            assert_eq!((server.connections(), metrics().closes), (0, vec![("bad-message", 1)]));
        }
        found.push(reply.status);
    }
    assert!(found.iter().all(|status| *status == found[0]), "it depends on the split: {found:?}");
    found[0]
}

#[test]
fn defaults_are_those_of_the_design() {
    let limits = Limits::default();
    assert_eq!((limits.head_bytes, limits.fields), (16 * KIB, 100));
    assert_eq!((limits.extensions, limits.trailers), (16 * KIB, 16 * KIB));
    assert_eq!((limits.discard, limits.pending_output), (256 * KIB, 64 * KIB));
}

// ---- The head

/// A request whose head has exactly so many bytes.
fn head_of(bytes: usize) -> String {
    let around = "GET / HTTP/1.1\r\nHost: a\r\nPad: \r\n\r\n".len();
    format!("GET / HTTP/1.1\r\nHost: a\r\nPad: {}\r\n\r\n", "x".repeat(bytes - around))
}

#[test]
fn a_head_that_is_too_large_is_answered_431() {
    assert_eq!(status(paths, |_| (), &head_of(16 * KIB)), 200);
    assert_eq!(status(paths, |_| (), &head_of(16 * KIB + 1)), 431);
    assert_eq!(status(paths, |limits| limits.head_bytes = 200, &head_of(200)), 200);
    assert_eq!(status(paths, |limits| limits.head_bytes = 200, &head_of(201)), 431);
}

#[test]
fn a_head_that_never_ends_is_refused_as_soon_as_it_is_too_large() {
    let (sim, server) = serve(paths);
    let peer = send(&sim, "GET / HTTP/1.1\r\nHost: a\r\nPad: ".to_owned() + &"x".repeat(17 * KIB));
    assert_eq!(only(&peer).status, 431);
    peer.close();
    sim.settle();
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_head_may_be_larger_than_what_is_held_otherwise() {
    let large = |limits: &mut Limits| limits.head_bytes = 200 * KIB;
    assert_eq!(status(paths, large, &head_of(100 * KIB)), 200);
    assert_eq!(status(paths, large, &head_of(200 * KIB)), 200);
    assert_eq!(status(paths, large, &head_of(200 * KIB + 1)), 431);
}

#[test]
fn a_target_that_is_too_long_is_answered_414() {
    assert_eq!(status(paths, |_| (), &get(&("/".to_owned() + &"x".repeat(17 * KIB)))), 414);
    assert_eq!(status(paths, |limits| limits.head_bytes = 100, &get(&("/".to_owned() + &"x".repeat(100)))), 414);
    assert_eq!(status(paths, |limits| limits.head_bytes = 100, &get(&("/".to_owned() + &"x".repeat(60)))), 200);
}

#[test]
fn too_many_fields_are_answered_431() {
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    assert_eq!(status(paths, |_| (), &fields(100)), 200);
    assert_eq!(status(paths, |_| (), &fields(101)), 431);
    assert_eq!(status(paths, |limits| limits.fields = 3, &fields(3)), 200);
    assert_eq!(status(paths, |limits| limits.fields = 3, &fields(4)), 431);
    assert_eq!(status(paths, |limits| limits.fields = 1000, &fields(101)), 431, "100 is the most");
}

// ---- The body

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn too_many_chunk_extensions_are_answered_413() {
    let extended = |bytes: usize| format!("{CHUNKED}1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(bytes - 1));
    let many = |count: usize| format!("{CHUNKED}{}0\r\n\r\n", "1;e=123456\r\nx\r\n".repeat(count));
    assert_eq!(status(lengths, |_| (), &extended(16 * KIB)), 200);
    assert_eq!(status(lengths, |_| (), &extended(16 * KIB + 1)), 413);
    assert_eq!(status(lengths, |limits| limits.extensions = 45, &many(5)), 200);
    assert_eq!(status(lengths, |limits| limits.extensions = 45, &many(6)), 413);
}

#[test]
fn trailers_that_are_too_large_are_answered_431() {
    let trailers = |bytes: usize| format!("{CHUNKED}1\r\nx\r\n0\r\nT: {}\r\n\r\n", "t".repeat(bytes));
    assert_eq!(status(lengths, |_| (), &trailers(16 * KIB - 10)), 200);
    assert_eq!(status(lengths, |_| (), &trailers(16 * KIB + 1)), 431);
    assert_eq!(status(lengths, |limits| limits.trailers = 20, &trailers(10)), 200);
    assert_eq!(status(lengths, |limits| limits.trailers = 20, &trailers(20)), 431);
}

/// Two requests, of which the first has a body that nobody reads: their answers, and whether the connection goes on.
fn unread(limit: Option<usize>, first: &str) -> (Vec<u16>, bool) {
    let (sim, server) = serve(paths);
    if let Some(limit) = limit {
        set(&server, |limits| limits.discard = limit);
    }
    let peer = send(&sim, first.to_owned() + &get("/"));
    assert!(!peer.was_reset());
    (statuses(&peer), !peer.is_closed())
}

#[test]
fn a_body_that_nobody_reads_is_discarded_within_a_limit() {
    let chunked = |size: usize| format!("{CHUNKED}{}0\r\n\r\n", "a\r\n0123456789\r\n".repeat(size / 10));
    let goes_on = (vec![200, 200], true);
    let closes = (vec![200], false);
    assert_eq!(unread(None, &post("/", &"x".repeat(256 * KIB))), goes_on);
    assert_eq!(unread(None, &post("/", &"x".repeat(256 * KIB + 1))), closes);
    assert_eq!(unread(None, &chunked(256 * KIB)), goes_on);
    assert_eq!(unread(None, &chunked(256 * KIB + 20)), goes_on);
    assert_eq!(unread(Some(10), &post("/", "0123456789")), goes_on);
    assert_eq!(unread(Some(10), &post("/", "0123456789a")), closes);
    assert_eq!(unread(Some(0), &post("/", "0")), closes);
}

// ---- Output

#[test]
fn a_write_says_full_from_the_limit_on_and_drain_follows_once() {
    for (limit, expected) in [(None, 64 * KIB), (Some(1000), 1000)] {
        let (seen, drained) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
        let (flows, drains, kept) = (seen.clone(), drained.clone(), Kept::default());
        let keep = kept.clone();
        let (sim, server) = serve(move |_req, res: Response| {
            // Enough to fill the network, which no more is taken from.
            res.set_header("Content-Length", 1_000_000);
            res.write(vec![b'x'; 64 * KIB]).ignore();
            while res.pending() < 100 * KIB {
                flows.borrow_mut().push((res.write(vec![b'x'; 100]), res.pending()));
            }
            let drains = drains.clone();
            res.on_drain(move |res| {
                assert_eq!(res.pending(), 0);
                drains.set(drains.get() + 1);
            });
            keep.put(res);
        });
        if let Some(limit) = limit {
            set(&server, |limits| limits.pending_output = limit);
        }
        let peer = sim.connect(PORT);
        peer.pause_reading();
        peer.write(get("/"));
        sim.settle();
        for (flow, pending) in seen.borrow().iter() {
            assert_eq!(*flow == Flow::Full, *pending >= expected, "{flow:?} with {pending}");
        }
        assert_eq!(drained.get(), 0);
        peer.resume_reading();
        sim.settle();
        assert_eq!(drained.get(), 1);
        assert_eq!(kept.take().write("more"), Flow::Ready);
    }
}

#[test]
fn nothing_more_is_dispatched_while_much_output_is_pending() {
    for limit in [64 * KIB, 5000] {
        let count = Rc::new(Cell::new(0));
        let counter = count.clone();
        let (sim, server) = serve(move |_req, res| {
            counter.set(counter.get() + 1);
            res.end(vec![b'x'; 1000]);
        });
        set(&server, |limits| limits.pending_output = limit);
        let peer = sim.connect(PORT);
        peer.pause_reading();
        peer.write(get("/").repeat(1000));
        sim.settle();
        // What the network holds, and what may be pending; a head has about a hundred bytes.
        let most = (64 * KIB + limit) / 1000 + 2;
        assert!(count.get() <= most && count.get() >= most * 4 / 5, "{} of {most}", count.get());
        assert!(metrics().buffered <= limit + 64 * KIB + 2000, "{}", metrics().buffered);
        sim.advance(10 * SECOND);
        assert!(count.get() <= most, "it waits");
        peer.resume_reading();
        sim.settle();
        assert_eq!((count.get(), statuses(&peer)), (1000, vec![200; 1000]));
    }
}

// ---- Input

#[test]
fn input_behind_a_pending_answer_is_held_up_to_a_limit_and_not_lost() {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req: Request, res: Response| match req.path() {
        "/wait" => keep.put(res),
        path => res.end(path),
    });
    let peer = sim.connect(PORT);
    peer.write(get("/wait"));
    sim.settle();
    // In odd pieces, so that the limit falls into the middle of one.
    let requests: String = (0..10_000).map(|number| get(&format!("/{number}"))).collect();
    for piece in requests.as_bytes().chunks(1777) {
        peer.write(piece);
        sim.settle();
    }
    assert!(metrics().buffered <= 64 * KIB, "{}", metrics().buffered);
    assert!(metrics().buffered > 60 * KIB, "{}", metrics().buffered);
    sim.advance(100 * SECOND);
    assert_eq!(server.connections(), 1);
    kept.take().end("at last");
    sim.settle();
    let found = bodies(&peer);
    assert_eq!((found.len(), &found[0][..]), (10_001, "at last"));
    assert!(found[1..].iter().enumerate().all(|(number, body)| *body == format!("/{number}")));
    assert_eq!(metrics().buffered, 0);
}

#[test]
fn a_body_that_is_not_taken_is_held_up_to_a_limit_and_not_lost() {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req, res| keep.put((req, res)));
    set(&server, |limits| limits.request = 10_000 * SECOND);
    let peer = send(&sim, post("/", &"x".repeat(1_000_000)));
    assert!(metrics().buffered <= 64 * KIB, "{}", metrics().buffered);
    sim.advance(1000 * SECOND);
    let (req, res) = kept.take();
    lengths(req, res);
    sim.settle();
    assert_eq!(only(&peer).text(), "1000000");
}

/// A reset is seen even where nothing is read any more.
#[test]
fn a_reset_ends_an_exchange_whose_connection_holds_all_it_may() {
    let (kept, record) = (Kept::default(), support::Record::default());
    let (keep, watch) = (kept.clone(), record.clone());
    let (sim, server) = serve(move |req: Request, res: Response| {
        watch.watch(&req, &res);
        keep.put(res);
    });
    let peer = send(&sim, get("/").repeat(10_000));
    peer.reset();
    sim.settle();
    record.expect(&["res close reset", "req close reset"]);
    assert_eq!((server.connections(), metrics().closes), (0, vec![("reset", 1)]));
}

// ---- Fairness

#[test]
fn one_turn_dispatches_at_most_64_requests_of_a_connection() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let note = order.clone();
    let (sim, _server) = serve(move |req: Request, res: Response| {
        note.borrow_mut().push(req.path().to_owned());
        res.end("");
    });
    let peers: Vec<Peer> = ["/a", "/b", "/c"]
        .iter()
        .map(|path| {
            let peer = sim.connect(PORT);
            peer.write(get(path).repeat(1000));
            peer
        })
        .collect();
    sim.settle();
    assert!(peers.iter().all(|peer| replies(&peer.received()).len() == 1000));
    let order = order.borrow();
    for run in order.chunk_by(|one, next| one == next) {
        assert!(run.len() <= 64, "{} at once", run.len());
    }
    assert_eq!(order.len(), 3000);
}

#[test]
fn immediates_and_timers_come_between_the_turns_of_a_pipeliner() {
    let (served, between) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
    let count = served.clone();
    let (sim, _server) = serve(move |_req, res| {
        count.set(count.get() + 1);
        res.end("");
    });
    fn look(served: Rc<Cell<usize>>, between: Rc<RefCell<Vec<usize>>>) {
        between.borrow_mut().push(served.get());
        if served.get() < 1000 && between.borrow().len() < 1000 {
            oneloop::set_immediate(move || look(served, between));
        }
    }
    let peer = sim.connect(PORT);
    peer.write(get("/").repeat(1000));
    look(served.clone(), between.clone());
    sim.settle();
    assert!(between.borrow().windows(2).all(|pair| pair[1] - pair[0] <= 128), "{:?}", between.borrow());
    assert_eq!(served.get(), 1000);
}

/// Their heads are memory that no output counts.
#[test]
fn few_exchanges_wait_for_a_peer_that_does_not_read() {
    let (alive, count) = (Rc::new(()), Rc::new(Cell::new(0)));
    let (held, counter) = (alive.clone(), count.clone());
    let (sim, _server) = serve(move |_req, res: Response| {
        counter.set(counter.get() + 1);
        let held = held.clone();
        res.on_finish(move |_| _ = &held);
        res.set_status(204).end(());
    });
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/").repeat(10_000));
    sim.advance(10 * SECOND);
    assert!(count.get() < 5000, "{} went into the network and behind it", count.get());
    // Those of the turn that found the network full, and those that it may leave.
    let waiting = Rc::strong_count(&alive) - 2;
    assert!(waiting <= 2 * 64, "{waiting}");
    peer.resume_reading();
    sim.settle();
    assert_eq!((count.get(), statuses(&peer).len()), (10_000, 10_000));
    assert_eq!(Rc::strong_count(&alive), 2);
}

// ---- All together

#[test]
fn memory_is_bounded_under_hostile_load() {
    let alive = Rc::new(());
    let held = alive.clone();
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req: Request, res: Response| {
        let held = held.clone();
        res.on_finish(move |_| _ = &held);
        match req.path() {
            "/wait" => keep.put(res),
            "/empty" => {
                res.set_status(204).end(());
            }
            _ => res.end(vec![b'x'; 1000]),
        }
    });
    let peers: Vec<Peer> = (0..60)
        .map(|number| {
            let peer = sim.connect(PORT);
            match number % 6 {
                0 => peer.write(get("/wait") + &get("/").repeat(10_000)),
                1 => peer.write(get("/").repeat(10_000)),
                2 => peer.write(get("/empty").repeat(10_000)),
                3 => peer.write("GET / HTTP/1.1\r\nHost: a\r\nPad: ".to_owned() + &"x".repeat(16_000)),
                4 => peer.write(post("/wait", &"x".repeat(500_000))),
                _ => peer.write("x".repeat(500_000)),
            }
            peer.pause_reading();
            peer
        })
        .collect();
    sim.advance(5 * SECOND);
    let buffered = metrics().buffered;
    assert!(buffered <= 60 * 2 * 64 * KIB, "{buffered}");
    // Answers that nobody reads hold their exchanges.
    let exchanges = Rc::strong_count(&alive) - 2;
    assert!(exchanges <= 60 * 2 * 64, "{exchanges}");
    for peer in peers {
        peer.reset();
    }
    sim.settle();
    assert_eq!((server.connections(), metrics().connections, metrics().buffered), (0, 0, 0));
    drop(kept);
    assert_eq!(Rc::strong_count(&alive), 2);
    drop::<Sim>(sim);
}
