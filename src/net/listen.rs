use super::place::Place;
use crate::event_loop::driver::{Bind, Inherited, ListenHow, Resolver};
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many connections wait to be accepted, at most: Node's default. The kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 511;

/// Where and how a server listens. It can be made of a port, a pair of host and port, an address, a path, a text, or a
/// socket that is already listening.
///
/// | from | listens on |
/// |---|---|
/// | `7777` | that port of every address: `::` dual-stack, or `0.0.0.0` where there is no IPv6 (as Node) |
/// | `0` | a free port, see `address()` |
/// | `("127.0.0.1", 7777)` | that address; a host name is looked up at once, within `listen`, and its first address is taken |
/// | a `SocketAddr` | that address |
/// | a `Path` | a Unix socket, see below |
/// | a text | `"127.0.0.1:7777"`, `"[::1]:7777"` and `"localhost:7777"` are an address; `":7777"` and `"7777"` that port of every address; a text with a `/` in it, or with `unix:` in front, is a path; `"@name"` is Linux' abstract namespace. A text that is none of these is an error of `listen`, which says what to write |
/// | a `std::net::TcpListener` or `UnixListener` | that socket, see below |
///
/// ```
/// use oneloop::net::{self, Listen};
/// let server = net::create_server(|_socket| {});
/// server.listen(Listen::from("127.0.0.1:0").backlog(16), || println!("listening"))?;
/// assert!(server.address().unwrap().port().unwrap() > 0);
/// server.close(|| ());
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
///
/// # Unix sockets
/// The path must not exist, unless [`replace_stale`](Listen::replace_stale) is on. It is removed when the server closes, if
/// the socket at the path is still the one that this server has bound (device and inode are compared): in a rolling restart
/// the socket of the next process stays.
///
/// # Sockets that listen already
/// A supervisor, or the process that ran before, may bind the socket and hand it to the program. Connections that come
/// while no process accepts them then wait in the kernel, so a restart loses none. The socket is made non-blocking for all
/// processes that share it. If it has a path, the path is not removed. [`backlog`](Listen::backlog),
/// [`reuse_port`](Listen::reuse_port), [`ipv6_only`](Listen::ipv6_only) and [`mode`](Listen::mode) have no effect on it:
/// the process that binds the socket sets these.
///
/// *systemd* (a unit of type `socket`; the program's own unit has `StandardInput=socket` and `StandardOutput=journal` in
/// its section `[Service]`), or `systemd-socket-activate --inetd --listen=7777 PROGRAM`, gives the socket to the program as
/// its standard input:
///
/// ```no_run
/// # #[cfg(unix)] {
/// use oneloop::http;
/// use std::net::TcpListener;
/// use std::os::fd::AsFd;
///
/// let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
/// let server = http::create_server(|_req, res| res.end("hello"));
/// server.listen(listener, || ())?;
/// // On SIGTERM: server.close(|| ()). What it has accepted is answered; what comes then waits for the next process.
/// # }
/// # std::io::Result::Ok(())
/// ```
///
/// *A rolling restart without a supervisor*: a small parent process binds the socket, and gives it to one process after the
/// other. It starts the next one before it tells the previous one to end:
///
/// ```no_run
/// # #[cfg(unix)] {
/// use std::net::TcpListener;
/// use std::os::fd::OwnedFd;
/// use std::process::{Command, Stdio};
///
/// let listener = TcpListener::bind("0.0.0.0:7777")?;
/// let next = Command::new("./program").stdin(Stdio::from(OwnedFd::from(listener.try_clone()?))).spawn()?;
/// // When it says that it listens: SIGTERM to the one before.
/// # let _ = next;
/// # }
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Listen {
    whereabouts: Whereabouts,
    how: ListenHow,
}

#[derive(Clone, Debug)]
enum Whereabouts {
    Place(Place),
    Inherited(Arc<Inherited>),
}

