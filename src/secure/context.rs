use super::clock::LoopClock;
use super::key_log::KeyLogFile;
use super::names::Names;
use super::{Handshakes, Identity, Roots, invalid, unusable, usual_provider, versions};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

/// The settings of a server's secure side: Node's `tls.createSecureContext`. It can be shared by servers, loops and threads; clones
/// are the same settings, and the tickets of one are good for all.
///
/// ```no_run
/// use oneloop::{https, tls};
///
/// let context = tls::Context::from_files("fullchain.pem", "privkey.pem")?;
/// let server = https::create_server(context, |_req, res| res.end("secret\n"));
/// server.listen(443, || println!("https://localhost"))?;
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Context {
    config: Arc<ServerConfig>,
    names: Arc<Names>,
    handshakes: Handshakes,
}

/// Whether clients have to show certificates, and who has signed these: Node's `requestCert` and `rejectUnauthorized`.
#[derive(Clone, Debug, Default)]
pub enum ClientCertificates {
    /// Clients are not asked for a certificate.
    #[default]
    Off,
    /// Clients are asked. A client that shows no certificate is served all the same; [`Info::peer_certificates`](super::Info::peer_certificates)
    /// is empty then. A certificate that none of these roots has signed ends the connection.
    Optional(Roots),
    /// A client that shows no certificate is refused. With TLS 1.3 it may have sent its request before it learns that.
    Required(Roots),
}

/// Makes a [`Context`]. Without any setting but a certificate: TLS 1.3 and 1.2, tickets for 12 hours, no certificates of clients.
#[derive(Clone, Default)]
pub struct ContextBuilder {
    usual: Option<Identity>,
    hosts: Vec<(String, Identity)>,
    strict: bool,
    clients: ClientCertificates,
    alpn: Vec<Vec<u8>>,
    tls13_only: bool,
    max_fragment: Option<usize>,
    key_log: Option<PathBuf>,
    provider: Option<Arc<CryptoProvider>>,
    handshakes: Handshakes,
}

impl Context {
    /// The settings with one certificate for all names.
    ///
    /// ```
    /// use oneloop::tls::{Context, SelfSigned};
    ///
    /// let context = Context::new(SelfSigned::new(["localhost"])?.identity())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the key cannot be used.
    pub fn new(identity: Identity) -> io::Result<Context> {
        Context::builder().identity(identity).build()
    }

    /// The settings with one certificate for all names, from files in PEM: see [`Identity::from_files`].
    ///
    /// # Errors
    /// As [`Identity::from_files`].
    pub fn from_files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> io::Result<Context> {
        Context::new(Identity::from_files(chain.into(), key.into())?)
    }

    /// Begins to make settings.
    ///
    /// ```
    /// use oneloop::tls::{Context, SelfSigned};
    ///
    /// let context = Context::builder()
    ///     .identity(SelfSigned::new(["localhost"])?.identity())
    ///     .host("a.example", SelfSigned::new(["a.example"])?.identity())
    ///     .host("*.b.example", SelfSigned::new(["*.b.example"])?.identity())
    ///     .tls13_only(true)
    ///     .build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> ContextBuilder {
        ContextBuilder::default()
    }

    /// These settings with a certificate for one more name (or another one for it): see [`ContextBuilder::host`]. Tickets stay good.
    ///
    /// ```
    /// use oneloop::tls::{Context, SelfSigned};
    ///
    /// let context = Context::new(SelfSigned::new(["localhost"])?.identity())?;
    /// let more = context.with_host("a.example", &SelfSigned::new(["a.example"])?.identity())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the key cannot be used.
    pub fn with_host(&self, name: &str, identity: &Identity) -> io::Result<Context> {
        let mut names = Names::clone(&self.names);
        names.add(name, identity.certified(self.config.crypto_provider())?);
        let names = Arc::new(names);
        let mut config = ServerConfig::clone(&self.config);
        config.cert_resolver = names.clone();
        Ok(Context { config: Arc::new(config), names, handshakes: self.handshakes })
    }

    /// These settings, with application protocols unless they have some.
    pub(crate) fn with_usual_alpn(&self, protocols: &[&str]) -> Context {
        if !self.config.alpn_protocols.is_empty() {
            return self.clone();
        }
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Context { config: Arc::new(config), names: self.names.clone(), handshakes: self.handshakes }
    }

    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    pub(crate) fn handshakes(&self) -> Handshakes {
        self.handshakes
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("tls::Context").field("hosts", &self.names.by_name.keys()).finish_non_exhaustive()
    }
}

