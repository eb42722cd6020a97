//! Servers whose connections are secure.

use super::Request;
use super::dispatch::{ServerEvent, ServerListener};
use super::server::Server;
use super::server_core::ServerCore;
use crate::net::{CloseReason, Stream, TlsError, Unsent};
use crate::secure::{Context, Identity, Info, Session};
use std::io;
use std::panic::Location;
use std::rc::Rc;

/// What a client gets that speaks HTTP without TLS: nearly always a person who has forgotten the `s`.
const TO_PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 69\r\n\
    Connection: close\r\n\
    \r\n\
    400 Bad Request: this port speaks TLS; the URL begins with https://\r\n";

impl ServerCore {
    pub fn is_secure(&self) -> bool {
        self.secure.borrow().is_some()
    }

    /// Begins the handshake of a new connection, if the server is secure.
    pub fn make_secure(&self, stream: &Rc<Stream>) {
        let session = match &*self.secure.borrow() {
            Some(context) => Session::server(context),
            None => return,
        };
        let limit = self.limits.all().handshake;
        let begun = session
            .map_err(|fault| fault.into_error())
            .and_then(|session| stream.secure(session, limit, Unsent::Encrypted, TO_PLAIN_HTTP));
        if let Err(error) = begun {
            stream.destroy_with(CloseReason::TlsFailed, error);
        }
    }

    /// Tells that a connection has closed because of TLS, if it has.
    pub fn tls_failed(&self, stream: &Stream, reason: CloseReason, error: Option<&io::Error>) {
        if matches!(reason, CloseReason::TlsFailed | CloseReason::HandshakeTimeout) {
            self.dispatch.tell_tls_error(self.lp(), &TlsError::new(Some(stream.peer()), reason, error));
        }
    }
}

impl Server {
    /// Sets the certificates and settings for connections from now on: Node's `setSecureContext`. Connections that are there go on
    /// with what they have, so that none is lost. If the files of a new certificate are wrong, [`Context::from_files`] says so, and
    /// the server goes on with the old one. A server that was made without TLS speaks it from now on.
    ///
    /// ```
    /// use oneloop::{https, tls};
    ///
    /// let context = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
    /// let server = https::create_server(context, |_req, res| res.end("secret\n"));
    /// match tls::Context::from_files("fullchain.pem", "privkey.pem") {
    ///     Ok(renewed) => _ = server.set_secure_context(renewed),
    ///     Err(error) => eprintln!("the certificate stays as it is: {error}"),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_secure_context(&self, context: Context) -> &Self {
        *self.0.secure.borrow_mut() = Some(context.with_usual_alpn(&["http/1.1"]));
        self
    }

    /// Adds the certificate for one more name, for connections from now on: Node's `addContext`. A `*` stands for one label:
    /// `*.example`.
    ///
    /// ```
    /// use oneloop::{https, tls};
    ///
    /// let context = tls::Context::new(tls::SelfSigned::new(["a.example"])?.identity())?;
    /// let server = https::create_server(context, |_req, res| res.end("secret\n"));
    /// server.add_context("b.example", &tls::SelfSigned::new(["b.example"])?.identity())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the key cannot be used. If the server is not secure: it has no settings to which this could be added.
    pub fn add_context(&self, name: &str, identity: &Identity) -> io::Result<()> {
        let mut secure = self.0.secure.borrow_mut();
        let Some(context) = &mut *secure else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the server is not secure: see set_secure_context",
            ));
        };
        *context = context.with_host(name, identity)?;
        Ok(())
    }

    /// Calls `f` for each connection whose handshake fails or is not over in time, and for each whose peer breaks the rules of TLS
    /// afterwards, in the closing phase: Node's `tlsClientError`. Anybody can cause that; it is nothing to be alarmed about.
    ///
    /// ```
    /// use oneloop::{https, tls};
    ///
    /// let context = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
    /// let server = https::create_server(context, |_req, res| res.end("secret\n"));
    /// server.on_tls_error(|error| log::info!("{error}"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn on_tls_error(&self, f: impl FnMut(&TlsError) + 'static) -> &Self {
        self.add(ServerEvent::TlsError, Location::caller(), ServerListener::TlsError(Box::new(f)))
    }
}

impl Request {
    /// What was agreed with the client by TLS, while the exchange is open. `None` on a plain connection, and behind a proxy that has
    /// talked TLS with the client.
    ///
    /// ```
    /// use oneloop::{https, tls};
    ///
    /// let context = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
    /// let server = https::create_server(context, |req, res| {
    ///     let name = req.tls().and_then(|tls| tls.server_name().map(str::to_owned));
    ///     res.end(name.unwrap_or_default());
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tls(&self) -> Option<Info> {
        self.0.tls()
    }

    /// Returns whether the request has come by a secure connection, while the exchange is open.
    #[cfg(not(feature = "app"))]
    pub fn is_secure(&self) -> bool {
        self.0.is_secure()
    }
}
