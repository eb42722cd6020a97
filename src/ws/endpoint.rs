//! What users call on an endpoint.

use super::connection::{Close, Endpoint, EndpointCore, Listener, Verdict, WebSocket};
use super::endpoints;
use super::event::On;
use super::limits::Limits;
use super::origins::Origins;
use super::publications::Publications;
use crate::callback::{Identity, Listeners, Site, compare_by_identity, discard};
use crate::http::Request;
#[cfg(doc)]
use crate::net::Flow;
use crate::proto::ws::Message;
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

compare_by_identity!(Endpoint);

/// What an endpoint has counted: see [`Endpoint::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many sockets are open, or closing.
    pub sockets: usize,
    /// How many requests have got a socket.
    pub accepted: u64,
    /// How many requests were refused.
    pub refused: u64,
    /// How many messages were received.
    pub received: u64,
    /// How many messages were sent; a published one counts once for each subscriber to whom it was sent.
    pub sent: u64,
    /// How many published messages were left out for subscribers that were behind, each counted once for each of them: see
    /// [`Endpoint::publish_or_skip`].
    pub skipped: u64,
    /// How many published messages have not reached all of their subscribers yet.
    pub waiting: usize,
}

impl Default for Endpoint {
    fn default() -> Endpoint {
        Endpoint::new()
    }
}

impl Endpoint {
    /// Makes an endpoint that belongs to no path. It gets its sockets by [`accept`](Endpoint::accept). [`mount`](super::mount)
    /// makes an endpoint for a path.
    pub fn new() -> Endpoint {
        let endpoint = Endpoint::unlisted("");
        endpoints::add(&endpoint.0);
        endpoint
    }

    /// An endpoint that [`endpoints`](super::endpoints) does not list: a client's.
    pub(super) fn unlisted(name: &str) -> Endpoint {
        Endpoint(Rc::new(EndpointCore {
            name: RefCell::new(name.into()),
            identity: Identity::default(),
            listeners: Listeners::new(),
            sockets: RefCell::new(Slab::new()),
            subscriptions: RefCell::default(),
            publications: OnceCell::new(),
            waits: Cell::new(false),
            limits: RefCell::default(),
            origins: RefCell::default(),
            warned: Cell::new(false),
            protocols: RefCell::new(Rc::new([])),
            verify: Cell::new(None),
            accepted: Cell::new(0),
            refused: Cell::new(0),
            received: Cell::new(0),
            sent: Cell::new(0),
            skipped: Cell::new(0),
            #[cfg(feature = "deflate")]
            deflate: Cell::new(None),
        }))
    }

    // ---- Listeners

    fn add(&self, on: On, site: Site, listener: Listener) -> &Self {
        self.0.listeners.add(on, site, listener);
        self
    }

    /// Calls `f` once for each socket, with the request that has asked for it, in the poll or the pending phase. No other
    /// callback of the socket comes before this one.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_open(|socket, req| {
    ///     log::info!("{:?} has come by {}", socket.remote_addr(), req.url());
    ///     socket.send("welcome").ignore();
    /// });
    /// ```
    #[track_caller]
    pub fn on_open(&self, f: impl FnMut(&WebSocket, &Request) + 'static) -> &Self {
        self.add(On::Open, Location::caller(), Listener::Open(Box::new(f)))
    }

