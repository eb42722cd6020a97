use std::fmt;

/// The reason why a connection was closed. Every close has one: `on_close` gets it, and the log and the metrics show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both sides have sent everything and ended.
    Finished,
    /// The program destroyed the connection.
    Destroyed,
    /// The peer ended its side in the middle of a message, or, on a secure connection without messages, without saying that nothing
    /// follows. A request that is cut off in this way gets no answer, even if
    /// its handler gives one in the callbacks that report this: the client has nearly always gone. (RFC 9112, 8, allows an
    /// error response; Node sends a 400, even after an answer that was given before.)
    Truncated,
    /// The peer ended its side after a whole request, and has not waited for the answer: see
    /// [`Limits::half_open`](crate::http::Limits::half_open).
    Disconnected,
    /// The peer reset the connection, or it broke while we wrote.
    Reset,
    /// The operating system reported another error.
    Failed,
    /// No connection was made: it was refused, the peer is unreachable, or its name is unknown.
    ConnectFailed,
    /// No connection was made in time.
    ConnectTimeout,
    /// The handshake of TLS was not over in time.
    HandshakeTimeout,
    /// The handshake of TLS failed, or the peer broke the rules of TLS afterwards. The error says why.
    TlsFailed,
    /// The head of a request did not come in time.
    HeaderTimeout,
    /// The body of a request did not come in time.
    RequestTimeout,
    /// No further request came in time.
    IdleTimeout,
    /// This connection had been idle longer than all others, and a new one needed its file descriptor.
    MadeRoom,
    /// The handler did not answer within `Limits::response`.
    ResponseTimeout,
    /// The peer of a WebSocket was silent, even after a ping.
    PingTimeout,
    /// The peer of a WebSocket has not answered our close frame.
    CloseTimeout,
    /// The peer sent too slowly.
    SlowReceive,
    /// The peer read too slowly.
    SlowSend,
    /// The peer read nothing at all.
    WriteStall,
    /// More output was pending for the peer than [`Overflow::Close`](super::Overflow::Close) allows.
    Overflow,
    /// The peer sent something that is not an acceptable message.
    BadMessage,
    /// The program's response could not be completed: its body did not have the announced length, or its handle was dropped
    /// before the end.
    BadResponse,
    /// A callback panicked, and it was too late to answer 500.
    Panicked,
    /// The server has as many connections as it may have.
    TooMany,
    /// The server was closed, and this connection was idle or did not end in time.
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
            CloseReason::HandshakeTimeout => "handshake-timeout",
            CloseReason::TlsFailed => "tls-failed",
            CloseReason::HeaderTimeout => "header-timeout",
            CloseReason::RequestTimeout => "request-timeout",
            CloseReason::IdleTimeout => "idle-timeout",
            CloseReason::MadeRoom => "made-room",
            CloseReason::ResponseTimeout => "response-timeout",
            CloseReason::PingTimeout => "ping-timeout",
            CloseReason::CloseTimeout => "close-timeout",
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
                | HandshakeTimeout
                | HeaderTimeout
                | RequestTimeout
                | IdleTimeout
                | ResponseTimeout
                | PingTimeout
                | CloseTimeout
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
