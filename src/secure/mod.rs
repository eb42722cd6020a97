//! What makes a connection secure: certificates and their keys, the settings of both sides, and sessions of TLS. Bytes in, bytes out:
//! there are no sockets here. `net` puts a session between a stream and its socket; users find the settings in
//! [`tls`](crate::tls).
//!
//! ```text
//!   Identity (certificate + key) ──► Context ──► Session of a server ┐
//!   Roots (whom we trust) ─────────► Client ───► Session of a client ┴─► Info (what was agreed)
//! ```
//!
//! The cryptography is that of rustls and its provider. `session.rs` alone knows how rustls is driven: it uses the interface without
//! buffers, which a later version of rustls replaces by another one. The provider of the process is never used: two libraries of
//! one program may then want different ones.

mod client;
mod clock;
mod context;
mod fault;
mod handshakes;
mod identity;
mod info;
mod key_log;
mod names;
mod roots;
mod self_signed;
mod session;
mod side;
mod step;

pub use client::{Client, ClientBuilder};
pub use context::{ClientCertificates, Context, ContextBuilder};
pub use handshakes::Handshakes;
pub use identity::Identity;
pub use info::{Info, Protocol};
pub use roots::Roots;
pub use self_signed::SelfSigned;

pub(crate) use fault::Fault;
pub(crate) use session::{Ciphertext, NewSession, Pumped, RECORD, Session, Want};
pub use side::Side;
pub(crate) use step::{Step, Stepped};

use rustls::crypto::CryptoProvider;
use std::io::{self, ErrorKind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a handshake may take, where nobody says otherwise.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// The provider that is used where the program names none: that of ring.
fn usual_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())).clone()
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why.into())
}

fn unusable(error: rustls::Error) -> io::Error {
    invalid(format!("these settings of TLS cannot be used: {error}"))
}

/// The versions of the protocol that a side speaks.
fn versions(tls13_only: bool) -> &'static [&'static rustls::SupportedProtocolVersion] {
    const NEW: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    if tls13_only { NEW } else { BOTH }
}
