//! Each limit of WebSockets once over real sockets, set small. Nobody sleeps: clients wait for what they see. How long things take is for
//! the virtual clock (`ws::deadlines`, `ws::output`).

use crate::support::http::{MS, Record};
use crate::support::real::{Clients, real};
use crate::support::websocket::{announced, close_frame, frame, handshake, text};
use oneloop::net::Flow;
use oneloop::ws::{Endpoint, Limits};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Far longer than a test takes: what ends one is not this.
const LONG: Duration = Duration::from_secs(3600);

/// Runs an endpoint with these limits, in which nothing else ends a socket. Gives back what the client says, and what `on_close` was told.
fn serve<T: Send + 'static>(
    limits: impl FnOnce(&mut Limits),
    listen: impl FnOnce(&Endpoint),
    client: impl FnOnce(Clients) -> T + Send + 'static,
) -> (T, Vec<String>) {
    let (endpoint, record) = (Endpoint::new(), Record::default());
    let mut ours = endpoint.limits();
    (ours.ping, ours.close, ours.write_stall, ours.receive_rate, ours.send_rate) = (LONG, LONG, LONG, 0, 0);
    limits(&mut ours);
    endpoint.set_limits(ours);
    listen(&endpoint);
    let add = record.clone();
    endpoint.on_close(move |_, close| add.add(format!("{} {:?} {}", close.code, close.reason, close.why)));
    let (said, _) = real(|_| (), move |req, res| drop(endpoint.accept(&req, res)), client);
    (said, record.take())
}

/// Opens a socket, and sends this behind the handshake. The client has read the head of the answer.
fn open(clients: &Clients, bytes: &[u8]) -> TcpStream {
    let mut stream = clients.send([handshake("/", "").as_bytes(), bytes].concat());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
    stream
}

/// What comes behind the head, until the end or a reset.
fn frames(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        all.extend_from_slice(&buffer[..count]);
    }
    all
}

/// What a server sends that closes for a fault.
fn closing(code: u16, words: &str) -> Vec<u8> {
    [&[0x88, 2 + words.len() as u8][..], &code.to_be_bytes(), words.as_bytes()].concat()
}

#[test]
fn too_large_too_long_and_too_slow_messages_are_refused_by_their_codes() {
    type Set = fn(&mut Limits);
    let cases: [(Set, Vec<u8>, u16, &str, &str); 3] = [
        (|limits| limits.message = 100, announced(0x82, 101, b""), 1009, "the message is too large", "bad-message"),
        (
            |limits| limits.message_time = 200 * MS,
            frame(0x01, "begun"),
            1008,
            "the message did not come in time",
            "slow-receive",
        ),
        (
            |limits| (limits.receive_rate, limits.receive_window) = (10_000, 200 * MS),
            announced(0x82, 1_000, b"x"),
            1008,
            "the frame came too slowly",
            "slow-receive",
        ),
    ];
    for (set, bytes, code, words, why) in cases {
        let (said, told) = serve(set, |_| (), move |clients| frames(&mut open(&clients, &bytes)));
        assert_eq!(said, closing(code, words), "{}", said.escape_ascii());
        assert_eq!(told, [format!("1006 {words:?} {why}")]);
    }
}

#[test]
fn a_silent_peer_is_sent_a_ping_and_is_cut() {
    let short = |limits: &mut Limits| (limits.ping, limits.pong) = (100 * MS, 100 * MS);
    let (said, told) = serve(short, |_| (), |clients| frames(&mut open(&clients, b"")));
    assert_eq!(said, b"\x89\0");
    assert_eq!(told, ["1006 \"\" ping-timeout"]);
}

#[test]
fn a_close_that_is_not_answered_is_a_cut() {
    let short = |limits: &mut Limits| limits.close = 200 * MS;
    let listen = |endpoint: &Endpoint| _ = endpoint.on_open(|socket, _| socket.close());
    let (said, told) = serve(short, listen, |clients| frames(&mut open(&clients, b"")));
    assert_eq!(said, closing(1000, ""));
    assert_eq!(told, ["1006 \"\" close-timeout"]);
}

