use crate::event_loop::Time;
use crate::net::{Linger, SendLimits};
use crate::proto::h1::{BodyLimits, HeadLimits};
use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The limits that protect a server: every wait for a peer has an end, and everything that a peer can make grow has a
/// bound. All are on by default. Set them with [`Server::set_limits`](super::Server::set_limits), for connections and
/// requests from then on.
///
/// ```
/// use std::time::Duration;
/// let server = oneloop::http::create_server(|_req, res| res.end("hi"));
/// let mut limits = server.limits();
/// limits.header = Duration::from_secs(5);
/// limits.response = Some(Duration::from_secs(60));
/// server.set_limits(limits);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long the TLS handshake of a secure server may take, from when the connection was accepted. Default: 10 s. After it, the
    /// connection is closed, and [`on_tls_error`](super::Server::on_tls_error) is told.
    #[cfg(feature = "tls")]
    pub handshake: Duration,
    /// How long the head of a request may take to arrive. The time begins when the connection is accepted, or with the first byte
    /// of a later request. Default: 30 s. After it, the answer is 408; if not one byte has come (browsers connect ahead), the
    /// connection is closed without an answer.
    pub header: Duration,
    /// How long the body of a request may take to arrive, from the end of its head. Default: 300 s. After it, the answer is 408.
    /// The time goes on while the handler pauses. A body may take longer as long as it keeps to
    /// [`request_rate`](Limits::request_rate).
    pub request: Duration,
    /// The least average rate of a body that takes longer than [`request`](Limits::request), in bytes per second from the end of
    /// the head. Default: 16 KiB. So a slow upload that makes progress is not cut, and one that only drips is cut. `u32::MAX`
    /// makes `request` absolute. 0 turns this limit off: then only `receive_rate` ends a body that does not come, and nothing
    /// ends a body that its handler has paused.
    pub request_rate: u32,
    /// How long a connection may be idle between requests. After it, the server closes the connection. Default: 65 s.
    /// That is longer than the 60 s of common proxies, because the proxy should close first.
    pub keep_alive: Duration,
    /// The least rate of a body, in bytes per second, while the server is reading it. A slower body is answered 408.
    /// Default: 240; 0 turns it off.
    pub receive_rate: u32,
    /// The time over which `receive_rate` is measured. Default: 10 s.
    pub receive_window: Duration,
    /// The least rate at which a peer has to take pending output, in bytes per second. The connection of a slower peer is closed.
    /// This limit and `write_stall` apply to connections that were handed over (upgrades, CONNECT) as well. Default: 240; 0 turns
    /// it off.
    pub send_rate: u32,
    /// The time over which `send_rate` is measured. Default: 30 s.
    pub send_window: Duration,
    /// How long a peer may take nothing at all of pending output. After it, the connection is closed. Default: 60 s.
    pub write_stall: Duration,
    /// How long a handler may take until its response has ended. After it, the answer is 503, or the connection is cut if the
    /// head has been sent. Default: `None`; this is the only wait without an end.
    pub response: Option<Duration>,
    /// How long a peer that has ended its side (FIN) may still wait for its answer. Default: 1 s. After it, the exchange is cut,
    /// for the reason [`CloseReason::Disconnected`](crate::net::CloseReason::Disconnected).
    ///
    /// A client that is gone and one that has only ended its side (`printf … | nc -N`) look alike: both have sent a FIN.
    /// Nearly always the client is gone, and Node, Go, nginx and hyper assume so. The time runs from the FIN. It begins
    /// anew whenever the peer takes output, or the handler reads input that was sent before. It stands still while output
    /// is pending: a peer that is gone answers such output with a reset, and one that reads gets all of it, within
    /// `send_rate` and `write_stall`. `Duration::MAX` waits for ever. A handler that wants to know at once uses
    /// [`Request::on_peer_end`](super::Request::on_peer_end). Connections that were handed over (upgrades, CONNECT) are not
    /// affected: see [`Socket::set_allow_half_open`](crate::net::Socket::set_allow_half_open).
    pub half_open: Duration,
    /// After the last response of a connection, if input may be unread, the server sends its FIN and discards what
    /// still comes, so that the peer can read the response. This ends, and the connection closes, when nothing has come
    /// for this long. Default: 5 s.
    pub linger_between: Duration,
    /// The longest time for which the server discards input after the last response: see
    /// [`linger_between`](Limits::linger_between). Default: 30 s.
    pub linger_total: Duration,
    /// The most bytes that the server discards after the last response: see [`linger_between`](Limits::linger_between).
    /// Default: no limit, since discarded bytes cost no memory, and the two times above end it. With a limit, a client
    /// that reads only after it has sent everything would not get the early answer to a large upload.
    pub linger_bytes: usize,
    /// The largest size of the request line and the fields together, in bytes. Default: 16 KiB. A larger head is
    /// answered 431, or 414 if the target alone is too long.
    pub head_bytes: usize,
    /// The largest number of fields in a head. Default: 100, which is also the largest value. A head with more is answered 431.
    pub fields: usize,
    /// The largest size of all chunk extensions of one body together, in bytes. Default: 16 KiB. With more, the answer is 413.
    pub extensions: usize,
    /// The largest size of the trailer section, in bytes. Default: 16 KiB. With a larger one, the answer is 431.
    pub trailers: usize,
    /// The longest body, in bytes, that is read and discarded if the handler has not read it, so that the connection can take the
    /// next request. Default: 256 KiB. After the response to a request with a longer body, the connection closes. A chunked body
    /// does not announce its length. So its response may not have said that the connection closes, and the client may rely on
    /// that. If such a body is longer than this, the server goes on discarding it until `linger_total` has passed since its head,
    /// or more than `linger_bytes` were discarded. Only then it closes.
    pub discard: usize,
    /// If this many bytes of output are pending, `write` returns `Full`, and no further request of the connection is
    /// dispatched. Default: 64 KiB.
    pub pending_output: usize,
    /// How much input is kept per connection, in bytes: requests that wait behind one that is not answered yet, or a body that
    /// nobody reads. If this much is kept, the server stops reading. Default: 64 KiB. It is never less than a head may have, or
    /// than one read brings (64 KiB).
    pub held_input: usize,
    /// How much memory the server may use for small files (up to 128 KiB each, and up to a quarter of this) that are often
    /// sent by [`send_file`](super::Response::send_file): at least 8 times within `hot_file_age`. In bytes. Default: 8 MiB.
    /// With 0, every file is opened and read each time. Besides these, the server keeps up to 64 larger files open that are
    /// sent as often (fewer where there are few file descriptors: at most a quarter of the files that may be open for peers).
    pub hot_files: usize,
    /// How old the content of a kept file ([`hot_files`](Limits::hot_files)) may be when it is sent: the server has looked at
    /// the file at most this long ago, so that a change of the file shows this much later at most. A file that is kept open is
    /// closed when no request has asked for it for this time, or for at most twice this time. Default: 100 ms. With 0, every
    /// file is opened and read each time.
    pub hot_file_age: Duration,
    /// Graceful shutdown: how long `close` waits for busy connections before it cuts them. Default: 10 s.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let (head, body) = (HeadLimits::default(), BodyLimits::default());
        Limits {
            #[cfg(feature = "tls")]
            handshake: crate::secure::HANDSHAKE,
            header: Duration::from_secs(30),
            request: Duration::from_secs(300),
            request_rate: 16 * 1024,
            keep_alive: Duration::from_secs(65),
            receive_rate: 240,
            receive_window: Duration::from_secs(10),
            send_rate: 240,
            send_window: Duration::from_secs(30),
            write_stall: Duration::from_secs(60),
            response: None,
            half_open: Duration::from_secs(1),
            linger_between: Duration::from_secs(5),
            linger_total: Duration::from_secs(30),
            linger_bytes: usize::MAX,
            head_bytes: head.bytes,
            fields: head.fields,
            extensions: body.extensions as usize,
            trailers: body.trailers,
            discard: 256 * 1024,
            pending_output: 64 * 1024,
            held_input: 64 * 1024,
            hot_files: 8 * 1024 * 1024,
            hot_file_age: Duration::from_millis(100),
            shutdown: Duration::from_secs(10),
        }
    }
}

