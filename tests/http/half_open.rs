//! Promise 8, for a peer that has ended its side: one that is gone is noticed, though it is owed an answer; one that only
//! reads on gets what it asked for.

use crate::support::http::{self as support, Kept, MS, PORT, Record, SECOND, get, only, replies, send, serve};
use oneloop::event_loop::{PanicPolicy, metrics, set_panic_policy};
use oneloop::http::{Request, Response, Server};
use oneloop::net::Socket;
use oneloop::sim::{Network, Peer, Sim, Waits};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A coarse deadline may be late by the grain of its clock and a sweep.
const LATE: Duration = Duration::from_secs(1);

fn set_half_open(server: &Server, time: Duration) {
    let mut limits = server.limits();
    limits.half_open = time;
    server.set_limits(limits);
}

/// A server that keeps what it is to answer, and records the ends.
fn keeping() -> (Sim, Server, Kept<Response>, Record) {
    let (kept, record) = (Kept::default(), Record::default());
    let (keep, note) = (kept.clone(), record.clone());
    let (sim, server) = serve(move |req: Request, res: Response| {
        note.watch(&req, &res);
        let told = note.clone();
        req.on_peer_end(move |req| told.add(format!("peer end {}", req.url())));
        keep.put(res);
    });
    (sim, server, kept, record)
}

#[track_caller]
fn expect_gone(sim: &Sim, server: &Server, at: Duration) {
    let found = sim.run_until(|| server.connections() == 0, (at + LATE).saturating_sub(sim.now()));
    assert!(found, "still there at {:?}: {:?}", sim.now(), metrics().closes);
    assert!(sim.now() >= at, "gone at {:?}, before {at:?}", sim.now());
}

#[test]
fn a_client_that_has_gone_is_noticed_at_once_and_its_exchange_is_cut_a_second_later() {
    for full_close in [false, true] {
        let (sim, server, kept, record) = keeping();
        let peer = send(&sim, get("/"));
        sim.advance(10 * SECOND);
        assert_eq!((kept.len(), server.connections()), (1, 1));
        if full_close {
            peer.close()
        } else {
            peer.finish()
        }
        let from = sim.now();
        sim.settle();
        record.expect(&["peer end /"]);
        expect_gone(&sim, &server, from + SECOND);
        sim.settle();
        record.expect(&["res close disconnected", "req close disconnected"]);
        assert_eq!(metrics().closes, [("disconnected", 1)]);
        let res = kept.take();
        assert!(res.is_ended());
        res.end("too late");
        sim.settle();
    }
}

#[test]
fn an_answer_within_the_time_arrives() {
    for seed in 0..20 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, partial_writes: true, ..Network::default() });
        let server = support::listen(|req: Request, res: Response| {
            let (after, bytes) = req.url()[1..].split_once('/').unwrap();
            let (after, bytes): (u32, usize) = (after.parse().unwrap(), bytes.parse().unwrap());
            oneloop::set_timeout(after * MS, move || res.end(vec![b'x'; bytes]));
        });
        for (after, bytes) in [(0, 5), (0, 1_000_000), (900, 5), (900, 3_000_000)] {
            let peer = sim.connect(PORT);
            peer.write(get(&format!("/{after}/{bytes}")));
            peer.finish();
            sim.advance(20 * SECOND);
            let reply = only(&peer);
            assert_eq!((reply.status, reply.body.len(), peer.was_reset()), (200, bytes, false), "seed {seed}");
        }
        assert_eq!((server.connections(), metrics().closes), (0, vec![("finished", 4)]), "seed {seed}");
    }
}

#[test]
fn the_time_runs_anew_from_what_the_peer_takes() {
    let (sim, server, kept, _) = keeping();
    let peer = sim.connect(PORT);
    peer.write(get("/"));
    peer.finish();
    sim.settle();
    let res = kept.take();
    for _ in 0..20 {
        sim.advance(900 * MS);
        res.write("still here\n").ignore();
    }
    assert_eq!(server.connections(), 1, "{:?}", metrics().closes);
    let from = sim.now();
    expect_gone(&sim, &server, from + SECOND);
    assert_eq!(metrics().closes, [("disconnected", 1)]);
    drop(res);
}

