//! The listeners of a server, and the choice of listeners for a request. The first line that applies to the request decides:
//!
//! ```text
//!   one too many for its connection, or shed ──► on_drop_request, else 503
//!   asks for a protocol that is mounted at its path (`ws::mount`) ──► that protocol
//!   asks for the connection itself ──► set_upgrade_filter? ──► on_upgrade, if there is a listener; on_connect
//!   has another expectation than 100-continue ──► on_check_expectation, else 417
//!   its path has a listener ──► on_path
//!   expects 100-continue ──► on_check_continue, else on_request
//!   any other ──► on_request
//! ```

use super::answer::{Answer, answer};
use super::client_error::ClientError;
use super::connection::Connection;
use super::exchange::{Exchange, Handle};
use super::observing::ExchangeEnd;
use super::paths::Paths;
use super::request::Request;
use super::response::Response;
use crate::callback::{Listeners, Site};
use crate::event_loop::Loop;
use crate::net::{Address, CloseReason, Socket};
use std::cell::Cell;
#[cfg(feature = "app")]
use std::cell::OnceCell;
use std::rc::Rc;

/// An event of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerEvent {
    Connection,
    Request,
    CheckContinue,
    CheckExpectation,
    ShouldUpgrade,
    Upgrade,
    Connect,
    ClientError,
    DropRequest,
    Drop,
    ExchangeEnd,
    Closing,
    Close,
    #[cfg(feature = "tls")]
    TlsError,
}

pub(super) enum ServerListener {
    Request(Box<dyn FnMut(Request, Response)>),
    ShouldUpgrade(Box<dyn FnMut(&Request) -> bool>),
    Upgrade(Box<dyn FnMut(Request, Socket, Vec<u8>)>),
    Connection(Box<dyn FnMut(&Connection)>),
    ClientError(Box<dyn FnMut(&ClientError)>),
    Drop(Box<dyn FnMut(&Address)>),
    ExchangeEnd(Box<dyn FnMut(&ExchangeEnd<'_>)>),
    #[cfg(feature = "tls")]
    TlsError(Box<dyn FnMut(&crate::net::TlsError)>),
    /// For `Closing` and `Close`.
    Ending(Box<dyn FnMut()>),
}

/// Makes a listener for requests. An error that the handler returns is answered as [`Answer`] says.
pub(super) fn handler<R: Answer>(mut f: impl FnMut(Request, Response) -> R + 'static) -> ServerListener {
    ServerListener::Request(Box::new(move |req, res| {
        if R::FALLIBLE {
            let exchange = req.0.clone();
            answer(&exchange, || f(req, res));
        } else {
            f(req, res);
        }
    }))
}

/// A layer above `http`, which answers requests in place of the request listeners of a server.
#[cfg(feature = "app")]
pub(crate) trait Layer {
    /// Answers a request, or begins to. The loop calls this outside of any callback, so each callback that the layer calls for the
    /// request has a call of its own, with its own site.
    fn request(self: Rc<Self>, lp: &Rc<Loop>, exchange: &Rc<Exchange>);
}

/// Where requests without an expectation go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All to the request listeners.
    Listeners,
    /// All to the layer above.
    #[cfg(feature = "app")]
    Layer,
    /// It depends on the path.
    ByPath,
}

/// All listeners of a server.
pub(super) struct Dispatch {
    way: Cell<Way>,
    listeners: Listeners<ServerEvent, ServerListener>,
    paths: Paths,
    /// The listeners for prefixes. The key is the number that `paths` gives to the prefix.
    path_listeners: Listeners<u32, ServerListener>,
    /// The same for requests that ask for another protocol. The key has the name of that protocol as well.
    upgrade_paths: Paths,
    upgrade_listeners: Listeners<(u32, &'static str), ServerListener>,
    #[cfg(feature = "app")]
    layer: OnceCell<Rc<dyn Layer>>,
}

impl Dispatch {
    pub fn new() -> Dispatch {
        Dispatch {
            way: Cell::new(Way::Listeners),
            listeners: Listeners::new(),
            paths: Paths::default(),
            path_listeners: Listeners::new(),
            upgrade_paths: Paths::default(),
            upgrade_listeners: Listeners::new(),
            #[cfg(feature = "app")]
            layer: OnceCell::new(),
        }
    }

