use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The address of one end of a connection, or of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// IPv4 or IPv6 with a port. An IPv4 peer of a dual-stack listener is given as IPv4.
    Ip(SocketAddr),
    /// A Unix socket, with its path. Most clients' ends have no path.
    Unix(Option<PathBuf>),
    /// A Unix socket with a name in Linux' abstract namespace, which is not a path. The name is without the zero byte in
    /// front.
    Abstract(Vec<u8>),
}

impl Address {
    /// The IP address; `None` for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Ip(address) => Some(address.ip()),
            Address::Unix(_) | Address::Abstract(_) => None,
        }
    }

    /// The port; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Ip(address) => Some(address.port()),
            Address::Unix(_) | Address::Abstract(_) => None,
        }
    }

    /// The path of a Unix socket, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Address::Unix(path) => path.as_deref(),
            Address::Ip(_) | Address::Abstract(_) => None,
        }
    }

    /// Makes an address from the kernel's form. `::ffff:a.b.c.d` becomes the IPv4 address that it stands for. A link-local
    /// address keeps its scope, because nobody can connect to it without the scope.
    pub(crate) fn canonical(address: SocketAddr) -> Address {
        match address.ip().to_canonical() {
            ip @ IpAddr::V4(_) => Address::Ip(SocketAddr::new(ip, address.port())),
            IpAddr::V6(_) => Address::Ip(address),
        }
    }

    /// Makes an address of a Unix socket from the kernel's form.
    #[cfg(unix)]
    pub(super) fn of_unix(address: &std::os::unix::net::SocketAddr) -> Address {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(name) = name_of(address) {
            return Address::Abstract(name.into());
        }
        Address::Unix(address.as_pathname().map(Into::into))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix:(unnamed)"),
            Address::Abstract(name) => write!(f, "unix:@{}", name.escape_ascii()),
        }
    }
}

#[cfg(target_os = "linux")]
fn name_of(address: &std::os::unix::net::SocketAddr) -> Option<&[u8]> {
    std::os::linux::net::SocketAddrExt::as_abstract_name(address)
}

#[cfg(target_os = "android")]
fn name_of(address: &std::os::unix::net::SocketAddr) -> Option<&[u8]> {
    std::os::android::net::SocketAddrExt::as_abstract_name(address)
}

/// Makes the kernel's form of an abstract name.
#[cfg(target_os = "linux")]
pub(super) fn with_name(name: &[u8]) -> std::io::Result<std::os::unix::net::SocketAddr> {
    <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(target_os = "android")]
pub(super) fn with_name(name: &[u8]) -> std::io::Result<std::os::unix::net::SocketAddr> {
    <std::os::unix::net::SocketAddr as std::os::android::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(super) fn with_name(_: &[u8]) -> std::io::Result<std::os::unix::net::SocketAddr> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "only Linux has abstract names"))
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_ipv4_and_a_link_local_one_keeps_its_scope() {
        let canonical = |text: &str| Address::canonical(text.parse().unwrap()).to_string();
        assert_eq!(canonical("[::ffff:192.0.2.1]:80"), "192.0.2.1:80");
        assert_eq!(canonical("[fe80::1%3]:80"), "[fe80::1%3]:80");
        assert_eq!(canonical("[2001:db8::1]:80"), "[2001:db8::1]:80");
    }
}
