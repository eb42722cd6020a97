//! A server whose connections are secure: its listeners get a socket when the handshake is over.

use super::{Inner, Listener, On, Server};
use crate::net::{Socket, TlsError};
use crate::secure::{Context, HANDSHAKE, Side};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

pub(super) struct Secure {
    context: RefCell<Option<Context>>,
    limit: Cell<Duration>,
}

impl Default for Secure {
    fn default() -> Secure {
        Secure { context: RefCell::default(), limit: Cell::new(HANDSHAKE) }
    }
}

impl Inner {
    /// Begins the handshake of a new connection, if the server speaks TLS. Returns whether it has begun.
    pub(super) fn begin_handshake(self: &Rc<Self>, socket: &Socket) -> bool {
        let Some(context) = self.secure.context.borrow().clone() else { return false };
        let server = self.clone();
        socket.when_secure(move |socket, failed| match failed {
            None => server.give(socket),
            Some((reason, error)) => {
                let error = TlsError::new(socket.remote_addr(), reason, error);
                server.listeners.each(On::TlsError, |site, listener| {
                    if let Listener::TlsError(f) = listener {
                        server.acceptor.cx().lp.call(site, &"a failed handshake", || f(&error));
                    }
                });
            }
        });
        if let Err(error) = socket.secure(Side::from(&context), self.secure.limit.get()) {
            log::debug!(target: "oneloop::tls", "a connection cannot be made secure: {error}");
            socket.destroy();
        }
        true
    }
}

impl Server {
    /// Sets the certificates and settings for connections from now on: Node's `setSecureContext`. Connections that are there go on
    /// with what they have. A server that was made without TLS speaks it from now on.
    ///
    /// ```
    /// use oneloop::tls;
    ///
    /// let context = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
    /// let server = tls::create_server(context, |socket| socket.end("hello\n"));
    /// let renewed = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
    /// server.set_secure_context(renewed);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_secure_context(&self, context: Context) -> &Self {
        *self.0.secure.context.borrow_mut() = Some(context);
        self
    }

    /// Sets how long a handshake may take: 10 s by default. Then the connection is closed.
    pub fn set_handshake_timeout(&self, limit: Duration) -> &Self {
        self.0.secure.limit.set(limit);
        self
    }

    /// Calls `f` for each connection that closes before its handshake is over, in the closing phase. No listener for connections has
    /// got it. Node: `tlsClientError`.
    ///
    /// ```
    /// use oneloop::tls;
    ///
    /// let context = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
    /// let server = tls::create_server(context, |socket| socket.end("hello\n"));
    /// server.on_tls_error(|error| log::info!("{error}"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn on_tls_error(&self, f: impl FnMut(&TlsError) + 'static) -> &Self {
        self.add(On::TlsError, Location::caller(), Listener::TlsError(Box::new(f)))
    }
}
