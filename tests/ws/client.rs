//! The client's side: which answers open a socket, and that it keeps the promises of a server's socket.

use crate::support::http::{Kept, MS, PORT, Record, SECOND, serve};
use oneloop::http::{Request, Response};
use oneloop::net::Flow;
use oneloop::proto::ws::{Decoder, Event, FrameHead, Opcode, Role, accept};
use oneloop::sim::{Listener, Network, Peer, Sim};
use oneloop::ws::{self, Connect, Limits, WebSocket};
use oneloop::{http, set_timeout};

const URL: &str = "ws://127.0.0.1/chat?room=7";

/// Opens a socket, and records all that it is told.
fn connect(to: impl Into<Connect>) -> (WebSocket, Record) {
    let record = Record::default();
    let add = record.clone();
    let socket = ws::connect(to, move |socket| add.add(format!("open {:?}", socket.protocol())));
    let add = record.clone();
    socket.on_message(move |_, message| add.add(format!("{message:?}")));
    let add = record.clone();
    socket.on_pong(move |_, content| add.add(format!("pong {content:?}")));
    let add = record.clone();
    socket.on_error(move |_, error| add.add(error));
    let add = record.clone();
    socket.on_close(move |socket, close| {
        assert!(!socket.is_open());
        let [clean, by_peer] = [close.clean, close.by_peer];
        add.add(format!("{} {:?} clean={clean} by_peer={by_peer} {}", close.code, close.reason, close.why));
    });
    (socket, record)
}

/// A scripted server that answers each handshake with this text, in which `ACCEPT` is the right answer to the key.
fn answering(sim: &Sim, answer: impl Into<Vec<u8>>) -> Listener {
    let (listener, answer) = (sim.listen("127.0.0.1:80").unwrap(), answer.into());
    listener.on_accept(move |peer| {
        let answer = answer.clone();
        let mut asked = String::new();
        peer.on_data(move |peer, bytes| {
            if asked.ends_with("\r\n\r\n") {
                return;
            }
            asked.push_str(std::str::from_utf8(bytes).unwrap());
            if asked.ends_with("\r\n\r\n") {
                peer.write(answered(&asked, &answer));
            }
        });
    });
    listener
}

fn answered(asked: &str, answer: &[u8]) -> Vec<u8> {
    let key = asked.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let at = answer.windows(6).position(|window| window == b"ACCEPT");
    let Some(at) = at else { return answer.to_vec() };
    [&answer[..at], accept(key.as_bytes()).unwrap().as_bytes(), &answer[at + 6..]].concat()
}

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: ACCEPT\r\n\r\n";

fn frame(first: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut frame = Vec::new();
    let length = content.as_ref().len() as u64;
    FrameHead { last: true, compressed: false, opcode: Opcode::Text, mask: None, length }.encode(&mut frame);
    frame[0] = first;
    frame.extend_from_slice(content.as_ref());
    frame
}

/// The frames that the client has sent behind its request. They must be masked.
fn frames(peer: &Peer) -> Vec<String> {
    let mut bytes = peer.received();
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let (mut rest, mut decoder, mut told) = (bytes.split_off(head), Decoder::new(Role::Server), Vec::new());
    loop {
        let step = decoder.decode(&mut rest, usize::MAX).unwrap();
        let consumed = step.consumed;
        match step.event {
            Event::NeedMore => return told,
            event => told.push(format!("{event:?}")),
        }
        rest.drain(..consumed);
    }
}

