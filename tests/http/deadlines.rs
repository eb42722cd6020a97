//! Promise 8: every wait on a peer has an end. Each deadline of `Limits` by its default and set to another value, on the
//! virtual clock: never early, never more than a second late.

use crate::support::http::{Kept, MS, PORT, Record, SECOND, get, only, send, serve, statuses};
use oneloop::event_loop::metrics;
use oneloop::http::{Limits, Request, Response, Server};
use oneloop::sim::{Network, Peer, Sim};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// What a coarse deadline may be late: a tenth of a second for its grain, half a second for the sweep.
const LATE: Duration = Duration::from_millis(1000);

/// How often connections were closed for this reason.
fn closes(reason: &str) -> u64 {
    metrics().closes.iter().find(|(name, _)| *name == reason).map_or(0, |(_, count)| *count)
}

/// Runs until the peer sees the end of its connection, which must be at this time and not later than sweeps allow.
#[track_caller]
fn expect_end(sim: &Sim, peer: &Peer, at: Duration) {
    expect(sim, at, "the end", || peer.is_closed());
}

/// The same for the connection itself, which may linger.
#[track_caller]
fn expect_gone(sim: &Sim, server: &Server, at: Duration) {
    expect(sim, at, "gone", || server.connections() == 0);
}

#[track_caller]
fn expect(sim: &Sim, at: Duration, what: &str, condition: impl Fn() -> bool) {
    let left = (at + LATE).saturating_sub(sim.now());
    let found = sim.run_until(condition, left);
    assert!(found, "{what}: not at {at:?}, it is {:?}: {:?}", sim.now(), metrics().closes);
    assert!(sim.now() >= at, "{what}: at {:?}, before {at:?}", sim.now());
}

/// Nothing is left of any connection, and so many closes had this reason, and no other.
#[track_caller]
fn expect_closes(sim: &Sim, server: &Server, reason: &str, count: u64) {
    sim.advance(40 * SECOND);
    assert_eq!((server.connections(), metrics().connections, metrics().buffered), (0, 0, 0));
    assert_eq!(metrics().closes, [(reason, count)]);
}

fn set(server: &Server, change: impl FnOnce(&mut Limits)) {
    let mut limits = server.limits();
    change(&mut limits);
    server.set_limits(limits);
}

/// A handler that answers at once.
fn hi(_req: Request, res: Response) {
    res.end("hi");
}

