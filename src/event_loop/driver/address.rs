use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The address of one end of a connection, or of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// IPv4 or IPv6 with a port. An IPv4 peer of a dual-stack listener is given as IPv4.
    Ip(SocketAddr),
    /// A Unix socket; most clients' ends have no path.
    Unix(Option<PathBuf>),
}

impl Address {
    /// The IP address, unless it is a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Ip(address) => Some(address.ip()),
            Address::Unix(_) => None,
        }
    }

    /// The port, unless it is a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Ip(address) => Some(address.port()),
            Address::Unix(_) => None,
        }
    }

    /// The path of a Unix socket that has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Address::Ip(_) => None,
            Address::Unix(path) => path.as_deref(),
        }
    }

    /// An address as the kernel gives it, with `::ffff:a.b.c.d` shown as the IPv4 address that it is.
    pub(crate) fn canonical(address: SocketAddr) -> Address {
        Address::Ip(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix:(unnamed)"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}