impl Limits {
    pub(super) fn head(&self, require_host: bool) -> HeadLimits {
        HeadLimits { bytes: self.head_bytes, fields: self.fields, target: self.head_bytes, require_host }
    }

    pub(super) fn body(&self) -> BodyLimits {
        BodyLimits { extensions: self.extensions as u64, trailers: self.trailers, ..BodyLimits::default() }
    }

    pub(super) fn linger(&self) -> Linger {
        Linger { between_reads: self.linger_between.into(), total: self.linger_total.into(), bytes: self.linger_bytes }
    }

    pub(super) fn sending(&self) -> SendLimits {
        SendLimits { stall: self.write_stall, rate: self.send_rate, window: self.send_window }
    }
}

/// The limits of a server. Those that every request needs have cells of their own; all are set at once, in one place.
pub(super) struct LimitsInForce {
    head: Cell<HeadLimits>,
    pending_output: Cell<usize>,
    keep_alive: Cell<Time>,
    response: Cell<Option<Duration>>,
    all: RefCell<Rc<Limits>>,
}

impl Default for LimitsInForce {
    fn default() -> LimitsInForce {
        let all = Limits::default();
        LimitsInForce {
            head: Cell::new(all.head(true)),
            pending_output: Cell::new(all.pending_output),
            keep_alive: Cell::new(Time::from(all.keep_alive)),
            response: Cell::new(all.response),
            all: RefCell::new(Rc::new(all)),
        }
    }
}

impl LimitsInForce {
    pub fn set(&self, limits: Limits) {
        self.head.set(limits.head(self.head.get().require_host));
        // With a limit of 0, nothing could ever be written.
        self.pending_output.set(limits.pending_output.max(1));
        self.keep_alive.set(Time::from(limits.keep_alive));
        self.response.set(limits.response);
        *self.all.borrow_mut() = Rc::new(limits);
    }

    /// Sets whether an HTTP/1.1 request without `Host` is refused.
    pub fn set_require_host(&self, on: bool) {
        self.head.set(HeadLimits { require_host: on, ..self.head.get() });
    }

    #[inline]
    pub fn head(&self) -> HeadLimits {
        self.head.get()
    }

    /// In bytes, at least 1.
    #[inline]
    pub fn pending_output(&self) -> usize {
        self.pending_output.get()
    }

    #[inline]
    pub fn keep_alive(&self) -> Time {
        self.keep_alive.get()
    }

    #[inline]
    pub fn response(&self) -> Option<Duration> {
        self.response.get()
    }

    /// The most bytes of files that may be kept, and the longest time for which they are used without a look at the disk.
    pub fn hot_files(&self) -> (usize, Time) {
        let all = self.all();
        (all.hot_files, Time::from(all.hot_file_age))
    }

    /// All limits. Code that may call the program clones the `Rc`, since a callback may set new limits.
    pub fn all(&self) -> Ref<'_, Rc<Limits>> {
        self.all.borrow()
    }
}
