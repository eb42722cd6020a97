//! The handle that users have of a connection. This file holds the type, writing, reading and settings. `listeners.rs` adds
//! its callbacks; `protocol.rs` receives the events of its stream.

mod listeners;
mod protocol;
#[cfg(feature = "tls")]
mod securing;

use super::{Accepted, Acceptor, Address, Chunk, CloseReason, Context, Flow, HandedOver, Overflow};
use super::{Protocol, SendLimits, SendWatch, Stream};
use crate::callback::{Identity, Listeners, Once, compare_by_identity};
use crate::event_loop::{Deadline, Time};
use std::cell::{Cell, OnceCell};
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// With this many bytes of output pending, `write` returns `Full`.
const PENDING: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Connect,
    Data,
    End,
    Drain,
    Timeout,
    Error,
    Close,
    #[cfg(feature = "tls")]
    Secure,
}

pub(super) enum Listener {
    /// A listener for the events `Drain` and `Timeout`.
    Plain(Box<dyn FnMut(&Socket)>),
    /// A listener for the events `Connect`, `Secure` and `End`.
    Once(Once<dyn FnOnce(&Socket)>),
    Data(Box<dyn FnMut(&Socket, &[u8])>),
    Error(Once<dyn FnOnce(&Socket, &io::Error)>),
    Close(Once<dyn FnOnce(&Socket, CloseReason)>),
}

/// The stream of a socket, its listeners and its settings.
pub(super) struct Inner {
    me: Weak<Inner>,
    stream: OnceCell<Rc<Stream>>,
    listeners: Listeners<On, Listener>,
    paused: Cell<bool>,
    half_open: Cell<bool>,
    end_told: Cell<bool>,
    closed_told: Cell<bool>,
    /// True if `write` has returned `Full`, so that one `drain` is to follow.
    full: Cell<bool>,
    limit: Cell<usize>,
    /// The most bytes that may be pending once the kernel has refused output.
    pending_limit: Cell<usize>,
    /// The deadlines of output, with their limits, if the socket has any: see [`Socket::adopt`].
    sending: Cell<Option<Box<(SendWatch, SendLimits)>>>,
    timeout: Cell<Option<Duration>>,
    timer: Cell<Option<Deadline>>,
    last_activity: Cell<Time>,
    identity: Identity,
    #[cfg(feature = "tls")]
    secure: securing::Secure,
}

/// A connection: bytes in both directions. It is a cheap handle: clones are the same socket, and equal. While the socket is
/// open, the loop keeps it, even if all handles are dropped.
///
/// Input is read if there is a listener for it: without an `on_data`, at most 64 KiB are taken from the kernel. The loop
/// makes all callbacks, in its poll or pending phase (`on_timeout` in the timers phase, `on_error` and `on_close` in the
/// closing phase). They get the socket as an argument, so they need not capture it. After `on_close` all of them are
/// dropped.
///
/// On a closed socket all methods do nothing.
#[derive(Clone)]
pub struct Socket(pub(super) Rc<Inner>);

compare_by_identity!(Socket);

impl Socket {
    fn new() -> Socket {
        Socket(Rc::new_cyclic(|me| Inner {
            me: me.clone(),
            stream: OnceCell::new(),
            listeners: Listeners::new(),
            paused: Cell::new(false),
            half_open: Cell::new(false),
            end_told: Cell::new(false),
            closed_told: Cell::new(false),
            full: Cell::new(false),
            limit: Cell::new(PENDING),
            pending_limit: Cell::new(usize::MAX),
            sending: Cell::new(None),
            timeout: Cell::new(None),
            timer: Cell::new(None),
            last_activity: Cell::new(Time::ZERO),
            identity: Identity::default(),
            #[cfg(feature = "tls")]
            secure: securing::Secure::default(),
        }))
    }

    pub(super) fn accepted(acceptor: &Rc<Acceptor>, connection: Accepted) -> Option<Socket> {
        let socket = Socket::new();
        let stream = acceptor.stream(connection, socket.0.clone())?;
        let _ = socket.0.stream.set(stream);
        Some(socket)
    }

    pub(super) fn connecting(cx: &Rc<Context>) -> Socket {
        let socket = Socket::new();
        let _ = socket.0.stream.set(Stream::connecting(cx, socket.0.clone()));
        socket
    }

    /// Makes a socket that takes over a stream from another protocol (an upgrade). `take` makes the socket the protocol of the
    /// stream, and returns the stream; `None` if there is none to be taken.
    pub(crate) fn adopt(take: impl FnOnce(Rc<dyn Protocol>) -> Option<HandedOver>) -> Option<Socket> {
        let socket = Socket::new();
        let HandedOver { stream, sending } = take(socket.0.clone())?;
        socket.0.sending.set(Some(Box::new((SendWatch::default(), sending))));
        let _ = socket.0.stream.set(stream);
        Some(socket)
    }

