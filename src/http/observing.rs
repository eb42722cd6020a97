//! Reports exchanges that are over to listeners of a server, and counts them.
//!
//! While there is no listener and counting is off, an exchange costs one check of a flag ([`Observing::is_on`]). If the flag is
//! set, or if the program keeps a handle of the exchange, the exchange ends only when the kernel has taken its last byte.

use super::request::Request;
use crate::event_loop::Histogram;
use crate::net::{Address, CloseReason, Stream};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

/// An exchange that is over, as [`Server::on_exchange_end`](super::Server::on_exchange_end) sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExchangeEnd<'a> {
    /// The request: its method, target and fields.
    pub request: &'a Request,
    /// The status of the response; `None` if none was sent: the exchange was cut before, or handed over to
    /// [`Server::on_upgrade`](super::Server::on_upgrade) or [`Server::on_connect`](super::Server::on_connect), whose
    /// listener writes the response itself.
    pub status: Option<u16>,
    /// The number of bytes of the response's content, without head and chunk sizes, as logs of servers count them. If the
    /// exchange was cut, these are the bytes that were given to the connection; the peer need not have received them.
    pub bytes: u64,
    /// The time from the turn in which the head was read until the kernel had taken the last byte of the response.
    pub duration: Duration,
    /// The reason why the exchange ended: [`CloseReason::Finished`] if nothing went wrong.
    pub reason: CloseReason,
    /// The peer's address.
    pub remote_addr: Address,
}

/// A line for a log: peer, method, target, status, bytes and duration; and the reason, if it was cut.
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

/// The counters of a server: see [`Server::metrics`](super::Server::metrics).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerMetrics {
    /// How many requests have come, answered or not.
    pub requests: u64,
    /// How many exchanges are over, by the class of their response's status: 2xx, 3xx, 4xx, 5xx. Counted only while
    /// [`Server::set_metrics`](super::Server::set_metrics) is on.
    pub responses: [u64; 4],
    /// How many exchanges have ended with `101 Switching Protocols`: the connection speaks another protocol since, such as
    /// WebSocket ([`Response::upgrade`](super::Response::upgrade), [`ws`](crate::ws)). Counted only while
    /// [`Server::set_metrics`](super::Server::set_metrics) is on.
    pub switched: u64,
    /// How many exchanges are over without a response: they were cut before one was sent, or handed over to
    /// [`Server::on_upgrade`](super::Server::on_upgrade) or [`Server::on_connect`](super::Server::on_connect). Counted only
    /// while [`Server::set_metrics`](super::Server::set_metrics) is on.
    pub unanswered: u64,
    /// How many messages were refused without an exchange: see [`Server::on_client_error`](super::Server::on_client_error).
    pub refused: u64,
    /// The [`ExchangeEnd::duration`] of the exchanges that are over. Measured only while
    /// [`Server::set_metrics`](super::Server::set_metrics) is on.
    pub latency: Histogram,
    /// How many bytes were received on the server's connections, up to an upgrade.
    pub bytes_read: u64,
    /// How many bytes the kernel has taken on these connections.
    pub bytes_written: u64,
}

/// A server's counters.
#[derive(Default)]
pub(super) struct Observing {
    on: Cell<bool>,
    counts: Cell<bool>,
    responses: Cell<[u64; 4]>,
    switched: Cell<u64>,
    unanswered: Cell<u64>,
    refused: Cell<u64>,
    latency: RefCell<Histogram>,
    /// Bytes received and sent on connections that are gone.
    bytes: Cell<(u64, u64)>,
}

impl Observing {
    /// Returns whether the end of an exchange is to be counted or reported.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Notes that there is a listener for the ends of exchanges.
    pub fn tell(&self) {
        self.on.set(true);
    }

    /// Sets whether the ends of exchanges are counted. `told`: whether the server has listeners for these ends. If it has, they
    /// are called even while nothing is counted.
    pub fn set_counting(&self, on: bool, told: bool) {
        self.counts.set(on);
        self.on.set(on || told);
    }

    pub fn count_refused(&self) {
        self.refused.set(self.refused.get() + 1);
    }

    /// Adds the bytes of a connection that is over, or that has left HTTP.
    pub fn count_bytes(&self, stream: &Stream) {
        let (read, written) = self.bytes.get();
        self.bytes.set((read + stream.bytes_read(), written + stream.bytes_written()));
    }

    pub fn count(&self, end: &ExchangeEnd<'_>) {
        if !self.counts.get() {
            return;
        }
        let mut responses = self.responses.get();
        match end.status.and_then(|status| responses.get_mut(usize::from(status / 100).wrapping_sub(2))) {
            Some(class) => *class += 1,
            None if end.status == Some(101) => self.switched.set(self.switched.get() + 1),
            None => self.unanswered.set(self.unanswered.get() + 1),
        }
        self.responses.set(responses);
        self.latency.borrow_mut().add(end.duration);
    }

    /// The counters. `open`: the bytes received and sent on the connections that are open.
    pub fn metrics(&self, requests: u64, open: (u64, u64)) -> ServerMetrics {
        let (read, written) = self.bytes.get();
        ServerMetrics {
            requests,
            responses: self.responses.get(),
            switched: self.switched.get(),
            unanswered: self.unanswered.get(),
            refused: self.refused.get(),
            latency: self.latency.borrow().clone(),
            bytes_read: read + open.0,
            bytes_written: written + open.1,
        }
    }
}
