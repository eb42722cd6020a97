//! A handler that blocks holds everybody up, and that is all: who did in time what was awaited is not cut for it, however
//! late the server learns of it.

#[path = "support/http.rs"]
mod support;

use oneloop::event_loop::metrics;
use oneloop::http::{Request, Response, Server};
use oneloop::set_timeout;
use oneloop::sim::{Network, Peer, Sim, block};
use std::time::Duration;
use support::{Kept, PORT, SECOND, bodies, get, post, send, statuses};

/// Longer than any time that a peer has.
const LONG: Duration = Duration::from_secs(400);

/// `/block` blocks; what has a body is answered with its length; all else at once.
fn answer(req: Request, res: Response) {
    match req.path() {
        "/block" => {
            block(LONG);
            res.end("late");
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
    sim.network(Network { buffer: 4_000, ..Network::default() });
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
