use crate::event_loop::Address;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// A peer's address. It takes only 24 bytes, since every connection holds one.
#[derive(Clone, Copy)]
pub(super) enum Peer {
    V4(Ipv4Addr, u16),
    V6(Ipv6Addr, u16, u32),
    /// The address is not stored: the kernel knows it while the socket is open.
    Unix,
    /// There is no connection yet.
    Nobody,
}

impl From<&Address> for Peer {
    fn from(address: &Address) -> Peer {
        match address {
            Address::Ip(SocketAddr::V4(v4)) => Peer::V4(*v4.ip(), v4.port()),
            Address::Ip(SocketAddr::V6(v6)) => Peer::V6(*v6.ip(), v6.port(), v6.scope_id()),
            Address::Unix(_) | Address::Abstract(_) => Peer::Unix,
        }
    }
}

impl Peer {
    pub fn address(self) -> Option<Address> {
        Some(Address::Ip(match self {
            Peer::V4(ip, port) => SocketAddr::from((ip, port)),
            Peer::V6(ip, port, scope) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)),
            Peer::Unix | Peer::Nobody => return None,
        }))
    }
}