impl ContextBuilder {
    /// Sets the certificate for all clients that ask for no name, or for a name that has no certificate of its own.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.usual = Some(identity);
        self
    }

    /// Adds the certificate for a name that clients ask for (SNI): `a.example`, or `*.example` for all names with one more label. An
    /// exact name is preferred to a `*`.
    pub fn host(mut self, name: impl Into<String>, identity: Identity) -> Self {
        self.hosts.push((name.into(), identity));
        self
    }

    /// Sets whether a client that asks for a name without a certificate is refused (the alert `unrecognized_name`), instead of being
    /// shown the one for all. Off by default.
    pub fn strict_names(mut self, on: bool) -> Self {
        self.strict = on;
        self
    }

    /// Sets whether clients have to show certificates. [`Off`](ClientCertificates::Off) by default.
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients = clients;
        self
    }

    /// Sets the application protocols that the server speaks (ALPN), the best one first. A client that offers none of them is refused;
    /// one that offers no protocols at all is served. None by default; `https::create_server` then says `http/1.1`.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether TLS 1.2 is not spoken. Off by default.
    pub fn tls13_only(mut self, on: bool) -> Self {
        self.tls13_only = on;
        self
    }

    /// Sets the most bytes of a record, from 32 to 16,384. By default a record has as many as there are: 16 KiB of plaintext at most.
    pub fn max_fragment(mut self, bytes: usize) -> Self {
        self.max_fragment = Some(bytes);
        self
    }

    /// Appends the secrets of each connection to this file, for Wireshark. Who has the file can read all that was sent. The
    /// environment (`SSLKEYLOGFILE`) is not asked.
    pub fn key_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_log = Some(path.into());
        self
    }

    /// Sets whose cryptography is used: that of ring by default.
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Sets where the steps of handshakes are taken that may sign: on the loop's thread by default. See
    /// [Handshakes beside requests](crate::tls#handshakes-beside-requests), which says when it helps.
    ///
    /// ```
    /// use oneloop::tls::{Context, Handshakes, SelfSigned};
    ///
    /// let identity = SelfSigned::new(["localhost"])?.identity();
    /// let context = Context::builder().identity(identity).handshakes(Handshakes::Workers).build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn handshakes(mut self, handshakes: Handshakes) -> Self {
        self.handshakes = handshakes;
        self
    }

    /// Makes the settings.
    ///
    /// # Errors
    /// If there is no certificate, if a key cannot be used, or if the file of the key log cannot be opened.
    pub fn build(self) -> io::Result<Context> {
        if self.usual.is_none() && self.hosts.is_empty() {
            return Err(invalid("a server needs a certificate: tls::Context::builder().identity(…)"));
        }
        let provider = self.provider.unwrap_or_else(usual_provider);
        let mut names = Names { strict: self.strict, ..Names::default() };
        names.usual = self.usual.map(|identity| identity.certified(&provider)).transpose()?;
        for (name, identity) in &self.hosts {
            names.add(name, identity.certified(&provider)?);
        }
        let names = Arc::new(names);
        let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(LoopClock))
            .with_protocol_versions(versions(self.tls13_only))
            .map_err(unusable)?;
        let verifier = |roots: Roots| WebPkiClientVerifier::builder_with_provider(roots.0, provider.clone());
        let no_verifier = |error| invalid(format!("the roots for clients cannot be used: {error}"));
        let builder = match self.clients {
            ClientCertificates::Off => builder.with_no_client_auth(),
            ClientCertificates::Optional(roots) => {
                builder.with_client_cert_verifier(verifier(roots).allow_unauthenticated().build().map_err(no_verifier)?)
            }
            ClientCertificates::Required(roots) => {
                builder.with_client_cert_verifier(verifier(roots).build().map_err(no_verifier)?)
            }
        };
        let mut config = builder.with_cert_resolver(names.clone());
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(unusable)?;
        // One ticket is enough for a client to come back: with its next connection it gets the next ticket.
        config.send_tls13_tickets = 1;
        config.alpn_protocols = self.alpn;
        // rustls counts the head of a record, too.
        config.max_fragment_size = self.max_fragment.map(|bytes| bytes + 5);
        if let Some(path) = self.key_log {
            config.key_log = Arc::new(KeyLogFile::open(&path)?);
        }
        Ok(Context { config: Arc::new(config), names, handshakes: self.handshakes })
    }
}
