use super::{ClientRequest, Peer, Sim};
use crate::proto::ws::{
    CloseFrame, Compressed, Decoder, Event, FrameHead, MaskKey, Message, Opcode, Role, VERSION, accept, mask,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// The key of the example in RFC 6455, 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The mask of all frames, from the example in RFC 6455, 5.7.
const MASK: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

impl Sim {
    /// Opens a WebSocket at a path of the program, by a scripted client: short for
    /// [`request("GET", path).websocket()`](ClientRequest::websocket).
    ///
    /// ```
    /// use oneloop::{http, sim::Sim, ws};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// ws::mount(&server, "/echo").on_message(|socket, message| socket.send(message).ignore());
    /// server.listen(80, ()).unwrap();
    ///
    /// let client = sim.websocket("/echo");
    /// client.send_text("anybody there?");
    /// client.send_fragments(&["in two ", "parts"]);
    /// client.close(1000, "");
    /// sim.settle();
    /// client.expect(&["text anybody there?", "text in two parts", "close 1000 "]);
    /// ```
    ///
    /// # Panics
    /// As [`ClientRequest::websocket`].
    #[track_caller]
    pub fn websocket(&self, path: &str) -> WebSocketPeer {
        self.request("GET", path).websocket()
    }
}

impl ClientRequest<'_> {
    /// Adds the fields by which a browser asks for a WebSocket, as far as they were not set. For a handshake that is to be refused; one
    /// that is to succeed is sent by [`websocket`](ClientRequest::websocket).
    ///
    /// ```
    /// use oneloop::{http, sim::Sim, ws};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// ws::mount(&server, "/chat");
    /// server.listen(80, ()).unwrap();
    /// sim.request("GET", "/chat").handshake().header("Origin", "https://elsewhere.example").send().expect(403);
    /// ```
    pub fn handshake(mut self) -> Self {
        for (name, value) in [
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", VERSION),
            ("Sec-WebSocket-Key", KEY),
        ] {
            if self.field(name).is_none() {
                self = self.header(name, value);
            }
        }
        self
    }

    /// Sends the request with the fields of a [`handshake`](ClientRequest::handshake), and runs the loop until the program has accepted
    /// it. The clock moves no further than that needs.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim, ws};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// ws::mount(&server, "/chat").protocols(&["v1.chat"]);
    /// server.listen(80, ()).unwrap();
    /// let client = sim.request("GET", "/chat").header("Sec-WebSocket-Protocol", "v2.chat, v1.chat").websocket();
    /// assert!(client.head().contains("Sec-WebSocket-Protocol: v1.chat\r\n"));
    /// ```
    ///
    /// # Panics
    /// If the answer is not the right 101: the message has the answer, and what was logged meanwhile. Also in the cases in which
    /// [`send`](ClientRequest::send) panics.
    #[track_caller]
    pub fn websocket(self) -> WebSocketPeer {
        let request = self.handshake();
        let (peer, _) = request.peer();
        let key = request.field("Sec-WebSocket-Key").and_then(accept);
        let socket = WebSocketPeer::on(&peer);
        let reply = request.on(&peer).send().expect(101);
        assert_eq!(reply.header("Sec-WebSocket-Accept"), key.as_deref(), "oneloop: this answers another key");
        socket
    }
}

/// A scripted client of WebSockets: it sends what the test says, also what no client should send, and notes what comes. A clone is the
/// same peer. It is opened by [`Sim::websocket`].
///
/// As browsers do, it answers pings and close frames, and closes the connection when the program has ended its side; unless it
/// [is told not to](WebSocketPeer::be_silent). How it writes and reads is decided by its [`peer`](WebSocketPeer::peer): that can stop
/// reading, read slowly, and reset the connection. To have something done at a certain time, use [`Sim::at`].
///
/// ```
/// use oneloop::{http, sim::Sim, ws};
/// use std::time::Duration;
///
/// let sim = Sim::new();
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// let endpoint = ws::mount(&server, "/");
/// server.listen(80, ()).unwrap();
///
/// let (here, gone) = (sim.websocket("/"), sim.websocket("/"));
/// gone.be_silent();
/// sim.advance(Duration::from_secs(37)); // both were sent a ping
/// here.expect(&["ping "]);
/// gone.expect(&["ping "]);
/// sim.advance(Duration::from_secs(30)); // for the answer
/// assert!(gone.peer().is_closed());
/// assert_eq!(endpoint.len(), 1);
/// ```
#[derive(Clone)]
pub struct WebSocketPeer {
    peer: Peer,
    state: Rc<State>,
}

