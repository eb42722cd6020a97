use super::{invalid, usual_provider};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs, io};

/// A certificate with its private key: who a server is, or a client that has to show one. The certificate comes with those that
/// have signed it, up to the one below the root: `fullchain.pem` of Let's Encrypt.
///
/// It is checked at once that the key belongs to the certificate. Keys: RSA, ECDSA (P-256, P-384) and Ed25519, in PKCS #8, PKCS #1
/// or SEC 1, without a password. With ECDSA a server does three times as many handshakes as with RSA-2048.
///
/// ```no_run
/// use oneloop::tls::Identity;
///
/// let identity = Identity::from_files("fullchain.pem", "privkey.pem")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    /// Where the certificates and the key were read from. Messages of errors begin with it.
    from: String,
}

impl Identity {
    /// Reads both from files in PEM. The two may be the same file. The thread waits for the disk.
    ///
    /// ```
    /// use oneloop::tls::Identity;
    ///
    /// let error = Identity::from_files("no/such/fullchain.pem", "privkey.pem").unwrap_err();
    /// assert!(error.to_string().starts_with("no/such/fullchain.pem: No such file"));
    /// ```
    ///
    /// # Errors
    /// If a file cannot be read, has no certificate or no key, or if the two do not belong together. The message names the file.
    pub fn from_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<Identity> {
        let (chain, key) = (chain.as_ref(), key.as_ref());
        let identity = Identity {
            chain: certificates(&read(chain)?, &chain.display().to_string())?,
            key: Arc::new(private_key(&read(key)?, &key.display().to_string())?),
            from: format!("{} and {}", chain.display(), key.display()),
        };
        identity.checked()
    }

    /// Reads both from texts in PEM.
    ///
    /// ```
    /// use oneloop::tls::{Identity, SelfSigned};
    ///
    /// let made = SelfSigned::new(["localhost"])?;
    /// let identity = Identity::from_pem(made.certificate_pem(), made.key_pem())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If one of them has no certificate or no key, or if the two do not belong together.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> io::Result<Identity> {
        let identity = Identity {
            chain: certificates(chain.as_ref(), "the certificate")?,
            key: Arc::new(private_key(key.as_ref(), "the key")?),
            from: "the certificate and the key".to_owned(),
        };
        identity.checked()
    }

    pub(super) fn from_der(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Identity {
        Identity { chain, key: Arc::new(key), from: "the certificate".to_owned() }
    }

    fn checked(self) -> io::Result<Identity> {
        self.certified(&usual_provider())?;
        Ok(self)
    }

    /// The certificate and its key in the form in which rustls signs with this provider.
    pub(super) fn certified(&self, provider: &CryptoProvider) -> io::Result<Arc<CertifiedKey>> {
        let certified = CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), provider);
        certified.map(Arc::new).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                invalid(format!("{}: the key is not that of the first certificate", self.from))
            }
            Error::InvalidCertificate(error) => {
                invalid(format!("{}: the certificate cannot be read: {error}", self.from))
            }
            other => invalid(format!("{}: the key cannot be used: {other}", self.from)),
        })
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

/// Nothing of the key is shown.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("from", &self.from).field("certificates", &self.chain.len()).finish()
    }
}

/// Reads a file. The error names it.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// The certificates of a text in PEM: at least one.
pub(super) fn certificates(text: &[u8], from: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| not_pem(from, &error))?;
    if found.is_empty() {
        return Err(invalid(format!("{from}: there is no certificate in it (-----BEGIN CERTIFICATE-----)")));
    }
    Ok(found)
}

fn private_key(text: &[u8], from: &str) -> io::Result<PrivateKeyDer<'static>> {
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if contains(text, b"BEGIN ENCRYPTED PRIVATE KEY") => {
            Err(invalid(format!("{from}: the key has a password; take it away by `openssl pkey -in KEY -out NEW`")))
        }
        Err(pem::Error::NoItemsFound) => {
            Err(invalid(format!("{from}: there is no private key in it (-----BEGIN PRIVATE KEY-----)")))
        }
        Err(error) => Err(not_pem(from, &error)),
    }
}

fn not_pem(from: &str, error: &pem::Error) -> io::Error {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "a part of it has no end (-----END …-----): was it cut off?".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "the line that begins a part of it is wrong".to_owned(),
        other => other.to_string(),
    };
    invalid(format!("{from}: {why}"))
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}