#[test]
fn client_and_server_of_one_program_talk() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let (endpoint, asked) = (ws::mount(&server, "/chat"), Record::default());
    let add = asked.clone();
    endpoint.protocols(&["v1"]).on_open(move |_, req| {
        add.add(format!("{} {:?} {:?}", req.url(), req.header("host"), req.header("authorization")));
    });
    endpoint.on_message(|socket, message| socket.send(message).ignore());
    let to = Connect::to(URL).protocol("v2").protocol("v1").header("Authorization", "Bearer green");
    let (socket, record) = connect(to);
    assert!(!socket.is_open() && socket.remote_addr().is_none());
    record.expect(&[]);
    sim.settle();
    let there = endpoint.sockets().next().unwrap();
    assert_eq!((socket.local_addr(), socket.remote_addr()), (there.remote_addr(), there.local_addr()));
    asked.expect(&["/chat?room=7 Some(\"127.0.0.1\") Some(\"Bearer green\")"]);
    assert!(socket.is_open() && socket.remote_addr().is_some());
    let large = vec![7; 100_000];
    for length in [0, 1, 125, 126, 16_383, 16_384, 65_536] {
        assert_ne!(socket.send(&large[..length]), Flow::Closed);
    }
    assert_ne!(socket.send("é".repeat(20_000)), Flow::Closed);
    socket.ping(b"there?");
    sim.advance(SECOND);
    let mut expected = vec!["open Some(\"v1\")".to_owned()];
    for length in [0, 1, 125, 126, 16_383, 16_384, 65_536] {
        expected.push(format!("Binary({:?})", &large[..length]));
    }
    expected.push(format!("Text({:?})", "é".repeat(20_000)));
    expected.push(format!("pong {:?}", b"there?"));
    assert!(record.take() == expected);
    assert!(!socket.subscribe("news"));
    socket.close_with(4000, "enough");
    sim.settle();
    record.expect(&["4000 \"\" clean=true by_peer=false finished"]);
    assert!(endpoint.is_empty());
}