/// A head that announces a body of so many bytes.
fn announce(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

/// Writes so many bytes each second, for so long.
fn trickle(sim: &Sim, peer: &Peer, a_second: usize, seconds: u64) {
    for second in 1..=seconds {
        let peer = peer.clone();
        sim.at(Duration::from_secs(second), move || peer.write(vec![b'x'; a_second]));
    }
}

#[test]
fn defaults_are_those_of_the_design() {
    let limits = Limits::default();
    let seconds = |duration: Duration| duration.as_secs_f64();
    assert_eq!(seconds(limits.header), 30.0);
    assert_eq!(seconds(limits.request), 300.0);
    assert_eq!(seconds(limits.keep_alive), 65.0);
    assert_eq!((limits.receive_rate, seconds(limits.receive_window)), (240, 10.0));
    assert_eq!((limits.send_rate, seconds(limits.send_window)), (240, 30.0));
    assert_eq!(seconds(limits.write_stall), 60.0);
    assert_eq!(limits.response, None);
    assert_eq!((seconds(limits.linger_between), seconds(limits.linger_total)), (5.0, 30.0));
    assert_eq!((limits.linger_bytes, seconds(limits.half_open)), (usize::MAX, 1.0));
    assert_eq!(limits.request_rate, 16 * 1024);
    assert_eq!(seconds(limits.shutdown), 10.0);
}

// ---- Header

#[test]
fn a_connection_without_a_byte_is_closed_silently_when_a_head_was_due() {
    let (sim, server) = serve(hi);
    let peer = sim.connect(PORT);
    expect_end(&sim, &peer, 30 * SECOND);
    assert_eq!(peer.received(), b"");
    expect_closes(&sim, &server, "header-timeout", 1);
}

#[test]
fn a_head_that_does_not_end_is_answered_408_counted_from_accept() {
    let (sim, server) = serve(hi);
    let told = Rc::new(Cell::new(0));
    let seen = told.clone();
    server.on_client_error(move |error| {
        assert_eq!((error.status, error.fault), (408, None));
        seen.set(seen.get() + 1);
    });
    let peer = sim.connect(PORT);
    let slow = peer.clone();
    sim.at(10 * SECOND, move || slow.write_each_byte_every(get("/").repeat(9), SECOND));
    expect_end(&sim, &peer, 30 * SECOND);
    sim.settle();
    let reply = only(&peer);
    assert_eq!((reply.status, reply.closes(), reply.field("date").is_some()), (408, true, true));
    assert_eq!(told.get(), 1);
    expect_closes(&sim, &server, "header-timeout", 1);
}

#[test]
fn a_later_head_has_its_time_from_its_first_byte() {
    let (sim, server) = serve(hi);
    let peer = send(&sim, get("/"));
    sim.advance(50 * SECOND);
    peer.write("GET");
    sim.settle();
    let from = sim.now();
    sim.advance(29 * SECOND);
    peer.write(" / HTTP/1.1\r\nHost: a\r\n");
    assert!(!peer.is_closed(), "beyond the idle time, but it is not idle");
    expect_end(&sim, &peer, from + 30 * SECOND);
    sim.settle();
    assert_eq!(statuses(&peer), [200, 408]);
    expect_closes(&sim, &server, "header-timeout", 1);
}

#[test]
fn the_time_for_a_head_can_be_set() {
    let (sim, server) = serve(hi);
    set(&server, |limits| limits.header = 2 * SECOND);
    let (silent, slow) = (sim.connect(PORT), send(&sim, "G"));
    expect_end(&sim, &silent, 2 * SECOND);
    sim.settle();
    assert_eq!((silent.received(), statuses(&slow)), (Vec::new(), vec![408]));
    expect_closes(&sim, &server, "header-timeout", 2);
}

// ---- Idle

#[test]
fn an_idle_connection_is_closed_silently() {
    let (sim, server) = serve(hi);
    let peer = sim.connect(PORT);
    for request in 0..5 {
        peer.write(get("/"));
        sim.settle();
        assert_eq!(statuses(&peer).len(), request + 1);
        if request < 4 {
            sim.advance(64 * SECOND);
        }
    }
    expect_end(&sim, &peer, (4 * 64 + 65) * SECOND);
    assert_eq!(statuses(&peer), [200; 5]);
    expect_closes(&sim, &server, "idle-timeout", 1);
}

#[test]
fn the_idle_time_can_be_set_and_begins_with_the_answer() {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |_req, res| keep.put(res));
    set(&server, |limits| limits.keep_alive = 3 * SECOND);
    let peer = send(&sim, get("/"));
    sim.advance(100 * SECOND);
    kept.take().end("late");
    expect_end(&sim, &peer, 103 * SECOND);
    assert_eq!(only(&peer).text(), "late");
    expect_closes(&sim, &server, "idle-timeout", 1);
}

// ---- The whole request

#[test]
fn a_request_that_does_not_end_is_answered_408() {
    let record = Record::default();
    let watch = record.clone();
    let (sim, server) = serve(move |req: Request, res: Response| {
        watch.watch(&req, &res);
        req.on_data(|_, _| ());
        req.on_end(move |_| res.end("whole"));
    });
    let peer = send(&sim, announce(1_000_000));
    trickle(&sim, &peer, 300, 400);
    expect_end(&sim, &peer, 300 * SECOND);
    sim.settle();
    assert_eq!((only(&peer).status, only(&peer).closes()), (408, true));
    record.expect(&["res close request-timeout", "req close request-timeout"]);
    expect_closes(&sim, &server, "request-timeout", 1);
}

