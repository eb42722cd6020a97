use rustls::{CommonState, HandshakeKind, ProtocolVersion};
use std::fmt;

/// What the two sides of a secure connection have agreed on: `getProtocol`, `getCipher`, `alpnProtocol`, `servername`,
/// `isSessionReused` and `getPeerCertificate` of Node's `TLSSocket`.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::{https, tls};
///
/// let context = tls::Context::new(tls::SelfSigned::new(["localhost"])?.identity())?;
/// let server = https::create_server(context, |req, res| match req.tls() {
///     Some(tls) => res.end(format!("{} with {}\n", tls.protocol(), tls.cipher())), // TLSv1.3 with TLS13_AES_256_GCM_SHA384
///     None => res.end("the exchange is over\n"),
/// });
/// server.listen(443, ())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Info {
    protocol: Protocol,
    cipher: String,
    alpn: Option<Vec<u8>>,
    server_name: Option<Box<str>>,
    resumed: bool,
    certificates: Vec<Vec<u8>>,
}

/// A version of TLS. Nothing older is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tls12 => "TLSv1.2",
            Protocol::Tls13 => "TLSv1.3",
        })
    }
}

impl Info {
    pub(super) fn of(connection: &CommonState, server_name: Option<Box<str>>) -> Info {
        let new = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let cipher = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let certificates = connection.peer_certificates().unwrap_or_default();
        Info {
            protocol: if new { Protocol::Tls13 } else { Protocol::Tls12 },
            cipher: cipher.and_then(|suite| suite.as_str()).unwrap_or_default().to_owned(),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            certificates: certificates.iter().map(|certificate| certificate.to_vec()).collect(),
        }
    }

    /// The version of TLS.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The cipher suite, by the name of the RFCs: `TLS13_AES_128_GCM_SHA256`.
    pub fn cipher(&self) -> &str {
        &self.cipher
    }

    /// The application protocol that was agreed on (ALPN): `http/1.1`.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// The name of the server that the client has asked for (SNI), in lower case; of a client, the name that it was given. A client
    /// that connects to an IP address sends none.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Returns whether an earlier session goes on. Its peer has shown no certificate again.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The certificates that the peer has shown, in DER, its own first. They were checked, unless the settings say otherwise
    /// ([`dangerous_accept_any`](super::ClientBuilder::dangerous_accept_any)). None of a client that was not asked for one.
    pub fn peer_certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }
}
