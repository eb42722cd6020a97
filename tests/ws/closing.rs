//! The close handshake: what each side says, who ends the connection, and what `on_close` is told.

use crate::support::http::{Kept, MS, Record, SECOND, serve};
use crate::support::websocket::{announced, client, close_frame, frame, handshake, text};
use oneloop::http::{self, Request, Response};
use oneloop::net::Flow;
use oneloop::sim::Sim;
use oneloop::ws::{self, Endpoint, WebSocket};

struct Scene {
    sim: Sim,
    server: http::Server,
    endpoint: Endpoint,
    record: Record,
    sockets: Kept<WebSocket>,
}

/// A server that keeps its sockets and records their messages and ends.
fn scene() -> Scene {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let (endpoint, record, sockets) = (ws::mount(&server, "/"), Record::default(), Kept::default());
    let keep: Kept<WebSocket> = sockets.clone();
    endpoint.on_open(move |socket, _| keep.put(socket.clone()));
    let add = record.clone();
    endpoint.on_message(move |_, message| add.add(format!("{message:?}")));
    let add = record.clone();
    endpoint.on_close(move |socket, close| {
        assert!(!socket.is_open());
        add.add(format!(
            "{} {:?} clean={} by_peer={} {}",
            close.code, close.reason, close.clean, close.by_peer, close.why
        ));
    });
    Scene { sim, server, endpoint, record, sockets }
}

#[test]
fn a_peer_that_closes_gets_its_code_back_and_the_server_ends_first() {
    for (frame, answer, told) in [
        (close_frame(1000, "bye"), "close 1000 ", "1000 \"bye\" clean=true by_peer=true finished"),
        (close_frame(4321, ""), "close 4321 ", "4321 \"\" clean=true by_peer=true finished"),
        (close_frame(3000, ""), "close 3000 ", "3000 \"\" clean=true by_peer=true finished"),
        (frame(0x88, ""), "close", "1005 \"\" clean=true by_peer=true finished"),
    ] {
        let Scene { sim, endpoint, record, sockets, .. } = scene();
        let client = sim.websocket("/");
        client.be_silent();
        client.write([text("last"), frame, text("after the close")].concat());
        sim.settle();
        assert!(client.peer().is_closed() && !client.peer().was_reset(), "our FIN");
        client.expect(&[answer]);
        assert!(!sockets.take().is_open() && endpoint.len() == 1);
        client.peer().close();
        sim.settle();
        record.expect(&["Text(\"last\")", told]);
        assert!(endpoint.is_empty());
    }
}