    /// Calls `f` with each message, in the poll or the pending phase. A message is whole, whether it came in one frame or in
    /// fragments, and is lent: `f` copies what it wants to keep.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// use oneloop::ws::Message;
    ///
    /// endpoint.on_message(|socket, message| match message {
    ///     Message::Text(text) => socket.send(text.to_uppercase()).ignore(),
    ///     Message::Binary(bytes) => socket.send(bytes).ignore(),
    /// });
    /// ```
    #[track_caller]
    pub fn on_message(&self, f: impl FnMut(&WebSocket, Message<'_>) + 'static) -> &Self {
        self.add(On::Message, Location::caller(), Listener::Message(Box::new(f)))
    }

    /// Calls `f` when all pending output of a socket has been sent, after a `send` that returned [`Flow::Full`].
    #[track_caller]
    pub fn on_drain(&self, f: impl FnMut(&WebSocket) + 'static) -> &Self {
        self.add(On::Drain, Location::caller(), Listener::Drain(Box::new(f)))
    }

    /// Calls `f` with the content of each pong, also of those that answer the pings of [`Limits::ping`]: the content of those is
    /// empty.
    #[track_caller]
    pub fn on_pong(&self, f: impl FnMut(&WebSocket, &[u8]) + 'static) -> &Self {
        self.add(On::Pong, Location::caller(), Listener::Pong(Box::new(f)))
    }

    /// Calls `f` once for each socket, in the closing phase, when the socket has closed. This is the last callback of the socket.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.on_close(|socket, close| {
    ///     log::info!("socket {}: {} {:?}, clean: {}, {}", socket.id(), close.code, close.reason, close.clean, close.why);
    /// });
    /// ```
    #[track_caller]
    pub fn on_close(&self, f: impl FnMut(&WebSocket, &Close<'_>) + 'static) -> &Self {
        self.add(On::Close, Location::caller(), Listener::Close(Box::new(f)))
    }

    // ---- Its name

    /// Its name in logs, in recordings and on the page of the devtools: the prefix at which it is mounted. The name of an endpoint
    /// that belongs to no path is the path of the first request that it has accepted (of an application: the pattern of its route).
    /// Empty before.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// assert_eq!(&*oneloop::ws::mount(&server, "/chat/").name(), "/chat");
    /// ```
    pub fn name(&self) -> Rc<str> {
        self.0.name.borrow().clone()
    }

    /// Sets the [name](Endpoint::name).
    ///
    /// ```
    /// let rooms = oneloop::ws::Endpoint::new();
    /// rooms.set_name("rooms");
    /// assert_eq!(&*rooms.name(), "rooms");
    /// ```
    pub fn set_name(&self, name: &str) -> &Self {
        *self.0.name.borrow_mut() = name.into();
        self
    }

    /// A number that no other endpoint of the process has or had.
    ///
    /// ```
    /// use oneloop::ws::Endpoint;
    ///
    /// assert_ne!(Endpoint::new().id(), Endpoint::new().id());
    /// ```
    pub fn id(&self) -> u64 {
        self.0.identity.number()
    }

    // ---- Who may come

    /// Sets the web pages that may open sockets: [`Origins::SameHost`] by default. Requests of other pages are answered 403; the
    /// first one is logged as a warning.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// use oneloop::ws::Origins;
    ///
    /// endpoint.origins(Origins::only(["https://example.com"]));
    /// ```
    pub fn origins(&self, origins: Origins) -> &Self {
        *self.0.origins.borrow_mut() = Rc::new(origins);
        self.0.warned.set(false);
        self
    }

    /// Sets `f` to decide which requests below the prefix of a [mounted](super::mount) endpoint get a socket, before anything else is
    /// checked. A later call replaces `f`. If `f` panics, the answer is 500. To decide later, use [`accept`](Endpoint::accept).
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// use oneloop::ws::Verdict;
    ///
    /// endpoint.verify(|req| match req.header("cookie") {
    ///     Some(_) => Verdict::Accept,
    ///     None => Verdict::Refuse(401),
    /// });
    /// ```
    pub fn verify(&self, f: impl FnMut(&Request) -> Verdict + 'static) -> &Self {
        let old = self.0.verify.replace(Some(Box::new(f)));
        discard(old);
        self
    }

    /// Sets the subprotocols that the program speaks, in the order of its preference. The first one of them that the client
    /// offers as well is used. If there is none, the socket is opened without one, and browsers close it.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.protocols(&["v2.chat", "v1.chat"]);
    /// endpoint.on_open(|socket, _req| {
    ///     let is_new = socket.protocol() == Some("v2.chat");
    ///     log::debug!("the new protocol: {is_new}");
    /// });
    /// ```
    pub fn protocols(&self, ours: &[&str]) -> &Self {
        *self.0.protocols.borrow_mut() = ours.iter().map(|&name| name.to_owned()).collect();
        self
    }

    // ---- Settings

    /// Returns the present limits.
    pub fn limits(&self) -> Limits {
        Limits::clone(&self.0.limits())
    }

    /// Sets the limits, for all sockets of the endpoint. Deadlines that are running already do not change.
    pub fn set_limits(&self, limits: Limits) -> &Self {
        *self.0.limits.borrow_mut() = Rc::new(limits);
        self
    }

    // ---- All sockets

    /// The sockets that are open or closing.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// for socket in endpoint.sockets() {
    ///     socket.send("lunch is ready").ignore();
    /// }
    /// ```
    pub fn sockets(&self) -> impl Iterator<Item = WebSocket> + use<> {
        // The list is copied, because the caller's code may open or close sockets while it iterates.
        let sockets: Vec<_> = self.0.sockets.borrow().iter().map(|(_, socket)| WebSocket(socket.clone())).collect();
        sockets.into_iter()
    }

    /// The number of sockets that are open or closing.
    pub fn len(&self) -> usize {
        self.0.sockets.borrow().len()
    }

    /// Returns whether there are no sockets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the endpoint has counted.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// let stats = endpoint.stats();
    /// println!("{} sockets, {} messages received", stats.sockets, stats.received);
    /// ```
    pub fn stats(&self) -> Stats {
        Stats {
            sockets: self.len(),
            accepted: self.0.accepted.get(),
            refused: self.0.refused.get(),
            received: self.0.received.get(),
            sent: self.0.sent.get(),
            skipped: self.0.skipped.get(),
            waiting: self.0.waiting().map_or(0, Publications::len),
        }
    }

    /// Closes all sockets, each as [`WebSocket::close_with`] does. (When its server closes, they are closed with the code 1001.)
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// endpoint.close_all(1012, "back in a minute");
    /// ```
    pub fn close_all(&self, code: u16, reason: &str) {
        for socket in self.sockets() {
            socket.close_with(code, reason);
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("sockets", &self.len()).finish()
    }
}
