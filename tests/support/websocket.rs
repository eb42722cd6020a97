//! A client of WebSockets in a simulated world: it says what a test tells it to, and notes what it is told.

use super::http::PORT;
use oneloop::proto::ws::{CloseFrame, Compressed, Decoder, Event, FrameHead, Message, Opcode, Role, mask};
use oneloop::sim::{Peer, Sim};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The key of RFC 6455, 1.3, and what answers it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A handshake as a browser sends it, with fields (whole lines) after the others.
pub fn handshake(path: &str, fields: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{fields}\r\n"
    )
}

/// A frame of a client with any first byte.
pub fn frame(first: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    announced(first, content.len() as u64, content)
}

/// A frame of a client that announces this length.
pub fn announced(first: u8, length: u64, content: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = Vec::new();
    FrameHead { last: true, compressed: false, opcode: Opcode::Text, mask: Some(key), length }.encode(&mut frame);
    frame[0] = first;
    let begin = frame.len();
    frame.extend_from_slice(content);
    mask(&mut frame[begin..], key, 0);
    frame
}

pub fn text(text: &str) -> Vec<u8> {
    frame(0x81, text)
}

pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

#[derive(Clone)]
pub struct Client {
    pub peer: Peer,
    state: Rc<State>,
}

struct State {
    decoder: RefCell<Decoder>,
    head: RefCell<String>,
    held: RefCell<Vec<u8>>,
    told: RefCell<Vec<String>>,
    /// Answers pings and close frames, as browsers do.
    answers: Cell<bool>,
    closes: Cell<bool>,
}

impl Client {
    /// Connects, and notes what comes. It answers pings and close frames.
    pub fn connect(sim: &Sim) -> Client {
        let state = Rc::new(State {
            decoder: RefCell::new(Decoder::new(Role::Client)),
            head: RefCell::default(),
            held: RefCell::default(),
            told: RefCell::default(),
            answers: Cell::new(true),
            closes: Cell::new(true),
        });
        let client = Client { peer: sim.connect(PORT), state };
        let state = client.state.clone();
        client.peer.on_data(move |peer, bytes| state.receive(peer, bytes));
        let state = client.state.clone();
        client.peer.on_close(move |peer| {
            if state.closes.get() {
                peer.close();
            }
        });
        client
    }

    /// Opens a socket at a path, and waits until it is open.
    #[track_caller]
    pub fn open(sim: &Sim, path: &str) -> Client {
        let client = Client::connect(sim);
        client.peer.write(handshake(path, ""));
        sim.settle();
        assert!(client.head().starts_with("HTTP/1.1 101 "), "{}", client.peer.text());
        client
    }

    /// From now on pings and close frames are not answered, and the connection is not closed.
    pub fn be_silent(&self) -> &Client {
        self.state.answers.set(false);
        self.state.closes.set(false);
        self
    }

    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.peer.write(bytes);
    }

    /// The head of the answer to the handshake.
    pub fn head(&self) -> String {
        self.state.head.borrow().clone()
    }

    /// What has come since the last call: `text hello`, `binary 3`, `ping `, `pong x`, `close 1000 bye`.
    pub fn told(&self) -> Vec<String> {
        self.state.told.take()
    }

    #[track_caller]
    pub fn expect(&self, told: &[&str]) {
        assert_eq!(self.told(), told);
    }
}

impl State {
    fn receive(&self, peer: &Peer, bytes: &[u8]) {
        let mut held = self.held.borrow_mut();
        held.extend_from_slice(bytes);
        if self.head.borrow().is_empty() {
            let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") else { return };
            *self.head.borrow_mut() = String::from_utf8(held.drain(..end + 4).collect()).unwrap();
        }
        if !self.head.borrow().starts_with("HTTP/1.1 101 ") {
            return;
        }
        let mut decoder = self.decoder.borrow_mut();
        loop {
            let step = decoder.decode(&mut held, usize::MAX).expect("valid frames");
            let told = match step.event {
                Event::NeedMore => {
                    let consumed = step.consumed;
                    held.drain(..consumed);
                    return;
                }
                Event::Message(Message::Text(text)) => format!("text {text}"),
                Event::Message(Message::Binary(bytes)) => format!("binary {}", bytes.len()),
                Event::Compressed(Compressed { text, content }) => {
                    format!("compressed {} {}", if text { "text" } else { "binary" }, content.len())
                }
                Event::Ping(content) => {
                    if self.answers.get() {
                        peer.write(frame(0x8a, content));
                    }
                    format!("ping {}", String::from_utf8_lossy(content))
                }
                Event::Pong(content) => format!("pong {}", String::from_utf8_lossy(content)),
                Event::Close(CloseFrame { code, reason }) => {
                    if self.answers.get() {
                        peer.write(code.map_or(frame(0x88, ""), |code| close_frame(code, "")));
                    }
                    format!("close {} {reason}", code.map_or("-".into(), |code| code.to_string()))
                }
            };
            self.told.borrow_mut().push(told);
            let consumed = step.consumed;
            held.drain(..consumed);
        }
    }
}
