//! Messages go to the listeners whole and in order, and control frames are answered.

use crate::support::http::{Kept, MS, Record, SECOND, keep_log, logged, serve};
use crate::support::websocket::{client, close_frame, frame, handshake, text};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{self, Request, Response};
use oneloop::net::{CloseReason, Flow};
use oneloop::sim::{Network, Sim};
use oneloop::ws::{self, Endpoint, Message, WebSocket};
use std::rc::Rc;

fn endpoint() -> (Sim, http::Server, Endpoint) {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let endpoint = ws::mount(&server, "/");
    (sim, server, endpoint)
}

fn echo() -> (Sim, http::Server, Endpoint) {
    let (sim, server, endpoint) = endpoint();
    endpoint.on_message(|socket, message| socket.send(message).ignore());
    (sim, server, endpoint)
}

/// Records everything that an endpoint tells.
fn watch(endpoint: &Endpoint) -> Record {
    let record = Record::default();
    let add = record.clone();
    endpoint.on_open(move |_, req| add.add(format!("open {}", req.path())));
    let add = record.clone();
    endpoint.on_message(move |_, message| match message {
        Message::Text(text) => add.add(format!("text {text}")),
        Message::Binary(bytes) => add.add(format!("binary {}", bytes.len())),
    });
    let add = record.clone();
    endpoint.on_pong(move |_, content| add.add(format!("pong {}", String::from_utf8_lossy(content))));
    let add = record.clone();
    endpoint.on_close(move |_, close| {
        add.add(format!(
            "close {} {:?} clean={} by_peer={} {}",
            close.code, close.reason, close.clean, close.by_peer, close.why
        ));
    });
    record
}

#[test]
fn text_and_bytes_come_back_as_what_they_are() {
    let (sim, _server, endpoint) = echo();
    let record = watch(&endpoint);
    let client = sim.websocket("/room");
    client.write([text("héllo"), frame(0x82, [0, 255]), text(""), frame(0x82, "")].concat());
    sim.settle();
    client.expect(&["text héllo", "binary 2", "text ", "binary 0"]);
    record.expect(&["open /room", "text héllo", "binary 2", "text ", "binary 0"]);
    assert_eq!((endpoint.stats().received, endpoint.stats().sent), (4, 4));
}

#[test]
fn fragments_and_control_frames_between_them_make_one_message() {
    let (sim, _server, endpoint) = echo();
    let client = sim.websocket("/");
    client.write(
        [frame(0x01, "a"), frame(0x89, "between"), frame(0x00, ""), frame(0x8a, "?"), frame(0x80, "b")].concat(),
    );
    sim.settle();
    client.expect(&["pong between", "text ab"]);
    assert_eq!(endpoint.stats().received, 1);
}

#[test]
fn large_messages_pass_whatever_the_network_makes_of_them() {
    for seed in 0..8 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network {
            latency: MS..=20 * MS,
            splits: true,
            partial_writes: true,
            read_splits: true,
            buffer: 20_000,
        });
        let server = http::create_server(|_, res| res.end("page"));
        server.listen(80, ()).unwrap();
        let endpoint = ws::mount(&server, "/");
        let sizes = Record::default();
        let seen = sizes.clone();
        endpoint.on_message(move |socket, message| {
            seen.add(message.as_bytes().len());
            socket.send(message).ignore();
        });
        let client = client(&sim);
        client.write(handshake("/", ""));
        let large = "é".repeat(100_000);
        client.write([text("first"), text(&large), frame(0x82, vec![7; 300_000]), text("last")].concat());
        sim.advance(60 * SECOND);
        sizes.expect(&["5", "200000", "300000", "4"]);
        let told = client.told();
        let told: Vec<_> = told.iter().filter(|told| !told.starts_with("ping")).map(String::as_str).collect();
        assert_eq!(told, ["text first", &format!("text {large}"), "binary 300000", "text last"]);
    }
}

#[test]
fn messages_that_come_together_are_told_in_order_and_no_more_of_them_in_a_turn_than_is_allowed() {
    let (sim, _server, endpoint) = echo();
    let iterations = Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = iterations.clone();
    endpoint.on_message(move |_, _| seen.borrow_mut().push(oneloop::metrics().iterations));
    let client = sim.websocket("/");
    client.write((0..1_000).flat_map(|number| text(&number.to_string())).collect::<Vec<u8>>());
    sim.settle();
    let expected: Vec<String> = (0..1_000).map(|number| format!("text {number}")).collect();
    assert_eq!(client.told(), expected);
    let iterations = iterations.borrow();
    for of_one in iterations.chunk_by(|a, b| a == b) {
        assert!(of_one.len() <= 256, "{} in one iteration", of_one.len());
    }
    assert!(iterations.last() > iterations.first());
}

