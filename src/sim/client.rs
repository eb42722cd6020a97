use super::open_reply::OpenReply;
use super::reply::Reply;
use super::{Peer, Sim};
use crate::event_loop::driver::Address;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long an answer may take, in virtual time, unless [`ClientRequest::at_most`] sets another limit.
const AT_MOST: Duration = Duration::from_secs(5 * 60);
/// The port to connect to if the program listens on several addresses, or on none.
const PORT: u16 = 80;
/// The time between two bytes of a request that is sent slowly: enough for the program to take each by itself, and short enough for
/// every limit on how long a request may take.
const EACH_BYTE: Duration = Duration::from_micros(100);

impl Sim {
    /// Begins a request to the program's HTTP server, by a client that reads the whole answer: see [`ClientRequest`].
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|req, res| {
    ///     req.read_body(1024, move |body| {
    ///         res.set_status(201).end(body?);
    ///         Ok(())
    ///     });
    /// });
    /// server.listen(80, ()).unwrap();
    /// let reply = sim.request("POST", "/todos").header("Content-Type", "text/plain").body("water the plant").send();
    /// assert_eq!((reply.status(), reply.text().as_str()), (201, "water the plant"));
    /// ```
    pub fn request(&self, method: &str, target: &str) -> ClientRequest<'_> {
        ClientRequest::new(self, method, target)
    }
}

/// A request of a scripted client: begun by [`Sim::request`], sent by [`send`](ClientRequest::send).
///
/// The request is sent as it was built, without any check: a test may send a request that no real client should send. If
/// the fields are not set, `Host` is `localhost`, and `Content-Length` is the length of the body, if there is one.
#[derive(Clone)]
#[must_use = "it is sent by `send`"]
pub struct ClientRequest<'a> {
    sim: &'a Sim,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
    to: To,
    from: Option<IpAddr>,
    at_most: Duration,
    slowly: bool,
}

#[derive(Clone)]
enum To {
    /// The only address on which the program listens. If it listens on several, or on none: `PORT`.
    Only,
    Port(u16),
    Peer(Peer),
}

impl<'a> ClientRequest<'a> {
    fn new(sim: &'a Sim, method: &str, target: &str) -> Self {
        ClientRequest {
            sim,
            method: method.to_owned(),
            target: target.to_owned(),
            fields: Vec::new(),
            body: None,
            to: To::Only,
            from: None,
            at_most: AT_MOST,
            slowly: false,
        }
    }

    /// Adds a field. With `Transfer-Encoding: chunked` the body is sent as one chunk.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body, which may be empty. A second call replaces it.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// The port of the program to connect to. Default: if the program listens on exactly one address, that address (it may
    /// be the path of a Unix socket); else port 80.
    pub fn port(mut self, port: u16) -> Self {
        self.to = To::Port(port);
        self
    }

