use crate::event_loop::driver::{Bind, ListenHow, Resolver};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Node's. The kernel may cap it lower (`net.core.somaxconn`).
const BACKLOG: i32 = 511;

/// Where and how a server listens. A port, a pair of host and port, an address or a path converts into it.
///
/// | from | listens on |
/// |---|---|
/// | `7777` | that port of every address: `::` dual-stack, or `0.0.0.0` where there is no IPv6 (as Node) |
/// | `0` | a free port, see `address()` |
/// | `("127.0.0.1", 7777)` | that address; a host name is looked up, at once, and its first address taken |
/// | a `SocketAddr` | that address |
/// | a `Path` | a Unix socket. The path must not exist; it is removed when the server closes |
///
/// ```
/// use oneloop::net::{self, Listen};
/// let server = net::create_server(|_socket| {});
/// server.listen(Listen::from(("127.0.0.1", 0)).backlog(16), || println!("listening"))?;
/// assert!(server.address().unwrap().port().unwrap() > 0);
/// server.close(|| ());
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Listen {
    place: Place,
    how: ListenHow,
}

#[derive(Clone, Debug)]
enum Place {
    Port(u16),
    Host(String, u16),
    Ip(SocketAddr),
    Path(PathBuf),
}

impl Listen {
    fn new(place: Place) -> Listen {
        Listen { place, how: ListenHow { backlog: BACKLOG, reuse_port: false, ipv6_only: false, no_delay: true } }
    }

    /// Connections that the kernel keeps for us until they are accepted: 511 at first. More are refused or retried by
    /// their peers.
    pub fn backlog(mut self, connections: u16) -> Listen {
        self.how.backlog = i32::from(connections);
        self
    }

    /// Lets several sockets (several loops, several processes) listen on the same port; the kernel spreads the
    /// connections (`SO_REUSEPORT`; Unix).
    pub fn reuse_port(mut self, on: bool) -> Listen {
        self.how.reuse_port = on;
        self
    }

    /// Keeps a `::` socket from taking IPv4 connections too.
    pub fn ipv6_only(mut self, on: bool) -> Listen {
        self.how.ipv6_only = on;
        self
    }

    pub(super) fn how(&self) -> &ListenHow {
        &self.how
    }

    pub(super) fn bind(&self, resolve: Resolver) -> io::Result<Bind> {
        Ok(match &self.place {
            Place::Port(port) => Bind::Any { port: *port },
            Place::Ip(address) => Bind::Ip(*address),
            Place::Path(path) => Bind::Unix(path.clone()),
            Place::Host(host, port) => match host.parse::<IpAddr>() {
                Ok(ip) => Bind::Ip(SocketAddr::new(ip, *port)),
                Err(_) => {
                    let first = resolve(host, *port)?.first().copied();
                    Bind::Ip(first.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?)
                }
            },
        })
    }

    /// For error messages.
    pub(super) fn describe(&self) -> String {
        match &self.place {
            Place::Port(port) => format!("port {port}"),
            Place::Host(host, port) => format!("{host}:{port}"),
            Place::Ip(address) => address.to_string(),
            Place::Path(path) => format!("unix:{}", path.display()),
        }
    }
}

impl From<u16> for Listen {
    fn from(port: u16) -> Listen {
        Listen::new(Place::Port(port))
    }
}

impl From<(&str, u16)> for Listen {
    fn from((host, port): (&str, u16)) -> Listen {
        Listen::new(Place::Host(host.to_owned(), port))
    }
}

impl From<(String, u16)> for Listen {
    fn from((host, port): (String, u16)) -> Listen {
        Listen::new(Place::Host(host, port))
    }
}

impl From<(IpAddr, u16)> for Listen {
    fn from(address: (IpAddr, u16)) -> Listen {
        Listen::new(Place::Ip(address.into()))
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Listen {
        Listen::new(Place::Ip(address))
    }
}

impl From<&Path> for Listen {
    fn from(path: &Path) -> Listen {
        Listen::new(Place::Path(path.to_owned()))
    }
}

impl From<PathBuf> for Listen {
    fn from(path: PathBuf) -> Listen {
        Listen::new(Place::Path(path))
    }
}
