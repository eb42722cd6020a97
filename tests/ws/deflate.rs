//! permessage-deflate (RFC 7692): what is agreed, that what is compressed arrives as it was, and that nothing inflates without bound.

use crate::support::http::{PORT, Record, SECOND, serve};
use crate::support::websocket::{client, frame, handshake, text};
use oneloop::http::{self, Request, Response};
use oneloop::proto::ws::{Compressed, Deflater, Inflater, Message, Window, accept};
use oneloop::sim::{Network, Received, Sim, WebSocketPeer};
use oneloop::ws::{self, Connect, Deflate, Endpoint, Frame, Payload, WebSocket};
use std::cell::Cell;
use std::rc::Rc;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// An endpoint that compresses, and sends back what it gets.
fn echo() -> (Sim, http::Server, Endpoint) {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let endpoint = ws::mount(&server, "/");
    endpoint.compress(Deflate::new()).on_message(|socket, message| socket.send(message).ignore());
    (sim, server, endpoint)
}

/// A client that inflates what it is sent.
struct Client(WebSocketPeer);

/// A client that has sent these fields in its handshake.
fn open(sim: &Sim, fields: &str) -> Client {
    let client = Client(client(sim));
    client.send(handshake("/", fields));
    sim.settle();
    assert!(client.head().starts_with("HTTP/1.1 101 "), "{}", client.0.peer().text());
    client
}

impl Client {
    fn send(&self, bytes: impl AsRef<[u8]>) {
        self.0.write(bytes);
    }

    fn head(&self) -> String {
        self.0.head()
    }

    fn told(&self) -> Vec<String> {
        let told = |received: &Received| match received {
            Received::Compressed(text, content) => {
                match Inflater::new().inflate(Compressed { text: *text, content }, usize::MAX).unwrap() {
                    Message::Text(text) => format!("compressed text {text}"),
                    Message::Binary(bytes) => format!("compressed binary {}", bytes.len()),
                }
            }
            other => other.to_string(),
        };
        self.0.take().iter().map(told).collect()
    }

    #[track_caller]
    fn expect(&self, told: &[&str]) {
        assert_eq!(self.told(), told);
    }
}

fn deflated(content: impl AsRef<[u8]>) -> Vec<u8> {
    Deflater::new(6, Window::Full).deflate(content.as_ref()).expect("it becomes shorter").to_vec()
}

/// Text that becomes shorter, another one for each number.
fn long(number: usize) -> String {
    format!("{number} sheep, and ").repeat(1500 / 10)
}

