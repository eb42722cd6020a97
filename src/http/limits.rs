use crate::event_loop::Time;
use crate::net::Linger;
use crate::proto::h1::{BodyLimits, HeadLimits};
use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// What protects a server: every wait on a peer has an end, and everything that a peer can make grow has a bound. The
/// defaults are all on. Set with [`Server::set_limits`](super::Server::set_limits), for connections and requests from then
/// on.
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
    /// Until the head of a request is there: from accept, or from the first byte of a later request. 30 s; then 408, or
    /// a silent close where not one byte came (browsers connect ahead).
    pub header: Duration,
    /// Until the body of a request is there, from the end of its head. 300 s; then 408. It runs on while the handler pauses.
    /// A body that is longer on its way is not cut while [`request_rate`](Limits::request_rate) holds.
    pub request: Duration,
    /// Bytes a second. A request goes on beyond [`request`](Limits::request) for as long as the average rate of its body,
    /// from the end of its head, is at least this. 16 KiB, so that a slow upload which makes progress is not cut, and one
    /// that drips is. `u32::MAX` makes `request` absolute. 0 asks for no average at all: then `receive_rate` alone ends a body
    /// that does not come, and nothing ends one that its handler has paused.
    pub request_rate: u32,
    /// Between requests. 65 s: longer than the 60 s of common proxies, which have to close first. Then a close.
    pub keep_alive: Duration,
    /// Bytes a second that a body has to come with, while it is awaited and we are reading. 240; 0 turns it off. Then
    /// 408.
    pub receive_rate: u32,
    /// Over how long that is measured. 10 s.
    pub receive_window: Duration,
    /// Bytes a second that a peer has to take of pending output. 240; 0 turns it off. Then a close.
    pub send_rate: u32,
    /// Over how long that is measured. 30 s.
    pub send_window: Duration,
    /// How long pending output may make no progress at all. 60 s; then a close.
    pub write_stall: Duration,
    /// How long a handler may take until its response has ended. `None`, the one wait without an end; then 503, or a cut
    /// where the head has gone.
    pub response: Option<Duration>,
    /// How long a peer that has ended its side may wait for the answer that it is owed. 1 s; then the exchange is cut, for
    /// the reason [`CloseReason::Disconnected`](crate::net::CloseReason::Disconnected).
    ///
    /// A client that is gone and one that has only ended its side (`printf … | nc -N`) look alike: both have sent a FIN.
    /// Nearly always the client is gone, and Node, Go, nginx and hyper take it so. The time runs from the FIN, and anew
    /// from whatever the peer takes, or the handler reads of what it has sent before. It stands still while output is
    /// pending: a peer that is gone answers that with a reset, and one that reads gets all of it, within `send_rate` and
    /// `write_stall`. `Duration::MAX` waits for ever. A handler that wants to know at once has
    /// [`Request::on_peer_end`](super::Request::on_peer_end). Connections that were handed over (upgrades, CONNECT) are
    /// not concerned: see [`Socket::set_allow_half_open`](crate::net::Socket::set_allow_half_open).
    pub half_open: Duration,
    /// After a last response, while input may be unread, we send our FIN and discard what comes, so that the peer can read
    /// the response. It ends when nothing has come for this long (5 s),
    pub linger_between: Duration,
    /// after this long in all (30 s),
    pub linger_total: Duration,
    /// or after this many bytes (no limit: what comes is discarded at once and costs no memory, and the times above end it;
    /// a limit would take the early answer to a large upload from a client that reads only when it has sent all).
    pub linger_bytes: usize,
    /// Request line and fields, in bytes. 16 KiB; then 431, or 414 where the target alone is too long.
    pub head_bytes: usize,
    /// Number of fields. 100, which is also the most; then 431.
    pub fields: usize,
    /// Chunk extensions over a whole body, in bytes. 16 KiB; then 413.
    pub extensions: usize,
    /// Trailer section, in bytes. 16 KiB; then 431.
    pub trailers: usize,
    /// The longest body, in bytes, that is read and thrown away when the handler has not read it, so that the connection can
    /// take the next request. 256 KiB; behind a response to a request with a longer body, the connection closes. A chunked
    /// body does not announce its length. It is thrown away up to this number of bytes, or, if they allow more, for
    /// `linger_total` from its head and up to `linger_bytes`: its response did not say that the connection closes, and the
    /// client may rely on that.
    pub discard: usize,
    /// Pending output from which on `write` says `Full`, and no further request of the connection is dispatched. 64 KiB.
    pub pending_output: usize,
    /// Input held back per connection: requests behind one that is not answered yet, a body that nobody takes. 64 KiB
    /// (and never less than a head may have, nor than one read brings, which is 64 KiB); then reading stops.
    pub held_input: usize,
    /// What the server may keep in memory of small files (up to 128 KiB each, and up to a quarter of this) that
    /// [`send_file`](super::Response::send_file) is asked for often: 8 times within `hot_file_age`. In bytes, 8 MiB; 0 has
    /// every file read each time.
    pub hot_files: usize,
    /// How long ago such a file may have been looked at, at most, when it is sent: a change may show so much later. 100 ms; 0
    /// has every file read each time.
    pub hot_file_age: Duration,
    /// Graceful shutdown: how long `close` waits for busy connections before it cuts them. 10 s.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let (head, body) = (HeadLimits::default(), BodyLimits::default());
        Limits {
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
        Linger { between_reads: nanos(self.linger_between), total: nanos(self.linger_total), bytes: self.linger_bytes }
    }
}

/// The limits of a server, with those that every request needs ready at hand. They are set in one place, all at once.
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
            keep_alive: Cell::new(nanos(all.keep_alive)),
            response: Cell::new(all.response),
            all: RefCell::new(Rc::new(all)),
        }
    }
}

impl LimitsInForce {
    pub fn set(&self, limits: Limits) {
        self.head.set(limits.head(self.head.get().require_host));
        // With none at all, nothing could ever be written.
        self.pending_output.set(limits.pending_output.max(1));
        self.keep_alive.set(nanos(limits.keep_alive));
        self.response.set(limits.response);
        *self.all.borrow_mut() = Rc::new(limits);
    }

    /// Says whether an HTTP/1.1 request without `Host` is refused.
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

    /// How many bytes of files may be kept, and for how long without a look at the disk.
    pub fn hot_files(&self) -> (usize, Time) {
        let all = self.all();
        (all.hot_files, nanos(all.hot_file_age))
    }

    /// All of them. What may call the program clones the `Rc`, since a callback may set others.
    pub fn all(&self) -> Ref<'_, Rc<Limits>> {
        self.all.borrow()
    }
}

/// On the loop's clock.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4)
}
