use super::reply::{Reading, Reply};
use super::{Peer, Sim};
use crate::event_loop::driver::Address;
use std::time::Duration;

/// How long an answer may take, in virtual time, unless [`ClientRequest::at_most`] sets another limit.
const AT_MOST: Duration = Duration::from_secs(5 * 60);
/// The port to connect to if the program listens on several addresses, or on none.
const PORT: u16 = 80;

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
#[must_use = "it is sent by `send`"]
pub struct ClientRequest<'a> {
    sim: &'a Sim,
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
    to: To,
    at_most: Duration,
}

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
            at_most: AT_MOST,
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
        let sim = self.sim;
        let logged = sim.said.count();
        let (peer, is_own) = match &self.to {
            To::Peer(peer) => (peer.clone(), false),
            To::Port(port) => (sim.connect(*port), true),
            To::Only => (self.connect(), true),
        };
        let mut seen = peer.received_len();
        peer.write(self.bytes());
        let mut reading = Reading::new(&self.method);
        let mut fault = None;
        let watched = peer.watch();
        let end = sim.now().saturating_add(self.at_most);
        let over = loop {
            // `has_ended` is asked before the bytes are taken: if the connection has ended by then, all its bytes have
            // come.
            let is_over = || {
                let closed = peer.has_ended();
                let bytes = peer.received_from(seen);
                seen += bytes.len();
                fault = reading.take(&bytes).err();
                if closed && !peer.was_reset() {
                    reading.end();
                }
                reading.is_whole() || closed || fault.is_some()
            };
            if sim.run_until(is_over, end.saturating_sub(sim.now())) {
                break true;
            }
            if sim.now() >= end {
                break false;
            }
        };
        drop(watched);
        if fault.is_some() || !reading.is_whole() {
            let end = match fault {
                Some(fault) => fault,
                None if peer.was_refused() => "the connection was refused".to_owned(),
                None if peer.was_reset() => "the connection was reset".to_owned(),
                None if over => "the connection was closed".to_owned(),
                None => format!("{:?} have passed", self.at_most),
            };
            let lines: String = sim.said.lines_since(logged).iter().map(|line| format!("\n  {line}")).collect();
            let (method, target) = (&self.method, &self.target);
            panic!(
                "oneloop: no whole answer to {method} {target}: {end}; {}; logged meanwhile:{lines}",
                reading.so_far()
            );
        }
        if is_own {
            peer.close();
            sim.settle();
        }
        reading.reply(sim.said.lines_since(logged))
    }

    fn connect(&self) -> Peer {
        let addresses = self.sim.world.program_listens_at();
        match &addresses[..] {
            [Address::Ip(address)] if address.ip().is_unspecified() => self.sim.connect(address.port()),
            [address] => self.sim.connect_to(address.clone()),
            _ => self.sim.connect(PORT),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let is_given = |name: &str| self.fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
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