/// What a [`WebSocketPeer`] has received. Its text, by `Display`, is that of [`WebSocketPeer::expect`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A message that is compressed (RFC 7692), as it was sent: whether it is text, and what its frames have. It comes if the handshake has
    /// agreed on that.
    Compressed(bool, Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame, with its code, if it has one, and its reason.
    Close(Option<u16>, String),
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Received::Text(text) => write!(f, "text {text}"),
            Received::Binary(bytes) => write!(f, "binary {}", bytes.len()),
            Received::Compressed(text, bytes) => {
                write!(f, "compressed {} {}", if *text { "text" } else { "binary" }, bytes.len())
            }
            Received::Ping(content) => write!(f, "ping {}", String::from_utf8_lossy(content)),
            Received::Pong(content) => write!(f, "pong {}", String::from_utf8_lossy(content)),
            Received::Close(Some(code), reason) => write!(f, "close {code} {reason}"),
            Received::Close(None, _) => f.write_str("close"),
        }
    }
}

struct State {
    decoder: RefCell<Decoder>,
    head: RefCell<String>,
    /// Bytes of a head or of a control frame that is not whole.
    held: RefCell<Vec<u8>>,
    received: RefCell<Vec<Received>>,
    silent: Cell<bool>,
    /// A close frame was sent. No other one is, not even in answer to the program's.
    closed: Cell<bool>,
}

impl WebSocketPeer {
    /// Makes a client of a connection on which the test itself writes the handshake, as bytes. What comes on the connection before the
    /// end of the first head is [`head`](WebSocketPeer::head); what follows a head with the status 101 is read as frames.
    ///
    /// ```
    /// use oneloop::{http, sim::{Sim, WebSocketPeer}, ws};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// ws::mount(&server, "/").on_open(|socket, _req| socket.send("welcome").ignore());
    /// server.listen(80, ()).unwrap();
    /// let peer = sim.connect(80);
    /// let client = WebSocketPeer::on(&peer);
    /// peer.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
    /// peer.write("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    /// sim.settle();
    /// client.expect(&["text welcome"]);
    /// ```
    pub fn on(peer: &Peer) -> WebSocketPeer {
        let state = Rc::new(State {
            decoder: RefCell::new(Decoder::new(Role::Client)),
            head: RefCell::default(),
            held: RefCell::default(),
            received: RefCell::default(),
            silent: Cell::new(false),
            closed: Cell::new(false),
        });
        let here = state.clone();
        peer.on_data(move |peer, bytes| here.receive(peer, bytes));
        let here = state.clone();
        peer.on_close(move |peer| {
            if !here.silent.get() {
                peer.close();
            }
        });
        WebSocketPeer { peer: peer.clone(), state }
    }

    /// The client's end of the connection: to read slowly or not at all, to write any bytes, byte by byte too, to end or to reset it.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The head of the answer to the handshake. Empty until it has come.
    pub fn head(&self) -> String {
        self.state.head.borrow().clone()
    }

    // ---- Sending

    /// Sends a text message.
    pub fn send_text(&self, text: &str) {
        self.send_frame(0x81, text);
    }

    /// Sends a binary message.
    pub fn send_binary(&self, bytes: impl AsRef<[u8]>) {
        self.send_frame(0x82, bytes);
    }

    /// Sends a text message in fragments, a frame for each part. Parts need not end where characters do. For no parts nothing is sent.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim, ws};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// ws::mount(&server, "/").on_message(|socket, message| socket.send(message).ignore());
    /// server.listen(80, ()).unwrap();
    /// let client = sim.websocket("/");
    /// client.send_fragments(&[b"caf\xc3", &b"\xa9"[..]]);
    /// sim.settle();
    /// client.expect(&["text café"]);
    /// ```
    pub fn send_fragments(&self, parts: &[impl AsRef<[u8]>]) {
        for (number, part) in parts.iter().enumerate() {
            let last = if number + 1 == parts.len() { 0x80 } else { 0 };
            self.send_frame(u8::from(number == 0) | last, part);
        }
    }

    /// Sends a ping.
    pub fn ping(&self, content: impl AsRef<[u8]>) {
        self.send_frame(0x89, content);
    }

    /// Sends a close frame, also with a code that must not be sent. The program's close frame is not answered then.
    pub fn close(&self, code: u16, reason: &str) {
        self.state.closed.set(true);
        self.send_frame(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat());
    }

    /// Sends a frame with any first byte (0x80: it is the last of its message; 0x70: the reserved bits; 0x0f: the opcode), any content,
    /// and a mask.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim, ws};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// ws::mount(&server, "/");
    /// server.listen(80, ()).unwrap();
    /// let client = sim.websocket("/");
    /// client.send_frame(0x83, "what is this?");
    /// sim.settle();
    /// client.expect(&["close 1002 an unknown opcode"]);
    /// ```
    pub fn send_frame(&self, first: u8, content: impl AsRef<[u8]>) {
        self.peer.write(WebSocketPeer::frame(first, content));
    }

