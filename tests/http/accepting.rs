//! Upgrades that a handler accepts or refuses, at once or later: `Response::upgrade`.

use crate::support::http::*;
use oneloop::event_loop::metrics;
use oneloop::http::{Response, Server};
use oneloop::net::{CloseReason, Socket};
use oneloop::set_timeout;
use oneloop::sim::{Network, Peer, Sim};

const OFFER: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: v2, Chat/1\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat/1\r\nConnection: upgrade\r\n\r\n";

/// Sends back in capitals what comes, and ends when the peer does.
fn shout(socket: &Socket) {
    socket.on_data(|socket, bytes| socket.write(bytes.to_ascii_uppercase()).ignore());
}

/// A server that keeps each response undecided.
fn undecided() -> (Sim, Server, Kept<Response>) {
    let kept: Kept<Response> = Kept::default();
    let keep = kept.clone();
    let (sim, server) = serve(move |_, res| keep.put(res));
    (sim, server, kept)
}

/// What the peer got behind the head of the 101.
fn behind(peer: &Peer) -> String {
    peer.text().split_once(ACCEPTED).unwrap_or_else(|| panic!("{}", peer.text())).1.to_owned()
}

#[test]
fn a_handler_accepts_and_its_socket_gets_what_came_behind_the_request_at_every_split() {
    let all = get("/first") + OFFER + "behind";
    for at in 0..=all.len() {
        let (sim, _server) = serve(|req, res| match res.upgrade("chat/1") {
            Some(socket) => shout(&socket),
            None => res.end(req.url()),
        });
        let peer = sim.connect(PORT);
        peer.write(&all[..at]);
        sim.settle();
        peer.write(&all[at..]);
        sim.settle();
        assert_eq!(behind(&peer), "BEHIND", "split at {at}");
        assert!(peer.text().contains("/first"), "split at {at}");
        peer.finish();
        sim.settle();
        assert!(peer.is_closed() && !peer.was_reset());
    }
}

#[test]
fn a_timer_accepts_and_nothing_that_came_meanwhile_is_lost_or_out_of_order() {
    for every in [MS / 10, MS] {
        let (sim, _server) = serve(|_, res| {
            set_timeout(40 * MS, move || shout(&res.upgrade("chat/1").unwrap()));
        });
        let peer = sim.connect(PORT);
        peer.write_each_byte_every(OFFER.to_owned() + "one, two, three", every);
        sim.advance(SECOND);
        assert_eq!(behind(&peer), "ONE, TWO, THREE");
    }
}

#[test]
fn a_timer_refuses_and_the_bytes_behind_are_the_next_request() {
    let (sim, _server, kept) = undecided();
    let peer = send(&sim, OFFER.to_owned() + &get("/next"));
    let res = kept.take();
    set_timeout(MS, move || res.set_status(403).end("no"));
    sim.advance(SECOND);
    kept.take().end("yes");
    sim.settle();
    assert_eq!((statuses(&peer), bodies(&peer)), (vec![403, 200], vec!["no".into(), "yes".into()]));
}

#[test]
fn while_nobody_has_decided_the_peer_is_held_back() {
    let (sim, _server, kept) = undecided();
    let peer = send(&sim, OFFER.to_owned() + &"x".repeat(1_000_000));
    sim.advance(SECOND);
    assert!(metrics().buffered <= 128 * 1024, "{}", metrics().buffered);
    let socket = kept.take().upgrade("chat/1").unwrap();
    sim.advance(SECOND);
    assert!(metrics().buffered <= 128 * 1024, "nobody reads the socket: {}", metrics().buffered);
    shout(&socket);
    sim.settle();
    assert_eq!(behind(&peer), "X".repeat(1_000_000));
}

#[test]
fn a_peer_that_has_gone_meanwhile_gets_no_socket() {
    for reset in [false, true] {
        let (sim, _server, kept) = undecided();
        let peer = send(&sim, OFFER.to_owned() + "behind");
        if reset {
            peer.reset()
        } else {
            peer.close()
        };
        sim.advance(60 * SECOND);
        let res = kept.take();
        assert!(res.is_closed() && res.upgrade("chat/1").is_none());
        assert_eq!(res.status(), 200);
    }
}

