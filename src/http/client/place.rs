//! Where a request goes to: what connections are kept by.

#[cfg(feature = "tls")]
use super::tunnel::{Authority, Tunnel};
use crate::proto::url::{Scheme, Url};
use std::fmt;

/// A server, as the URL of a request names it. The pool keeps connections by place: requests with equal places may share a connection,
/// so a place has all that tells two servers apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// A host, in lower case and without brackets, and a port.
    Tcp(String, u16),
    /// A host and a port as well, over TLS.
    #[cfg(feature = "tls")]
    Tls(String, u16),
    /// A host and a port, over TLS within the tunnel of a proxy.
    #[cfg(feature = "tls")]
    Tunnel(Tunnel),
    /// The path of a Unix socket.
    Unix(String),
}

impl Place {
    /// # Errors
    /// In words, if the scheme is not spoken.
    pub fn of(url: &Url) -> Result<Place, String> {
        match (url.scheme(), url.socket_path()) {
            (Scheme::Http, _) => Ok(Place::Tcp(url.host().to_owned(), url.port())),
            (Scheme::Unix, Some(path)) => Ok(Place::Unix(path.to_owned())),
            #[cfg(feature = "tls")]
            (Scheme::Https, _) => Ok(Place::Tls(url.host().to_owned(), url.port())),
            #[cfg(not(feature = "tls"))]
            (Scheme::Https, _) => Err("https: needs the feature `tls` of oneloop".to_owned()),
            _ => Err("the URL begins with http://, https:// or unix:/".to_owned()),
        }
    }
}

impl Place {
    /// Returns whether a proxy stands in between that does not read the request.
    pub fn is_behind_proxy(&self) -> bool {
        #[cfg(feature = "tls")]
        return matches!(self, Place::Tunnel(_));
        #[cfg(not(feature = "tls"))]
        false
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(host, port) if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Place::Tcp(host, port) => write!(f, "http://{host}:{port}"),
            #[cfg(feature = "tls")]
            Place::Tls(host, port) if host.contains(':') => write!(f, "https://[{host}]:{port}"),
            #[cfg(feature = "tls")]
            Place::Tls(host, port) => write!(f, "https://{host}:{port}"),
            #[cfg(feature = "tls")]
            Place::Tunnel(way) => {
                write!(f, "https://{} by http://{}", Authority(&way.to), Authority(&way.proxy))
            }
            Place::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}