    pub fn add(&self, event: ServerEvent, site: Site, listener: ServerListener) {
        self.listeners.add(event, site, listener);
    }

    /// Adds a listener for the requests below a prefix.
    pub fn add_path(&self, prefix: &str, site: Site, listener: ServerListener) {
        self.way.set(Way::ByPath);
        self.path_listeners.add(self.paths.number(prefix), site, listener);
    }

    /// Adds a listener for the requests below a prefix that ask for a protocol.
    pub fn add_upgrade_path(&self, prefix: &str, protocol: &'static str, site: Site, listener: ServerListener) {
        self.upgrade_listeners.add((self.upgrade_paths.number(prefix), protocol), site, listener);
    }

    /// Gives requests to `layer` in place of the request listeners. A server has one layer at most.
    #[cfg(feature = "app")]
    pub fn set_layer(&self, layer: Rc<dyn Layer>) {
        let _ = self.layer.set(layer);
        if self.way.get() == Way::Listeners {
            self.way.set(Way::Layer);
        }
    }

    pub fn remove(&self, event: ServerEvent) {
        self.listeners.remove(event);
    }

    pub fn has(&self, event: ServerEvent) -> bool {
        self.listeners.has(event)
    }

    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The prefix of each listener for requests (`None`: all paths), and where it was registered. Listeners for a prefix
    /// come first; each group is in the order of registration.
    pub fn routes(&self) -> impl Iterator<Item = (Option<u32>, Site)> {
        let below = self.path_listeners.sites().into_iter().map(|(number, site)| (Some(number), site));
        let others = self.listeners.sites().into_iter().filter(|(event, _)| *event == ServerEvent::Request);
        below.chain(others.map(|(_, site)| (None, site)))
    }

    // ---- Requests

    /// Gives a request to the listeners for it.
    #[inline]
    pub fn request(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        match self.way.get() {
            Way::Listeners if !exchange.head().expects() => give(&self.listeners, ServerEvent::Request, lp, exchange),
            #[cfg(feature = "app")]
            Way::Layer if !exchange.head().expects() => self.give_layer(lp, exchange),
            _ => self.find_and_give(lp, exchange),
        }
    }

    #[cfg(feature = "app")]
    fn give_layer(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        if let Some(layer) = self.layer.get() {
            layer.clone().request(lp, exchange);
        }
    }

    #[inline(never)]
    fn find_and_give(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        let path = self.paths.find(exchange.head().path());
        let mut event = ServerEvent::Request;
        if exchange.head().expectation().is_some() {
            event = ServerEvent::CheckExpectation;
        } else if path.is_none() && exchange.incoming().owes_continue() && self.has(ServerEvent::CheckContinue) {
            event = ServerEvent::CheckContinue;
        }
        if event == ServerEvent::CheckExpectation && !self.has(event) {
            exchange.outgoing().set_fallback(417);
        }
        match path {
            Some(number) if event == ServerEvent::Request => give(&self.path_listeners, number, lp, exchange),
            #[cfg(feature = "app")]
            _ if event == ServerEvent::Request && self.layer.get().is_some() => self.give_layer(lp, exchange),
            _ => give(&self.listeners, event, lp, exchange),
        }
    }

    /// The key of the listener for a request that asks for another protocol, if that protocol is mounted at its path.
    #[cold]
    pub fn upgrade_path(&self, exchange: &Exchange) -> Option<(u32, &'static str)> {
        let number = self.upgrade_paths.find(exchange.head().path())?;
        let keys = self.upgrade_listeners.sites().into_iter().map(|(key, _)| key);
        keys.into_iter().find(|(there, protocol)| *there == number && exchange.head().offers(protocol))
    }

    /// Gives a request that asks for another protocol to the listener for it, or else to those for all requests.
    #[cold]
    pub fn upgrade_request(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        match self.upgrade_path(exchange) {
            Some(key) => give(&self.upgrade_listeners, key, lp, exchange),
            None => self.request(lp, exchange),
        }
    }

    /// Gives a request that is shed, or that is one too many for its connection, to the `on_drop_request` listeners.
    #[cold]
    pub fn drop_request(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        exchange.outgoing().set_fallback(503);
        give(&self.listeners, ServerEvent::DropRequest, lp, exchange);
    }

