#[cfg(unix)]
use super::address::with_name;
use super::lanes::Job;
use super::pool::{Pool, Refused};
#[cfg(unix)]
use super::unix::UnixListener;
use super::{
    Address, Bind, Descriptors, Event, Inherited, Io, Lane, ListenHow, Listener, Look, MoveIn, Next, Ready, Resolver,
    Unsent, WAKE, Waker, WakerKind,
};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

/// How many events one wait takes from the kernel. The rest come with the next wait; epoll hands them out in turn.
const EVENTS_PER_WAIT: usize = 1024;

/// The driver on the operating system.
pub(crate) struct Os {
    poll: RefCell<(Poll, Events)>,
    registry: mio::Registry,
    start: Instant,
    waker: Waker,
    pool: Pool,
    /// An open file that is closed when the process has no descriptor left, to free one (libuv's trick).
    spare: RefCell<Option<File>>,
    spare_opened: Cell<bool>,
    descriptors: Descriptors,
}

impl Os {
    pub fn new() -> io::Result<Os> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker {
            pending: Arc::new(AtomicBool::new(false)),
            kind: WakerKind::Os(Arc::new(mio::Waker::new(&registry, Token(WAKE))?)),
        };
        Ok(Os {
            poll: RefCell::new((poll, Events::with_capacity(EVENTS_PER_WAIT))),
            registry,
            start: Instant::now(),
            waker,
            pool: Pool::new(),
            spare: RefCell::new(None),
            spare_opened: Cell::new(false),
            descriptors: Descriptors::of_process(),
        })
    }

    /// The registry for sources that are not connections (signals).
    #[cfg_attr(not(all(unix, feature = "signals")), expect(dead_code))]
    pub fn registry(&self) -> &mio::Registry {
        &self.registry
    }

    pub fn wait(&self, timeout: Option<Duration>, out: &mut Vec<Event>) -> io::Result<Look> {
        let (poll, events) = &mut *self.poll.borrow_mut();
        match poll.poll(events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Look::Interrupted),
            Err(error) => return Err(error),
        }
        let before = out.len();
        out.extend(events.iter().map(|event| {
            Event {
                token: event.token().0,
                ready: Ready::READ
                    .when(event.is_readable())
                    .with(Ready::WRITE.when(event.is_writable()))
                    .with(Ready::READ_CLOSED.when(event.is_read_closed()))
                    .with(Ready::ERROR.when(event.is_error())),
            }
        }));
        Ok(if out.len() - before < EVENTS_PER_WAIT { Look::All } else { Look::Full })
    }

    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    pub fn register(&self, io: &mut Io, token: usize) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match io {
            Io::Tcp(io) => self.registry.register(io, Token(token), both),
            #[cfg(unix)]
            Io::Unix(io) => self.registry.register(io, Token(token), both),
            Io::Sim(_) => Err(foreign()),
        }
    }

    pub fn reregister(&self, io: &mut Io, token: usize) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match io {
            Io::Tcp(io) => self.registry.reregister(io, Token(token), both),
            #[cfg(unix)]
            Io::Unix(io) => self.registry.reregister(io, Token(token), both),
            Io::Sim(_) => Err(foreign()),
        }
    }

    pub fn register_listener(&self, listener: &mut Listener, token: usize) -> io::Result<()> {
        match listener {
            Listener::Tcp(listener) => self.registry.register(listener, Token(token), Interest::READABLE),
            #[cfg(unix)]
            Listener::Unix(listener) => self.registry.register(&mut listener.io, Token(token), Interest::READABLE),
            Listener::Sim(_) => Err(foreign()),
        }
    }

    pub fn deregister_listener(&self, listener: &mut Listener) {
        let ended = match listener {
            Listener::Tcp(listener) => self.registry.deregister(listener),
            #[cfg(unix)]
            Listener::Unix(listener) => self.registry.deregister(&mut listener.io),
            Listener::Sim(_) => Err(foreign()),
        };
        if let Err(error) = ended {
            log::debug!(target: "oneloop::net", "a listener cannot be deregistered: {error}");
        }
    }

    pub fn listen(&self, bind: &Bind, how: &ListenHow) -> io::Result<Listener> {
        if !self.spare_opened.replace(true) {
            *self.spare.borrow_mut() = open_spare();
        }
        match bind {
            Bind::Any { port } => {
                let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port));
                match listen_tcp(v6, how) {
                    // Fall back to IPv4 only if the machine has no IPv6. Other errors are returned, such as a port that
                    // is in use.
                    Err(error) if is_no_ipv6(&error) && !how.ipv6_only => {
                        listen_tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port)), how)
                    }
                    result => result,
                }
            }
            Bind::Ip(address) => listen_tcp(*address, how),
            #[cfg(unix)]
            Bind::Unix(path) => UnixListener::bind(path, how).map(Listener::Unix),
            #[cfg(unix)]
            Bind::Abstract(name) => UnixListener::bind_name(name, how).map(Listener::Unix),
            #[cfg(not(unix))]
            Bind::Unix(_) | Bind::Abstract(_) => Err(ErrorKind::Unsupported.into()),
            Bind::Inherited(listener) => inherited(listener, how),
        }
    }

    pub fn connect(&self, to: &Address) -> io::Result<Io> {
        match to {
            Address::Ip(address) => {
                let io = mio::net::TcpStream::connect(*address)?;
                Unsent::Copied.set(&socket2::SockRef::from(&io));
                Ok(Io::Tcp(io))
            }
            #[cfg(unix)]
            Address::Unix(Some(path)) => mio::net::UnixStream::connect(path).map(Io::Unix),
            #[cfg(unix)]
            Address::Abstract(name) => mio::net::UnixStream::connect_addr(&with_name(name)?).map(Io::Unix),
            #[cfg(not(unix))]
            Address::Abstract(_) => Err(ErrorKind::Unsupported.into()),
            Address::Unix(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    pub fn accept(&self, listener: &Listener) -> io::Result<(Io, Address)> {
        match listener {
            Listener::Tcp(listener) => listener.accept().map(|(io, peer)| (Io::Tcp(io), Address::canonical(peer))),
            #[cfg(unix)]
            Listener::Unix(listener) => listener.io.accept().map(|(io, peer)| (Io::Unix(io), Address::of_unix(&peer))),
            Listener::Sim(_) => Err(foreign()),
        }
    }

    pub fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    pub fn shed(&self, listener: &Listener) -> io::Result<bool> {
        drop(self.spare.borrow_mut().take());
        let accepted = self.accept(listener).map(drop);
        *self.spare.borrow_mut() = open_spare();
        match accepted {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn spawn(&self, lane: Lane, job: Job) -> Result<(), (Job, Refused)> {
        self.pool.spawn(lane, job)
    }

    pub fn configure_pool(&self, threads: usize, queue: usize) {
        self.pool.configure(threads, queue);
    }

    pub fn settle(&self, move_in: MoveIn) -> io::Result<()> {
        let start = self.start;
        let live = move || {
            let mut resident = move_in();
            loop {
                match resident.next(start.elapsed()) {
                    Next::Work => resident.work(start.elapsed()),
                    Next::Nothing => resident.rest(),
                    Next::End => return,
                }
            }
        };
        std::thread::Builder::new().name("oneloop-keeper".to_owned()).spawn(live).map(drop)
    }

    pub fn resolver(&self) -> Resolver {
        Box::new(|host, port| (host, port).to_socket_addrs().map(Iterator::collect))
    }

    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

fn foreign() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "a simulated socket on a real loop")
}

fn open_spare() -> Option<File> {
    File::open(if cfg!(windows) { "NUL" } else { "/dev/null" }).ok()
}

/// Returns whether the error means that the system has no IPv6: no such address family, or no `::` to bind.
fn is_no_ipv6(error: &io::Error) -> bool {
    let family_not_supported = cfg!(target_os = "linux") && error.raw_os_error() == Some(97);
    family_not_supported || matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported)
}

/// Duplicates the descriptor, so that the caller may keep its own; both refer to the same socket.
fn inherited(listener: &Inherited, how: &ListenHow) -> io::Result<Listener> {
    match listener {
        Inherited::Tcp(listener) => {
            let listener = listener.try_clone()?;
            check_listens(&socket2::SockRef::from(&listener))?;
            // Fails for a terminal and for a Unix socket, which have no IP address.
            listener.local_addr()?;
            socket2::SockRef::from(&listener).set_tcp_nodelay(how.no_delay)?;
            Unsent::Copied.set(&socket2::SockRef::from(&listener));
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(mio::net::TcpListener::from_std(listener)))
        }
        #[cfg(unix)]
        Inherited::Unix(listener) => {
            let listener = listener.try_clone()?;
            check_listens(&socket2::SockRef::from(&listener))?;
            listener.local_addr()?;
            UnixListener::inherited(listener).map(Listener::Unix)
        }
    }
}

/// Checks that a socket listens. A socket that does not listen, or a descriptor that is no socket at all, would fail at
/// each accept.
fn check_listens(socket: &Socket) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    if !socket.is_listener()? {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it does not listen"));
    }
    let _ = socket;
    Ok(())
}

fn listen_tcp(address: SocketAddr, how: &ListenHow) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(how.ipv6_only)?;
    }
    // On Unix this allows a restart while old connections are in TIME_WAIT; on Windows it would let another process
    // steal the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
    if how.reuse_port {
        socket.set_reuse_port(true)?;
    }
    // Linux gives accepted sockets the same setting, so it is set once here and not for each connection.
    socket.set_tcp_nodelay(how.no_delay)?;
    Unsent::Copied.set(&socket);
    socket.bind(&address.into())?;
    socket.listen(how.backlog)?;
    socket.set_nonblocking(true)?;
    Ok(Listener::Tcp(mio::net::TcpListener::from_std(socket.into())))
}