#[test]
fn the_time_for_a_request_can_be_set_and_runs_while_we_are_paused() {
    let (sim, server) = serve(|req: Request, res: Response| {
        let hold = res.clone();
        req.on_data(move |req, _| {
            let _ = &hold;
            req.pause();
        });
    });
    set(&server, |limits| limits.request = 20 * SECOND);
    let peer = send(&sim, announce(1000) + "part");
    expect_end(&sim, &peer, 20 * SECOND);
    sim.settle();
    assert_eq!(only(&peer).status, 408);
    expect_closes(&sim, &server, "request-timeout", 1);
}

#[test]
fn an_upload_that_makes_progress_is_not_cut_at_the_end_of_its_time() {
    let (sim, server) = serve(length);
    let peer = send(&sim, announce(400_000 * 600));
    trickle(&sim, &peer, 400_000, 600);
    sim.advance(601 * SECOND);
    assert_eq!(only(&peer).text(), "240000000");
    sim.advance(30 * SECOND);
    expect_closes(&sim, &server, "idle-timeout", 1);
}

#[test]
fn an_upload_that_falls_below_its_rate_on_average_is_cut_then() {
    let (sim, server) = serve(length);
    let peer = send(&sim, announce(100_000_000));
    // 40 KiB a second for 300 s are as much as 16 KiB a second for 750 s.
    trickle(&sim, &peer, 40 * 1024, 300);
    let drip = peer.clone();
    sim.at(301 * SECOND, move || drip.write_each_byte_every(vec![b'x'; 2_000], SECOND));
    set(&server, |limits| limits.receive_rate = 0);
    expect_end(&sim, &peer, 750 * SECOND);
    sim.settle();
    assert_eq!(only(&peer).status, 408);
    expect_closes(&sim, &server, "request-timeout", 1);
}

#[test]
fn the_rate_that_prolongs_a_request_can_be_set_and_turned_off() {
    for (rate, end) in [(1024, 20 * SECOND), (300, 66 * SECOND), (u32::MAX, 20 * SECOND)] {
        let (sim, server) = serve(length);
        set(&server, |limits| (limits.request, limits.request_rate, limits.receive_rate) = (20 * SECOND, rate, 0));
        let peer = send(&sim, announce(1_000_000));
        trickle(&sim, &peer, 1000, 20);
        expect_end(&sim, &peer, end);
        sim.settle();
        assert_eq!(only(&peer).status, 408, "{rate}");
        expect_closes(&sim, &server, "request-timeout", 1);
    }
}

#[test]
fn a_rate_of_0_lets_every_upload_go_on_that_still_comes() {
    let (sim, server) = serve(length);
    set(&server, |limits| (limits.request, limits.request_rate) = (20 * SECOND, 0));
    let peer = send(&sim, announce(300 * 1000));
    trickle(&sim, &peer, 300, 1000);
    sim.advance(1001 * SECOND);
    assert_eq!(only(&peer).text(), "300000");
    let drops = send(&sim, announce(100));
    expect_end(&sim, &drops, 1011 * SECOND);
    sim.settle();
    assert_eq!(only(&drops).status, 408);
}

// ---- The rate of receiving

/// Takes the body, and answers with its length.
fn length(req: Request, res: Response) {
    req.read_body(usize::MAX, move |body| {
        if let Ok(body) = body {
            res.end(body.len().to_string());
        }
    });
}

#[test]
fn a_body_that_comes_too_slowly_is_answered_408() {
    let (sim, server) = serve(length);
    let (silent, slow, fast) = (sim.connect(PORT), sim.connect(PORT), sim.connect(PORT));
    for peer in [&silent, &slow, &fast] {
        peer.write(announce(30_000));
    }
    sim.settle();
    trickle(&sim, &slow, 230, 100);
    trickle(&sim, &fast, 250, 120);
    expect_end(&sim, &silent, 10 * SECOND);
    sim.settle();
    assert!(slow.is_closed());
    sim.advance(120 * SECOND);
    assert_eq!((statuses(&silent), statuses(&slow)), (vec![408], vec![408]));
    assert_eq!(only(&fast).text(), "30000");
    fast.close();
    sim.advance(SECOND);
    assert_eq!((closes("slow-receive"), closes("finished"), server.connections()), (2, 1, 0));
}