    /// Returns whether a request that asks for another protocol gets its connection. If not, the request goes to the
    /// request listeners, unless the filter has panicked: then this method has answered it.
    #[cold]
    pub fn accepts_upgrade(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) -> bool {
        let request = Request(exchange.clone());
        let mut accepted = true;
        self.listeners.each(ServerEvent::ShouldUpgrade, |site, listener| {
            let ServerListener::ShouldUpgrade(f) = listener else { return };
            accepted = lp.call(site, &**exchange, || f(&request)).unwrap_or_else(|| {
                exchange.panicked();
                false
            });
        });
        accepted
    }

    /// Gives a connection that leaves HTTP to the listeners for upgrades, or for CONNECT, with the bytes that followed the
    /// head.
    pub fn upgrade(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>, socket: &Socket, rest: &[u8]) {
        let event = if exchange.head().is_connect() { ServerEvent::Connect } else { ServerEvent::Upgrade };
        self.listeners.each(event, |site, listener| {
            let ServerListener::Upgrade(f) = listener else { return };
            let (req, taken) = (Request(exchange.clone()), socket.clone());
            if lp.call(site, &**exchange, || f(req, taken, rest.to_vec())).is_none() {
                socket.panicked();
            }
        });
    }

    // ---- The other events of a server

    pub fn tell_connection(&self, lp: &Rc<Loop>, connection: &Connection) {
        self.listeners.each(ServerEvent::Connection, |site, listener| {
            if let ServerListener::Connection(f) = listener
                && lp.call(site, &"a connection", || f(connection)).is_none()
            {
                connection.0.destroy(CloseReason::Panicked);
            }
        });
    }

    pub fn tell_drop(&self, lp: &Rc<Loop>, peer: &Address) {
        self.listeners.each(ServerEvent::Drop, |site, listener| {
            if let ServerListener::Drop(f) = listener {
                lp.call(site, &"a dropped connection", || f(peer));
            }
        });
    }

    pub fn tell_client_error(&self, lp: &Rc<Loop>, error: &ClientError) {
        self.listeners.each(ServerEvent::ClientError, |site, listener| {
            if let ServerListener::ClientError(f) = listener {
                lp.call(site, &"a client's error", || f(error));
            }
        });
    }

    pub fn tell_exchange_end(&self, lp: &Rc<Loop>, exchange: &Exchange, end: &ExchangeEnd<'_>) {
        self.listeners.each(ServerEvent::ExchangeEnd, |site, listener| {
            if let ServerListener::ExchangeEnd(f) = listener {
                lp.call(site, exchange, || f(end));
            }
        });
    }

    pub fn tell_closing(&self, lp: &Rc<Loop>) {
        self.tell_ending(lp, ServerEvent::Closing, "a server's closing");
    }

    #[cfg(feature = "tls")]
    #[cold]
    pub fn tell_tls_error(&self, lp: &Rc<Loop>, error: &crate::net::TlsError) {
        self.listeners.each(ServerEvent::TlsError, |site, listener| {
            if let ServerListener::TlsError(f) = listener {
                lp.call(site, &"a failed handshake", || f(error));
            }
        });
    }

    pub fn tell_close(&self, lp: &Rc<Loop>) {
        self.tell_ending(lp, ServerEvent::Close, "a server's close");
    }

    fn tell_ending(&self, lp: &Rc<Loop>, event: ServerEvent, what: &'static str) {
        self.listeners.each(event, |site, listener| {
            if let ServerListener::Ending(f) = listener {
                lp.call(site, &what, f);
            }
        });
    }
}

/// Gives a request to all listeners for an event.
#[inline]
fn give<K: Copy + PartialEq>(
    listeners: &Listeners<K, ServerListener>,
    event: K,
    lp: &Rc<Loop>,
    exchange: &Rc<Exchange>,
) {
    // This handle is held until all listeners have had the request. Before that, the response does not count as dropped.
    let _handle = Handle::new(exchange);
    let mut panicked = false;
    listeners.each(event, |site, listener| {
        let ServerListener::Request(f) = listener else { return };
        if panicked {
            return;
        }
        let (req, res) = (Request(exchange.clone()), Response::new(exchange));
        if lp.call(site, &**exchange, || f(req, res)).is_none() {
            panicked = true;
            exchange.panicked();
        }
    });
}
