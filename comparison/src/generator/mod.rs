//! The load: a process of its own on oneloop's `net`, which sends what a [`Plan`] says and tells an [`Outcome`].
//!
//! ```text
//!  generate ── reads a Plan, tells when the window begins and ends, writes an Outcome
//!    └─ crew        one or more loops, each on its thread with its part of the plan
//!         ├─ clients    closed loop, or open loop at a fixed rate     ─┐ each on
//!         ├─ events     clients that wait for an event; a publisher    ├─ link: a connection with one
//!         └─ peers      idle ones, slow senders, slow readers         ─┘ request under way; reader: answers
//!       arrivals (when a request is meant to be sent) · tally (what counts, in which window) · spectrum (latencies)
//! ```
//!
//! # What a latency is
//! In a closed loop: from the send, or from the connect where each request has its own connection, to the last byte of
//! the answer. In an open loop: from the moment at which the request was *meant* to be sent, whatever kept it from
//! leaving, so that a server that stalls delays all that should have been asked meanwhile (no coordinated omission). A
//! request that was given up at the time limit is in the distribution with its age at that moment: at least so long it took.
//!
//! # What is in the window
//! Answers count where their last byte came in the window. Latencies, timeouts, errors and refusals count in an open
//! loop where the request was meant to be sent in the window, and in a closed one where it ended in the window or was
//! under way at its end: after the window nothing new is sent, and what is under way is waited for, up to the time limit.

mod answer;
mod arrivals;
mod clients;
mod crew;
mod events;
mod link;
mod peers;
mod role;
mod slow_reader;
mod spectrum;
mod tally;
#[cfg(test)]
mod tests;

use crate::results::Latency;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub use crew::{Phase, run};
pub use role::{GENERATE, main, start};

/// What is sent, how and for how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The server's, on 127.0.0.1.
    pub port: u16,
    /// How requests follow each other.
    pub load: Load,
    /// What is asked, by weight.
    pub requests: Vec<Request>,
    /// Every request has a connection of its own.
    pub fresh: bool,
    /// Who is there besides.
    pub peers: Peers,
    /// Seconds that the peers' connections may take to be made, and then those of the load, before the warm-up begins without
    /// the rest.
    pub ramp: f64,
    /// Seconds of the same load before the window.
    pub warm_up: f64,
    /// Seconds of the window.
    pub seconds: f64,
    /// Seconds after which a request is given up.
    pub timeout: f64,
    /// Loops, each on its own thread.
    pub threads: usize,
    /// In an open loop, does a loop look for the next send time without sleeping? The kernel's wait is in milliseconds,
    /// which is too rough; but where server and generator share a CPU, it must sleep.
    pub spin: bool,
}

/// How requests follow each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Each of so many connections asks as soon as it is answered.
    Closed {
        /// Open at any time.
        connections: usize,
    },
    /// Requests are sent at a fixed rate, on the connection that was freed last, or on a new one.
    Open {
        /// Requests a second.
        rate: f64,
        /// At most so many connections; further requests wait their turn, and that is part of their latency.
        connections: usize,
    },
    /// So many clients wait at `/event`; when all do, one more asks for `/publish`. The latency is that from the publishing
    /// to each waiter's answer.
    Events {
        /// Clients at `/event`.
        waiters: usize,
    },
}

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Bytes of its body.
    pub body: usize,
    /// How often it is asked, beside the weights of the others.
    pub weight: u32,
    /// Are its latencies in the distribution? Not those of the requests that only disturb the others.
    pub timed: bool,
    /// The length that an answer's body must have, in bytes, where it is known.
    pub expect: Option<u64>,
}

impl Request {
    /// A plain GET.
    pub fn get(path: &str) -> Request {
        Request { method: "GET".into(), path: path.into(), body: 0, weight: 1, timed: true, expect: None }
    }

    /// Its bytes on the wire.
    fn bytes(&self, port: u16, fresh: bool) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n", self.method, self.path);
        if fresh {
            text.push_str("Connection: close\r\n");
        }
        if self.method != "GET" {
            text.push_str(&format!("Content-Length: {}\r\n", self.body));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len() + self.body, b'x');
        bytes
    }
}

/// Connections that are there besides the load, and before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// Have each asked once and stay.
    pub idle: usize,
    /// Send a request at 10 bytes a second: every other one its head, the rest a body.
    pub slow_senders: usize,
    /// Read a large answer at 10 bytes a second.
    pub slow_readers: usize,
}

/// Until the kernel's buffers on the way to a slow reader are full: 4 MB on Linux, which a server copies in 6 ms of CPU
/// time. That is much work, and none of what is measured.
const FILL: Duration = Duration::from_millis(8);

impl Peers {
    /// How long the load waits, once the slow readers are there, for their buffers to be full.
    pub fn fill(&self) -> Duration {
        FILL * self.slow_readers as u32
    }
}

/// What the generator saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Length of the window.
    pub seconds: f64,
    /// Right and whole answers in it.
    pub answers: u64,
    /// Where the load is open: requests a second that were meant to be sent in it.
    pub offered: Option<f64>,
    /// From the send, or the moment when it should have been.
    pub latency: Latency,
    /// Answers that were wrong or had another status than 200.
    pub errors: u64,
    /// Requests given up.
    pub timeouts: u64,
    /// Connections that were refused, reset, closed or not made in time; 503s.
    pub refusals: u64,
    /// The share of one CPU that the busiest loop needed; waiting without sleeping is not in it.
    pub cpu: f64,
    /// Where the load is open: by how much the generator itself was late, 99th percentile, in microseconds.
    pub late: Option<f64>,
    /// Connections at the end of the window, those of the peers included.
    pub connections: u64,
    /// Peers or connections that were not there when the warm-up began.
    pub missing: u64,
}