#[test]
fn a_body_that_becomes_slow_later_is_seen_in_its_window() {
    let (sim, server) = serve(length);
    let peer = send(&sim, announce(30_000));
    trickle(&sim, &peer, 300, 30);
    sim.advance(35 * SECOND);
    assert!(!peer.is_closed());
    expect_end(&sim, &peer, 40 * SECOND);
    sim.settle();
    assert_eq!(only(&peer).status, 408);
    expect_closes(&sim, &server, "slow-receive", 1);
}

#[test]
fn the_rate_and_its_window_can_be_set_and_turned_off() {
    let (sim, server) = serve(length);
    set(&server, |limits| (limits.receive_rate, limits.receive_window) = (1, 2 * SECOND));
    let (silent, slow) = (send(&sim, announce(100)), send(&sim, announce(100)));
    trickle(&sim, &slow, 2, 50);
    expect_end(&sim, &silent, 2 * SECOND);
    sim.advance(60 * SECOND);
    assert_eq!(only(&slow).text(), "100");
    set(&server, |limits| limits.receive_rate = 0);
    let patient = send(&sim, announce(100));
    sim.advance(290 * SECOND);
    assert!(!patient.is_closed());
}

#[test]
fn the_reason_reaches_whoever_waits_for_the_body() {
    let got = Kept::default();
    let put = got.clone();
    let (sim, _server) = serve(move |req: Request, res: Response| {
        let put = put.clone();
        let hold = res.clone();
        req.read_body(100, move |body| {
            let _ = &hold;
            put.put(body.unwrap_err().to_string());
        });
    });
    send(&sim, announce(100));
    sim.advance(20 * SECOND);
    assert!(got.take().ends_with("slow-receive"));
}

#[test]
fn the_rate_is_not_asked_for_while_a_continue_is_owed() {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req, res| keep.put((req, res)));
    let peer = sim.connect(PORT);
    peer.write("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    sim.advance(Duration::from_millis(99_900));
    let (req, res) = kept.take();
    req.on_data(|_, _| ());
    sim.settle();
    assert!(peer.text().starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
    let from = sim.now();
    expect_end(&sim, &peer, from + 10 * SECOND);
    sim.settle();
    assert_eq!(statuses(&peer), [100, 408]);
    drop(res);
    expect_closes(&sim, &server, "slow-receive", 1);
}

#[test]
fn the_rate_stands_still_while_we_are_paused() {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req: Request, res: Response| {
        req.on_data(|_, _| ());
        req.pause();
        keep.put((req, res));
    });
    let peer = send(&sim, announce(5));
    // Just before a window ends that began in the pause.
    sim.advance(Duration::from_millis(99_900));
    let (req, _res) = kept.take();
    req.resume();
    sim.settle();
    expect_end(&sim, &peer, Duration::from_millis(109_900));
    sim.settle();
    assert_eq!(only(&peer).status, 408);
    expect_closes(&sim, &server, "slow-receive", 1);
}

