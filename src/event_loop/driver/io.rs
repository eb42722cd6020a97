use super::Address;
#[cfg(unix)]
use super::unix::UnixListener;
use super::world;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

/// True if a read that does not fill its buffer shows that no input is left: epoll and kqueue report input that comes
/// later. On other systems only `WouldBlock` shows it.
pub(crate) const SHORT_READ_ENDS: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
));

/// One end of a connection. All methods take `&self`, since the kernel (or the simulated world) keeps the state. Dropping
/// this value closes the connection.
pub(crate) enum Io {
    Tcp(mio::net::TcpStream),
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
    /// Boxed, so that it does not make real connections larger.
    Sim(Box<world::Stream>),
}

/// Evaluates the same call for whichever variant the value is.
macro_rules! any {
    ($self:ident, $io:ident => $call:expr) => {
        match $self {
            Io::Tcp($io) => $call,
            #[cfg(unix)]
            Io::Unix($io) => $call,
            Io::Sim(boxed) => {
                let $io = &**boxed;
                $call
            }
        }
    };
}

impl Io {
    pub fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        any!(self, io => { let mut io = io; io.read(into) })
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        any!(self, io => { let mut io = io; io.write(bytes) })
    }

    pub fn write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        any!(self, io => { let mut io = io; io.write_vectored(pieces) })
    }

    /// The simulated connection.
    ///
    /// # Errors
    /// If this is a real one.
    pub(super) fn simulated(&self) -> io::Result<&world::Stream> {
        match self {
            Io::Sim(io) => Ok(io),
            _ => Err(world::foreign()),
        }
    }

    /// Ends our side (FIN). Bytes that the peer still sends can be read.
    pub fn shutdown_write(&self) -> io::Result<()> {
        any!(self, io => io.shutdown(Shutdown::Write))
    }

    /// Takes the pending error of the socket, if there is one (`SO_ERROR`).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        any!(self, io => io.take_error())
    }

    pub fn local_addr(&self) -> io::Result<Address> {
        match self {
            Io::Tcp(io) => io.local_addr().map(Address::canonical),
            #[cfg(unix)]
            Io::Unix(io) => io.local_addr().map(|address| Address::of_unix(&address)),
            Io::Sim(io) => Ok(io.local_addr()),
        }
    }

    pub fn peer_addr(&self) -> io::Result<Address> {
        match self {
            Io::Tcp(io) => io.peer_addr().map(Address::canonical),
            #[cfg(unix)]
            Io::Unix(io) => io.peer_addr().map(|address| Address::of_unix(&address)),
            Io::Sim(io) => io.peer_addr(),
        }
    }

    /// Sets `TCP_NODELAY`. Does nothing for other kinds of connections.
    pub fn set_no_delay(&self, on: bool) -> io::Result<()> {
        match self {
            Io::Tcp(io) => io.set_nodelay(on),
            _ => Ok(()),
        }
    }

    /// Sets `SO_KEEPALIVE` and the idle time before the first probe; `None` turns it off.
    pub fn set_keep_alive(&self, idle: Option<Duration>) -> io::Result<()> {
        let Io::Tcp(io) = self else { return Ok(()) };
        let socket = socket2::SockRef::from(io);
        match idle {
            Some(idle) => socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(idle)),
            None => socket.set_keepalive(false),
        }
    }

    /// Sets whether the close sends a reset (RST) instead of a FIN. Returns whether that is possible for this connection.
    pub fn set_reset_on_close(&self, on: bool) -> bool {
        match self {
            Io::Tcp(io) => socket2::SockRef::from(io).set_linger(on.then_some(Duration::ZERO)).is_ok(),
            #[cfg(unix)]
            Io::Unix(_) => false,
            Io::Sim(io) => {
                io.set_reset_on_close(on);
                true
            }
        }
    }
}

impl From<world::Stream> for Io {
    fn from(stream: world::Stream) -> Io {
        Io::Sim(Box::new(stream))
    }
}

/// A bound, listening socket. Dropping this value closes the socket, and removes the path if it has bound one.
pub(crate) enum Listener {
    Tcp(mio::net::TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
    Sim(world::Listener),
}

impl Listener {
    /// The simulated listener.
    ///
    /// # Errors
    /// If this is a real one.
    pub(super) fn simulated(&self) -> io::Result<&world::Listener> {
        match self {
            Listener::Sim(listener) => Ok(listener),
            _ => Err(world::foreign()),
        }
    }

    pub fn local_addr(&self) -> io::Result<Address> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(Address::Ip),
            #[cfg(unix)]
            Listener::Unix(listener) => listener.io.local_addr().map(|address| Address::of_unix(&address)),
            Listener::Sim(listener) => Ok(listener.local_addr()),
        }
    }
}