#[test]
fn a_download_reaches_a_half_closed_peer_however_slowly_it_reads() {
    let (sim, server) = serve(|_: Request, res: Response| res.end(vec![b'x'; 1_000_000]));
    sim.set_network(Network { buffer: 64 * 1024, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.read_at_rate(30_000, 3 * SECOND);
    peer.write(get("/"));
    peer.finish();
    sim.advance(200 * SECOND);
    assert_eq!((only(&peer).body.len(), server.connections()), (1_000_000, 0));
}

#[test]
fn a_download_that_is_written_piece_by_piece_reaches_it_too() {
    let (sim, server) = serve(|_: Request, res: Response| {
        let left = Rc::new(Cell::new(100));
        let more = move |res: &Response| {
            while left.get() > 0 {
                left.set(left.get() - 1);
                if res.write(vec![b'x'; 10_000]).is_full() {
                    return;
                }
            }
            res.end(());
        };
        more(&res);
        res.on_drain(more);
    });
    sim.set_network(Network { buffer: 64 * 1024, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.read_at_rate(30_000, 3 * SECOND);
    peer.write(get("/"));
    peer.finish();
    sim.advance(200 * SECOND);
    assert_eq!((only(&peer).body.len(), server.connections()), (1_000_000, 0));
}

#[test]
fn a_peer_that_is_gone_behind_requests_that_nobody_reads_yet_is_noticed() {
    let (sim, server, kept, record) = keeping();
    let peer = sim.connect(PORT);
    // More than is held back for a connection, and less than the network holds: its end cannot be read.
    peer.write(get("/").repeat(2_500));
    sim.settle();
    peer.close();
    let from = sim.now();
    sim.settle();
    record.expect(&["peer end /"]);
    expect_gone(&sim, &server, from + SECOND);
    assert_eq!((kept.len(), metrics().closes), (1, vec![("disconnected", 1)]));
}

#[test]
fn each_of_several_requests_has_the_time_from_its_own_beginning() {
    let (sim, server, kept, record) = keeping();
    let peer = sim.connect(PORT);
    peer.write(get("/1") + &get("/2") + &get("/3"));
    peer.finish();
    sim.settle();
    for _ in 0..2 {
        sim.advance(900 * MS);
        kept.take().end("hi");
        sim.settle();
    }
    sim.advance(900 * MS);
    assert_eq!((server.connections(), kept.len()), (1, 1), "{:?}", metrics().closes);
    expect_gone(&sim, &server, sim.now() + 100 * MS);
    sim.settle();
    assert_eq!(replies(&peer.received()).len(), 2);
    let all = record.take();
    for line in ["peer end /1", "peer end /2", "peer end /3"] {
        assert_eq!(all.iter().filter(|told| *told == line).count(), 1, "{all:?}");
    }
    assert_eq!(all.last().unwrap(), "req close disconnected");
}

#[test]
fn the_time_can_be_set_and_turned_off() {
    let (sim, server, _kept, _) = keeping();
    set_half_open(&server, 10 * SECOND);
    let peer = send(&sim, get("/"));
    peer.finish();
    expect_gone(&sim, &server, sim.now() + 10 * SECOND);

    let (sim, server, kept, record) = keeping();
    set_half_open(&server, Duration::MAX);
    let peer = send(&sim, get("/"));
    peer.finish();
    sim.advance(24 * 3600 * SECOND);
    assert_eq!(server.connections(), 1);
    record.expect(&["peer end /"]);
    kept.take().end("a day later");
    sim.settle();
    assert_eq!(only(&peer).text(), "a day later");
}

#[test]
fn a_body_that_is_paused_in_front_of_the_end_is_part_of_the_exchange() {
    let (sim, server) = serve(|req: Request, res: Response| {
        let read = Rc::new(Cell::new(0));
        let count = read.clone();
        req.on_data(move |req, bytes| {
            count.set(count.get() + bytes.len());
            req.pause();
            let req = req.clone();
            oneloop::set_timeout(800 * MS, move || req.resume());
        });
        req.on_end(move |_| res.end(format!("{} bytes", read.get())));
    });
    sim.set_network(Network { splits: true, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.write(support::post("/", &"x".repeat(100)));
    peer.finish();
    sim.advance(100 * SECOND);
    assert_eq!((only(&peer).text().as_str(), server.connections()), ("100 bytes", 0));

    // One that is never read on is cut.
    let (sim, server) = serve(|req: Request, res: Response| {
        let kept = RefCell::new(Some(res));
        req.on_data(move |req, _| req.pause());
        req.on_end(move |_| drop(kept.take()));
    });
    let peer = sim.connect(PORT);
    peer.write(support::post("/", "whole"));
    peer.finish();
    sim.settle();
    expect_gone(&sim, &server, sim.now() + SECOND);
    assert_eq!(metrics().closes, [("disconnected", 1)]);
}

#[test]
fn who_asks_late_is_told_all_the_same_and_who_never_ends_tells_nobody() {
    let requests = Kept::default();
    let keep = requests.clone();
    let (sim, server) = serve(move |req: Request, res: Response| keep.put((req, res)));
    set_half_open(&server, Duration::MAX);
    let record = Record::default();
    let peer = send(&sim, get("/late"));
    peer.finish();
    sim.advance(SECOND);
    let (req, res) = requests.take();
    let (note, told) = (record.clone(), record.clone());
    req.on_peer_end(move |_| note.add("told"));
    told.add("returned");
    sim.settle();
    record.expect(&["returned", "told"]);
    res.end("hi");
    sim.settle();

    let peer = send(&sim, get("/whole"));
    let (req, res) = requests.take();
    let note = record.clone();
    req.on_peer_end(move |_| note.add("told"));
    res.end("hi");
    sim.settle();
    peer.finish();
    sim.settle();
    record.expect(&[]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_a_listener_of_the_end_does_is_done() {
    for act in ["answer", "destroy", "panic"] {
        let (sim, server) = serve(move |req: Request, res: Response| {
            req.on_peer_end(move |req| match act {
                "answer" => res.end("bye"),
                "destroy" => req.destroy(),
                _ => panic!("as it should"),
            });
        });
        set_panic_policy(PanicPolicy::Catch);
        let peer: Peer = send(&sim, get("/"));
        peer.finish();
        sim.advance(500 * MS);
        let statuses: Vec<_> = replies(&peer.received()).iter().map(|reply| reply.status).collect();
        let expected = match act {
            "answer" => vec![200],
            "destroy" => vec![],
            _ => vec![500],
        };
        assert_eq!((statuses, server.connections()), (expected, 0), "{act}");
    }
}

/// What a peer asks for before it ends its side, and what it gets if the handler never answers: nothing, after a second.
#[test]
fn every_kind_of_request_that_is_owed_an_answer_is_cut_in_the_same_way() {
    for seed in 0..5 {
        let cases = [
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.0\r\n\r\n".to_owned(),
            get("/").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".to_owned(),
        ];
        for request in cases {
            let sim = Sim::with_seed(seed);
            sim.set_network(Network { splits: true, read_splits: true, partial_writes: true, ..Network::default() });
            sim.set_waits(Waits { events: 1 + sim.random(4) as usize, interrupts: true });
            let kept = Kept::default();
            let keep = kept.clone();
            let server = support::listen(move |req: Request, res: Response| {
                req.on_data(|_, _| ());
                keep.put(res);
            });
            let peer = sim.connect(PORT);
            peer.write(&request);
            peer.finish();
            let found = sim.run_until(|| kept.len() == 1, SECOND);
            assert!(found, "seed {seed}: {request:?}");
            let found = sim.run_until(|| server.connections() == 0, 3 * SECOND);
            assert!(found, "seed {seed}: {request:?}: {:?}", metrics().closes);
            assert_eq!(metrics().closes, [("disconnected", 1)], "seed {seed}: {request:?}");
        }
    }
}

/// Each client that left an event stream was a warning that a response had been forgotten.
#[test]
fn a_response_that_is_dropped_because_its_client_has_gone_is_no_mistake() {
    for streams in [false, true] {
        let kept = Kept::default();
        let keep = kept.clone();
        let (sim, server) = serve(move |req: Request, res: Response| {
            if streams {
                res.flush_headers();
            }
            keep.put(res);
            let gone = keep.clone();
            req.on_peer_end(move |_| drop(gone.take()));
        });
        let peer = send(&sim, get("/"));
        peer.finish();
        sim.settle();
        let logged = sim.log();
        assert!(logged.iter().all(|line| line.level > log::Level::Warn), "{logged:?}");
        assert!(peer.is_closed());
        peer.close();
        sim.settle();
        // One that only reads on still has the answer of a dropped response.
        let (head, reason) = if streams { ("HTTP/1.1 200 OK", "bad-response") } else { ("HTTP/1.1 500 ", "finished") };
        assert!(peer.text().starts_with(head), "{}", peer.text());
        assert_eq!((server.connections(), metrics().closes), (0, vec![(reason, 1)]));
    }
}

#[test]
fn an_end_without_a_request_ends_the_connection_at_once() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("hi"));
    let idle = send(&sim, get("/"));
    let fresh = sim.connect(PORT);
    sim.settle();
    assert_eq!(server.connections(), 2);
    idle.finish();
    fresh.finish();
    sim.settle();
    assert_eq!((server.connections(), metrics().closes), (0, vec![("finished", 2)]));
}

#[test]
fn a_peer_that_ends_before_it_was_told_to_go_on_has_cut_its_request_off() {
    let (sim, server, kept, record) = keeping();
    let peer = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    peer.finish();
    sim.settle();
    assert_eq!((server.connections(), metrics().closes), (0, vec![("truncated", 1)]));
    record.expect(&["peer end /", "res close truncated", "req close truncated"]);
    drop(kept.take());
}

#[test]
fn of_this_time_and_that_of_the_response_the_earlier_one_counts() {
    for (response, half_open, reason, statuses) in [
        (500 * MS, SECOND, "response-timeout", vec![503]),
        (5 * SECOND, SECOND, "disconnected", vec![]),
        (5 * SECOND, Duration::MAX, "response-timeout", vec![503]),
    ] {
        let (sim, server, _kept, _) = keeping();
        let mut limits = server.limits();
        (limits.response, limits.half_open) = (Some(response), half_open);
        server.set_limits(limits);
        let peer = sim.connect(PORT);
        peer.write(get("/"));
        peer.finish();
        sim.advance(response.min(half_open) + LATE);
        assert_eq!((server.connections(), metrics().closes), (0, vec![(reason, 1)]));
        assert_eq!(support::statuses(&peer), statuses, "{reason}");
    }
}

#[test]
fn a_graceful_end_does_not_wait_longer_for_a_client_that_has_gone() {
    for ends_first in [false, true] {
        let (sim, server, kept, _) = keeping();
        let peer = send(&sim, get("/"));
        if ends_first {
            peer.finish();
        }
        server.close(());
        peer.finish();
        expect_gone(&sim, &server, sim.now() + SECOND);
        assert_eq!(metrics().closes, [("disconnected", 1)]);
        drop(kept.take());
    }
}

#[test]
fn a_connection_that_was_handed_over_is_not_cut() {
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    ] {
        let (sim, server) = serve(|_: Request, res: Response| res.end("hi"));
        let sockets: Kept<Socket> = Kept::default();
        for tunnel in [false, true] {
            let keep = sockets.clone();
            let take = move |_: Request, socket: Socket, _: Vec<u8>| {
                socket.set_allow_half_open(true);
                keep.put(socket);
            };
            if tunnel {
                server.on_connect(take)
            } else {
                server.on_upgrade(take)
            };
        }
        let peer = sim.connect(PORT);
        peer.write(request);
        peer.finish();
        sim.advance(100 * SECOND);
        assert_eq!(server.connections(), 1, "{request:?}: {:?}", metrics().closes);
        sockets.take().end("late");
        sim.settle();
        assert_eq!(peer.text(), "late");
    }
}

#[test]
fn output_that_a_half_closed_peer_does_not_take_has_the_limits_of_sending() {
    for ended in [false, true] {
        let (sim, server) = serve(move |_: Request, res: Response| {
            res.write(vec![b'x'; 1_000_000]).ignore();
            if ended {
                res.end(());
            } else {
                std::mem::forget(res);
            }
        });
        sim.set_network(Network { buffer: 64 * 1024, ..Network::default() });
        let peer = sim.connect(PORT);
        peer.pause_reading();
        peer.write(get("/"));
        peer.finish();
        sim.settle();
        expect_gone(&sim, &server, 60 * SECOND);
        assert_eq!(metrics().closes, [("write-stall", 1)], "{ended}");
    }
}

#[test]
fn an_end_behind_a_body_that_is_paused_is_told_and_the_body_is_read_when_it_goes_on() {
    let (requests, record) = (Kept::default(), Record::default());
    let (keep, note) = (requests.clone(), record.clone());
    let (sim, server) = serve(move |req: Request, res: Response| {
        let told = note.clone();
        req.on_peer_end(move |_| told.add("peer end"));
        let count = Rc::new(Cell::new(0));
        let read = count.clone();
        req.on_data(move |_, bytes| read.set(read.get() + bytes.len()));
        req.on_end(move |_| res.end(count.get().to_string()));
        req.pause();
        keep.put(req);
    });
    // More than is held back for it, and less than the network holds: the end is behind what cannot be read.
    let peer = sim.connect(PORT);
    peer.write(support::post("/", &"x".repeat(100_000)));
    sim.settle();
    peer.finish();
    sim.advance(20 * SECOND);
    record.expect(&["peer end"]);
    assert_eq!(server.connections(), 1, "{:?}", metrics().closes);
    requests.take().resume();
    sim.settle();
    assert_eq!((only(&peer).text().as_str(), server.connections()), ("100000", 0));
    record.expect(&[]);
}

#[test]
fn no_time_at_all_lets_what_is_answered_at_once_arrive() {
    let (sim, server) = serve(|req: Request, res: Response| match req.url() {
        "/now" => res.end("now"),
        _ => std::mem::forget(res),
    });
    set_half_open(&server, Duration::ZERO);
    for (path, expected) in [("/now", 1), ("/never", 0)] {
        let peer = sim.connect(PORT);
        peer.write(get(path));
        peer.finish();
        sim.advance(LATE);
        assert_eq!((replies(&peer.received()).len(), server.connections()), (expected, 0), "{path}");
    }
}
