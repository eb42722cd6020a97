//! A scripted peer that speaks TLS by rustls itself, with what the settings of this crate do not offer: TLS 1.2 alone, a server without a
//! certificate, a key that is not that of the certificate.

use crate::relay::made;
use oneloop::sim::{Peer, Sim};
use oneloop::tls::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;

pub type Version = &'static rustls::SupportedProtocolVersion;
pub const TLS12: Version = &rustls::version::TLS12;
pub const TLS13: Version = &rustls::version::TLS13;

/// One of the two ends of a connection.
#[derive(Clone)]
pub struct Foreign(Rc<Inner>);

struct Inner {
    peer: Peer,
    connection: RefCell<Connection>,
    heard: RefCell<Vec<u8>>,
    error: RefCell<String>,
    sent: Cell<usize>,
    /// After how many bytes it goes, and whether with a RST instead of a FIN.
    cut: Option<(usize, bool)>,
}

impl Foreign {
    fn over(peer: &Peer, connection: Connection, cut: Option<(usize, bool)>) -> Foreign {
        let inner = Inner {
            peer: peer.clone(),
            connection: RefCell::new(connection),
            heard: RefCell::default(),
            error: RefCell::default(),
            sent: Cell::new(0),
            cut,
        };
        let foreign = Foreign(Rc::new(inner));
        let me = foreign.clone();
        peer.on_data(move |_, bytes| me.take(bytes));
        foreign.send();
        foreign
    }

    /// Connects to a server of the program, which shows the certificate of the relay's context.
    pub fn connect(sim: &Sim, port: u16, config: &Arc<ClientConfig>) -> Foreign {
        Foreign::over(&sim.connect(port), new_client(config), None)
    }

    /// Connects, and goes after so many bytes.
    pub fn connect_and_cut(sim: &Sim, port: u16, config: &Arc<ClientConfig>, after: usize, reset: bool) -> Foreign {
        Foreign::over(&sim.connect(port), new_client(config), Some((after, reset)))
    }

    /// Answers a client of the program.
    pub fn accept(peer: &Peer, config: &Arc<ServerConfig>) -> Foreign {
        Foreign::over(peer, ServerConnection::new(config.clone()).unwrap().into(), None)
    }

    /// Answers a client of the program, and goes after so many bytes.
    pub fn accept_and_cut(peer: &Peer, config: &Arc<ServerConfig>, after: usize, reset: bool) -> Foreign {
        Foreign::over(peer, ServerConnection::new(config.clone()).unwrap().into(), Some((after, reset)))
    }

    fn take(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let mut connection = self.0.connection.borrow_mut();
            connection.read_tls(&mut bytes).unwrap();
            if let Err(error) = connection.process_new_packets() {
                *self.0.error.borrow_mut() = error.to_string();
                break;
            }
            let mut plain = [0; 4096];
            while let Ok(count @ 1..) = connection.reader().read(&mut plain) {
                self.0.heard.borrow_mut().extend_from_slice(&plain[..count]);
            }
        }
        self.send();
    }

    fn send(&self) {
        let mut bytes = Vec::new();
        while self.0.connection.borrow().wants_write() {
            self.0.connection.borrow_mut().write_tls(&mut bytes).unwrap();
        }
        let before = self.0.sent.replace(self.0.sent.get() + bytes.len());
        match self.0.cut {
            Some((after, reset)) if self.0.sent.get() >= after => {
                self.0.peer.write(&bytes[..after.saturating_sub(before)]);
                if reset { self.0.peer.reset() } else { self.0.peer.finish() }
            }
            _ => self.0.peer.write(bytes),
        }
    }

    /// How many bytes it has sent, or would have.
    pub fn sent(&self) -> usize {
        self.0.sent.get()
    }

    pub fn say(&self, text: &str) {
        self.0.connection.borrow_mut().writer().write_all(text.as_bytes()).unwrap();
        self.send();
    }

    /// Returns what it would send to say this.
    pub fn sealed(&self, text: &str) -> Vec<u8> {
        let mut connection = self.0.connection.borrow_mut();
        connection.writer().write_all(text.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// Says that nothing follows, and sends a FIN.
    pub fn end(&self) {
        self.0.connection.borrow_mut().send_close_notify();
        self.send();
        self.0.peer.finish();
    }

    /// Changes its keys, and wants the other side to change its own.
    pub fn change_keys(&self) {
        self.0.connection.borrow_mut().refresh_traffic_keys().unwrap();
        self.send();
    }

    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.0.heard.borrow()).into_owned()
    }

    pub fn error(&self) -> String {
        self.0.error.borrow().clone()
    }

    pub fn is_resumed(&self) -> bool {
        self.0.connection.borrow().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }
}

fn new_client(config: &Arc<ClientConfig>) -> Connection {
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(config.clone(), name).unwrap().into()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client that speaks one version, and trusts the certificate of the relay's context.
pub fn client(version: Version) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(made().certificate_pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The first flight of a client.
pub fn hello(version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    new_client(&client(version)).write_tls(&mut bytes).unwrap();
    bytes
}

/// A server that speaks one version, and shows the certificate of the relay's context.
pub fn server(version: Version) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(made().certificate_pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made().key_pem().as_bytes()).unwrap();
    with_certificate(version, vec![certificate], &key)
}

/// A server that shows these certificates, and signs with this key, without asking whether they belong together.
pub fn showing(version: Version, chain: &[&[u8]], key: &[u8]) -> Arc<ServerConfig> {
    let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    with_certificate(version, chain, &PrivatePkcs8KeyDer::from(key.to_vec()).into())
}

fn with_certificate(
    version: Version,
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Arc<ServerConfig> {
    let provider = provider();
    let key = provider.key_provider.load_private_key(key.clone_key()).unwrap();
    let shown = Shown(Arc::new(CertifiedKey::new(chain, key)));
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(shown));
    config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    Arc::new(config)
}

#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