#[test]
fn what_was_sent_before_a_close_arrives_before_it_and_nothing_is_told_after_it() {
    let Scene { sim, record, sockets, .. } = scene();
    let client = sim.websocket("/");
    client.be_silent();
    let socket = sockets.take();
    socket.send("before").ignore();
    socket.close_with(4000, "enough");
    assert_eq!((socket.send("after"), socket.is_open()), (Flow::Closed, false));
    socket.close();
    sim.settle();
    client.expect(&["text before", "close 4000 enough"]);
    assert!(!client.peer().is_closed(), "the peer's close frame is awaited");
    client.write([text("not told"), frame(0x89, "not answered"), close_frame(4000, "")].concat());
    sim.settle();
    assert!(client.peer().is_closed());
    client.expect(&[]);
    client.peer().close();
    sim.settle();
    record.expect(&["4000 \"\" clean=true by_peer=false finished"]);
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_cut_after_its_time() {
    let Scene { sim, record, sockets, .. } = scene();
    let client = sim.websocket("/");
    client.be_silent();
    let socket = sockets.take();
    socket.close();
    for _ in 0..9 {
        client.send_text("talking on");
        sim.advance(SECOND);
    }
    record.expect(&[]);
    sim.advance(2 * SECOND);
    record.expect(&["1006 \"\" clean=false by_peer=false close-timeout"]);
    assert!(client.peer().is_closed());
}

#[test]
fn a_paused_socket_that_closes_takes_what_stands_before_the_peers_close() {
    let Scene { sim, record, sockets, .. } = scene();
    let client = sim.websocket("/");
    let socket = sockets.take();
    socket.pause();
    client.send_frame(0x82, vec![0; 300_000]);
    sim.settle();
    socket.close();
    sim.settle();
    record.expect(&["1000 \"\" clean=true by_peer=false finished"]);
}

#[test]
fn both_sides_may_close_at_once() {
    let Scene { sim, record, sockets, .. } = scene();
    let client = sim.websocket("/");
    client.be_silent();
    client.close(4001, "mine");
    sockets.take().close_with(4002, "ours");
    sim.settle();
    client.expect(&["close 4002 ours"]);
    client.peer().close();
    sim.settle();
    record.expect(&["4001 \"mine\" clean=true by_peer=false finished"]);
}

/// B23: a second close frame, which is no frame that a peer may get. Whatever calls for one comes after the first.
#[test]
fn no_socket_sends_two_close_frames() {
    for again in 0..6 {
        let Scene { sim, record, sockets, .. } = scene();
        let client = sim.websocket("/");
        client.be_silent();
        let socket = sockets.take();
        socket.close_with(4000, "first");
        match again {
            0 => socket.close_with(4001, "again"),
            1 => client.close(1001, "mine"),
            2 => client.write(frame(0x83, "no frame")),
            3 => client.write([close_frame(1001, ""), close_frame(1002, "")].concat()),
            4 => client.write(announced(0x82, 2_000_000, &[0; 1_000])),
            _ => client.write(frame(0x01, "a message without an end")),
        }
        sim.advance(400 * SECOND);
        client.expect(&["close 4000 first"]);
        assert_eq!(record.take().len(), 1, "{again}");
    }
}

/// B24: a code that the peer cannot read, because the connection was reset below its data, is lost.
#[test]
fn a_fault_is_told_by_its_code_although_the_peer_goes_on_sending() {
    let Scene { sim, record, .. } = scene();
    let client = sim.websocket("/");
    client.be_silent();
    client.write(announced(0x82, 2_000_000, &vec![0; 2_000_000]));
    sim.settle();
    client.expect(&["close 1009 the message is too large"]);
    sim.advance(2 * SECOND);
    assert!(client.peer().is_closed() && !client.peer().was_reset());
    client.peer().close();
    sim.settle();
    record.expect(&["1006 \"the message is too large\" clean=false by_peer=false bad-message"]);
}

/// A proxy closes its connection to the peer when it sees our FIN. If the peer is still sending, that is a reset, and the close frame is lost.
#[test]
fn our_side_ends_when_the_peer_of_too_large_a_message_is_silent_or_has_had_its_time() {
    for goes_on in [3, 30] {
        let Scene { sim, endpoint, record, .. } = scene();
        let client = sim.websocket("/");
        client.be_silent();
        client.write(announced(0x82, 2_000_000, b""));
        for _ in 0..goes_on * 5 {
            client.write([0; 1_000]);
            sim.advance(200 * MS);
            if !endpoint.is_empty() {
                assert!(!client.peer().is_closed() && endpoint.len() == 1);
            }
        }
        client.expect(&["close 1009 the message is too large"]);
        if goes_on == 3 {
            assert_eq!(endpoint.len(), 1);
            sim.advance(2 * SECOND);
            assert!(client.peer().is_closed() && !client.peer().was_reset());
            client.peer().close();
            sim.settle();
        } else {
            assert!(endpoint.is_empty() && client.peer().is_closed());
        }
        record.expect(&["1006 \"the message is too large\" clean=false by_peer=false bad-message"]);
    }
}

/// The peer is told by our close frame, and the program by `on_close`, in the same words.
#[test]
fn each_fault_has_its_code_and_none_is_told_as_a_message() {
    for (bytes, code) in [
        (frame(0xc1, "x"), 1002),
        (frame(0x83, ""), 1002),
        (frame(0x09, ""), 1002),
        (frame(0x89, vec![0; 126]), 1002),
        (frame(0x80, "x"), 1002),
        ([frame(0x01, "a"), frame(0x81, "b")].concat(), 1002),
        (b"\x81\x01x".to_vec(), 1002),
        (frame(0x81, b"\xff"), 1007),
        ([frame(0x01, b"a\xe2"), announced(0x80, 1000, b"\x28")].concat(), 1007),
        (frame(0x88, b"\x03"), 1002),
        (close_frame(1005, ""), 1002),
        (close_frame(1006, ""), 1002),
        (close_frame(2999, ""), 1002),
        (close_frame(5000, ""), 1002),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
        (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), 1002),
        (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask".to_vec(), 1009),
        (frame(0x82, vec![0; 1024 * 1024 + 1]), 1009),
    ] {
        let Scene { sim, record, .. } = scene();
        let client = sim.websocket("/");
        client.write([bytes.clone(), text("never told")].concat());
        sim.settle();
        let told = client.told();
        assert!(told.len() == 1 && told[0].starts_with(&format!("close {code} ")), "{told:?} for {:?}", &bytes[..2]);
        sim.advance(2 * SECOND);
        let words = told[0].strip_prefix(&format!("close {code} ")).unwrap();
        assert!(!words.is_empty());
        record.expect(&[&format!("1006 {words:?} clean=false by_peer=false bad-message")]);
    }
}

#[test]
fn the_end_of_the_input_ends_a_socket_at_every_byte_of_a_conversation() {
    let conversation =
        [text("one"), frame(0x01, "tw"), frame(0x89, "p"), frame(0x80, "o"), close_frame(1000, "")].concat();
    for reset in [false, true] {
        for at in 0..=conversation.len() {
            let Scene { sim, endpoint, record, .. } = scene();
            let client = sim.websocket("/");
            client.write(&conversation[..at]);
            sim.settle();
            if reset {
                client.peer().reset()
            } else {
                client.peer().finish()
            };
            sim.advance(SECOND);
            let ends: Vec<_> = record.all().into_iter().filter(|line| line.contains("clean=")).collect();
            let expected = match (at == conversation.len(), reset) {
                (true, _) => "1000 \"\" clean=true by_peer=true finished",
                (false, true) => "1006 \"\" clean=false by_peer=false reset",
                (false, false) => "1006 \"\" clean=false by_peer=false truncated",
            };
            assert_eq!(ends, [expected], "{at} bytes, reset: {reset}");
            assert!(endpoint.is_empty() && client.peer().is_closed());
        }
    }
}

#[test]
fn a_server_that_closes_says_so_to_all_sockets_and_waits_for_their_answers() {
    let Scene { sim, server, endpoint, record, .. } = scene();
    let clients: Vec<_> = (0..20).map(|_| sim.websocket("/")).collect();
    let closed = record.clone();
    server.close(move || closed.add("closed"));
    sim.settle();
    for client in &clients {
        client.expect(&["close 1001 "]);
        assert!(client.peer().is_closed() && !client.peer().was_reset());
    }
    let told = record.take();
    assert_eq!(told.len(), 21);
    assert!(told[..20].iter().all(|line| line == "1001 \"\" clean=true by_peer=false server-closed"), "{told:?}");
    assert_eq!((told[20].as_str(), endpoint.len(), server.connections()), ("closed", 0, 0));
}

#[test]
fn a_server_that_closes_cuts_the_sockets_that_do_not_answer_when_its_time_is_over() {
    let Scene { sim, server, endpoint, record, .. } = scene();
    let mut limits = http::Limits::default();
    limits.shutdown = 3 * SECOND;
    server.set_limits(limits);
    let client = sim.websocket("/");
    client.be_silent();
    server.close(());
    sim.advance(2900 * MS);
    record.expect(&[]);
    sim.advance(200 * MS);
    record.expect(&["1006 \"\" clean=false by_peer=false server-closed"]);
    assert!(endpoint.is_empty());
}

#[test]
fn all_sockets_of_an_endpoint_are_closed_and_those_of_others_are_not() {
    let Scene { sim, server, endpoint, record, .. } = scene();
    let other = ws::mount(&server, "/other");
    let (here, there) = (sim.websocket("/"), sim.websocket("/other"));
    endpoint.close_all(1012, "back soon");
    sim.settle();
    here.expect(&["close 1012 back soon"]);
    there.expect(&[]);
    record.expect(&["1012 \"\" clean=true by_peer=false finished"]);
    assert_eq!((endpoint.len(), other.len()), (0, 1));
}

#[test]
fn a_socket_may_be_closed_in_each_of_its_callbacks_and_everything_is_told_once() {
    for on in ["open", "message", "pong"] {
        for at_once in [false, true] {
            let Scene { sim, record, endpoint, .. } = scene();
            let end = move |now: &str, socket: &WebSocket| {
                if now == on {
                    if at_once {
                        socket.terminate()
                    } else {
                        socket.close()
                    };
                }
            };
            endpoint.on_open(move |socket, _| end("open", socket));
            endpoint.on_message(move |socket, _| end("message", socket));
            endpoint.on_pong(move |socket, _| end("pong", socket));
            let client = client(&sim);
            client.write([handshake("/", "").into_bytes(), text("x"), frame(0x8a, ""), text("never told")].concat());
            sim.settle();
            let told = record.take();
            let expected = if at_once {
                "1006 \"\" clean=false by_peer=false destroyed"
            } else {
                "1000 \"\" clean=true by_peer=false finished"
            };
            assert_eq!(told.last().unwrap(), expected, "{on}");
            assert_eq!(told.len(), if on == "open" { 1 } else { 2 }, "{told:?}");
            assert!(endpoint.is_empty());
        }
    }
}

#[test]
fn handles_that_are_dropped_close_nothing_and_those_that_are_kept_are_harmless() {
    let Scene { sim, endpoint, sockets, record, .. } = scene();
    let client = sim.websocket("/");
    let socket = sockets.take();
    drop(sockets);
    sim.advance(5 * SECOND);
    assert_eq!(endpoint.len(), 1);
    client.peer().close();
    sim.settle();
    record.expect(&["1006 \"\" clean=false by_peer=false truncated"]);
    socket.close();
    assert!(
        socket.remote_addr().is_some()
            && socket.local_addr().is_none()
            && socket.protocol().is_none()
            && socket.id() > 0
    );
}