impl Listen {
    fn new(place: Place) -> Listen {
        Listen { whereabouts: Whereabouts::Place(place), how: ListenHow::new(BACKLOG) }
    }

    fn inherited(listener: Inherited) -> Listen {
        Listen { whereabouts: Whereabouts::Inherited(Arc::new(listener)), how: ListenHow::new(BACKLOG) }
    }

    /// Listens on a Unix socket with a name in Linux' abstract namespace. It leaves nothing in the file system, and every
    /// process in the network namespace may connect. On other systems `listen` fails.
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Listen {
        Listen::new(Place::Abstract(name.as_ref().to_vec()))
    }

    /// Sets how many connections the kernel keeps until they are accepted: 511 by default. Further ones are refused, or
    /// their peers try again.
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

    /// Keeps a `::` socket from also taking IPv4 connections.
    pub fn ipv6_only(mut self, on: bool) -> Listen {
        self.how.ipv6_only = on;
        self
    }

    /// Sets the permissions of a Unix socket's path, as for `chmod`: `0o660` lets the owner and the group connect. Without
    /// this call, the umask of the process decides. They are set before anybody can connect. No effect on other sockets.
    pub fn mode(mut self, permissions: u32) -> Listen {
        self.how.mode = Some(permissions);
        self
    }

    /// Sets whether `listen` replaces a Unix socket on which no process listens, such as one that a killed process has
    /// left. Off by default: a path that exists is an error, `AddrInUse`. The server tries to connect, to find out whether
    /// a process listens. A socket that is in use stays, as does anything that is not a socket, and `listen` returns an
    /// error. Do not use it if two processes may start with the same path at once: one may find the socket of the other
    /// before that one listens, and take it for a stale one.
    pub fn replace_stale(mut self, on: bool) -> Listen {
        self.how.replace_stale = on;
        self
    }

    pub(super) fn how(&self) -> &ListenHow {
        &self.how
    }

    pub(super) fn bind(&self, resolve: Resolver) -> io::Result<Bind> {
        let place = match &self.whereabouts {
            Whereabouts::Place(place) => place,
            Whereabouts::Inherited(listener) => return Ok(Bind::Inherited(listener.clone())),
        };
        Ok(match place {
            Place::Port(port) => Bind::Any { port: *port },
            Place::Ip(address) => Bind::Ip(*address),
            Place::Path(path) => Bind::Unix(path.clone()),
            Place::Abstract(name) => Bind::Abstract(name.clone()),
            Place::Host(host, port) => {
                let first = resolve(host, *port)?.first().copied();
                Bind::Ip(first.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address"))?)
            }
            Place::Unclear(_, hint) => return Err(io::Error::new(ErrorKind::InvalidInput, *hint)),
        })
    }
}

/// The form of this text is for error messages.
impl Display for Listen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.whereabouts {
            Whereabouts::Place(place) => place.fmt(f),
            Whereabouts::Inherited(_) => f.write_str("an inherited socket"),
        }
    }
}

impl From<&str> for Listen {
    fn from(text: &str) -> Listen {
        Listen::new(Place::parse(text))
    }
}

impl From<String> for Listen {
    fn from(text: String) -> Listen {
        Listen::from(text.as_str())
    }
}

impl From<std::net::TcpListener> for Listen {
    fn from(listener: std::net::TcpListener) -> Listen {
        Listen::inherited(Inherited::Tcp(listener))
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixListener> for Listen {
    fn from(listener: std::os::unix::net::UnixListener) -> Listen {
        Listen::inherited(Inherited::Unix(listener))
    }
}

impl From<u16> for Listen {
    fn from(port: u16) -> Listen {
        Listen::new(Place::Port(port))
    }
}

impl From<(&str, u16)> for Listen {
    fn from((host, port): (&str, u16)) -> Listen {
        Listen::new(Place::host(host, port))
    }
}

impl From<(String, u16)> for Listen {
    fn from((host, port): (String, u16)) -> Listen {
        Listen::from((host.as_str(), port))
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
