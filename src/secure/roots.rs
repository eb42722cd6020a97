use super::identity::{certificates, read};
use super::invalid;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fmt, fs, io};

/// Whom a side trusts: the certificates that have signed those of its peers, directly or over others.
#[derive(Clone)]
pub struct Roots(pub(super) Arc<RootCertStore>);

/// Where systems keep their roots in one file, each with those that use it.
const FILES: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Arch, Alpine, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7 and later
    "/etc/ssl/ca-bundle.pem",             // openSUSE
    "/etc/pki/tls/cacert.pem",            // OpenELEC
    "/etc/ssl/cert.pem",                  // macOS, Alpine, OpenBSD, FreeBSD
    "/usr/local/etc/ssl/cert.pem",        // FreeBSD
];
/// Where they are one by one, if there is no such file.
const FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

impl Roots {
    /// The roots that the system trusts. The environment may name others, as for curl and OpenSSL: `SSL_CERT_FILE` a file, and
    /// `SSL_CERT_DIR` folders, with `:` between them. Files that cannot be read are passed over. The thread waits for the disk: some
    /// milliseconds. On Windows there is no such file; use [`Roots::from_pem`].
    ///
    /// # Errors
    /// If there is not one root. The message names the places that were tried.
    pub fn system() -> io::Result<Roots> {
        let (file, folders) = (env::var_os("SSL_CERT_FILE"), env::var_os("SSL_CERT_DIR"));
        let named = file.is_some() || folders.is_some();
        let (files, folders) = if named {
            let folders = folders.map(|folders| env::split_paths(&folders).collect::<Vec<_>>());
            (file.map(PathBuf::from).into_iter().collect(), folders.unwrap_or_default())
        } else {
            (FILES.map(PathBuf::from).to_vec(), FOLDERS.map(PathBuf::from).to_vec())
        };
        let mut found = RootCertStore::empty();
        for file in &files {
            add(&mut found, file);
            if !named && !found.is_empty() {
                break;
            }
        }
        if found.is_empty() || named {
            let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
            entries.for_each(|entry| add(&mut found, &entry.path()));
        }
        if found.is_empty() {
            let tried: Vec<_> = files.iter().chain(&folders).map(|path| path.display().to_string()).collect();
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no trusted root was found in {}: is the package ca-certificates there?", tried.join(", ")),
            ));
        }
        Ok(Roots(Arc::new(found)))
    }

    /// The roots in a text in PEM, and no others.
    ///
    /// ```
    /// use oneloop::tls::{Roots, SelfSigned};
    ///
    /// let made = SelfSigned::new(["localhost"])?;
    /// let roots = Roots::from_pem(made.certificate_pem())?; // trusts this one only
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one, or if one of them cannot be read.
    pub fn from_pem(text: impl AsRef<[u8]>) -> io::Result<Roots> {
        Roots::of(certificates(text.as_ref(), "the roots")?, "the roots")
    }

    /// The roots in a file in PEM, and no others.
    ///
    /// # Errors
    /// If the file cannot be read, if there is not one, or if one of them cannot be read. The message names the file.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Roots> {
        let from = path.as_ref().display().to_string();
        Roots::of(certificates(&read(path.as_ref())?, &from)?, &from)
    }

    fn of(certificates: Vec<CertificateDer<'static>>, from: &str) -> io::Result<Roots> {
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            store.add(certificate).map_err(|error| invalid(format!("{from}: {error}")))?;
        }
        Ok(Roots(Arc::new(store)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn add(store: &mut RootCertStore, file: &Path) {
    let found = read(file).and_then(|text| certificates(&text, &file.display().to_string()));
    store.add_parsable_certificates(found.unwrap_or_default());
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("count", &self.count()).finish()
    }
}