    /// The bytes of such a frame: to send several at once, or byte by byte.
    ///
    /// ```
    /// use oneloop::sim::WebSocketPeer;
    ///
    /// // RFC 6455, 5.7: a masked text message that contains "Hello"
    /// assert_eq!(WebSocketPeer::frame(0x81, "Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    /// ```
    pub fn frame(first: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
        frame(first, content.as_ref())
    }

    /// Sends any bytes, as they are.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        self.peer.write(bytes);
    }

    /// From now on the client answers neither pings nor close frames, and does not close the connection when the program has ended its
    /// side: as a client that has gone without a word.
    pub fn be_silent(&self) -> &Self {
        self.state.silent.set(true);
        self
    }

    // ---- Receiving

    /// Returns what has come since the last call of this method, of [`told`](WebSocketPeer::told) or of
    /// [`expect`](WebSocketPeer::expect).
    ///
    /// ```
    /// use oneloop::{http, sim::{Received, Sim}, ws};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// ws::mount(&server, "/").on_open(|socket, _req| socket.send([1, 2, 3].as_slice()).ignore());
    /// server.listen(80, ()).unwrap();
    /// assert_eq!(sim.websocket("/").take(), [Received::Binary(vec![1, 2, 3])]);
    /// ```
    pub fn take(&self) -> Vec<Received> {
        self.state.received.take()
    }

    /// Returns what [`take`](WebSocketPeer::take) does, in words, a line for each: `text hello`, `binary 3` (the length), `compressed text 7`,
    /// `ping x`, `pong x`, `close 1000 bye`, and `close` for a close frame without a code.
    pub fn told(&self) -> Vec<String> {
        self.take().iter().map(Received::to_string).collect()
    }

    /// Checks that exactly this has come since the last call: see [`told`](WebSocketPeer::told).
    ///
    /// # Panics
    /// If something else has come, or more, or less.
    #[track_caller]
    pub fn expect(&self, told: &[&str]) {
        assert_eq!(self.told(), told);
    }
}

impl fmt::Debug for WebSocketPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSocketPeer").field(&self.peer.local_addr()).finish()
    }
}

fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(content.len() + 14);
    FrameHead { last: true, compressed: false, opcode: Opcode::Text, mask: Some(MASK), length: content.len() as u64 }
        .encode(&mut frame);
    if let Some(byte) = frame.first_mut() {
        *byte = first;
    }
    let begin = frame.len();
    frame.extend_from_slice(content);
    if let Some(content) = frame.get_mut(begin..) {
        mask(content, MASK, 0);
    }
    frame
}

impl State {
    fn receive(&self, peer: &Peer, bytes: &[u8]) {
        let mut held = self.held.borrow_mut();
        held.extend_from_slice(bytes);
        if self.head.borrow().is_empty() {
            let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") else { return };
            let head: Vec<u8> = held.drain(..end + 4).collect();
            let head = String::from_utf8_lossy(&head).into_owned();
            if head.contains("\r\nSec-WebSocket-Extensions: permessage-deflate") {
                *self.decoder.borrow_mut() = Decoder::with_compression(Role::Client);
            }
            *self.head.borrow_mut() = head;
        }
        if !self.head.borrow().starts_with("HTTP/1.1 101 ") {
            return;
        }
        let mut decoder = self.decoder.borrow_mut();
        loop {
            let step = match decoder.decode(&mut held, usize::MAX) {
                Ok(step) => step,
                Err(fault) => panic!("oneloop: the program has sent a client what is no frame: {fault}"),
            };
            let (consumed, event) = (step.consumed, step.event);
            let received = match event {
                Event::NeedMore => None,
                Event::Message(Message::Text(text)) => Some(Received::Text(text.to_owned())),
                Event::Message(Message::Binary(bytes)) => Some(Received::Binary(bytes.to_vec())),
                Event::Compressed(Compressed { text, content }) => Some(Received::Compressed(text, content.to_vec())),
                Event::Ping(content) => Some(Received::Ping(content.to_vec())),
                Event::Pong(content) => Some(Received::Pong(content.to_vec())),
                Event::Close(CloseFrame { code, reason }) => Some(Received::Close(code, reason.to_owned())),
            };
            held.drain(..consumed);
            let Some(received) = received else { return };
            self.answer(peer, &received);
            self.received.borrow_mut().push(received);
        }
    }

    /// What a browser does.
    fn answer(&self, peer: &Peer, received: &Received) {
        match received {
            _ if self.silent.get() => {}
            Received::Ping(content) => peer.write(frame(0x8a, content)),
            Received::Close(code, _) if !self.closed.replace(true) => {
                let code = code.map(u16::to_be_bytes);
                peer.write(frame(0x88, code.as_ref().map_or(&[], |code| code)));
            }
            _ => {}
        }
    }
}
