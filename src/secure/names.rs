//! Which certificate a server shows: by the name that the client asks for (SNI, RFC 6066, 3).

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

thread_local! {
    /// The name that the last client of this thread has asked for. The resolver is shared by all connections, so it puts the name
    /// here, and the session takes it as soon as rustls returns.
    static ASKED: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// The name that a client has asked for since the last call.
pub(super) fn take_asked() -> Option<Box<str>> {
    ASKED.take()
}

/// The certificates of a server by name. A name is looked up as it is, then with `*` in place of its first label, as certificates
/// know it (RFC 6125, 6.4.3). The one without a name is for all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub by_name: HashMap<String, Arc<CertifiedKey>>,
    pub usual: Option<Arc<CertifiedKey>>,
    /// Whether a client that asks for a name that is not there is refused.
    pub strict: bool,
}

impl Names {
    pub fn add(&mut self, name: &str, key: Arc<CertifiedKey>) {
        self.by_name.insert(plain(name), key);
    }

    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = plain(name);
        let wildcard = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
        match self.by_name.get(&name).or_else(wildcard) {
            Some(key) => Some(key.clone()),
            None if self.strict => None,
            None => self.usual.clone(),
        }
    }
}

/// A name in lower case, without the dot of the root at its end.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        ASKED.set(hello.server_name().map(|name| plain(name).into()));
        match hello.server_name() {
            Some(name) => self.find(name),
            None => self.usual.clone(),
        }
    }
}