#[test]
fn who_does_not_read_is_cut_by_how_much_is_pending_and_by_how_long() {
    type Set = fn(&mut Limits);
    let cases: [(Set, &str); 2] =
        [(|limits| limits.max_pending = 100_000, "overflow"), (|limits| limits.write_stall = 300 * MS, "write-stall")];
    for (set, why) in cases {
        let (closed, over) = channel();
        let listen = move |endpoint: &Endpoint| {
            endpoint.on_open(move |socket, _| {
                let messages = if why == "overflow" { 2_000 } else { 400 };
                for _ in 0..messages {
                    if socket.send(vec![0; 50_000]) == Flow::Closed {
                        break;
                    }
                }
                assert_eq!(socket.is_open(), why != "overflow");
            });
            endpoint.on_close(move |_, _| closed.send(()).unwrap());
        };
        let set = move |limits: &mut Limits| {
            limits.max_pending = 100_000_000;
            set(limits);
        };
        let ((), told) = serve(set, listen, move |clients| {
            let stream = clients.send(handshake("/", ""));
            over.recv().unwrap();
            drop(stream);
        });
        assert_eq!(told, [format!("1006 \"\" {why}")]);
    }
}

#[test]
fn who_reads_too_slowly_is_cut() {
    let set = |limits: &mut Limits| {
        limits.max_pending = 100_000_000;
        (limits.send_rate, limits.send_window) = (u32::MAX, 300 * MS);
    };
    let (closed, over) = channel();
    let listen = |endpoint: &Endpoint| {
        endpoint.on_open(|socket, _| socket.send(vec![0; 50_000_000]).ignore());
        endpoint.on_close(move |_, _| closed.send(()).unwrap());
    };
    // A byte at a time: on no machine are 50 MB read so before the time is over.
    let ((), told) = serve(set, listen, move |clients| {
        let mut stream = open(&clients, b"");
        while over.try_recv().is_err() {
            _ = stream.read(&mut [0]);
        }
    });
    assert_eq!(told, ["1006 \"\" slow-send"]);
}

/// `frames`, `pending_output`, `subscriptions`: what they hold back is not lost.
#[test]
fn what_is_held_back_by_a_limit_arrives() {
    let set = |limits: &mut Limits| (limits.frames, limits.pending_output, limits.subscriptions) = (1, 100, 1);
    let record = Record::default();
    let add = record.clone();
    let listen = move |endpoint: &Endpoint| {
        endpoint.on_open(|socket, _| assert!(socket.subscribe("one") && !socket.subscribe("two")));
        endpoint.on_message(|socket, message| {
            let large = message.as_bytes().len() > 100;
            assert!(socket.send(message).is_full() || !large);
        });
        endpoint.on_drain(move |_| add.add("drain"));
    };
    let (said, told) = serve(set, listen, |clients| {
        let mut stream = open(&clients, &[text("a").repeat(1_000), text(&"b".repeat(120))].concat());
        let mut said = vec![0; 3 * 1_000 + 122];
        stream.read_exact(&mut said).unwrap();
        stream.write_all(&close_frame(1000, "bye")).unwrap();
        (said, frames(&mut stream))
    });
    assert_eq!(said.0, [&b"\x81\x01a".repeat(1_000)[..], b"\x81\x78", "b".repeat(120).as_bytes()].concat());
    assert_eq!(said.1, closing(1000, ""));
    assert_eq!(told, ["1000 \"bye\" finished"]);
    assert!(!record.all().is_empty(), "it was full, and never drained");
}

#[test]
fn one_socket_too_many_is_answered_503() {
    let (said, told) = serve(
        |limits| limits.sockets = 1,
        |_| (),
        |clients| {
            let mut first = open(&clients, b"");
            let mut second = clients.send(handshake("/", ""));
            let mut said = [0; 12];
            second.read_exact(&mut said).unwrap();
            first.write_all(&close_frame(1000, "")).unwrap();
            frames(&mut first);
            said
        },
    );
    assert_eq!(&said, b"HTTP/1.1 503");
    assert_eq!(told, ["1000 \"\" finished"]);
}
