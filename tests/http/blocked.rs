//! A handler that blocks holds everybody up, and that is all: who did in time what was awaited is not cut for it, however
//! late the server learns of it. The same holds where the process was stopped, and where one wait cannot tell of all.

use crate::support::http::{self as support, Kept, MS, PORT, SECOND, bodies, get, post, send, statuses};
use oneloop::event_loop::metrics;
use oneloop::http::{Request, Response, Server};
use oneloop::sim::{Network, Peer, Sim, Waits, block};
use oneloop::{net, set_timeout};
use std::time::Duration;

/// Longer than any time that a peer has.
const LONG: Duration = Duration::from_secs(400);

/// `/block` blocks; what has a body is answered with its length; all else at once.
fn answer(req: Request, res: Response) {
    match req.path() {
        "/block" => {
            block(LONG);
            res.end("late");
        }
        "/work" => {
            block(50 * MS);
            res.end("worked");
        }
        "/large" => res.end(vec![b'x'; 100_000]),
        _ if req.method() == "POST" => req.read_body(usize::MAX, move |body| {
            if let Ok(body) = body {
                res.end(body.len().to_string());
            }
        }),
        path => res.end(path),
    }
}

/// A server whose handler begins to block when the clock says 5 s; the others' peers do then what is in `meanwhile`, each
/// a second later.
fn blocked(before: impl Fn(&Sim, &Peer), meanwhile: impl Fn(&Peer) + 'static) -> (Sim, Server, Peer) {
    let (sim, server) = support::serve(answer);
    sim.set_network(Network { buffer: 4_000, ..Network::default() });
    let peer = sim.connect(PORT);
    before(&sim, &peer);
    let blocker = sim.connect(PORT);
    sim.at(5 * SECOND, move || blocker.write(get("/block")));
    let other = peer.clone();
    sim.at(6 * SECOND, move || meanwhile(&other));
    sim.advance(6 * SECOND + LONG);
    assert!(sim.now() > LONG);
    (sim, server, peer)
}