/// As `printf ... | nc -N` does. The end was told to HTTP already, so the socket must be told anew.
#[test]
fn a_peer_that_has_ended_its_side_meanwhile_is_answered_and_the_socket_is_told_the_end() {
    for rest in ["", "behind"] {
        let record = Record::default();
        let (sim, _server, kept) = undecided();
        let peer = send(&sim, OFFER.to_owned() + rest);
        peer.finish();
        sim.advance(500 * MS); // less than `Limits::half_open`
        let socket = kept.take().upgrade("chat/1").unwrap();
        shout(&socket);
        let (end, close) = (record.clone(), record.clone());
        socket.on_end(move |_| end.add("end"));
        socket.on_close(move |_, reason| close.add(reason));
        assert!(record.all().is_empty());
        sim.settle();
        assert_eq!(behind(&peer), rest.to_uppercase());
        record.expect(&["end", "finished"]);
        assert!(peer.is_closed() && !peer.was_reset());
    }
}

#[test]
fn the_answer_has_the_fields_of_the_program_and_no_framing() {
    let (sim, _server) = serve(|_, res| {
        res.set_header("X-Key", "v").set_header("Content-Length", 5).set_header("Transfer-Encoding", "chunked");
        res.set_header("Connection", "close").set_status(404);
        res.upgrade("CHAT/1").unwrap().end("bye");
    });
    let peer = send(&sim, OFFER);
    assert_eq!(
        peer.text(),
        "HTTP/1.1 101 Switching Protocols\r\nX-Key: v\r\nUpgrade: CHAT/1\r\nConnection: upgrade\r\n\r\nbye"
    );
}

#[test]
fn a_request_that_cannot_change_its_protocol_is_still_to_be_answered() {
    let with = |head: &str| format!("{head}\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat/1\r\n");
    for request in [
        get("/"),
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: chat/1\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat/2, chat\r\n\r\n".into(),
        with("GET / HTTP/1.0") + "Connection: keep-alive\r\n\r\n",
        with("POST / HTTP/1.1") + "Content-Length: 2\r\n\r\nhi",
        with("POST / HTTP/1.1") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let (sim, _server) = serve(|_, res| {
            assert!(res.upgrade("chat/1").is_none());
            res.end("ordinary");
        });
        let peer = send(&sim, request.clone() + &get("/"));
        assert_eq!(bodies(&peer)[0], "ordinary", "{request}");
    }
}

#[test]
fn a_response_that_has_begun_or_ended_cannot_become_an_upgrade() {
    let (sim, _server) = serve(|req, res| {
        match req.header("x") {
            Some("write") => res.write("a").ignore(),
            Some("flush") => res.flush_headers(),
            _ => res.end("a"),
        }
        assert!(res.upgrade("chat/1").is_none());
        res.end("b");
    });
    for (how, text) in [("write", "ab"), ("flush", "b"), ("end", "a")] {
        let peer = send(&sim, OFFER.replace("Host: a", &format!("Host: a\r\nX: {how}")));
        assert_eq!(bodies(&peer), [text]);
    }
}

#[test]
fn an_exchange_is_upgraded_once_and_its_handles_are_dead_then() {
    let record = Record::default();
    let told = record.clone();
    let (sim, server) = serve(move |req, res| {
        told.watch(&req, &res);
        let socket = res.upgrade("chat/1").unwrap();
        assert!(told.all().is_empty(), "nobody is called within the call");
        assert!(res.upgrade("chat/1").is_none() && res.is_ended());
        res.end("late");
        req.destroy();
        drop((req, res));
        shout(&socket);
    });
    let ends = record.clone();
    server.on_exchange_end(move |end| ends.add(format!("{:?} {} {}", end.status, end.bytes, end.reason)));
    let peer = send(&sim, OFFER.to_owned() + "a");
    record.expect(&["res close finished", "req close finished", "Some(101) 0 finished"]);
    let states = server.connection_states();
    assert_eq!((states.upgraded, server.connections(), server.open_exchanges().len()), (1, 1, 0));
    peer.write("b");
    sim.settle();
    assert_eq!(behind(&peer), "AB");
    peer.finish();
    sim.settle();
    assert_eq!(server.connections(), 0);
}

