use std::fmt;

/// Why a connection was closed. Every close has one: `on_close` gets it, the log and the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// All was said on both sides.
    Finished,
    /// The program destroyed it.
    Destroyed,
    /// The peer ended its side in the middle of a message. A request that is cut off in this way gets no answer, not even
    /// what its handler says in the callbacks that tell of it: nearly always nobody is there to read one. (RFC 9112, 8, allows
    /// an error response; Node sends a 400, behind an answer that was given before as well.)
    Truncated,
    /// The peer ended its side after a whole request, and has not waited for the answer: see
    /// [`Limits::half_open`](crate::http::Limits::half_open).
    Disconnected,
    /// The peer reset the connection, or it broke while we wrote.
    Reset,
    /// The operating system reported another error.
    Failed,
    /// No connection came about: refused, unreachable, or the name is unknown.
    ConnectFailed,
    /// No connection came about in time.
    ConnectTimeout,
    /// A request's head was not there in time.
    HeaderTimeout,
    /// A whole request was not there in time.
    RequestTimeout,
    /// No further request came in time.
    IdleTimeout,
    /// It was idle, longer than all others, and a new connection needed its file descriptor.
    MadeRoom,
    /// The handler did not answer in the time that `Limits::response` gives it.
    ResponseTimeout,
    /// The peer sent too slowly.
    SlowReceive,
    /// The peer read too slowly.
    SlowSend,
    /// The peer read nothing at all.
    WriteStall,
    /// More was pending for the peer than [`Overflow::Close`](super::Overflow::Close) allows it.
    Overflow,
    /// What the peer sent is no message that we accept.
    BadMessage,
    /// The program's response could not be completed: a body that belies its length, a handle dropped midway.
    BadResponse,
    /// A callback panicked, and no answer could say so.
    Panicked,
    /// The server has as many connections as it may have.
    TooMany,
    /// The server was closed, and this connection was idle or had its time.
    ServerClosed,
    /// The loop ended.
    LoopEnded,
}

impl CloseReason {
    /// A word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::Finished => "finished",
            CloseReason::Destroyed => "destroyed",
            CloseReason::Truncated => "truncated",
            CloseReason::Disconnected => "disconnected",
            CloseReason::Reset => "reset",
            CloseReason::Failed => "failed",
            CloseReason::ConnectFailed => "connect-failed",
            CloseReason::ConnectTimeout => "connect-timeout",
            CloseReason::HeaderTimeout => "header-timeout",
            CloseReason::RequestTimeout => "request-timeout",
            CloseReason::IdleTimeout => "idle-timeout",
            CloseReason::MadeRoom => "made-room",
            CloseReason::ResponseTimeout => "response-timeout",
            CloseReason::SlowReceive => "slow-receive",
            CloseReason::SlowSend => "slow-send",
            CloseReason::WriteStall => "write-stall",
            CloseReason::Overflow => "overflow",
            CloseReason::BadMessage => "bad-message",
            CloseReason::BadResponse => "bad-response",
            CloseReason::Panicked => "panicked",
            CloseReason::TooMany => "too-many",
            CloseReason::ServerClosed => "server-closed",
            CloseReason::LoopEnded => "loop-ended",
        }
    }

    /// Returns whether a deadline closed the connection.
    pub fn is_timeout(self) -> bool {
        use CloseReason::*;
        matches!(
            self,
            ConnectTimeout
                | HeaderTimeout
                | RequestTimeout
                | IdleTimeout
                | ResponseTimeout
                | SlowReceive
                | SlowSend
                | WriteStall
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