#[test]
fn a_head_that_was_whole_in_time_is_answered() {
    let (_sim, _server, peer) =
        blocked(|_, peer| peer.write("GET /a HT"), |peer| peer.write("TP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(bodies(&peer), ["/a"], "{:?}", metrics().closes);
}

#[test]
fn a_connection_that_came_meanwhile_is_answered() {
    let (sim, _server) = support::serve(answer);
    let blocker = sim.connect(PORT);
    blocker.write(get("/block"));
    let late = Kept::default();
    let (keep, world) = (late.clone(), sim.connect(PORT));
    sim.at(SECOND, move || {
        world.write(get("/b"));
        keep.put(world);
    });
    sim.advance(LONG);
    assert_eq!((bodies(&late.take()), bodies(&blocker)), (vec!["/b".to_owned()], vec!["late".to_owned()]));
}

#[test]
fn an_idle_connection_whose_request_came_in_time_is_answered() {
    let before = |sim: &Sim, peer: &Peer| {
        peer.write(get("/a"));
        sim.settle();
    };
    let (_sim, _server, peer) = blocked(before, |peer| peer.write(get("/b")));
    assert_eq!(bodies(&peer), ["/a", "/b"], "{:?}", metrics().closes);
}

#[test]
fn a_body_that_came_in_time_is_read() {
    let whole = post("/", &"x".repeat(1000));
    let (head, rest) = whole.split_at(whole.len() - 900);
    let (head, rest) = (head.to_owned(), rest.to_owned());
    let (_sim, _server, peer) = blocked(move |_, peer| peer.write(&head), move |peer| peer.write(&rest));
    assert_eq!(bodies(&peer), ["1000"], "{:?}", metrics().closes);
}

#[test]
fn a_peer_that_has_read_what_there_was_is_sent_the_rest() {
    let before = |sim: &Sim, peer: &Peer| {
        peer.pause_reading();
        peer.write(get("/large"));
        sim.settle();
    };
    let (_sim, _server, peer) = blocked(before, Peer::resume_reading);
    assert_eq!((statuses(&peer), bodies(&peer)[0].len()), (vec![200], 100_000), "{:?}", metrics().closes);
}

#[test]
fn an_answer_whose_timer_was_due_in_time_is_sent() {
    let (sim, server) = support::serve(|req: Request, res: Response| match req.path() {
        "/later" => drop(set_timeout(6 * SECOND, move || res.end("later"))),
        _ => answer(req, res),
    });
    let mut limits = server.limits();
    limits.response = Some(20 * SECOND);
    server.set_limits(limits);
    let (later, blocker) = (send(&sim, get("/later")), sim.connect(PORT));
    sim.at(5 * SECOND, move || blocker.write(get("/block")));
    sim.advance(LONG + 10 * SECOND);
    assert_eq!(bodies(&later), ["later"], "{:?}", metrics().closes);
}

#[test]
fn who_was_late_all_the_same_is_cut() {
    let peers = Kept::default();
    let (keep, body) = (peers.clone(), post("/", "1234"));
    let before = move |sim: &Sim, peer: &Peer| {
        peer.write("GET / HT");
        keep.put(send(sim, &body[..body.len() - 1]));
        keep.put(sim.connect(PORT));
    };
    let (sim, server, peer) = blocked(before, |_| ());
    assert_eq!((statuses(&peer), statuses(&peers.take()), peers.take().received()), (vec![408], vec![408], vec![]));
    sim.advance(100 * SECOND);
    assert_eq!(server.connections(), 0);
}

/// The time for the peer's last words, so that it can read ours, begins with our FIN, not before its handler.
#[test]
fn a_lingering_close_has_its_time_though_its_own_handler_blocked() {
    let (sim, server) = support::serve(|_: Request, res: Response| {
        block(LONG);
        res.set_header("Connection", "close");
        res.end("late");
    });
    let peer = send(&sim, get("/"));
    assert_eq!((bodies(&peer), server.connections()), (vec!["late".to_owned()], 1));
    sim.advance(4 * SECOND);
    assert_eq!(server.connections(), 1, "{:?}", metrics().closes);
    sim.advance(2 * SECOND);
    assert_eq!(server.connections(), 0);
}

// ---- A look that tells nothing, or not all

/// A server whose process is stopped at 5 s (SIGSTOP) until long after all limits; the peer does meanwhile what is given, and
/// is then answered.
fn stopped(before: impl Fn(&Sim, &Peer), meanwhile: impl Fn(&Peer) + 'static) -> (Sim, Server, Peer) {
    let (sim, server) = support::serve(answer);
    sim.set_network(Network { buffer: 4_000, ..Network::default() });
    let peer = sim.connect(PORT);
    before(&sim, &peer);
    sim.advance(5 * SECOND);
    let other = peer.clone();
    sim.at(SECOND, move || meanwhile(&other));
    sim.stop(LONG);
    sim.settle();
    assert!(sim.now() > LONG);
    (sim, server, peer)
}

#[test]
fn who_was_in_time_while_the_process_was_stopped_is_answered() {
    let (_sim, _server, peer) =
        stopped(|_, peer| peer.write("GET /a HT"), |peer| peer.write("TP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(bodies(&peer), ["/a"], "a head: {:?}", metrics().closes);

    let (_sim, _server, peer) = stopped(|_, _| (), |peer| peer.write(get("/b")));
    assert_eq!(bodies(&peer), ["/b"], "a first request: {:?}", metrics().closes);

    let idle = |sim: &Sim, peer: &Peer| {
        peer.write(get("/a"));
        sim.settle();
    };
    let (_sim, _server, peer) = stopped(idle, |peer| peer.write(get("/b")));
    assert_eq!(bodies(&peer), ["/a", "/b"], "an idle connection: {:?}", metrics().closes);

    let (head, rest) = ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x".repeat(1000));
    let (_sim, _server, peer) = stopped(move |_, peer| peer.write(head), move |peer| peer.write(&rest));
    assert_eq!(bodies(&peer), ["1000"], "a body: {:?}", metrics().closes);

    let stalled = |sim: &Sim, peer: &Peer| {
        peer.pause_reading();
        peer.write(get("/large"));
        sim.settle();
    };
    let (_sim, _server, peer) = stopped(stalled, Peer::resume_reading);
    assert_eq!((statuses(&peer), bodies(&peer)[0].len()), (vec![200], 100_000), "{:?}", metrics().closes);
}

#[test]
fn who_was_late_while_the_process_was_stopped_is_cut_all_the_same() {
    let (sim, server, peer) = stopped(|_, peer| peer.write("GET / HT"), |_| ());
    sim.advance(SECOND);
    assert_eq!(statuses(&peer), [408]);
    sim.advance(10 * SECOND);
    assert_eq!(server.connections(), 0);
}

/// Rates say nothing of a time in which the program did not read: the system keeps only so much for it.
#[test]
fn a_body_is_not_slow_for_what_the_stopped_process_did_not_take() {
    let (sim, server) = support::serve(answer);
    let mut limits = server.limits();
    (limits.receive_rate, limits.request) = (2_000, 2 * LONG);
    server.set_limits(limits);
    sim.set_network(Network { buffer: 4_000, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    peer.write("x".repeat(5_000));
    sim.advance(5 * SECOND);
    let other = peer.clone();
    sim.at(SECOND, move || other.write("x".repeat(95_000)));
    // Within its window, which ends at 10 s with 9 KB instead of the 20 KB that it should have.
    sim.stop(5 * SECOND + 200 * MS);
    sim.advance(10 * SECOND);
    assert_eq!(bodies(&peer), ["100000"], "{:?}", metrics().closes);
}

/// The kernel tells of 1,024 sources at a time: what the others have sent is not known yet.
#[test]
fn all_who_were_in_time_are_answered_where_one_wait_cannot_tell_of_all() {
    let (sim, _server) = support::serve(answer);
    sim.set_waits(Waits { events: 4, ..Waits::default() });
    let peers: Vec<_> = (0..50).map(|_| sim.connect(PORT)).collect();
    let blocker = sim.connect(PORT);
    sim.settle();
    blocker.write(get("/block"));
    let late = peers.clone();
    sim.at(SECOND, move || late.iter().for_each(|peer| peer.write(get("/a"))));
    sim.advance(LONG + SECOND);
    let answered = peers.iter().filter(|peer| bodies(peer) == ["/a"]).count();
    assert_eq!(answered, peers.len(), "{:?}", metrics().closes);
}

/// Where more is ready than a wait can tell of, for ever, deadlines are judged all the same.
#[test]
fn who_is_late_is_cut_though_every_wait_is_full() {
    let (sim, server) = support::serve(answer);
    sim.set_waits(Waits { events: 2, ..Waits::default() });
    for _ in 0..6 {
        let peer = sim.connect(PORT);
        peer.on_data(|peer, _| peer.write(get("/work")));
        peer.write(get("/work"));
    }
    let silent = sim.connect(PORT);
    let cut = sim.run_until(|| silent.is_closed(), 100 * SECOND);
    assert!(cut && server.connections() == 6, "after {:?}: {:?}", sim.now(), metrics().closes);
}

#[test]
fn with_waits_that_are_interrupted_and_full_all_are_answered() {
    for seed in 0..20 {
        let sim = Sim::with_seed(seed);
        sim.set_waits(Waits { events: 1 + sim.random(3) as usize, interrupts: true });
        let _server = support::listen(answer);
        let peers: Vec<_> = (0..20).map(|_| sim.connect(PORT)).collect();
        for (number, peer) in peers.iter().enumerate() {
            let other = peer.clone();
            sim.at(SECOND + number as u32 * MS, move || other.write(get("/a")));
        }
        sim.advance(2 * SECOND);
        assert!(peers.iter().all(|peer| bodies(peer) == ["/a"]), "seed {seed}");
    }
}

// ---- Timers that judge a peer

#[test]
fn a_socket_that_was_active_in_time_has_no_timeout() {
    for stops in [false, true] {
        let sim = Sim::new();
        let quiet = support::Record::default();
        let record = quiet.clone();
        let server = net::create_server(move |socket| {
            let record = record.clone();
            socket.on_data(|_, _| ()).on_timeout(move |_| record.add("timeout")).set_timeout(10 * SECOND);
        });
        server.listen(PORT, || ()).unwrap();
        let peer = sim.connect(PORT);
        sim.advance(5 * SECOND);
        sim.at(SECOND, move || peer.write("here"));
        if stops {
            sim.stop(7 * SECOND);
        } else {
            oneloop::set_immediate(|| block(7 * SECOND));
        }
        sim.advance(7 * SECOND);
        quiet.expect(&[]);
        sim.advance(10 * SECOND);
        quiet.expect(&["timeout"]);
    }
}

#[test]
fn a_connection_that_was_there_in_time_is_not_given_up() {
    for stops in [false, true] {
        let sim = Sim::new();
        sim.set_network(Network { latency: SECOND..=SECOND, ..Network::default() });
        let _listener = sim.listen("127.0.0.1:90").unwrap();
        let record = support::Record::default();
        let connected = record.clone();
        let target = net::Target::from(("127.0.0.1", 90)).timeout(10 * SECOND);
        let socket = net::connect(target, move |_| connected.add("connected"));
        let closed = record.clone();
        socket.on_close(move |_, reason| closed.add(reason));
        // Our half of the handshake has gone, and theirs is on its way.
        sim.advance(SECOND + 500 * MS);
        if stops {
            sim.stop(LONG);
        } else {
            oneloop::set_immediate(|| block(LONG));
        }
        sim.advance(LONG);
        record.expect(&["connected"]);
    }
}

/// `Limits::shutdown` runs out while nobody looks: what came in time is answered first.
#[test]
fn a_request_that_was_whole_before_the_time_for_a_shutdown_was_over_is_answered() {
    let (sim, server) = support::serve(answer);
    let peer = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n12");
    server.close(|| ());
    sim.settle();
    let other = peer.clone();
    sim.at(SECOND, move || other.write("34"));
    sim.stop(LONG);
    sim.advance(LONG);
    assert_eq!(bodies(&peer), ["4"], "{:?}", metrics().closes);
}
