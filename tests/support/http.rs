//! What the tests of `http` share: a server in a simulated world, a record of what happened, and a reader of responses.

pub use super::logger::{expect_logged, keep_log, logged};
use oneloop::http::{self, Answer, Request, Response, Server};
use oneloop::sim::{Peer, Sim};
use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

pub const PORT: u16 = 80;
pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);

/// A world with a server that listens.
pub fn serve<R: Answer>(handler: impl FnMut(Request, Response) -> R + 'static) -> (Sim, Server) {
    let sim = Sim::new();
    let server = listen(handler);
    (sim, server)
}

pub fn listen<R: Answer>(handler: impl FnMut(Request, Response) -> R + 'static) -> Server {
    let server = http::create_server(handler);
    // The closure is made where nothing is generic: else it would be compiled for each handler.
    start(&server);
    server
}

fn start(server: &Server) {
    server.listen(PORT, || ()).unwrap();
}

/// A handler that must not be called.
pub fn not_called(req: Request, _: Response) {
    unreachable!("{req:?} is for another listener");
}

/// A request without a body.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A request with a body of a known length.
pub fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Sends bytes on a connection of their own, and gives back its peer when all is quiet.
pub fn send(sim: &Sim, bytes: impl AsRef<[u8]>) -> Peer {
    let peer = sim.connect(PORT);
    peer.write(bytes);
    sim.settle();
    peer
}

/// What happened, in order.
#[derive(Clone, Default)]
pub struct Record(Rc<RefCell<Vec<String>>>);

impl Record {
    pub fn add(&self, what: impl Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    pub fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        assert_eq!(self.take(), lines);
    }

    /// Records the ends of an exchange.
    pub fn watch(&self, req: &Request, res: &Response) {
        let record = self.clone();
        res.on_finish(move |_| record.add("finish"));
        let record = self.clone();
        res.on_close(move |_, reason| record.add(format!("res close {reason}")));
        let record = self.clone();
        req.on_close(move |_, reason| record.add(format!("req close {reason}")));
    }
}

/// A place where a callback leaves something for the test.
pub struct Kept<T>(Rc<RefCell<Vec<T>>>);

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Kept(self.0.clone())
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept(Rc::default())
    }
}

impl<T> Kept<T> {
    pub fn put(&self, value: T) {
        self.0.borrow_mut().push(value);
    }

    /// The oldest.
    #[track_caller]
    pub fn take(&self) -> T {
        self.0.borrow_mut().remove(0)
    }

    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// A response as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub reason: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Reply {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

/// Reads responses to requests other than HEAD. Panics where they are not well formed or the last is not whole.
#[track_caller]
pub fn replies(bytes: &[u8]) -> Vec<Reply> {
    let mut rest = bytes;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (reply, after) = reply(rest).unwrap_or_else(|| panic!("not whole: {:.300}", String::from_utf8_lossy(rest)));
        all.push(reply);
        rest = after;
    }
    all
}

/// Reads the responses that are whole, and says what is left behind them.
pub fn whole(bytes: &[u8]) -> (Vec<Reply>, &[u8]) {
    let (mut all, mut rest) = (Vec::new(), bytes);
    while let Some((reply, after)) = reply(rest) {
        all.push(reply);
        rest = after;
    }
    (all, rest)
}

/// The only response that a peer has received.
#[track_caller]
pub fn only(peer: &Peer) -> Reply {
    let mut all = replies(&peer.received());
    assert_eq!(all.len(), 1, "{}", peer.text());
    all.remove(0)
}

/// Their statuses.
#[track_caller]
pub fn statuses(peer: &Peer) -> Vec<u16> {
    replies(&peer.received()).iter().map(|reply| reply.status).collect()
}

/// Their bodies.
#[track_caller]
pub fn bodies(peer: &Peer) -> Vec<String> {
    replies(&peer.received()).iter().map(Reply::text).collect()
}

fn reply(bytes: &[u8]) -> Option<(Reply, &[u8])> {
    next_reply(bytes, false)
}

/// Reads one response, and says what is left behind it; `None` where it is not whole. One to HEAD has no content.
pub fn next_reply(bytes: &[u8], to_head: bool) -> Option<(Reply, &[u8])> {
    let (line, mut rest) = line(bytes)?;
    let line = line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("not a status line: {line:?}"));
    let (status, reason) = line.split_once(' ').unwrap();
    let fields = fields(&mut rest)?;
    let mut reply = Reply {
        status: status.parse().unwrap(),
        reason: reason.to_owned(),
        fields,
        body: Vec::new(),
        trailers: Vec::new(),
    };
    if to_head || reply.status < 200 || matches!(reply.status, 204 | 304) {
        return Some((reply, rest));
    }
    if let Some(length) = reply.field("content-length") {
        assert_eq!(reply.field("transfer-encoding"), None, "length and coding");
        let (body, after) = rest.split_at_checked(length.parse().unwrap())?;
        reply.body = body.to_vec();
        return Some((reply, after));
    }
    if reply.field("transfer-encoding").is_none() {
        reply.body = rest.to_vec();
        return Some((reply, &[]));
    }
    loop {
        let (size, after) = self::line(rest)?;
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("a chunk's size: {size:?}"));
        rest = after;
        if size == 0 {
            reply.trailers = self::fields(&mut rest)?;
            return Some((reply, rest));
        }
        let (chunk, after) = rest.split_at_checked(size)?;
        reply.body.extend_from_slice(chunk);
        let (end, after) = after.split_at_checked(2)?;
        assert_eq!(end, b"\r\n", "a chunk has no end");
        rest = after;
    }
}

fn line(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((String::from_utf8(bytes[..end].to_vec()).unwrap(), &bytes[end + 2..]))
}

fn fields(rest: &mut &[u8]) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let (line, after) = line(rest)?;
        *rest = after;
        if line.is_empty() {
            return Some(fields);
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a field: {line:?}"));
        fields.push((name.to_owned(), value.to_owned()));
    }
}
