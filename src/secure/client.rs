use super::clock::LoopClock;
use super::key_log::KeyLogFile;
use super::{Identity, Roots, unusable, usual_provider, versions};
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::SignatureScheme;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

/// The settings of a client's secure side. It can be shared by loops and threads; clones are the same settings, and remember the
/// same sessions, so that a client that comes back to a server saves a part of the handshake.
///
/// What is checked of a server's certificate: that a trusted root has signed it, directly or by others that the server shows and that
/// may sign for its name; that all of them are valid now, by the clock of the loop; that it is for the name or address that was
/// asked for, and for servers. Not checked: whether it was revoked.
///
/// ```no_run
/// use oneloop::tls;
///
/// let socket = tls::connect(("example.org", 443), &tls::Client::system()?, |socket| {
///     socket.write("GET / HTTP/1.0\r\nHost: example.org\r\n\r\n").ignore();
/// });
/// socket.on_data(|_, bytes| println!("{}", String::from_utf8_lossy(bytes)));
/// socket.on_error(|_, error| eprintln!("{error}"));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
}

/// Makes a [`Client`]. Without any setting: it trusts the roots of the system, speaks TLS 1.3 and 1.2, and shows no certificate.
#[derive(Clone, Default)]
pub struct ClientBuilder {
    roots: Option<Roots>,
    identity: Option<Identity>,
    alpn: Vec<Vec<u8>>,
    tls13_only: bool,
    accept_any: bool,
    key_log: Option<PathBuf>,
    provider: Option<Arc<CryptoProvider>>,
}

impl Client {
    /// The settings that trust the roots of the system: [`Roots::system`]. The roots are read at the first call, and kept for all
    /// threads of the process. That call holds up its thread for some milliseconds, as it reads a file of 200 KB and the certificates in
    /// it: make it before the loop runs.
    ///
    /// # Errors
    /// If the system has no roots. The message names the places that were tried.
    pub fn system() -> io::Result<Client> {
        static SYSTEM: OnceLock<Client> = OnceLock::new();
        if let Some(client) = SYSTEM.get() {
            return Ok(client.clone());
        }
        let client = Client::builder().build()?;
        Ok(SYSTEM.get_or_init(|| client).clone())
    }

    /// The settings that trust these roots only.
    ///
    /// ```
    /// use oneloop::tls::{Client, Roots, SelfSigned};
    ///
    /// let made = SelfSigned::new(["localhost"])?;
    /// let client = Client::trusting(Roots::from_pem(made.certificate_pem())?)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no root.
    pub fn trusting(roots: Roots) -> io::Result<Client> {
        Client::builder().roots(roots).build()
    }

    /// Begins to make settings.
    ///
    /// ```no_run
    /// use oneloop::tls::{Client, Identity, Roots};
    ///
    /// let client = Client::builder()
    ///     .roots(Roots::from_file("our-ca.pem")?)
    ///     .identity(Identity::from_files("me.pem", "me.key")?)
    ///     .alpn(["http/1.1"])
    ///     .build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// These settings, with application protocols unless they have some.
    pub(crate) fn with_usual_alpn(&self, protocols: &[&str]) -> Client {
        if !self.config.alpn_protocols.is_empty() {
            return self.clone();
        }
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Client { config: Arc::new(config) }
    }

    pub(crate) fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("tls::Client").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Sets whom the client trusts: [`Roots::system`] by default.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Sets the certificate that the client shows to servers that ask for one.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sets the application protocols that the client offers (ALPN), the best one first. None by default.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether TLS 1.2 is not spoken. Off by default.
    pub fn tls13_only(mut self, on: bool) -> Self {
        self.tls13_only = on;
        self
    }

    /// Accepts any certificate, so that anybody on the way can pretend to be the server, and read and change what is sent. For tests
    /// on one's own machine only; a server of one's own is trusted by [`Roots::from_file`]. Node's `rejectUnauthorized: false`.
    pub fn dangerous_accept_any(mut self) -> Self {
        self.accept_any = true;
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

    /// Makes the settings.
    ///
    /// # Errors
    /// If there are no roots, if the key of the certificate cannot be used, or if the file of the key log cannot be opened.
    pub fn build(self) -> io::Result<Client> {
        let provider = self.provider.unwrap_or_else(usual_provider);
        let builder = ClientConfig::builder_with_details(provider.clone(), Arc::new(LoopClock))
            .with_protocol_versions(versions(self.tls13_only))
            .map_err(unusable)?;
        let builder = if self.accept_any {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider.clone())))
        } else {
            let roots = self.roots.map_or_else(Roots::system, Ok)?;
            builder.with_root_certificates(roots.0)
        };
        let mut config = match self.identity {
            Some(identity) => {
                identity.certified(&provider)?;
                builder.with_client_auth_cert(identity.chain.clone(), identity.key()).map_err(unusable)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn;
        if let Some(path) = self.key_log {
            config.key_log = Arc::new(KeyLogFile::open(&path)?);
        }
        Ok(Client { config: Arc::new(config) })
    }
}

/// Takes any certificate for whose key the peer can sign.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
