//! The socket: listening, accepting, and one connection between its requests.

use super::super::{BACKLOG, Setup};
use super::End;
use oneloop::http::Limits;
use oneloop::proto::h1::RequestParser;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait where the process has no file descriptor left: another connection may end meanwhile.
const BREATH: Duration = Duration::from_millis(100);

/// Listens as all designs do. What accepted sockets inherit is set here, once: no delay, and the timeouts of their first
/// reads and writes.
pub fn listen(setup: &Setup) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, setup.port)).into())?;
    socket.listen(BACKLOG.into())?;
    // Of no use to `accept` itself, which would give up after that time: it is tried again.
    socket.set_read_timeout(Some(setup.limits.header))?;
    socket.set_write_timeout(Some(setup.limits.send_window))?;
    Ok(socket.into())
}

/// Accepts for as long as the process lives.
pub fn accept_each(listener: &TcpListener, limits: &Limits, mut take: impl FnMut(Connection)) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => take(Connection::new(stream, limits)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                _ => thread::sleep(BREATH),
            },
        }
    }
}

/// Tells a peer that nobody is free for it.
pub fn turn_away(connection: &Connection) {
    const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    // A new connection has room for it; a peer that is gone does not care.
    let _ = io::Write::write(&mut &connection.stream, REFUSAL);
}

/// A connection, and what has to be known of it between two requests. Its buffers are the thread's that serves it.
pub struct Connection {
    pub(super) stream: TcpStream,
    pub(super) parser: RequestParser,
    /// No request has come yet.
    pub(super) fresh: bool,
    /// Bytes of the next head have come.
    pub(super) begun: bool,
    /// Bytes of an unfinished head, while no thread serves it. Holds no memory otherwise.
    pub(super) held: Vec<u8>,
    /// When the head that is awaited has to be whole; where none has begun, when it has to begin.
    pub(super) due: Instant,
    /// The socket's receive timeout.
    patience: Duration,
}

impl Connection {
    fn new(stream: TcpStream, limits: &Limits) -> Connection {
        Connection {
            stream,
            parser: RequestParser::default(),
            fresh: true,
            begun: false,
            held: Vec::new(),
            due: Instant::now() + limits.header,
            patience: limits.header,
        }
    }

    /// Has a read wait so long at most.
    pub(super) fn set_patience(&mut self, patience: Duration) -> Result<(), End> {
        if patience != self.patience {
            // Zero would be no timeout at all.
            self.stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
            self.patience = patience;
        }
        Ok(())
    }

    /// Notes that a head has begun. The first one's time runs from accept.
    pub(super) fn begin_head(&mut self, now: Instant, at_most: Duration) {
        if !self.begun && !self.fresh {
            self.due = now + at_most;
        }
        self.begun = true;
    }

    /// Returns whether the time for what it waits for is over.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}