#[test]
fn what_stands_behind_the_answer_is_not_lost_at_any_split() {
    let answer =
        [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", GOOD.as_bytes(), &frame(0x81, "one"), &frame(0x82, "")];
    let answer = answer.concat();
    for at in 0..answer.len() {
        let sim = Sim::new();
        let listener = sim.listen("127.0.0.1:80").unwrap();
        let (_socket, record) = connect(URL);
        sim.settle();
        let peer = listener.accepted().remove(0);
        let answer = answered(&peer.text(), &answer);
        peer.write(&answer[..at]);
        sim.advance(MS);
        peer.write(&answer[at..]);
        sim.settle();
        record.expect(&["open None", "Text(\"one\")", "Binary([])"]);
    }
    // B3: the head of an answer may come byte by byte, with frames behind it.
    let sim = Sim::new();
    let listener = sim.listen("127.0.0.1:80").unwrap();
    let (_socket, record) = connect(URL);
    sim.settle();
    let peer = listener.accepted().remove(0);
    peer.write_each_byte_every(answered(&peer.text(), &answer), MS);
    sim.advance(SECOND);
    record.expect(&["open None", "Text(\"one\")", "Binary([])"]);
    let sim = Sim::new();
    let _listener = answering(&sim, answer);
    sim.set_network(Network { splits: true, read_splits: true, ..Network::default() });
    let (_socket, record) = connect(URL);
    sim.advance(SECOND);
    record.expect(&["open None", "Text(\"one\")", "Binary([])"]);
}

#[test]
fn an_answer_that_is_not_the_one_that_was_asked_for_opens_nothing() {
    let with = |field: &str| GOOD.replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"));
    let refused = "connect-failed";
    for (answer, words, why) in [
        (
            "HTTP/1.1 404 Gone Fishing\r\n\r\n".to_owned(),
            "the server has answered with the status 404 Not Found",
            refused,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(), "the status 200 OK", refused),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n".to_owned(), "the status 302 Found", refused),
        (GOOD.replace("ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "has not answered the key", "bad-message"),
        (GOOD.replace("websocket", "h2c"), "has not changed to the protocol websocket", "bad-message"),
        (GOOD.replace("Connection: Upgrade", "Connection: close"), "has not changed to", "bad-message"),
        (with("Sec-WebSocket-Extensions: permessage-deflate"), "an extension that was not offered", "bad-message"),
        (with("Sec-WebSocket-Protocol: v1"), "a subprotocol that was not offered", "bad-message"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "version", "bad-message"),
        (format!("HTTP/1.1 101 X\r\nX: {}\r\n\r\n", "x".repeat(20_000)), "head", "bad-message"),
    ] {
        let sim = Sim::new();
        let listener = answering(&sim, [answer.as_bytes(), &frame(0x81, "never told")].concat());
        let (socket, record) = connect(URL);
        sim.settle();
        let told = record.take();
        assert!(told[0].starts_with("cannot open ws://127.0.0.1/chat: ") && told[0].contains(words), "{told:?}");
        assert_eq!(told[1..], [format!("1006 \"\" clean=false by_peer=false {why}")]);
        assert!(!socket.is_open() && listener.accepted()[0].is_closed());
    }
}

#[test]
fn what_cannot_be_asked_for_is_told_by_the_loop() {
    for (to, words) in [
        (Connect::to("http://127.0.0.1/"), "begins with ws://"),
        (Connect::to("ws://127.0.0.1/#x"), "without #"),
        (Connect::to(URL).header("Host", "b"), "the header Host is set by the handshake"),
        (Connect::to(URL).header("sec-websocket-version", "8"), "is set by the handshake"),
        (Connect::to(URL).header("X", "a\r\nY: b"), "control characters"),
        (Connect::to(URL).protocol("a, b"), "no token"),
    ] {
        let sim = Sim::new();
        let (_socket, record) = connect(to);
        record.expect(&[]);
        sim.settle();
        let told = record.take();
        assert!(told[0].starts_with("cannot open ") && told[0].contains(words), "{told:?}");
        assert_eq!(told[1..], ["1006 \"\" clean=false by_peer=false connect-failed"]);
        // Nothing keeps the loop.
        sim.run_to_rest();
    }
}

#[test]
fn a_server_that_refuses_is_silent_or_ends_too_early_is_an_error_with_its_reason() {
    let sim = Sim::new();
    let (_socket, record) = connect(URL);
    sim.settle();
    let told = record.take();
    assert!(told[0].contains("refused"), "{told:?}");
    assert_eq!(told[1..], ["1006 \"\" clean=false by_peer=false connect-failed"]);

    let listener = answering(&sim, &GOOD.as_bytes()[..40]);
    let (_socket, record) = connect(Connect::to(URL).timeout(5 * SECOND));
    sim.advance(4900 * MS);
    record.expect(&[]);
    sim.advance(SECOND);
    record.expect(&[
        "cannot open ws://127.0.0.1/chat: no answer to the handshake within 5s",
        "1006 \"\" clean=false by_peer=false connect-timeout",
    ]);
    assert!(listener.accepted()[0].is_closed());

    let (_socket, record) = connect(URL);
    sim.advance(MS);
    listener.accepted()[1].finish();
    sim.settle();
    record.expect(&[
        "cannot open ws://127.0.0.1/chat: the server has ended the connection before its answer was whole",
        "1006 \"\" clean=false by_peer=false truncated",
    ]);
}

#[test]
fn a_socket_that_is_not_open_yet_takes_nothing_and_can_be_closed_and_paused() {
    let sim = Sim::new();
    let listener = answering(&sim, [GOOD.as_bytes(), &frame(0x81, "x")].concat());
    let (socket, record) = connect(URL);
    assert_eq!(socket.send("too early"), Flow::Closed);
    assert!(sim.log().last().unwrap().to_string().contains("not open yet"));
    socket.ping(b"x");
    socket.pause();
    sim.advance(SECOND);
    record.expect(&["open None"]);
    assert!(frames(&listener.accepted()[0]).is_empty());
    socket.resume();
    sim.settle();
    record.expect(&["Text(\"x\")"]);

    let (socket, record) = connect(URL);
    socket.close();
    record.expect(&[]);
    sim.settle();
    record.expect(&["1006 \"\" clean=false by_peer=false destroyed"]);
}

/// RFC 6455, 7.1.1: the server ends the connection first.
#[test]
fn after_both_close_frames_the_client_waits_for_the_end_of_the_server_and_not_for_ever() {
    for ends in [true, false] {
        for by_peer in [true, false] {
            let sim = Sim::new();
            let listener = answering(&sim, GOOD);
            let (socket, record) = connect(URL);
            sim.settle();
            let peer = listener.accepted().remove(0);
            if by_peer {
                peer.write(frame(0x88, b"\x0f\xa1bye"));
            } else {
                socket.close_with(4001, "bye");
                assert_eq!(socket.send("late"), Flow::Closed);
                sim.settle();
                peer.write(frame(0x88, b"\x0f\xa1bye"));
            }
            peer.write(frame(0x81, "never told"));
            sim.settle();
            assert_eq!(frames(&peer).len(), 1, "one close frame");
            assert!(!peer.is_closed() && !socket.is_open(), "no FIN of ours yet");
            record.expect(&["open None"]);
            if ends {
                peer.finish();
                sim.settle();
            } else {
                sim.advance(11 * SECOND);
            }
            record.expect(&[&format!("4001 \"bye\" clean=true by_peer={by_peer} finished")]);
            assert!(peer.is_closed());
        }
    }
}

#[test]
fn a_server_that_masks_or_breaks_the_protocol_gets_the_code_of_its_fault() {
    for (bytes, code, words) in [
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(), 1002, "a server's frame is masked"),
        (b"\x81\x80\0\0\0\0".to_vec(), 1002, "a server's frame is masked"),
        (frame(0xc1, "x"), 1002, "a reserved bit is set"),
        (frame(0x80, "x"), 1002, "a continuation of nothing"),
        (frame(0x81, b"\xff"), 1007, "the text is not UTF-8"),
        (frame(0x82, vec![0; 1024 * 1024 + 1]), 1009, "the message is too large"),
    ] {
        let sim = Sim::new();
        let listener = answering(&sim, [GOOD.as_bytes(), &bytes].concat());
        let (_socket, record) = connect(URL);
        sim.settle();
        let peer = listener.accepted().remove(0);
        let told = frames(&peer);
        assert!(told.len() == 1 && told[0].contains(&format!("code: Some({code})")), "{told:?}");
        peer.close();
        sim.settle();
        record.expect(&["open None", &format!("1006 {words:?} clean=false by_peer=false bad-message")]);
    }
}

#[test]
fn limits_are_on_and_can_be_set() {
    let sim = Sim::new();
    let listener = answering(&sim, GOOD);
    let mut limits = Limits::default();
    (limits.message, limits.ping) = (10, 5 * SECOND);
    let (_small, small) = connect(Connect::to(URL).limits(limits));
    let (_silent, silent) = connect(URL);
    sim.settle();
    listener.accepted()[0].write(frame(0x82, [0; 11]));
    sim.advance(29 * SECOND);
    assert!(frames(&listener.accepted()[0])[0].contains("1009"));
    small.expect(&["open None", "1006 \"the message is too large\" clean=false by_peer=false bad-message"]);
    silent.expect(&["open None"]);
    sim.advance(40 * SECOND);
    assert_eq!(frames(&listener.accepted()[1]), ["Ping([])"]);
    silent.expect(&["1006 \"\" clean=false by_peer=false ping-timeout"]);
}

#[test]
fn clients_that_were_opened_together_do_not_ping_together() {
    let sim = Sim::new();
    let listener = answering(&sim, GOOD);
    let _sockets: Vec<_> = (0..32).map(|_| connect(URL)).collect();
    sim.advance(30_500 * MS);
    let pinged = || listener.accepted().iter().filter(|peer| !frames(peer).is_empty()).count();
    let early = pinged();
    sim.advance(6 * SECOND);
    assert!((1..=8).contains(&early) && pinged() == 32, "{early} at once");
}

/// RFC 6455, 5.3: each frame has a mask of its own; what is sent shows nothing of its content.
#[test]
fn each_frame_has_another_mask_and_each_handshake_another_key() {
    let sim = Sim::new();
    let listener = answering(&sim, GOOD);
    let sockets = [connect(URL).0, connect(URL).0];
    sim.settle();
    let once = ws::Frame::text("secret");
    for _ in 0..50 {
        sockets[0].send("secret").ignore();
        sockets[0].send(&once).ignore();
    }
    sim.settle();
    let sent = listener.accepted().iter().map(|peer| peer.received()).collect::<Vec<_>>();
    let head = |bytes: &[u8]| bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_ne!(sent[0][..head(&sent[0])], sent[1]);
    let frames = &sent[0][head(&sent[0])..];
    assert_eq!(frames.len(), 100 * 12);
    let masks = frames.chunks(12).map(|frame| &frame[2..6]).collect::<std::collections::BTreeSet<_>>();
    assert!(masks.len() > 98, "only {} masks", masks.len());
    assert!(!frames.windows(6).any(|window| window == b"secret"));
}

#[test]
fn a_client_learns_that_its_server_closes_and_comes_back() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    ws::mount(&server, "/");
    let (_socket, record) = connect(URL);
    sim.settle();
    let again: Kept<Record> = Kept::default();
    let keep = again.clone();
    server.close(move || {
        set_timeout(SECOND, move || {
            let server = http::create_server(|_req, res| res.end("page"));
            ws::mount(&server, "/").on_open(|socket, _| socket.send("back").ignore());
            server.listen(PORT, ()).unwrap();
            keep.put(connect(URL).1);
        });
    });
    sim.settle();
    record.expect(&["open None", "1001 \"\" clean=true by_peer=true finished"]);
    sim.advance(2 * SECOND);
    again.take().expect(&["open None", "Text(\"back\")"]);
}
