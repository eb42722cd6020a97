//! Every wait for a peer of a WebSocket has an end.

use crate::support::http::{Kept, MS, Record, SECOND, serve};
use crate::support::websocket::{announced, frame, text};
use oneloop::http::{Request, Response};
use oneloop::sim::Sim;
use oneloop::ws::{self, Endpoint, WebSocket};

/// An endpoint that records messages and ends.
fn endpoint() -> (Sim, Endpoint, Record, Kept<WebSocket>) {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let (endpoint, record, sockets) = (ws::mount(&server, "/"), Record::default(), Kept::default());
    let keep: Kept<WebSocket> = sockets.clone();
    endpoint.on_open(move |socket, _| keep.put(socket.clone()));
    let add = record.clone();
    endpoint.on_message(move |_, message| add.add(message.as_bytes().len()));
    let add = record.clone();
    endpoint.on_close(move |_, close| add.add(format!("{} {}", close.code, close.why)));
    (sim, endpoint, record, sockets)
}

#[test]
fn a_silent_peer_is_pinged_and_one_that_answers_stays() {
    let (sim, _endpoint, record, _sockets) = endpoint();
    let client = sim.websocket("/");
    sim.advance(29 * SECOND);
    client.expect(&[]);
    sim.advance(2 * SECOND);
    client.expect(&["ping "]);
    sim.advance(600 * SECOND);
    assert!((18..=20).contains(&client.told().len()));
    record.expect(&[]);
}

#[test]
fn a_peer_that_does_not_answer_is_closed_after_its_time() {
    let (sim, endpoint, record, _sockets) = endpoint();
    let client = sim.websocket("/");
    client.be_silent();
    sim.advance(59 * SECOND);
    record.expect(&[]);
    sim.advance(8 * SECOND);
    record.expect(&["1006 ping-timeout"]);
    client.expect(&["ping "]);
    assert!(endpoint.is_empty() && client.peer().is_closed());
}

#[test]
fn anything_that_comes_is_a_sign_of_life() {
    let (sim, _endpoint, record, _sockets) = endpoint();
    let client = sim.websocket("/");
    client.be_silent();
    for _ in 0..10 {
        sim.advance(20 * SECOND);
        client.send_text("x");
    }
    client.expect(&[]);
    sim.advance(31 * SECOND);
    client.expect(&["ping "]);
    // Not the pong, but a message.
    client.send_text("here");
    sim.advance(35 * SECOND);
    client.expect(&["ping "]);
    record.take();
    sim.advance(31 * SECOND);
    record.expect(&["1006 ping-timeout"]);
}

#[test]
fn what_we_send_is_no_sign_of_life_of_the_peer() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.be_silent();
    let socket = sockets.take();
    for _ in 0..70 {
        socket.send("news").ignore();
        sim.advance(SECOND);
    }
    record.expect(&["1006 ping-timeout"]);
}

#[test]
fn sockets_that_were_opened_together_are_not_pinged_together() {
    let (sim, ..) = endpoint();
    let clients: Vec<_> = (0..32).map(|_| sim.websocket("/")).collect();
    let pinged = || clients.iter().filter(|client| !client.told().is_empty()).count();
    sim.advance(30_500 * MS);
    let early = pinged();
    sim.advance(6 * SECOND);
    assert!((1..=8).contains(&early) && early + pinged() == 32, "{early} at once");
}

#[test]
fn a_paused_socket_is_not_judged() {
    let (sim, _endpoint, record, sockets) = endpoint();
    let client = sim.websocket("/");
    client.be_silent();
    client.send_frame(0x01, "begun");
    sim.settle();
    let socket = sockets.take();
    socket.pause();
    client.write(announced(0x80, 100, b"a part"));
    sim.advance(1_000 * SECOND);
    record.expect(&[]);
    client.expect(&[]);
    socket.resume();
    sim.advance(9 * SECOND);
    record.expect(&[]);
    sim.advance(12 * SECOND);
    record.expect(&["1006 slow-receive"]);
}