/// Their listeners would go with the protocol that is replaced.
#[test]
fn the_requests_before_are_told_their_end_first() {
    let record = Record::default();
    let watch = record.clone();
    let (sim, _server) = serve(move |req, res| match res.upgrade("chat/1") {
        Some(socket) => {
            watch.add("upgrade");
            shout(&socket);
        }
        None => {
            watch.watch(&req, &res);
            res.end(req.url());
        }
    });
    sim.set_network(Network { buffer: 10, ..Network::default() });
    let peer = send(&sim, get("/").repeat(3) + OFFER + "behind");
    assert_eq!(behind(&peer), "BEHIND");
    let mut ends = ["finish", "res close finished", "req close finished"].repeat(3);
    ends.push("upgrade");
    record.expect(&ends);
}

/// A callback of the exchange runs in the middle of what the connection does for it.
#[test]
fn any_callback_of_the_exchange_may_accept() {
    for which in ["end", "peer end", "timeout"] {
        let (sim, _server) = serve(move |req, res| {
            let late = res.clone();
            let accept = move || shout(&late.upgrade("chat/1").unwrap());
            match which {
                "end" => _ = req.on_end(move |_| accept()),
                "peer end" => _ = req.on_peer_end(move |_| accept()),
                _ => _ = res.set_timeout(MS, move |_| accept()),
            }
        });
        let peer = send(&sim, OFFER.to_owned() + "behind");
        if which == "peer end" {
            peer.finish();
        }
        sim.advance(SECOND);
        assert_eq!(behind(&peer), "BEHIND", "{which}");
    }
}

#[test]
fn nobody_decides_for_longer_than_a_response_may_take() {
    let (sim, server, kept) = undecided();
    let mut limits = server.limits();
    limits.response = Some(5 * SECOND);
    server.set_limits(limits);
    let peer = send(&sim, OFFER.to_owned() + "behind");
    sim.advance(6 * SECOND);
    assert_eq!(only(&peer).status, 503);
    assert!(kept.take().upgrade("chat/1").is_none());
}

#[test]
fn deadlines_of_http_do_not_apply_to_the_socket() {
    let (sim, _server) = serve(|_, res| shout(&res.upgrade("chat/1").unwrap()));
    let peer = send(&sim, OFFER);
    sim.advance(3600 * SECOND);
    peer.write("still here");
    sim.settle();
    assert_eq!(behind(&peer), "STILL HERE");
}

/// A peer that takes nothing would hold its connection, and what is pending for it, for ever.
#[test]
fn a_peer_that_takes_no_output_of_an_upgraded_socket_is_given_up() {
    for by_handler in [false, true] {
        for pending_before in [false, true] {
            let record = Record::default();
            let told = record.clone();
            let talk = move |socket: Socket| {
                let told = told.clone();
                socket.on_close(move |_, reason| told.add(reason));
                if !pending_before {
                    socket.write(vec![b'x'; 30_000]).ignore();
                }
            };
            let talk_too = talk.clone();
            let (sim, server) = serve(move |_, res| match res.upgrade("chat/1") {
                Some(socket) => talk_too(socket),
                None => res.end(vec![b'y'; 30_000]),
            });
            if !by_handler {
                server.on_upgrade(move |_, socket, _| talk(socket));
            }
            sim.set_network(Network { buffer: 1000, ..Network::default() });
            let peer = sim.connect(PORT);
            peer.pause_reading();
            peer.write((if pending_before { get("/") } else { String::new() }) + OFFER);
            sim.advance(50 * SECOND);
            record.expect(&[]);
            sim.advance(20 * SECOND);
            record.expect(&["write-stall"]);
        }
    }
}

#[test]
fn a_peer_that_takes_output_of_an_upgraded_socket_too_slowly_is_given_up() {
    for (bytes, reason) in [(50, Some(CloseReason::SlowSend)), (5_000, None)] {
        let kept: Kept<CloseReason> = Kept::default();
        let keep = kept.clone();
        let (sim, _server) = serve(move |_, res| {
            let keep = keep.clone();
            let socket = res.upgrade("chat/1").unwrap();
            socket.on_close(move |_, reason| keep.put(reason));
            socket.write(vec![b'x'; 1_000_000]).ignore();
        });
        sim.set_network(Network { buffer: 1000, ..Network::default() });
        let peer = sim.connect(PORT);
        peer.read_at_rate(bytes, SECOND);
        peer.write(OFFER);
        sim.advance(100 * SECOND);
        assert_eq!((kept.len() > 0).then(|| kept.take()), reason, "{bytes} bytes a second");
    }
}