/// Text of this length that hardly becomes shorter.
fn noise(length: usize) -> String {
    let mut number = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        char::from(b' ' + (number >> 32) as u8 % 95)
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn it_is_agreed_only_if_both_sides_want_it() {
    let answer =
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (fields, more) in [
        (OFFER, Some("\r\n")),
        ("Sec-WebSocket-Extensions: other, permessage-deflate\r\n", Some("\r\n")),
        ("Sec-WebSocket-Extensions: other\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", Some("\r\n")),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\"\r\n",
            Some("; server_max_window_bits=9\r\n"),
        ),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=015\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=7\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; unknown\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-bzip2\r\n", None),
        ("Sec-WebSocket-Extensions:\r\n", None),
        ("", None),
    ] {
        let (sim, _server, endpoint) = echo();
        let client = open(&sim, fields);
        let agreed = endpoint.sockets().next().unwrap().is_compressed();
        assert_eq!(agreed, more.is_some(), "{fields}");
        match more {
            Some(more) => assert!(client.head().contains(&format!("{answer}{more}")), "{}", client.head()),
            None => assert!(!client.head().contains("Extensions"), "{}", client.head()),
        }
    }
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let endpoint = ws::mount(&server, "/");
    assert!(!open(&sim, OFFER).head().contains("Extensions"), "it is off by default");
    // What is turned on later holds for later sockets.
    endpoint.compress(Deflate::new());
    let _later = open(&sim, OFFER);
    assert_eq!(endpoint.sockets().map(|socket| socket.is_compressed()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_refused_request_is_told_of_no_extension() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    ws::mount(&server, "/").compress(Deflate::new()).verify(|_| ws::Verdict::Refuse(401));
    let client = client(&sim);
    client.write(handshake("/", OFFER));
    sim.settle();
    assert!(client.head().starts_with("HTTP/1.1 401 ") && !client.head().contains("Extensions"), "{}", client.head());
}

#[test]
fn compressed_and_plain_messages_arrive_as_they_were_in_order() {
    let (sim, _server, endpoint) = echo();
    let client = open(&sim, OFFER);
    let mut expected = Vec::new();
    for number in 0..20 {
        let (long, noise) = (long(number), noise(2000 + number));
        client.send([frame(0xc1, deflated(&long)), text("short"), text(&noise), frame(0x82, long.as_bytes())].concat());
        let packed = deflated(&long);
        let (one, rest) = packed.split_at(number);
        client.send([frame(0x41, one), frame(0x89, "?"), frame(0x00, ""), frame(0x80, rest)].concat());
        expected.extend([format!("compressed text {long}"), "text short".into(), format!("compressed text {noise}")]);
        let bytes = format!("compressed binary {}", long.len());
        expected.extend([bytes, "pong ?".into(), format!("compressed text {long}")]);
    }
    sim.settle();
    assert!(client.told() == expected);
    assert_eq!(endpoint.stats().received, 100);
}

#[test]
fn every_form_that_the_rfc_shows_is_read_and_the_next_message_too() {
    let (sim, _server, _endpoint) = echo();
    let client = open(&sim, OFFER);
    for content in [
        &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ] {
        client.send(frame(0xc1, content));
        client.send([frame(0x41, &content[..3]), frame(0x80, &content[3..])].concat());
        client.send([frame(0xc2, b"\x00"), text("then")].concat());
        sim.settle();
        client.expect(&["text Hello", "text Hello", "binary 0", "text then"]);
    }
}

#[test]
fn what_is_marked_as_compressed_and_is_not_is_refused() {
    for (bytes, told) in [
        (frame(0xc1, "\x07"), "close 1007 the message cannot be inflated"),
        (frame(0xc1, b"\xf2\x48\xcd"), "close 1007 the message cannot be inflated"),
        (frame(0xc1, ""), "close 1007 the message cannot be inflated"),
        (frame(0xc1, b"\x00\x02\x00\xfd\xff\xc3\x28\x00"), "close 1007 the text is not UTF-8"),
        ([frame(0x41, "x"), frame(0xc0, "y")].concat(), "close 1002 a reserved bit is set"),
        ([frame(0x01, "x"), frame(0xc0, "y")].concat(), "close 1002 a reserved bit is set"),
        (frame(0xc9, ""), "close 1002 a reserved bit is set"),
        (frame(0xa1, ""), "close 1002 a reserved bit is set"),
    ] {
        let (sim, _server, endpoint) = echo();
        let client = open(&sim, OFFER);
        client.send([bytes, text("never told")].concat());
        sim.settle();
        client.expect(&[told]);
        assert!(endpoint.is_empty() && endpoint.stats().received == 0);
    }
    let (sim, _server, _endpoint) = echo();
    let client = open(&sim, "");
    client.send(frame(0xc1, deflated(long(1))));
    sim.settle();
    client.expect(&["close 1002 a reserved bit is set"]);
}

#[test]
fn a_message_that_becomes_too_large_is_refused_and_one_at_the_limit_passes() {
    for (length, passes) in [(100_000, true), (100_001, false), (50_000_000, false)] {
        let (sim, _server, endpoint) = echo();
        let mut limits = endpoint.limits();
        limits.message = 100_000;
        endpoint.set_limits(limits);
        let client = open(&sim, OFFER);
        let bomb = deflated(vec![b'a'; length]);
        assert!(bomb.len() < 60_000);
        client.send(frame(0xc2, &bomb));
        sim.settle();
        let expected = if passes { format!("binary {length}") } else { "close 1009 the message is too large".into() };
        client.expect(&[&expected]);
    }
}

#[test]
fn inflated_bytes_count_for_the_turn() {
    let (sim, server) = serve(|_: Request, res: Response| res.end("page"));
    let endpoint = ws::mount(&server, "/");
    endpoint.compress(Deflate::new());
    let iterations = Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = iterations.clone();
    endpoint.on_message(move |_, _| seen.borrow_mut().push(oneloop::metrics().iterations));
    let client = open(&sim, OFFER);
    let bomb = frame(0xc2, deflated(vec![0; 100 * 1024]));
    client.send(bomb.repeat(30));
    sim.settle();
    let iterations = iterations.borrow();
    assert_eq!(iterations.len(), 30);
    for of_one in iterations.chunk_by(|a, b| a == b) {
        assert!(of_one.len() <= 3, "{} in one iteration", of_one.len());
    }
}

#[test]
fn what_is_long_enough_and_becomes_shorter_is_sent_compressed() {
    let (sim, _server, endpoint) = echo();
    endpoint.on_open(|socket, _| {
        socket.send("a".repeat(1023)).ignore();
        socket.send("a".repeat(1024)).ignore();
        socket.send("a".repeat(32 * 1024)).ignore();
        socket.send("a".repeat(32 * 1024 + 1)).ignore();
        socket.send(vec![7; 5000]).ignore();
        socket.send(Payload::from("a".repeat(2000)).uncompressed()).ignore();
        socket.send(&Frame::text("b".repeat(2000))).ignore();
        socket.send(&Frame::text("b".repeat(2000)).uncompressed()).ignore();
        socket.send(Payload::from(&Frame::text("b".repeat(2000))).uncompressed()).ignore();
        socket.send("").ignore();
    });
    let client = open(&sim, OFFER);
    client.expect(&[
        &format!("text {}", "a".repeat(1023)),
        &format!("compressed text {}", "a".repeat(1024)),
        &format!("compressed text {}", "a".repeat(32 * 1024)),
        &format!("text {}", "a".repeat(32 * 1024 + 1)),
        "compressed binary 5000",
        &format!("text {}", "a".repeat(2000)),
        &format!("compressed text {}", "b".repeat(2000)),
        &format!("text {}", "b".repeat(2000)),
        &format!("text {}", "b".repeat(2000)),
        "text ",
    ]);
    endpoint.compress(Deflate::new().level(9).from_bytes(0).up_to_bytes(100_000));
    client.send(
        [frame(0x82, vec![1; 100]), frame(0x82, vec![1; 100_000]), frame(0x82, vec![1; 100_001]), text("")].concat(),
    );
    sim.settle();
    client.expect(&["compressed binary 100", "compressed binary 100000", "binary 100001", "text "]);
}

#[test]
fn a_published_message_comes_to_each_subscriber_in_the_form_that_was_agreed() {
    let (sim, _server, endpoint) = echo();
    endpoint.on_open(|socket, _| assert!(socket.subscribe("news")));
    let small = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n";
    let clients: Vec<_> = [OFFER, "", small, OFFER].iter().map(|fields| open(&sim, fields)).collect();
    let news = long(7);
    for published in [endpoint.publish("news", &news), endpoint.publish_or_skip("news", &Frame::text(&news))] {
        assert_eq!((published.sent, published.skipped), (4, 0));
    }
    endpoint.publish("news", Payload::from(&news).uncompressed());
    sim.settle();
    for (client, form) in clients.iter().zip(["compressed text", "text", "compressed text", "compressed text"]) {
        client.expect(&[&format!("{form} {news}"), &format!("{form} {news}"), &format!("text {news}")]);
    }
    let written: Vec<u64> = endpoint.sockets().map(|socket| socket.bytes_written()).collect();
    assert!(written[0] + 2 * 1500 < written[1], "{written:?}");
}

/// What a client sends to a server that answers with these fields; `None` if it does not open.
fn sent(answer: &str) -> Option<Vec<u8>> {
    let sim = Sim::new();
    let listener = sim.listen(format!("127.0.0.1:{PORT}")).unwrap();
    let to = Connect::to("ws://127.0.0.1").compress(Deflate::new());
    let (opened, closed) = (Rc::new(Cell::new(false)), Record::default());
    let opens = opened.clone();
    let socket = ws::connect(to, move |socket| {
        opens.set(true);
        socket.send("a".repeat(2000)).ignore();
    });
    let add = closed.clone();
    socket.on_error(move |_, error| add.add(error));
    sim.settle();
    let peer = listener.accepted().remove(0);
    let asked = peer.text();
    let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 client_max_window_bits\r\n";
    assert!(asked.contains(offer), "{asked}");
    let key = asked.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let accept = accept(key.as_bytes()).unwrap();
    peer.write(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{answer}\r\n"
    ));
    sim.settle();
    if !opened.get() {
        let why = closed.take().concat();
        assert!(why.contains("the server has chosen an extension that was not offered"), "{why}");
        return None;
    }
    Some(peer.received().split_off(asked.len()))
}

#[test]
fn a_client_takes_what_it_has_offered_and_fails_on_anything_else() {
    let answer =
        |more: &str| format!("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover{more}\r\n");
    for (answer, is_compressed) in [
        (String::new(), false),
        (answer(""), true),
        (answer("; client_no_context_takeover; server_max_window_bits=8"), true),
        (answer("; client_max_window_bits=9"), true),
        (answer("; client_max_window_bits=8"), false),
    ] {
        let frame = sent(&answer).expect(&answer);
        assert_eq!((frame[0] == 0xc1, frame.len() < 100), (is_compressed, is_compressed), "{answer}: {frame:x?}");
    }
    for answer in [
        "Sec-WebSocket-Extensions: permessage-deflate\r\n".to_owned(),
        answer("; client_max_window_bits"),
        answer("; client_max_window_bits=16"),
        answer("; client_max_window_bits=7"),
        answer("; server_max_window_bits=0"),
        answer("; unknown"),
        answer(", other"),
        "Sec-WebSocket-Extensions: other\r\n".to_owned(),
    ] {
        assert_eq!(sent(&answer), None, "{answer}");
    }
}

#[test]
fn client_and_server_talk_in_compressed_messages_on_a_rough_network() {
    for seed in 0..4 {
        let sim = Sim::with_seed(seed);
        sim.set_network(Network { splits: true, read_splits: true, partial_writes: true, ..Network::default() });
        let server = http::create_server(|_, res| res.end("page"));
        server.listen(PORT, ()).unwrap();
        let endpoint = ws::mount(&server, "/");
        endpoint.compress(Deflate::new().from_bytes(10)).on_message(|socket, message| socket.send(message).ignore());
        let to = Connect::to("ws://127.0.0.1").compress(Deflate::new().from_bytes(10));
        let socket = ws::connect(to, |socket: &WebSocket| {
            assert!(socket.is_compressed());
            for number in 0..30 {
                socket.send(long(number)).ignore();
                socket.send(noise(1000 + number)).ignore();
                socket.send("tiny").ignore();
                socket.send(vec![number as u8; number * 1000]).ignore();
            }
        });
        let told = Record::default();
        let add = told.clone();
        socket.on_message(move |_, message| match message {
            Message::Text(text) => add.add(text),
            Message::Binary(bytes) => add.add(format!("{bytes:?}")),
        });
        sim.advance(20 * SECOND);
        let expected = (0..30).flat_map(|number| {
            [long(number), noise(1000 + number), "tiny".into(), format!("{:?}", vec![number as u8; number * 1000])]
        });
        assert!(told.take() == expected.collect::<Vec<_>>());
        assert!(socket.bytes_written() < 100_000, "{} of 600,000", socket.bytes_written());
    }
}

#[test]
fn a_listener_may_do_anything_with_a_compressed_message() {
    let (sim, _server, endpoint) = echo();
    let record = Record::default();
    let add = record.clone();
    let all = endpoint.clone();
    endpoint.on_message(move |socket, message| {
        let length = message.as_bytes().len();
        for other in all.sockets().filter(|other| other != socket) {
            other.send(message).ignore();
        }
        socket.close_with(4000, "enough");
        assert_eq!(message.as_bytes().len(), length);
        add.add(length);
    });
    let (one, other) = (open(&sim, OFFER), open(&sim, OFFER));
    let long = long(3);
    one.send([frame(0xc1, deflated(&long)), frame(0xc1, "not looked at any more")].concat());
    sim.settle();
    record.expect(&[&long.len().to_string()]);
    one.expect(&[&format!("compressed text {long}"), "close 4000 enough"]);
    other.expect(&[&format!("compressed text {long}")]);
}
