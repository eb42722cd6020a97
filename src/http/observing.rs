//! What a server tells of its exchanges once they are over, and what it counts of them.
//!
//! It costs nothing while nobody asks for it: one flag of the server says so ([`Observing::is_on`]). If the flag is set, an
//! exchange ends when the kernel has its last byte, as an exchange does of which a handle is kept.

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
    /// The status of the response; `None` where none was sent: the exchange was cut before, or handed over to
    /// [`Server::on_upgrade`](super::Server::on_upgrade) or [`Server::on_connect`](super::Server::on_connect), whose listener writes the response itself.
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

/// What a server has done so far: see [`Server::metrics`](super::Server::metrics).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerMetrics {
    /// Requests that came, answered or not.
    pub requests: u64,
    /// Exchanges that are over, by the class of their response's status: 2xx, 3xx, 4xx, 5xx. Counted only while
    /// [`Server::set_metrics`](super::Server::set_metrics) is on.
    pub responses: [u64; 4],
    /// Exchanges that are over without a response: cut before one was sent, or handed over. Counted while it is on.
    pub unanswered: u64,
    /// Messages that were refused, for which there was no exchange: see [`Server::on_client_error`](super::Server::on_client_error).
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
    /// Returns whether the end of an exchange matters to anybody: it is counted, or there are listeners for it.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.get()
    }

    /// The program has a listener for the ends of exchanges.
    pub fn tell(&self) {
        self.on.set(true);
    }

    /// Sets whether the ends of exchanges are counted. `told`: there are listeners, which are told in any case.
    pub fn set_counting(&self, on: bool, told: bool) {
        self.counts.set(on);
        self.on.set(on || told);
    }

    pub fn count_refused(&self) {
        self.refused.set(self.refused.get() + 1);
    }

    /// A connection is over, or no longer HTTP's.
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
            None => self.unanswered.set(self.unanswered.get() + 1),
        }
        self.responses.set(responses);
        self.latency.borrow_mut().add(end.duration);
    }

    /// What was counted so far. `open`: the bytes received and sent on the connections that are open.
    pub fn metrics(&self, requests: u64, open: (u64, u64)) -> ServerMetrics {
        let (read, written) = self.bytes.get();
        ServerMetrics {
            requests,
            responses: self.responses.get(),
            unanswered: self.unanswered.get(),
            refused: self.refused.get(),
            latency: self.latency.borrow().clone(),
            bytes_read: read + open.0,
            bytes_written: written + open.1,
        }
    }
}