#[test]
fn a_ping_is_answered_with_its_content_and_a_pong_is_told() {
    let (sim, _server, endpoint) = endpoint();
    let record = watch(&endpoint);
    let pinged = Rc::new(std::cell::Cell::new(false));
    let once = pinged.clone();
    endpoint.on_message(move |socket, _| {
        if !once.replace(true) {
            socket.ping(b"are you there?");
        }
    });
    let client = sim.websocket("/");
    client.write([frame(0x89, "x".repeat(125)), frame(0x8a, "unasked"), text("go")].concat());
    sim.settle();
    client.expect(&[&format!("pong {}", "x".repeat(125)), "ping are you there?"]);
    record.expect(&["open /", "pong unasked", "text go", "pong are you there?"]);
}

#[test]
fn a_paused_socket_is_told_nothing_and_loses_nothing() {
    let (sim, _server, endpoint) = endpoint();
    let record = watch(&endpoint);
    let kept: Kept<WebSocket> = Kept::default();
    let keep = kept.clone();
    endpoint.on_message(move |socket, message| {
        if message == Message::Text("stop") {
            socket.pause();
            keep.put(socket.clone());
        }
    });
    let client = sim.websocket("/");
    client.write([text("stop"), text("one"), frame(0x89, ""), frame(0x02, "tw")].concat());
    sim.settle();
    client.write([frame(0x80, "o"), vec![], frame(0x82, vec![0; 200_000])].concat());
    sim.advance(200 * SECOND);
    record.expect(&["open /", "text stop"]);
    client.expect(&[]);
    let socket = kept.take();
    assert!(socket.is_paused() && socket.is_open());
    assert!(oneloop::metrics().buffered <= 192 * 1024, "the peer has to wait: {}", oneloop::metrics().buffered);
    socket.resume();
    sim.settle();
    record.expect(&["text one", "binary 3", "binary 200000"]);
    client.expect(&["pong "]);
    assert!(!socket.is_paused());
}

#[test]
fn a_peer_that_ends_while_the_socket_is_paused_has_its_messages_told() {
    let (sim, _server, endpoint) = endpoint();
    let record = watch(&endpoint);
    let kept: Kept<WebSocket> = Kept::default();
    let keep = kept.clone();
    endpoint.on_open(move |socket, _| {
        socket.pause();
        keep.put(socket.clone());
    });
    let client = sim.websocket("/");
    client.write([text("one"), text("two")].concat());
    client.peer().finish();
    sim.advance(5 * SECOND);
    record.expect(&["open /"]);
    kept.take().resume();
    sim.settle();
    record.expect(&["text one", "text two", "close 1006 \"\" clean=false by_peer=false truncated"]);
}

#[test]
fn that_a_peer_has_ended_is_noticed_by_a_paused_socket_that_closes_and_nothing_is_told_after_it() {
    for closes in [true, false] {
        let (sim, server, endpoint) = endpoint();
        let record = watch(&endpoint);
        let kept: Kept<WebSocket> = Kept::default();
        let keep = kept.clone();
        endpoint.on_open(move |socket, _| {
            socket.pause();
            keep.put(socket.clone());
        });
        let client = sim.websocket("/");
        client.send_text("never told");
        client.peer().finish();
        sim.advance(5 * SECOND);
        record.expect(&["open /"]);
        if closes {
            kept.take().close();
        } else {
            server.close(|| ());
        }
        sim.settle();
        record.expect(&["close 1006 \"\" clean=false by_peer=false truncated"]);
    }
}

#[test]
fn sockets_have_listeners_and_data_of_their_own() {
    let (sim, _server, endpoint) = endpoint();
    let record = Record::default();
    let all = record.clone();
    endpoint.on_open(move |socket, req| {
        assert!(socket.data::<String>().is_none());
        assert!(socket.set_data(req.path().to_owned()) && !socket.set_data(7));
        let own = all.clone();
        socket.on_message(move |socket, message| {
            own.add(format!("{}: {message:?}", socket.data::<String>().unwrap()));
        });
        let own = all.clone();
        socket.on_close(move |socket, close| own.add(format!("{}: {}", socket.data::<String>().unwrap(), close.why)));
    });
    let of_all = record.clone();
    endpoint.on_message(move |_, _| of_all.add("all"));
    let (one, other) = (sim.websocket("/one"), sim.websocket("/other"));
    one.send_text("a");
    sim.settle();
    other.write([text("b"), close_frame(1000, "")].concat());
    sim.settle();
    record.expect(&["all", "/one: Text(\"a\")", "all", "/other: Text(\"b\")", "/other: finished"]);
    let sockets: Vec<_> = endpoint.sockets().collect();
    assert_eq!((sockets.len(), endpoint.len()), (1, 1));
    assert!(sockets[0].data::<String>().is_some_and(|path| path == "/one") && sockets[0].data::<u8>().is_none());
}

