//! A server knows what each of its connections is about.

use crate::support::http::*;
use oneloop::http::{self, ConnectionStates, Request, Response, Server};
use oneloop::net::Socket;
use oneloop::sim::Network;
use std::cell::OnceCell;
use std::rc::Rc;

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n\r\n";

/// Idle, receiving, answering, sending, closing, upgraded. Their sum is checked on the way.
fn states(server: &Server) -> [usize; 6] {
    let ConnectionStates { idle, receiving, answering, sending, closing, upgraded, .. } = server.connection_states();
    let all = [idle, receiving, answering, sending, closing, upgraded];
    assert_eq!(all.iter().sum::<usize>(), server.connections(), "{all:?}");
    all
}

/// Answers all but `/later`, whose responses are kept.
fn keeping(kept: &Kept<(Request, Response)>) -> impl FnMut(Request, Response) + 'static {
    let kept = kept.clone();
    move |req, res| match req.path() {
        "/later" => kept.put((req, res)),
        _ => res.end("now"),
    }
}

#[test]
fn a_connection_without_a_request_is_idle_before_the_first_one_and_between_two() {
    let (sim, server) = serve(|_, res| res.end("now"));
    assert_eq!(states(&server), [0; 6]);
    let fresh = sim.connect(PORT);
    sim.settle();
    assert_eq!(states(&server), [1, 0, 0, 0, 0, 0]);
    let persistent = send(&sim, get("/"));
    assert_eq!(states(&server), [2, 0, 0, 0, 0, 0]);
    server.close_idle_connections();
    sim.advance(2 * SECOND);
    assert_eq!(states(&server), [0; 6]);
    assert!(fresh.is_closed() && persistent.is_closed());
}

#[test]
fn a_request_is_received_from_the_first_byte_of_its_head_to_the_last_of_its_content() {
    let kept = Kept::default();
    let (sim, server) = serve(keeping(&kept));
    let peer = send(&sim, "G");
    assert_eq!(states(&server), [0, 1, 0, 0, 0, 0]);
    peer.write("ET /later HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    sim.settle();
    let (req, res) = kept.take();
    req.on_data(|_, _| ());
    sim.settle();
    assert_eq!(states(&server), [0, 1, 0, 0, 0, 0], "its handler has it, but not all of it");
    peer.write("cd");
    sim.settle();
    assert_eq!(states(&server), [0, 0, 1, 0, 0, 0]);
    res.end("later");
    sim.settle();
    assert_eq!(states(&server), [1, 0, 0, 0, 0, 0]);
}

#[test]
fn content_that_comes_behind_its_answer_is_still_received() {
    let (sim, server) = serve(|_, res| res.end("too large for me"));
    let peer = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    assert_eq!((states(&server), peer.text().is_empty()), ([0, 1, 0, 0, 0, 0], false));
    peer.write("cd");
    sim.settle();
    assert_eq!(states(&server), [1, 0, 0, 0, 0, 0]);
}

#[test]
fn a_whole_request_is_being_answered_until_its_response_has_ended() {
    let kept = Kept::default();
    let (sim, server) = serve(keeping(&kept));
    let _peers = [send(&sim, get("/later")), send(&sim, get("/later")), send(&sim, get("/"))];
    assert_eq!(states(&server), [1, 0, 2, 0, 0, 0]);
    let (_, streaming) = kept.take();
    streaming.write("a part").ignore();
    sim.settle();
    assert_eq!(states(&server), [1, 0, 2, 0, 0, 0]);
    streaming.end("the rest");
    sim.settle();
    assert_eq!(states(&server), [2, 0, 1, 0, 0, 0]);
}

#[test]
fn a_response_that_has_ended_is_sent_for_as_long_as_its_peer_does_not_take_it() {
    let (sim, server) = serve(|_, res| res.end("x".repeat(100_000)));
    sim.set_network(Network { buffer: 1_000, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.pause_reading();
    peer.write(get("/"));
    sim.settle();
    assert_eq!(states(&server), [0, 0, 0, 1, 0, 0]);
    peer.resume_reading();
    sim.advance(SECOND);
    assert_eq!(states(&server), [1, 0, 0, 0, 0, 0]);
}

#[test]
fn a_connection_closes_until_its_peer_has_closed_and_its_end_was_told() {
    let told = Kept::default();
    let (noted, asked) = (told.clone(), Rc::new(OnceCell::<Server>::new()));
    let known = asked.clone();
    let (sim, server) = serve(move |req, res| {
        let (noted, known) = (noted.clone(), known.clone());
        req.on_close(move |_, _| noted.put(states(known.get().unwrap())));
        if req.path() == "/close" {
            res.set_header("Connection", "close");
            res.end("bye");
        }
    });
    assert!(asked.set(server.clone()).is_ok());
    let polite = send(&sim, get("/close"));
    assert_eq!(states(&server), [0, 0, 0, 0, 1, 0]);
    assert_eq!(told.take(), [0, 0, 0, 0, 1, 0], "told when the response had gone");
    polite.close();
    sim.settle();
    assert_eq!(states(&server), [0; 6]);
    let rude = send(&sim, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    rude.reset();
    sim.settle();
    assert_eq!((told.take(), states(&server)), ([0, 0, 0, 0, 1, 0], [0; 6]));
}

#[test]
fn a_connection_that_was_handed_over_is_upgraded_while_it_is_open() {
    let kept = Kept::default();
    let (sim, server) = serve(not_called);
    let sockets = kept.clone();
    server.on_upgrade(move |_, socket, _| {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat/1\r\n\r\n").ignore();
        sockets.put(socket);
    });
    let other = http::create_server(not_called);
    let peer = send(&sim, UPGRADE);
    assert_eq!((states(&server), states(&other)), ([0, 0, 0, 0, 0, 1], [0; 6]));
    let socket: Socket = kept.take();
    let seen = Kept::<[usize; 6]>::default();
    let (noted, asked) = (seen.clone(), server.clone());
    socket.on_close(move |_, _| noted.put(states(&asked)));
    peer.close();
    sim.settle();
    assert_eq!((seen.take(), states(&server)), ([0, 0, 0, 0, 1, 0], [0; 6]));
}
