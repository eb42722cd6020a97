//! What a server tells of its exchanges once they are over: [`Server::on_exchange_end`], for a log of accesses, and
//! [`Server::metrics`].
//!
//! Both cost nothing while nobody asks for them: one flag of the server says so ([`Inner::observed`]). Where it is set, an
//! exchange ends when the kernel has its last byte, as one does of which a handle is kept.

use super::dispatch::{Listener, On};
use super::exchange::{Exchange, Phase};
use super::request::Request;
use super::server::Inner;
use super::server::Server;
use crate::event_loop::{Histogram, Loop};
use crate::net::{Address, CloseReason, Stream};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// An exchange that is over, as [`Server::on_exchange_end`] sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExchangeEnd<'a> {
    /// The request: its method, target and fields.
    pub request: &'a Request,
    /// The status of the response; `None` where none was sent: the exchange was cut before, or handed over to
    /// [`Server::on_upgrade`] or [`Server::on_connect`], whose listener writes the response itself.
    pub status: Option<u16>,
    /// Bytes of the response's content, without head and chunk sizes, as servers' logs count them. Where the exchange was
    /// cut, those that were given to the connection, which need not have reached the peer.
    pub bytes: u64,
    /// From the turn in which the head was read until the kernel had the last byte of the response.
    pub duration: Duration,
    /// Why it ended: [`CloseReason::Finished`] where all went well.
    pub reason: CloseReason,
    /// The peer's address.
    pub remote_addr: Address,
}

/// A line for a log: peer, method, target, status, bytes and duration; and the reason, where it was cut.
impl fmt::Display for ExchangeEnd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, target) = (self.request.method(), self.request.url());
        write!(f, "{} {method} {target} ", self.remote_addr)?;
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {} {:.1?}", self.bytes, self.duration)?;
        if self.reason != CloseReason::Finished {
            write!(f, " {}", self.reason)?;
        }
        Ok(())
    }
}

/// What a server has done so far: see [`Server::metrics`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerMetrics {
    /// Requests that came, answered or not.
    pub requests: u64,
    /// Exchanges that are over, by the class of their response's status: 2xx, 3xx, 4xx, 5xx. Counted only while
    /// [`Server::set_metrics`] is on.
    pub responses: [u64; 4],
    /// Exchanges that are over without a response: cut before one was sent, or handed over. Counted while it is on.
    pub unanswered: u64,
    /// Messages that were refused, for which there was no exchange: see [`Server::on_client_error`].
    pub refused: u64,
    /// [`ExchangeEnd::duration`] of those exchanges. Counted while it is on.
    pub latency: Histogram,
    /// Bytes received on its connections, up to an upgrade.
    pub bytes_read: u64,
    /// Bytes that the kernel took on them.
    pub bytes_written: u64,
}

/// A server's counters.
#[derive(Default)]
pub(super) struct Observing {
    /// Whether the ends of exchanges are told or counted.
    on: Cell<bool>,
    counts: Cell<bool>,
    responses: Cell<[u64; 4]>,
    unanswered: Cell<u64>,
    refused: Cell<u64>,
    latency: RefCell<Histogram>,
    /// Of connections that are gone.
    bytes: Cell<(u64, u64)>,
}

impl Observing {
    pub fn count_refused(&self) {
        self.refused.set(self.refused.get() + 1);
    }

    /// A connection is over, or no longer HTTP's.
    pub fn count_bytes(&self, stream: &Stream) {
        let (read, written) = self.bytes.get();
        self.bytes.set((read + stream.bytes_read(), written + stream.bytes_written()));
    }

    fn count(&self, end: &ExchangeEnd<'_>) {
        let mut responses = self.responses.get();
        match end.status.and_then(|status| responses.get_mut(usize::from(status / 100).wrapping_sub(2))) {
            Some(class) => *class += 1,
            None => self.unanswered.set(self.unanswered.get() + 1),
        }
        self.responses.set(responses);
        self.latency.borrow_mut().add(end.duration);
    }
}

impl Inner {
    /// Whether the ends of exchanges are told or counted.
    #[inline]
    pub fn observed(&self) -> bool {
        self.observing.on.get()
    }

    #[cold]
    pub fn tell_exchange_end(&self, lp: &Rc<Loop>, stream: &Stream, exchange: &Rc<Exchange>, reason: CloseReason) {
        let answered = exchange.phase.get() != Phase::Open;
        let request = Request(exchange.clone());
        let end = ExchangeEnd {
            request: &request,
            status: answered.then(|| exchange.response.borrow().status()),
            bytes: if answered { exchange.content_sent.get() } else { 0 },
            duration: lp.exact_now().saturating_sub(Duration::from_nanos(exchange.started)),
            reason,
            remote_addr: stream.peer(),
        };
        if self.observing.counts.get() {
            self.observing.count(&end);
        }
        self.listeners.each(On::ExchangeEnd, |site, listener| {
            if let Listener::ExchangeEnd(f) = listener {
                lp.call(site, &**exchange, || f(&end));
            }
        });
    }
}

impl Server {
    /// Called for each exchange when it is over, well or not: once, behind the listeners of its own (`on_finish`, `on_close`),
    /// in the turn in which the kernel took the last byte, or in the closing phase where the connection was cut. Not for
    /// messages that were refused: see [`on_client_error`](Server::on_client_error). It allocates nothing for a request, and
    /// what is not asked for costs nothing. A log of all accesses, in five lines:
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.end("hi"));
    /// server.on_exchange_end(|end| {
    ///     let agent = end.request.header("user-agent").unwrap_or("-");
    ///     log::info!("{end} {agent:?}"); // 127.0.0.1:40312 GET / 200 2 112.4µs "curl/8.5.0"
    /// });
    /// ```
    #[track_caller]
    pub fn on_exchange_end(&self, f: impl FnMut(&ExchangeEnd<'_>) + 'static) -> &Self {
        self.0.observing.on.set(true);
        self.0.listeners.add(On::ExchangeEnd, Location::caller(), Listener::ExchangeEnd(Box::new(f)));
        self
    }

    /// Says whether responses are counted by class and their durations are measured (false at first), for
    /// [`metrics`](Server::metrics). It takes a reading of the clock for each request.
    pub fn set_metrics(&self, on: bool) -> &Self {
        self.0.observing.counts.set(on);
        self.0.observing.on.set(on || self.0.listeners.has(On::ExchangeEnd));
        self
    }

    /// What it has done so far. It looks at every open connection, so it is not for every request.
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hi"));
    /// server.set_metrics(true).listen(80, ()).unwrap();
    /// sim.request("GET", "/").send().expect_status(200);
    /// let metrics = server.metrics();
    /// assert_eq!((metrics.requests, metrics.responses), (1, [1, 0, 0, 0]));
    /// assert_eq!(metrics.latency.count(), 1);
    /// ```
    pub fn metrics(&self) -> ServerMetrics {
        let observing = &self.0.observing;
        let (mut bytes_read, mut bytes_written) = observing.bytes.get();
        for (stream, _) in self.0.each_connection() {
            bytes_read += stream.bytes_read();
            bytes_written += stream.bytes_written();
        }
        ServerMetrics {
            requests: self.requests(),
            responses: observing.responses.get(),
            unanswered: observing.unanswered.get(),
            refused: observing.refused.get(),
            latency: observing.latency.borrow().clone(),
            bytes_read,
            bytes_written,
        }
    }
}