#[test]
fn whom_a_message_is_sent_to_need_not_have_the_turn() {
    let (sim, _server, endpoint) = endpoint();
    let everybody = endpoint.clone();
    endpoint.on_message(move |from, message| {
        for socket in everybody.sockets().filter(|socket| socket != from) {
            assert_eq!(socket.send(message), Flow::Ready);
        }
    });
    let clients: Vec<_> = (0..5).map(|_| sim.websocket("/")).collect();
    clients[0].write([text("one"), text("two")].concat());
    sim.settle();
    clients[0].expect(&[]);
    clients[1..].iter().for_each(|client| client.expect(&["text one", "text two"]));
}

#[test]
fn a_listener_that_panics_costs_its_socket_only() {
    for on in ["open", "message", "pong", "close", "drain"] {
        let (sim, _server, endpoint) = endpoint();
        set_panic_policy(PanicPolicy::Catch);
        let record = Record::default();
        let panics = move |now: &str| assert!(now != on, "as the test wants it");
        endpoint.on_open(move |_, _| panics("open"));
        endpoint.on_message(move |socket, _| {
            socket.send(vec![0; 300_000]).ignore();
            panics("message");
        });
        endpoint.on_pong(move |_, _| panics("pong"));
        endpoint.on_drain(move |_| panics("drain"));
        endpoint.on_close(move |_, _| panics("close"));
        let close = record.clone();
        endpoint.on_close(move |_, ends| close.add(format!("{} {}", ends.code, ends.why)));
        let (bad, good) = (sim.websocket("/"), client(&sim));
        bad.write([text("x"), frame(0x8a, "")].concat());
        sim.settle();
        if on == "close" {
            bad.close(4000, "");
            sim.settle();
            record.expect(&["4000 finished"]);
        } else {
            let told = bad.told();
            assert!(told.contains(&"close 1011 ".to_owned()), "{on}: {told:?}");
            record.expect(&["1011 panicked"]);
        }
        assert!(bad.peer().is_closed());
        good.write(handshake("/", ""));
        sim.settle();
        assert_eq!(endpoint.stats().accepted, 2, "the loop goes on");
    }
}

#[test]
fn the_mistakes_of_a_program_are_logged_and_harmless() {
    keep_log();
    let (sim, _server, endpoint) = endpoint();
    let kept: Kept<WebSocket> = Kept::default();
    let keep = kept.clone();
    endpoint.on_open(move |socket, _| keep.put(socket.clone()));
    let client = sim.websocket("/");
    let socket = kept.take();
    socket.ping(&[b'x'; 200]);
    sim.settle();
    client.expect(&[&format!("ping {}", "x".repeat(125))]);
    socket.close_with(1005, &"é".repeat(100));
    sim.settle();
    client.expect(&[&format!("close 1011 {}", "é".repeat(61))]);
    let log = logged().join("\n");
    for mistake in ["a ping of 200 bytes is cut to 125", "1005 is no code", "a close reason of 200 bytes is cut to 122"]
    {
        assert!(log.contains(mistake), "{log}");
    }
    for _ in 0..2 {
        assert!(!socket.is_open());
        assert_eq!(socket.send("late"), Flow::Closed);
        socket.ping(b"");
        socket.close_with(4000, "again");
        socket.pause();
        socket.resume();
        socket.terminate();
        let never = Rc::new(());
        let captured = never.clone();
        socket.on_message(move |_, _| drop(captured.clone()));
        assert_eq!((Rc::strong_count(&never), socket.buffered_amount()), (1, 0));
        sim.advance(20 * SECOND);
    }
    client.expect(&[]);
    assert!(endpoint.is_empty());
}

#[test]
fn a_terminated_socket_says_nothing_more() {
    let (sim, _server, endpoint) = endpoint();
    let record = watch(&endpoint);
    endpoint.on_message(|socket, _| {
        socket.send("lost").ignore();
        socket.terminate();
        assert!(!socket.is_open());
    });
    let client = sim.websocket("/");
    client.write([text("end"), text("never told")].concat());
    sim.advance(MS);
    record.expect(&["open /", "text end", "close 1006 \"\" clean=false by_peer=false destroyed"]);
    client.expect(&[]);
    assert_eq!(CloseReason::Destroyed.as_str(), "destroyed");
}
