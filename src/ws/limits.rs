use std::time::Duration;

/// The limits that protect the loop from its WebSocket peers: every wait for a peer has an end, and everything that a peer can make
/// grow has a bound. All are on by default. Set them with [`Endpoint::set_limits`](super::Endpoint::set_limits), for all sockets of
/// the endpoint. (The handshake is a request, under [`http::Limits`](crate::http::Limits).)
///
/// ```
/// use oneloop::{http, ws};
/// use std::time::Duration;
///
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// let chat = ws::mount(&server, "/chat");
/// let mut limits = chat.limits();
/// limits.message = 4 * 1024;
/// limits.ping = Duration::from_secs(10);
/// chat.set_limits(limits);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message, in bytes, all its fragments together. Default: 1 MiB. A larger one is refused by the head of its frame,
    /// before its content is read: the socket closes with the code 1009. So does that of a compressed message as soon as more has come
    /// out of it.
    pub message: usize,
    /// How long a message may take from its first byte to its last, with all its fragments. Default: 300 s. A socket whose peer
    /// takes longer is closed with the code 1008. The time stands still while the socket is paused.
    pub message_time: Duration,
    /// The least rate of a frame that has begun and is not whole, in bytes per second. The socket of a slower peer closes with
    /// the code 1008. The rate is not measured while the socket is paused. Default: 240; 0 turns it off.
    pub receive_rate: u32,
    /// The time over which `receive_rate` is measured. Default: 10 s.
    pub receive_window: Duration,
    /// The peer is sent a ping after nothing has come from it for this time. Default: 30 s. A part of up to a fifth of the time
    /// is added, which differs from socket to socket: else sockets that were opened together would all send pings together.
    /// `Duration::MAX` sends no pings. Proxies cut connections on which nothing has come for a while, often 60 s.
    pub ping: Duration,
    /// The connection is closed if nothing comes from the peer for this time after such a ping. Default: 30 s. The reason is
    /// [`PingTimeout`](crate::net::CloseReason::PingTimeout). The time stands still while the socket is paused, and while output
    /// is pending for the peer (pending output has limits of its own).
    pub pong: Duration,
    /// How long a close handshake may take: from our close frame to that of the peer, and from the last frame to the end of the
    /// connection. Default: 10 s. Then the connection is closed.
    pub close: Duration,
    /// With this many bytes pending, [`send`](super::WebSocket::send) returns [`Flow::Full`](crate::net::Flow::Full). From then
    /// on, only the newest ping is answered with a pong, after some output has been sent. Default: 64 KiB.
    pub pending_output: usize,
    /// The most bytes that may be pending for a peer once the kernel has refused output. The largest pending message does not
    /// count. With more, the connection is closed, for the reason [`Overflow`](crate::net::CloseReason::Overflow). Nothing is
    /// left out. Default: 1 MiB.
    pub max_pending: usize,
    /// The least rate at which a peer has to take pending output, in bytes per second. The connection of a slower peer is closed.
    /// Default: 240; 0 turns it off.
    pub send_rate: u32,
    /// The time over which `send_rate` is measured. Default: 30 s.
    pub send_window: Duration,
    /// The connection is closed if the peer takes nothing of its pending output for this time. Default: 60 s.
    pub write_stall: Duration,
    /// How many messages and control frames of one socket are handled in one turn. If more have come, they are handled in the
    /// next iteration, after the turns of other sockets. Each KiB that a compressed message inflates to counts as one more. Default: 256.
    pub frames: u16,
    /// To how many topics a socket may subscribe. Default: 1,024.
    pub subscriptions: usize,
    /// How many deliveries of published messages [`publish`](super::Endpoint::publish) makes at once in one iteration. What is published
    /// to more subscribers goes out in check phases, as many in each, but at least one. Each KiB of a message that is copied for each
    /// subscriber (one of less than 16 KiB) counts as one more. Default: 1,024.
    pub deliveries: usize,
    /// How many sockets the endpoint may have at a time. A request for one more is answered 503. Default: no limit.
    pub sockets: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message: 1024 * 1024,
            message_time: Duration::from_secs(300),
            receive_rate: 240,
            receive_window: Duration::from_secs(10),
            ping: Duration::from_secs(30),
            pong: Duration::from_secs(30),
            close: Duration::from_secs(10),
            pending_output: 64 * 1024,
            max_pending: 1024 * 1024,
            send_rate: 240,
            send_window: Duration::from_secs(30),
            write_stall: Duration::from_secs(60),
            frames: 256,
            subscriptions: 1_024,
            deliveries: 1_024,
            sockets: usize::MAX,
        }
    }
}