#[test]
fn a_frame_that_drips_is_cut_and_a_steady_one_is_not() {
    let (sim, _endpoint, record, _sockets) = endpoint();
    let slow = sim.websocket("/");
    slow.peer().write_each_byte_every(announced(0x82, 1_000, &[0; 1_000]), 100 * MS);
    sim.advance(22 * SECOND);
    slow.expect(&["close 1008 the frame came too slowly"]);
    record.expect(&["1006 slow-receive"]);
    let steady = sim.websocket("/");
    steady.peer().write_each_byte_every(announced(0x82, 10_000, &[0; 10_000]), 2 * MS);
    sim.advance(30 * SECOND);
    record.expect(&["10000"]);
}

#[test]
fn half_a_head_and_half_a_control_frame_are_frames_that_have_begun() {
    for begun in [&b"\x82"[..], &announced(0x89, 100, b"x")] {
        let (sim, _endpoint, record, _sockets) = endpoint();
        let client = sim.websocket("/");
        client.write([&text("whole"), begun].concat());
        sim.advance(25 * SECOND);
        record.expect(&["5", "1006 slow-receive"]);
        client.expect(&["close 1008 the frame came too slowly"]);
    }
}

/// B1, CVE-2026-48779: fragments without an end kept memory for ever.
#[test]
fn a_message_that_never_ends_is_cut_and_takes_no_more_memory_than_its_bytes() {
    let (sim, endpoint, record, _sockets) = endpoint();
    let client = sim.websocket("/");
    client.send_frame(0x01, "x");
    let other = sim.websocket("/");
    for _ in 0..29 {
        // An empty fragment, and one of a byte, many times.
        client.write([frame(0x00, ""), frame(0x00, "y")].concat().repeat(1_000));
        sim.advance(10 * SECOND);
        other.send_text("served");
    }
    assert!(oneloop::metrics().buffered < 64 * 1024);
    assert!(!record.all().contains(&"1006 slow-receive".to_owned()));
    sim.advance(20 * SECOND);
    assert!(client.told().contains(&"close 1008 the message did not come in time".to_owned()));
    assert!(record.all().contains(&"1006 slow-receive".to_owned()));
    assert_eq!(endpoint.len(), 1);
}

#[test]
fn a_whole_message_begins_the_time_of_the_next_one_anew() {
    let (sim, _endpoint, record, _sockets) = endpoint();
    let client = sim.websocket("/");
    client.send_frame(0x01, "a");
    for _ in 0..4 {
        sim.advance(200 * SECOND);
        client.write([frame(0x80, "b"), frame(0x01, "c")].concat());
    }
    sim.settle();
    record.expect(&["2", "2", "2", "2"]);
}

/// What had begun is over, also where no bytes follow it: the listener pauses the socket, or the turn is over with the last frame.
#[test]
fn a_message_that_came_in_parts_leaves_no_deadline_behind() {
    for pauses in [true, false] {
        let (sim, endpoint, record, sockets) = endpoint();
        let mut limits = endpoint.limits();
        (limits.frames, limits.message_time) = (1, 60 * SECOND);
        endpoint.set_limits(limits);
        endpoint.on_message(move |socket, _| {
            if pauses {
                socket.pause();
                let socket = socket.clone();
                oneloop::set_timeout(SECOND, move || socket.resume());
            }
        });
        let client = sim.websocket("/");
        let bytes = [frame(0x01, "a"), frame(0x00, "b"), frame(0x80, "c")].concat();
        client.peer().write_each_byte_every(bytes, 20 * MS);
        sim.advance(200 * SECOND);
        record.expect(&["3"]);
        assert!(sockets.take().is_open());
    }
}

#[test]
fn limits_can_be_set() {
    let (sim, endpoint, record, _sockets) = endpoint();
    let mut limits = endpoint.limits();
    (limits.ping, limits.pong, limits.close) = (2 * SECOND, SECOND, 3 * SECOND);
    endpoint.set_limits(limits.clone());
    assert_eq!(endpoint.limits(), limits);
    let client = sim.websocket("/");
    client.be_silent();
    sim.advance(4 * SECOND);
    record.expect(&["1006 ping-timeout"]);
    let mut limits = endpoint.limits();
    limits.ping = std::time::Duration::MAX;
    endpoint.set_limits(limits);
    let client = sim.websocket("/");
    client.be_silent();
    sim.advance(10_000 * SECOND);
    record.expect(&[]);
    endpoint.close_all(1000, "");
    sim.advance(4 * SECOND);
    record.expect(&["1006 close-timeout"]);
}
