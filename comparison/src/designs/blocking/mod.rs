//! HTTP on threads that wait: what the designs 3, 4 and 5 share.
//!
//! ```text
//!  listen ─ accept_each ─► Connection     a socket, and what has to be known of it between two requests
//!                              ▲
//!  thread ─── Desk ────────────┘          the buffers of a thread, lent to the connection that it serves:
//!               │ await_head              heads    (reading)
//!               │ read_body, respond      bodies, answers   (answering, sending)
//!               └─► Service::answer       the handlers, as a thread runs them
//! ```
//!
//! # How the deadlines and limits are kept
//! | limit | kept by |
//! |---|---|
//! | header, keep-alive | the socket's receive timeout, set anew only where it changes; a head that comes in pieces gets what is left |
//! | request, receive rate | looked at after each `recv` of a body, none of which waits longer than the window |
//! | send rate, write stall | the socket's send timeout; looked at whenever a `send` took less than all |
//! | head, fields, extensions, trailers | the codec |
//! | discard | an unread body up to it is read after the answer |
//! | pending output | answers to pipelined requests are gathered up to it, and sent before anything waits |
//! | held input | one buffer of a fixed size; no more is read while requests stand in it |
//! | linger | the thread itself reads on, for as long; not after a request that said `Connection: close` and has come whole: from such a peer nothing is to come |
//!
//! `Limits::response` is off in all designs.

mod answering;
mod connection;
mod desk;
mod event;
mod reading;
mod sending;
mod service;

pub use connection::{Connection, accept_each, listen, turn_away};
pub use desk::{Desk, Request};
pub use event::Event;
use oneloop::proto::h1::Fault;
pub use service::Service;

/// Why a connection goes on no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing is to be said any more: the peer has closed, is gone, or takes nothing.
    Closed,
    /// The last answer was given; `true`: the peer may be sending still.
    Answered(bool),
    /// What came, or did not come in time, is answered with this status and these words.
    Refused(u16, &'static str),
}

impl End {
    /// What was awaited has not come in time.
    pub const LATE: End = End::Refused(408, "the request did not come in time");
}

impl From<Fault> for End {
    fn from(fault: Fault) -> End {
        End::Refused(fault.status(), fault.text())
    }
}

/// What most steps come to.
pub type Step<T> = Result<T, End>;

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> End {
        End::Closed
    }
}