#[test]
fn the_rate_stands_still_while_nobody_listens() {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |req: Request, res: Response| keep.put((req, res)));
    let peer = send(&sim, announce(5));
    sim.advance(Duration::from_millis(99_900));
    let (req, res) = kept.take();
    length(req, res);
    peer.write("12345");
    sim.advance(SECOND);
    assert_eq!(only(&peer).text(), "5");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_body_that_was_answered_already_has_to_come_all_the_same() {
    let record = Record::default();
    let watch = record.clone();
    let (sim, server) = serve(move |req, res| {
        watch.watch(&req, &res);
        res.end("hi");
    });
    let (silent, slow) = (send(&sim, announce(200_000)), send(&sim, announce(200_000)));
    trickle(&sim, &slow, 300, 400);
    expect_end(&sim, &silent, 10 * SECOND);
    record.expect(&["res close slow-receive", "req close slow-receive"]);
    expect_end(&sim, &slow, 300 * SECOND);
    sim.advance(40 * SECOND);
    assert_eq!((statuses(&silent), statuses(&slow)), (vec![200], vec![200]));
    assert_eq!(metrics().closes, [("slow-receive", 1), ("request-timeout", 1)]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn nothing_is_asked_of_a_peer_after_an_upgrade() {
    let sockets = Kept::default();
    let keep = sockets.clone();
    let (sim, server) = serve(hi);
    server.on_upgrade(move |_, socket, _| keep.put(socket));
    let peer = send(&sim, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    sim.advance(3600 * SECOND);
    assert_eq!(sockets.len(), 1);
    assert!(!peer.is_closed() && metrics().closes.is_empty());
}

// ---- Sending

/// A response that no kernel takes at once.
fn large(_req: Request, res: Response) {
    res.end(vec![b'x'; 1_000_000]);
}

/// A server behind a network that holds little, so that what the peer reads shows at once.
fn serve_narrow(handler: impl FnMut(Request, Response) + 'static) -> (Sim, Server) {
    let (sim, server) = serve(handler);
    sim.set_network(Network { buffer: 600, ..Network::default() });
    (sim, server)
}

#[test]
fn a_peer_that_reads_too_slowly_is_cut() {
    let record = Record::default();
    let watch = record.clone();
    let (sim, server) = serve_narrow(move |req, res| {
        watch.watch(&req, &res);
        large(req, res);
    });
    let peer = sim.connect(PORT);
    peer.read_at_rate(200, SECOND);
    peer.write(get("/"));
    sim.settle();
    expect_gone(&sim, &server, 30 * SECOND);
    record.expect(&["res close slow-send", "req close slow-send"]);
    expect_closes(&sim, &server, "slow-send", 1);
}

#[test]
fn a_peer_that_reads_slowly_but_fast_enough_is_served_whole() {
    let (sim, server) = serve_narrow(|_req, res| res.end(vec![b'x'; 50_000]));
    let peer = sim.connect(PORT);
    peer.read_at_rate(300, SECOND);
    peer.write(get("/"));
    // Almost three times the idle time, which begins when all is sent.
    sim.advance(165 * SECOND);
    sim.advance(60 * SECOND);
    assert_eq!((metrics().closes, only(&peer).body.len()), (Vec::new(), 50_000));
    expect_end(&sim, &peer, (165 + 65) * SECOND);
    expect_closes(&sim, &server, "idle-timeout", 1);
}

#[test]
fn the_rate_of_sending_and_its_window_can_be_set() {
    let (sim, server) = serve_narrow(large);
    set(&server, |limits| (limits.send_rate, limits.send_window) = (100, 4 * SECOND));
    let (slow, fast) = (sim.connect(PORT), sim.connect(PORT));
    slow.read_at_rate(16, MS * 200);
    fast.read_at_rate(40, MS * 200);
    slow.write(get("/"));
    fast.write(get("/"));
    sim.settle();
    expect(&sim, 4 * SECOND, "the slow one", || server.connections() == 1);
    assert_eq!(closes("slow-send"), 1);
    sim.advance(60 * SECOND);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_peer_that_reads_nothing_is_cut() {
    let record = Record::default();
    let watch = record.clone();
    let (sim, server) = serve_narrow(move |req, res| {
        watch.watch(&req, &res);
        large(req, res);
    });
    set(&server, |limits| limits.send_rate = 0);
    let (never, once) = (sim.connect(PORT), sim.connect(PORT));
    for peer in [&never, &once] {
        peer.pause_reading();
        peer.write(get("/"));
    }
    let reader = once.clone();
    sim.at(50 * SECOND, move || reader.read_at_rate(400, SECOND));
    let reader = once.clone();
    sim.at(51 * SECOND + MS, move || reader.pause_reading());
    sim.settle();
    expect(&sim, 60 * SECOND, "the first", || server.connections() == 1);
    record.expect(&["res close write-stall", "req close write-stall"]);
    expect_gone(&sim, &server, 111 * SECOND);
    expect_closes(&sim, &server, "write-stall", 2);
}

/// A deadline that ends a connection must not be the last that it has.
#[test]
fn a_peer_that_does_not_read_its_408_either_is_cut() {
    for rest in [announce(10), "GET / HT".to_owned()] {
        let (sim, server) = serve_narrow(|req: Request, res: Response| match req.method() {
            "GET" => res.end(vec![b'x'; 10_000]),
            _ => length(req, res),
        });
        let peer = sim.connect(PORT);
        peer.pause_reading();
        peer.write(get("/") + &rest);
        sim.settle();
        expect_gone(&sim, &server, 60 * SECOND);
        expect_closes(&sim, &server, "write-stall", 1);
    }
}

#[test]
fn the_time_of_a_stall_can_be_set() {
    let (sim, server) = serve(large);
    set(&server, |limits| limits.write_stall = 4 * SECOND);
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/"));
    sim.settle();
    expect_gone(&sim, &server, 4 * SECOND);
    expect_closes(&sim, &server, "write-stall", 1);
}

// ---- Lingering

/// A connection whose last response, a 400, was sent.
fn refused(sim: &Sim) -> Peer {
    let peer = send(sim, "no request\r\n\r\n");
    assert_eq!(only(&peer).status, 400);
    assert!(peer.is_closed(), "our FIN is there at once");
    peer
}

#[test]
fn lingering_ends_after_five_seconds_of_silence() {
    let (sim, server) = serve(hi);
    let peer = refused(&sim);
    sim.advance(4 * SECOND);
    peer.write("more");
    sim.settle();
    expect_gone(&sim, &server, 9 * SECOND);
    expect_closes(&sim, &server, "bad-message", 1);
}

#[test]
fn lingering_ends_after_thirty_seconds_in_all() {
    let (sim, server) = serve(hi);
    let peer = refused(&sim);
    trickle(&sim, &peer, 10, 100);
    expect_gone(&sim, &server, 30 * SECOND);
    expect_closes(&sim, &server, "bad-message", 1);
}

#[test]
fn lingering_ends_with_the_peer_and_after_so_many_bytes_where_that_is_set() {
    let (sim, server) = serve(hi);
    set(&server, |limits| limits.linger_bytes = 1024 * 1024);
    let (flood, gone) = (refused(&sim), refused(&sim));
    gone.close();
    flood.write(vec![b'x'; 1024 * 1024]);
    sim.settle();
    assert_eq!(server.connections(), 1, "exactly a mebibyte is read");
    flood.write("x");
    sim.settle();
    assert_eq!(server.connections(), 0);
    expect_closes(&sim, &server, "bad-message", 2);
}

#[test]
fn lingering_can_be_set() {
    let (sim, server) = serve(hi);
    set(&server, |limits| {
        limits.linger_between = 2 * SECOND;
        limits.linger_total = 3 * SECOND;
        limits.linger_bytes = 10;
    });
    refused(&sim);
    expect_gone(&sim, &server, 2 * SECOND);
    let (slow, flood) = (refused(&sim), refused(&sim));
    let from = sim.now();
    flood.write("more than ten bytes");
    sim.settle();
    assert_eq!(server.connections(), 1);
    trickle(&sim, &slow, 1, 9);
    expect_gone(&sim, &server, from + 3 * SECOND);
    expect_closes(&sim, &server, "bad-message", 3);
}

// ---- Our own

#[test]
fn a_handler_has_for_ever_unless_a_limit_says_otherwise() {
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, _server) = serve(move |_req, res| keep.put(res));
    let peer = send(&sim, get("/"));
    sim.advance(24 * 3600 * SECOND);
    assert!(!peer.is_closed());
    kept.take().end("at last");
    sim.settle();
    assert_eq!(only(&peer).text(), "at last");
}

#[test]
fn a_handler_that_takes_too_long_is_answered_for() {
    let kept = Kept::default();
    let (keep, record) = (kept.clone(), Record::default());
    let watch = record.clone();
    let (sim, server) = serve(move |req: Request, res: Response| {
        watch.watch(&req, &res);
        if req.url() == "/stream" {
            res.write("some").ignore();
        }
        keep.put(res);
    });
    set(&server, |limits| limits.response = Some(7 * SECOND));
    let peer = send(&sim, get("/"));
    expect_end(&sim, &peer, 7 * SECOND);
    sim.settle();
    assert_eq!((only(&peer).status, only(&peer).closes()), (503, true));
    record.expect(&["res close response-timeout", "req close response-timeout"]);
    kept.take().end("too late");

    let peer = send(&sim, get("/stream"));
    let from = sim.now();
    expect_end(&sim, &peer, from + 7 * SECOND);
    sim.settle();
    assert!(!peer.text().contains("0\r\n\r\n"), "cut: {}", peer.text());
    record.expect(&["res close response-timeout", "req close response-timeout"]);
    expect_closes(&sim, &server, "response-timeout", 2);
}

#[test]
fn a_graceful_shutdown_has_an_end() {
    for limit in [10, 3] {
        let kept = Kept::default();
        let keep = kept.clone();
        let (sim, server) = serve(move |req: Request, res: Response| match req.url() {
            "/" => res.end("hi"),
            _ => keep.put(res),
        });
        set(&server, |limits| limits.shutdown = limit * SECOND);
        let (idle, busy, stuck) = (send(&sim, get("/")), send(&sim, get("/busy")), send(&sim, get("/stuck")));
        let closed = Rc::new(Cell::new(false));
        let tell = closed.clone();
        server.close(move || tell.set(true));
        sim.settle();
        assert!(idle.is_closed() && !busy.is_closed());
        sim.advance(SECOND);
        kept.take().end("done");
        sim.settle();
        assert!(only(&busy).closes() && busy.is_closed());
        busy.close();
        expect_end(&sim, &stuck, limit * SECOND);
        sim.settle();
        assert_eq!(stuck.received(), b"");
        assert!(closed.get());
        assert_eq!((closes("server-closed"), closes("finished")), (2, 1));
    }
}

// ---- All together

#[test]
fn deadlines_of_many_are_kept_each_in_its_time() {
    let (sim, server) = serve(hi);
    let ends = Rc::new(RefCell::new(Vec::new()));
    for number in 0..500_u64 {
        let peer = sim.connect(PORT);
        sim.settle();
        let (begin, ends) = (sim.now(), ends.clone());
        let now = oneloop::now();
        peer.on_close(move |_| ends.borrow_mut().push((begin, oneloop::now() - now)));
        sim.advance(Duration::from_millis(number * 7919 % 211));
    }
    sim.advance(60 * SECOND);
    assert_eq!((ends.borrow().len(), server.connections()), (500, 0));
    for (begin, took) in ends.borrow().iter() {
        // The loop's clock is read after a wait: a script may see the one before.
        assert!(*took + LATE >= 30 * SECOND && *took <= 30 * SECOND + LATE, "{took:?}, begun at {begin:?}");
    }
}

/// Each byte is progress, and none of it enough.
#[test]
fn a_peer_that_sends_or_reads_a_byte_a_second_is_gone_by_its_deadline() {
    let (sim, server) = serve_narrow(|req: Request, res: Response| match req.url() {
        "/large" => large(req, res),
        _ => length(req, res),
    });
    let (head, body, reader) = (sim.connect(PORT), sim.connect(PORT), sim.connect(PORT));
    head.write_each_byte_every(get(&"/x".repeat(100)), SECOND);
    body.write(announce(10_000));
    body.write_each_byte_every("x".repeat(10_000), SECOND);
    reader.read_at_rate(1, SECOND);
    reader.write(get("/large"));
    sim.settle();
    expect_end(&sim, &body, 10 * SECOND);
    expect_end(&sim, &head, 30 * SECOND);
    expect_gone(&sim, &server, 60 * SECOND);
    assert_eq!((statuses(&body), statuses(&head)), (vec![408], vec![408]));
    assert_eq!(metrics().closes, [("slow-receive", 1), ("header-timeout", 1), ("write-stall", 1)]);
}