    pub(super) fn stream(&self) -> Option<&Rc<Stream>> {
        self.0.stream.get()
    }

    // ---- Writing

    /// Writes bytes. They are given to the kernel at the end of the socket's turn or, outside of its turn, before the loop
    /// waits again. Bytes that the kernel does not take are kept. With 64 KiB or more of them this returns [`Flow::Full`],
    /// which asks you to wait for `on_drain`.
    ///
    /// ```
    /// use oneloop::net::{self, Flow};
    /// let server = net::create_server(|socket| match socket.write("welcome\n") {
    ///     Flow::Ready => {}
    ///     Flow::Full => log::debug!("it is kept; on_drain tells when it has gone"),
    ///     Flow::Closed => log::debug!("nobody gets it"),
    /// });
    /// ```
    pub fn write<'a>(&self, bytes: impl Into<Chunk<'a>>) -> Flow {
        match self.stream() {
            Some(stream) if !stream.is_ended() => {
                self.0.touch(stream);
                let flow = stream.write(bytes.into(), self.0.limit.get());
                if flow.is_full() {
                    self.0.full.set(true);
                } else if self.0.timeout.get().is_some() {
                    // For the timeout of the socket, a send is activity, so the stream must report when these bytes are sent.
                    stream.tell_sent();
                }
                flow
            }
            _ => {
                log::debug!(target: "oneloop::net", "a write to a socket that is closed or ended");
                Flow::Closed
            }
        }
    }

    /// Writes the last bytes (or `()` for none), and ends our side when all output has been sent. Input from the peer can
    /// still be read; if there is no listener for it (no `on_data`, and not paused), it is discarded from now on. When both
    /// sides have ended, the socket closes.
    ///
    /// ```
    /// let server = oneloop::net::create_server(|socket| socket.end("no time, good-bye\n"));
    /// ```
    pub fn end<'a>(&self, bytes: impl Into<Chunk<'a>>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.write(bytes).ignore();
        }
        if let Some(stream) = self.stream() {
            stream.end();
            self.flow();
        }
    }

    /// Closes the socket at once. Output that the kernel has not taken is lost. `on_close` follows in the closing phase.
    pub fn destroy(&self) {
        if let Some(stream) = self.stream() {
            stream.destroy(CloseReason::Destroyed);
        }
    }

    /// Closes the socket with a reset (RST), so that the peer sees an error.
    pub fn reset(&self) {
        if let Some(stream) = self.stream() {
            stream.reset(CloseReason::Destroyed);
        }
    }

    /// Sets with how many pending bytes `write` returns `Full`: 64 KiB by default.
    pub fn set_write_limit(&self, bytes: usize) -> &Self {
        self.0.limit.set(bytes.max(1));
        self
    }

    /// Sets how many bytes may be pending for the peer, and what happens if there are more. No limit by default.
    ///
    /// Only bytes that the kernel has refused count: it takes about 128 KiB for a peer that has not read anything. So allow
    /// the size of the largest burst that you send, plus the output of the few seconds that a slow peer may be behind. A
    /// peer that reads nothing can take up that much memory, besides the kernel's own buffers.
    ///
    /// Other people may determine the size of a burst. In a chat, 64 KiB of short lines from one guest become half a
    /// mebibyte for each other guest, all at once, before any of them can read: [pause](Socket::pause) a guest who sends
    /// that much, as the example `tcp_chat` does.
    ///
    /// ```
    /// use oneloop::net::{self, Overflow};
    ///
    /// let server = net::create_server(|socket| {
    ///     // A guest of a chat who is a mebibyte behind is sent away; nobody waits for him.
    ///     socket.set_pending_limit(1024 * 1024, Overflow::Close);
    /// });
    /// ```
    pub fn set_pending_limit(&self, bytes: usize, overflow: Overflow) -> &Self {
        let Overflow::Close = overflow;
        self.0.pending_limit.set(bytes);
        self
    }

    /// How many bytes of output the kernel has not taken.
    pub fn pending(&self) -> usize {
        self.stream().map_or(0, |stream| stream.pending())
    }

    // ---- Reading

    /// Stops `on_data` until [`resume`](Socket::resume). Input stays in the kernel's buffers; when they are full, the peer
    /// is slowed down.
    ///
    /// ```
    /// use oneloop::{net, set_timeout};
    /// use std::time::Duration;
    /// let server = net::create_server(|socket| {
    ///     socket.on_data(|socket, _bytes| {
    ///         socket.pause(); // ten chunks a second are enough
    ///         let socket = socket.clone();
    ///         set_timeout(Duration::from_millis(100), move || socket.resume());
    ///     });
    /// });
    /// ```
    pub fn pause(&self) {
        self.0.paused.set(true);
        if let Some(stream) = self.stream() {
            stream.pause();
        }
    }

    /// Resumes `on_data`, from the next pending phase on.
    pub fn resume(&self) {
        self.0.paused.set(false);
        self.flow();
    }

    pub(super) fn flow(&self) {
        if self.0.paused.get() {
            return;
        }
        if let Some(stream) = self.stream() {
            stream.resume_reading();
            if stream.held() > 0 || stream.is_eof() {
                stream.ask_for_turn();
            }
        }
    }

    // ---- Settings and facts

    /// Sets whether our side stays open when the peer has ended its own (false by default).
    pub fn set_allow_half_open(&self, on: bool) -> &Self {
        self.0.half_open.set(on);
        self
    }

    /// Sets the time after which `on_timeout` is called if nothing was sent or received. Zero turns it off.
    pub fn set_timeout(&self, after: Duration) -> &Self {
        if let Some(timer) = self.0.timer.take() {
            timer.clear();
        }
        self.0.timeout.set((!after.is_zero()).then_some(after));
        if let Some(stream) = self.stream()
            && !after.is_zero()
            && !stream.is_closed()
        {
            self.0.last_activity.set(stream.cx().lp.now());
            self.0.arm(after);
        }
        self
    }

    /// Sets `TCP_NODELAY`: small writes are sent at once. On by default.
    ///
    /// # Errors
    /// If the operating system reports an error.
    pub fn set_no_delay(&self, on: bool) -> io::Result<()> {
        self.stream().and_then(|stream| stream.with_io(|io| io.set_no_delay(on))).unwrap_or(Ok(()))
    }

    /// Makes the kernel probe the peer when the connection has been idle for this long. `None`, the default, turns it off.
    ///
    /// # Errors
    /// If the operating system reports an error.
    pub fn set_keep_alive(&self, idle: Option<Duration>) -> io::Result<()> {
        self.stream().and_then(|stream| stream.with_io(|io| io.set_keep_alive(idle))).unwrap_or(Ok(()))
    }

    /// The number of the socket. No other socket of this process ever has the same. Handles themselves can be compared
    /// (`==`) and hashed.
    pub fn id(&self) -> u64 {
        self.0.identity.number()
    }

    /// The address of our end, while the socket is open.
    pub fn local_addr(&self) -> Option<Address> {
        self.stream()?.local()
    }

    /// The peer's address; `None` if there has been no connection.
    ///
    /// ```
    /// let server = oneloop::net::create_server(|socket| match socket.remote_addr() {
    ///     Some(address) => socket.end(format!("you are {address}\n")),
    ///     None => socket.destroy(),
    /// });
    /// ```
    pub fn remote_addr(&self) -> Option<Address> {
        self.stream().filter(|stream| stream.has_peer()).map(|stream| stream.peer())
    }

    /// How many bytes were received so far.
    pub fn bytes_read(&self) -> u64 {
        self.stream().map_or(0, |stream| stream.bytes_read())
    }

    /// How many written bytes the kernel has taken so far.
    pub fn bytes_written(&self) -> u64 {
        self.stream().map_or(0, |stream| stream.bytes_written())
    }

    /// Returns whether the socket is closed or closing.
    pub fn is_closed(&self) -> bool {
        self.stream().is_none_or(|stream| !stream.is_in_use())
    }

    /// Returns whether the connection is still being made.
    pub fn is_connecting(&self) -> bool {
        self.stream().is_some_and(|stream| stream.is_connecting())
    }

    /// Returns whether input is paused.
    pub fn is_paused(&self) -> bool {
        self.0.paused.get()
    }

    /// Lets the loop end while the socket is open.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Sets whether the socket keeps the loop running while it is open (true by default).
    pub fn set_ref(&self, on: bool) -> &Self {
        if let Some(stream) = self.stream() {
            stream.set_referenced(on);
        }
        self
    }

    /// Returns whether this socket keeps the loop running while it is open.
    pub fn has_ref(&self) -> bool {
        self.stream().is_some_and(|stream| stream.is_referenced())
    }

    pub(crate) fn panicked(&self) {
        if let Some(stream) = self.stream() {
            stream.destroy(CloseReason::Panicked);
        }
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("remote_addr", &self.remote_addr()).field("closed", &self.is_closed()).finish()
    }
}
