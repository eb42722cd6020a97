//! A graceful end has an end: what would hold it up is told that it has begun, what is still there after its time is cut,
//! and the log says what is waited for. (How `close` treats idle and busy connections is in `server.rs`.)

use crate::support::http::{Kept, MS, PORT, Record, SECOND, bodies, get, send, serve};
use crate::support::logger::{keep_log, lines};
use log::Level;
use oneloop::http::{Request, Response};
use oneloop::net::Socket;
use oneloop::sim::{Peer, Sim};
use std::cell::RefCell;
use std::rc::Rc;

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n\r\n";
const CONNECT: &str = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";

/// A server that hands connections over and records how they end.
fn handing_over() -> (Sim, oneloop::http::Server, Record, Rc<RefCell<Vec<Socket>>>) {
    let (record, sockets) = (Record::default(), Rc::<RefCell<Vec<Socket>>>::default());
    let (sim, server) = serve(|_: Request, res: Response| res.end("hi"));
    for tunnel in [false, true] {
        let (record, sockets) = (record.clone(), sockets.clone());
        let taken = move |_: Request, socket: Socket, _: Vec<u8>| {
            socket.write("HTTP/1.1 200 OK\r\n\r\n").ignore();
            let record = record.clone();
            socket.on_close(move |_, reason| record.add(reason));
            sockets.borrow_mut().push(socket);
        };
        if tunnel {
            server.on_connect(taken)
        } else {
            server.on_upgrade(taken)
        };
    }
    (sim, server, record, sockets)
}

fn all_closed(peers: &[Peer]) -> bool {
    peers.iter().all(Peer::is_closed)
}

#[test]
fn connections_that_were_handed_over_are_cut_when_the_time_of_a_graceful_end_is_over() {
    let (sim, server, record, _sockets) = handing_over();
    let peers = [send(&sim, UPGRADE), send(&sim, CONNECT)];
    assert_eq!((server.connections(), server.connection_states().upgraded), (2, 2));
    let from = sim.now();
    let closed = record.clone();
    server.close(move || closed.add("closed"));
    sim.advance(9 * SECOND);
    assert!(!peers[0].is_closed() && !peers[1].is_closed());
    record.expect(&[]);
    assert!(sim.run_until(|| all_closed(&peers), SECOND + 100 * MS) && sim.now() >= from + 10 * SECOND);
    sim.settle();
    record.expect(&["server-closed", "server-closed", "closed"]);
}

#[test]
fn close_all_connections_closes_those_that_were_handed_over_and_no_others() {
    let (sim, server, record, _sockets) = handing_over();
    let other = oneloop::http::create_server(|_, res| res.end("other"));
    other.listen(81, || ()).unwrap();
    other.on_upgrade(|_, socket, _| {
        socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    });
    let peers = [send(&sim, UPGRADE), send(&sim, CONNECT)];
    let stranger = sim.connect(81);
    stranger.write(UPGRADE);
    sim.settle();
    server.close_all_connections();
    sim.settle();
    assert!(all_closed(&peers));
    record.expect(&["server-closed", "server-closed"]);
    stranger.write("still there");
    sim.settle();
    assert_eq!(stranger.text(), "still there");
    assert!(server.is_listening());
}

#[test]
fn who_can_end_by_itself_is_told_once_and_later_that_the_end_has_begun() {
    let (sim, server, record, sockets) = handing_over();
    let peers = [send(&sim, UPGRADE), send(&sim, UPGRADE)];
    let told = record.clone();
    server.on_closing(move || {
        told.add("closing");
        for socket in sockets.take() {
            socket.end("bye");
        }
    });
    let (server_, record_) = (server.clone(), record.clone());
    oneloop::set_immediate(move || {
        let (first, second) = (record_.clone(), record_.clone());
        server_.close(move || first.add("closed"));
        server_.close(move || second.add("closed again"));
        record_.add("returned");
    });
    sim.settle();
    record.expect(&["returned", "closing"]);
    for peer in &peers {
        assert!(peer.text().ends_with("bye"));
        peer.finish();
    }
    sim.settle();
    record.expect(&["finished", "finished", "closed", "closed again"]);
    assert!(sim.now() < SECOND);
}

#[test]
fn streams_of_events_end_when_their_server_closes() {
    let streams: Rc<RefCell<Vec<Response>>> = Rc::default();
    let listening = streams.clone();
    let (sim, server) = serve(move |_: Request, res: Response| {
        res.write("data: 1\n\n").ignore();
        listening.borrow_mut().push(res);
    });
    server.on_closing(move || {
        for res in streams.take() {
            res.end("data: bye\n\n");
        }
    });
    let peer = send(&sim, get("/events"));
    server.close(|| ());
    sim.settle();
    assert_eq!(bodies(&peer), ["data: 1\n\ndata: bye\n\n"]);
    assert!(peer.is_closed());
}

#[test]
fn a_panic_of_who_is_told_does_not_hold_the_end_up() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("hi"));
    let record = Record::default();
    server.on_closing(|| panic!("on purpose"));
    let told = record.clone();
    server.on_closing(move || told.add("closing"));
    oneloop::event_loop::set_panic_policy(oneloop::event_loop::PanicPolicy::Catch);
    let closed = record.clone();
    server.close(move || closed.add("closed"));
    sim.settle();
    record.expect(&["closing", "closed"]);
}

#[test]
fn the_log_says_what_a_graceful_end_waits_for_and_what_it_cuts() {
    keep_log();
    let kept = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |_: Request, res: Response| keep.put(res));
    server.on_upgrade(|_, socket, _| {
        socket.on_data(|_, _| ());
    });
    for number in 1..=7 {
        sim.connect(PORT).write(get(&format!("/slow/{number}?token=secret")));
    }
    sim.advance(2500 * MS);
    let _upgraded = send(&sim, UPGRADE);
    server.close(|| ());
    for _ in 0..6 {
        kept.take().end("done");
    }
    sim.advance(20 * SECOND);
    let lines = lines(Level::Info).into_iter().filter(|line| line.target == "oneloop::http");
    assert_eq!(
        lines.map(|line| line.text).collect::<Vec<_>>(),
        [
            "shutting down, 8 connections open; waiting for GET /slow/1 (2.5 s), GET /slow/2 (2.5 s), GET /slow/3 (2.5 s), \
             GET /slow/4 (2.5 s), GET /slow/5 (2.5 s) and 2 others, 1 upgraded connection",
            "cutting 2 connections 10s after the shutdown began; waited for GET /slow/7 (12.5 s), 1 upgraded connection",
        ]
    );
    assert_eq!(server.connections(), 0);
}
