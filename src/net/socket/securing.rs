//! What a socket does for TLS: it begins handshakes, and tells when they are over.

use super::{Inner, Listener, On, Socket};
use crate::net::{CloseReason, Stream, Unsent};
use crate::secure::{HANDSHAKE, Info, Side};
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

type Failed<'a> = Option<(CloseReason, Option<&'a io::Error>)>;

/// What a socket keeps for TLS.
#[derive(Default)]
pub(super) struct Secure {
    /// The handshake that begins when the connection was made.
    later: Cell<Option<Box<(Side, Duration)>>>,
    /// Called once, when the handshake is over or has failed. It is the library's own: no user code but what it calls by the loop.
    told: Cell<Option<Box<dyn FnOnce(&Socket, Failed<'_>)>>>,
    unclean: Cell<bool>,
}

impl Socket {
    /// Makes the connection secure, which has been plain so far (STARTTLS): Node's `new tls.TLSSocket(socket)`. `side` is a
    /// [`Context`](crate::tls::Context) for the side of the server, or a [`Client`](crate::tls::Client) with the name of the server.
    /// What was written before goes as it is, what is written from now on is encrypted. [`on_secure`](Socket::on_secure) is called when
    /// the handshake is over; it may take 10 s. If it fails, `on_error` gets the reason, and `on_close`
    /// [`TlsFailed`](CloseReason::TlsFailed).
    ///
    /// Forget what the peer has said before: somebody on the way may have added it.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::{net, tls};
    ///
    /// let made = tls::SelfSigned::new(["mail.example"])?;
    /// let context = tls::Context::new(made.identity())?;
    /// let server = net::create_server(move |socket| {
    ///     let context = context.clone();
    ///     socket.on_data(move |socket, bytes| match bytes {
    ///         b"STARTTLS\r\n" => {
    ///             socket.write("220 go ahead\r\n").ignore();
    ///             socket.start_tls(&context).unwrap_or_else(|_| socket.destroy());
    ///         }
    ///         _ => socket.write("250 at your service\r\n").ignore(),
    ///     });
    /// });
    /// server.listen(25, ())?;
    ///
    /// let client = tls::Client::trusting(tls::Roots::from_pem(made.certificate_pem())?)?;
    /// let socket = net::connect(("127.0.0.1", 25), |socket| socket.write("STARTTLS\r\n").ignore());
    /// socket.on_data(move |socket, bytes| match bytes {
    ///     b"220 go ahead\r\n" => socket.start_tls((&client, "mail.example")).unwrap_or_else(|_| socket.destroy()),
    ///     bytes => assert_eq!(bytes, b"250 at your service\r\n"),
    /// });
    /// socket.on_secure(|socket| socket.write("EHLO me\r\n").ignore());
    /// # sim.settle();
    /// # assert!(socket.is_secure() && socket.bytes_read() == 14 + 21);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no connection yet or any more, if it is secure already, or if the name is none of a server.
    pub fn start_tls(&self, side: impl Into<Side>) -> io::Result<()> {
        let session = side.into().session()?;
        self.connected_stream()?.secure(session, HANDSHAKE, Unsent::Plain, b"")
    }

    /// Begins a handshake, after which all output goes.
    pub(in crate::net) fn secure(&self, side: Side, limit: Duration) -> io::Result<()> {
        self.connected_stream()?.secure(side.session()?, limit, Unsent::Encrypted, b"")
    }

    fn connected_stream(&self) -> io::Result<&Rc<Stream>> {
        self.stream().ok_or_else(|| io::Error::new(ErrorKind::NotConnected, "there is no connection"))
    }

    /// Has the handshake begin when the connection was made.
    pub(crate) fn secure_later(&self, side: Side, limit: Duration) {
        self.0.secure.later.set(Some(Box::new((side, limit))));
    }

    /// The connection was made.
    pub(super) fn begin_handshake(&self) {
        let Some(later) = self.0.secure.later.take() else { return };
        let (side, limit) = *later;
        if let (Err(error), Some(stream)) = (self.secure(side, limit), self.stream()) {
            stream.destroy_with(CloseReason::TlsFailed, error);
        }
    }

    /// Has `f` called once, when the handshake is over or has failed. `f` is no user code.
    pub(in crate::net) fn when_secure(&self, f: impl FnOnce(&Socket, Failed<'_>) + 'static) {
        self.0.secure.told.set(Some(Box::new(f)));
    }

    pub(super) fn told_secure(&self, failed: Failed<'_>) {
        if let Some(told) = self.0.secure.told.take() {
            told(self, failed);
        }
    }

    /// Calls `f` once, when the TLS handshake is over: Node's `secureConnect`. From then on output goes. On a socket of
    /// [`tls::create_server`](crate::tls::create_server) it is over before the server's listener is called.
    #[track_caller]
    pub fn on_secure(&self, f: impl FnOnce(&Socket) + 'static) -> &Self {
        self.listen(On::Secure, Location::caller(), Listener::Once(Some(Box::new(f))));
        self
    }

    /// Returns whether the connection is secure, or its handshake has begun: Node's `socket.encrypted`.
    pub fn is_secure(&self) -> bool {
        self.stream().is_some_and(|stream| stream.is_secure()) || self.has_handshake_ahead()
    }

    fn has_handshake_ahead(&self) -> bool {
        let later = self.0.secure.later.take();
        let ahead = later.is_some();
        self.0.secure.later.set(later);
        ahead
    }

    /// What was agreed with the peer; `None` before the handshake is over, after the close, and on a plain connection.
    ///
    /// ```
    /// use oneloop::tls;
    ///
    /// let context = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
    /// let server = tls::create_server(context, |socket| match socket.tls() {
    ///     Some(tls) => socket.end(format!("{} {}\n", tls.protocol(), tls.cipher())),
    ///     None => socket.destroy(),
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tls(&self) -> Option<Info> {
        self.stream()?.tls()
    }

    /// Sets whether the end of the peer's side counts as such if the peer has not said by TLS that nothing follows (`close_notify`).
    /// Off by default: somebody on the way may have cut off what followed, so `on_end` is not called, and the socket closes with
    /// [`Truncated`](CloseReason::Truncated). Some old peers never say it.
    pub fn set_allow_unclean_end(&self, on: bool) -> &Self {
        self.0.secure.unclean.set(on);
        self
    }
}

impl Inner {
    /// Closes the socket if the peer has ended its side without saying that nothing follows. Returns whether it was closed.
    pub(super) fn is_cut_off(&self, stream: &Stream) -> bool {
        if self.secure.unclean.get() || !stream.was_cut_off() {
            return false;
        }
        let error = io::Error::new(
            ErrorKind::UnexpectedEof,
            "the peer has ended the TLS connection without saying that nothing follows (close_notify)",
        );
        stream.destroy_with(CloseReason::Truncated, error);
        true
    }
}
