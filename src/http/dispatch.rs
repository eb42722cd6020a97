//! To whom a request is given: the listeners of a server, and the order in which they are asked.
//!
//! ```text
//!   one too many, or shed ──► on_drop_request, else 503
//!   takes the connection over ──► set_upgrade_filter? ──► on_upgrade; on_connect
//!   another expectation ──► on_check_expectation, else 417
//!   path with a listener ──► on_path
//!   100-continue ──► on_check_continue, else as any other
//!   any other ──► on_request
//! ```

use super::answer::{Answer, answer};
use super::client_error::ClientError;
use super::connection::Connection;
use super::exchange::Exchange;
use super::observing::ExchangeEnd;
use super::request::Request;
use super::response::Response;
use super::server::Inner;
use crate::callback::Listeners;
use crate::event_loop::Loop;
use crate::net::{Address, Socket};
use std::rc::Rc;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
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
}

pub(super) enum Listener {
    Request(Box<dyn FnMut(Request, Response)>),
    ShouldUpgrade(Box<dyn FnMut(&Request) -> bool>),
    Upgrade(Box<dyn FnMut(Request, Socket, Vec<u8>)>),
    Connection(Box<dyn FnMut(&Connection)>),
    ClientError(Box<dyn FnMut(&ClientError)>),
    Drop(Box<dyn FnMut(&Address)>),
    ExchangeEnd(Box<dyn FnMut(&ExchangeEnd<'_>)>),
    Closing(Box<dyn FnMut()>),
    Close(Box<dyn FnMut()>),
}

/// A handler, with what its result asks for.
pub(super) fn handler<R: Answer>(mut f: impl FnMut(Request, Response) -> R + 'static) -> Listener {
    Listener::Request(Box::new(move |req, res| {
        if R::FALLIBLE {
            let exchange = req.0.clone();
            answer(&exchange, || f(req, res));
        } else {
            f(req, res);
        }
    }))
}

impl Inner {
    /// Gives a request to whom it is for.
    #[inline]
    pub fn dispatch(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        if self.paths.is_empty() && !exchange.head.expects() {
            give(&self.listeners, On::Request, lp, exchange);
        } else {
            self.find_and_dispatch(lp, exchange);
        }
    }

    #[inline(never)]
    fn find_and_dispatch(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        let path = self.paths.find(exchange.head.path());
        let mut on = On::Request;
        if exchange.head.expectation().is_some() {
            on = On::CheckExpectation;
        } else if path.is_none() && exchange.owes_continue.get() && self.listeners.has(On::CheckContinue) {
            on = On::CheckContinue;
        }
        if on == On::CheckExpectation && !self.listeners.has(on) {
            exchange.fallback.set(417);
        }
        match path {
            Some(number) if on == On::Request => give(&self.path_listeners, number, lp, exchange),
            _ => give(&self.listeners, on, lp, exchange),
        }
    }

    /// A request too many, for its connection or for the loop.
    #[cold]
    pub fn drop_request(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        exchange.fallback.set(503);
        give(&self.listeners, On::DropRequest, lp, exchange);
    }

    /// A request that came while the loop is late, and is not exempt.
    pub fn shed(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>, retry_after: u32) {
        exchange.retry_after.set(retry_after);
        self.drop_request(lp, exchange);
    }

    pub fn upgrades(&self) -> bool {
        self.listeners.has(On::Upgrade)
    }

    pub fn connects(&self) -> bool {
        self.listeners.has(On::Connect)
    }

    /// Returns whether a request that asks for another protocol is to be given its connection. Where it is not, it is one
    /// for the request listeners, unless it was answered here, after a panic.
    #[cold]
    pub fn accepts_upgrade(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) -> bool {
        let request = Request(exchange.clone());
        let mut accepted = true;
        self.listeners.each(On::ShouldUpgrade, |site, listener| {
            let Listener::ShouldUpgrade(f) = listener else { return };
            accepted = lp.call(site, &**exchange, || f(&request)).unwrap_or_else(|| {
                exchange.panicked();
                false
            });
        });
        accepted
    }

    pub fn upgrade(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>, socket: &Socket, rest: &[u8]) {
        let on = if exchange.head.is_connect() { On::Connect } else { On::Upgrade };
        self.listeners.each(on, |site, listener| {
            let Listener::Upgrade(f) = listener else { return };
            let (req, taken) = (Request(exchange.clone()), socket.clone());
            if lp.call(site, &**exchange, || f(req, taken, rest.to_vec())).is_none() {
                socket.panicked();
            }
        });
    }

    pub fn client_error(&self, error: &ClientError) {
        self.observing.count_refused();
        let lp = &self.cx.lp;
        self.listeners.each(On::ClientError, |site, listener| {
            if let Listener::ClientError(f) = listener {
                lp.call(site, &"a client's error", || f(error));
            }
        });
    }
}

/// Gives a request to all listeners of an event.
#[inline]
fn give<K: Copy + PartialEq>(listeners: &Listeners<K, Listener>, on: K, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
    // Ours, so that the request is given up only after all of them.
    let _response = Response::new(exchange);
    let mut panicked = false;
    listeners.each(on, |site, listener| {
        let Listener::Request(f) = listener else { return };
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