    /// The address that the client connects from. Default: 127.0.0.1.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    /// use std::net::IpAddr;
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|req, res| res.end(req.remote_addr().unwrap().to_string()));
    /// server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").sent_from(IpAddr::from([192, 0, 2, 7])).send();
    /// assert!(reply.text().starts_with("192.0.2.7:"));
    /// ```
    pub fn sent_from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// Sends the request on the connection of `peer`, after everything that was written to it before. The connection stays
    /// open after the answer, and the peer also keeps the bytes that it has received.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|req, res| res.end(req.path()));
    /// server.listen(80, ()).unwrap();
    /// let peer = sim.connect(80);
    /// for path in ["/first", "/second"] {
    ///     assert_eq!(sim.request("GET", path).on(&peer).send().text(), path);
    /// }
    /// assert_eq!(server.connections(), 1);
    /// ```
    pub fn on(mut self, peer: &Peer) -> Self {
        self.to = To::Peer(peer.clone());
        self
    }

    /// How long the answer may take, in virtual time. Default: 5 minutes.
    pub fn at_most(mut self, time: Duration) -> Self {
        self.at_most = time;
        self
    }

    /// Sends the request byte by byte: the program reads each of them by itself.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|req, res| req.pipe(&res));
    /// server.listen(80, ()).unwrap();
    /// sim.request("POST", "/").body("a word").slowly().send().expect(200).expect_text("a word");
    /// ```
    pub fn slowly(mut self) -> Self {
        self.slowly = true;
        self
    }

    /// Sends the request, and runs the loop until the whole answer has come. Without [`on`](ClientRequest::on), the
    /// connection is then closed, and the loop runs until the program has seen the close. The clock moves no further than
    /// the answer needs.
    ///
    /// # Panics
    /// If the answer is not whole after [`at_most`](ClientRequest::at_most), if the connection ends before it is whole, or if
    /// the bytes are not an HTTP response: the message says what is missing and what was logged during the call. It also
    /// panics when [`Sim::settle`] does.
    #[track_caller]
    pub fn send(self) -> Reply {
        self.begin().whole()
    }

    /// Sends the request, and runs the loop until the head of the answer has come. The body is read from what this returns, part
    /// by part.
    ///
    /// # Panics
    /// As [`send`](ClientRequest::send), for the head.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| {
    ///     res.write("begun, ").ignore();
    ///     oneloop::set_immediate(move || res.end("done"));
    /// });
    /// server.listen(80, ()).unwrap();
    /// let mut reply = sim.request("GET", "/").open().expect(200);
    /// assert_eq!(reply.read_until(", "), "begun, ");
    /// assert_eq!(reply.read(), "done");
    /// ```
    #[track_caller]
    pub fn open(self) -> OpenReply<'a> {
        match self.try_open() {
            Ok(reply) => reply,
            Err(why) => panic!("{why}"),
        }
    }

    /// Does the same without a panic: an error is the message for a test that fails.
    pub(crate) fn try_open(self) -> Result<OpenReply<'a>, String> {
        let mut reply = self.begin();
        reply.run_to_head()?;
        Ok(reply)
    }

    fn begin(self) -> OpenReply<'a> {
        let (peer, is_own) = self.peer();
        let reply = OpenReply::new(self.sim, &self.method, &self.target, peer.clone(), is_own, self.at_most);
        self.write(&peer, &self.bytes());
        reply
    }

    /// Sends the first `bytes` bytes of the request, head included, and resets the connection when the program has taken them. The loop
    /// runs until the program has seen that. Returns whether the request is longer, so that a test can cut it at each place:
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|req, res| {
    ///     req.read_body(100, move |body| Ok(res.end(body?)));
    /// });
    /// server.listen(80, ()).unwrap();
    /// let mut bytes = 0;
    /// while sim.request("POST", "/").body("hello").cut_after(bytes) {
    ///     bytes += 1;
    /// }
    /// assert_eq!(server.connections(), 0);
    /// ```
    pub fn cut_after(self, bytes: usize) -> bool {
        let whole = self.bytes();
        let part = whole.get(..bytes).unwrap_or(&whole);
        let (peer, _) = self.peer();
        self.write(&peer, part);
        let bytes_but_first = u32::try_from(part.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.sim.advance(if self.slowly { EACH_BYTE * bytes_but_first } else { Duration::ZERO });
        peer.reset();
        self.sim.settle();
        bytes < whole.len()
    }

    fn write(&self, peer: &Peer, bytes: &[u8]) {
        if self.slowly { peer.write_each_byte_every(bytes, EACH_BYTE) } else { peer.write(bytes) }
    }

    /// The client that sends, and whether it is for this request alone.
    pub(super) fn peer(&self) -> (Peer, bool) {
        match &self.to {
            To::Peer(peer) => (peer.clone(), false),
            To::Port(port) => (self.connect(*port), true),
            To::Only => (self.connect_to_program(), true),
        }
    }

    fn connect(&self, port: u16) -> Peer {
        match self.from {
            Some(from) => self.sim.connect_from(SocketAddr::new(from, 0), port),
            None => self.sim.connect(port),
        }
    }

    fn connect_to_program(&self) -> Peer {
        let addresses = self.sim.world.program_listens_at();
        match &addresses[..] {
            [Address::Ip(address)] if address.ip().is_unspecified() || self.from.is_some() => {
                self.connect(address.port())
            }
            [address] => self.sim.connect_to(address.clone()),
            _ => self.connect(PORT),
        }
    }

    /// The value of the first field with this name that was set.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
    }

    fn bytes(&self) -> Vec<u8> {
        let is_given = |name: &str| self.field(name).is_some();
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if !is_given("Host") {
            bytes.extend_from_slice(b"Host: localhost\r\n");
        }
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        let body = self.body.as_deref().unwrap_or_default();
        if is_given("Transfer-Encoding") {
            bytes.extend_from_slice(b"\r\n");
            if !body.is_empty() {
                bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(body);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            return bytes;
        }
        if self.body.is_some() && !is_given("Content-Length") {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        bytes
    }
}
