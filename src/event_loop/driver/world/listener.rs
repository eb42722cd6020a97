use super::connection::{Endpoint, Owner, Stream};
use super::readiness::{Audience, Source, Watch};
use super::{Address, Bind, ListenHow, Ready, Script, World, foreign};
use crate::event_loop::driver::descriptors::{EMFILE, ENFILE};
use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The first port given to a listener that asks for any port, and to a side that connects (RFC 6335, section 6).
const FIRST_DYNAMIC_PORT: u16 = 49_152;
/// How long a connection request waits before it tries again at a full backlog. Each further wait is twice as long.
const RETRY: Duration = Duration::from_secs(1);
/// How often a connection request tries again: as often as on Linux, about two minutes in all.
const RETRIES: u32 = 6;

/// A limit of file descriptors: either that of the process or that of the whole system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FdLimit {
    /// This process may open this many (EMFILE). Closing the spare descriptor makes room for one more.
    Process(usize),
    /// The whole system has no descriptor left (ENFILE) once this process has this many. If the spare one is closed,
    /// another process takes the freed descriptor.
    System(usize),
}

/// A bound, listening socket. Dropping it closes it and resets the connections in its backlog.
pub(crate) struct Listener {
    world: World,
    bound: Rc<Bound>,
}

pub(super) struct Bound {
    watch: RefCell<Watch>,
    address: Address,
    owner: Owner,
    ipv6_only: bool,
    reuse_port: bool,
    backlog: usize,
    waiting: RefCell<VecDeque<Endpoint>>,
}

/// The ports of the world, and the file descriptors of the program.
pub(super) struct Ports {
    bound: RefCell<Vec<Weak<Bound>>>,
    black_holes: RefCell<BTreeSet<SocketAddr>>,
    next_dynamic: Cell<u16>,
    /// Which of several listeners on one port (`reuse_port`) gets the next connection.
    turn: Cell<usize>,
    fds: Cell<usize>,
    limit: Cell<Option<FdLimit>>,
    aborts: Cell<usize>,
}

impl Ports {
    pub fn new() -> Ports {
        Ports {
            bound: RefCell::default(),
            black_holes: RefCell::default(),
            next_dynamic: Cell::new(FIRST_DYNAMIC_PORT),
            turn: Cell::new(0),
            fds: Cell::new(0),
            limit: Cell::new(None),
            aborts: Cell::new(0),
        }
    }

    pub fn open_fd(&self) {
        self.fds.set(self.fds.get() + 1);
    }

    pub fn close_fd(&self) {
        self.fds.set(self.fds.get() - 1);
    }

    fn check_fds(&self) -> io::Result<()> {
        match self.limit.get() {
            Some(FdLimit::Process(limit)) if self.fds.get() >= limit => Err(io::Error::from_raw_os_error(EMFILE)),
            Some(FdLimit::System(limit)) if self.fds.get() >= limit => Err(io::Error::from_raw_os_error(ENFILE)),
            _ => Ok(()),
        }
    }

    fn dynamic(&self) -> u16 {
        let port = self.next_dynamic.get();
        self.next_dynamic.set(port.checked_add(1).unwrap_or(FIRST_DYNAMIC_PORT));
        port
    }

    fn listeners(&self) -> Vec<Rc<Bound>> {
        self.bound.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Finds the listener for an address: the one with the most specific binding. If several are equally specific, they
    /// take turns.
    fn find(&self, to: &Address) -> Option<Rc<Bound>> {
        let listeners = self.listeners();
        let exact: Vec<_> = listeners.iter().filter(|bound| bound.address == *to).collect();
        let wild: Vec<_> = listeners.iter().filter(|bound| bound.accepts_all_of(to)).collect();
        let found = if exact.is_empty() { wild } else { exact };
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(usize::from(found.len() > 1)));
        found.get(turn.checked_rem(found.len())?).map(|bound| Rc::clone(bound))
    }

    fn free(&self, address: IpAddr) -> u16 {
        // This loop always ends: a program with as many listeners as ports would have run out of memory long before.
        loop {
            let port = self.dynamic();
            let wanted = Address::Ip(SocketAddr::new(address, port));
            if !self.listeners().iter().any(|bound| bound.collides(&wanted)) {
                return port;
            }
        }
    }
}

impl Bound {
    /// Returns whether this listener is bound to all addresses of a family that includes this one.
    fn accepts_all_of(&self, to: &Address) -> bool {
        match (&self.address, to) {
            (Address::Ip(own), Address::Ip(to)) if own.ip().is_unspecified() && own.port() == to.port() => {
                own.is_ipv4() == to.is_ipv4() || own.is_ipv6() && !self.ipv6_only
            }
            _ => false,
        }
    }

    fn collides(&self, wanted: &Address) -> bool {
        match (&self.address, wanted) {
            (Address::Ip(own), Address::Ip(other)) => {
                let same_family = own.is_ipv4() == other.is_ipv4();
                let either_is_wild = own.ip().is_unspecified() || other.ip().is_unspecified();
                own.port() == other.port() && (own.ip() == other.ip() || same_family && either_is_wild)
            }
            (own, wanted) => own == wanted,
        }
    }
}

impl Source for Rc<Bound> {
    fn watch(&self) -> RefMut<'_, Watch> {
        self.watch.borrow_mut()
    }

    fn ready(&self, _: &World) -> Ready {
        Ready::READ.when(!self.waiting.borrow().is_empty())
    }
}

impl World {
    pub fn listen(&self, bind: &Bind, how: &ListenHow) -> io::Result<Listener> {
        self.0.ports.check_fds()?;
        let address = match bind {
            Bind::Any { port } => Address::Ip(SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port))),
            Bind::Ip(address) => Address::Ip(*address),
            Bind::Unix(path) => Address::Unix(Some(path.clone())),
            Bind::Abstract(name) => Address::Abstract(name.clone()),
            Bind::Inherited(_) => return Err(foreign()),
        };
        let listener = self.bind(address, how, Owner::Program)?;
        self.0.ports.open_fd();
        Ok(listener)
    }

    /// Opens a listener of the harness: `script` runs when a connection waits.
    pub fn listen_scripted(&self, address: Address, how: &ListenHow, script: Script) -> io::Result<Listener> {
        let listener = self.bind(address, how, Owner::Script)?;
        self.tell(&listener.bound, Audience::Script(script));
        Ok(listener)
    }

    fn bind(&self, address: Address, how: &ListenHow, owner: Owner) -> io::Result<Listener> {
        let ports = &self.0.ports;
        let address = match address {
            Address::Ip(mut ip) if ip.port() == 0 => {
                ip.set_port(ports.free(ip.ip()));
                Address::Ip(ip)
            }
            address => address,
        };
        let in_use = |bound: &Rc<Bound>| bound.collides(&address) && !(bound.reuse_port && how.reuse_port);
        if ports.listeners().iter().any(in_use) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let bound = Rc::new(Bound {
            watch: RefCell::default(),
            address,
            owner,
            ipv6_only: how.ipv6_only,
            reuse_port: how.reuse_port,
            backlog: usize::try_from(how.backlog).unwrap_or(0),
            waiting: RefCell::default(),
        });
        ports.bound.borrow_mut().push(Rc::downgrade(&bound));
        Ok(Listener { world: self.clone(), bound })
    }

    pub fn register_listener(&self, listener: &Listener, token: usize) {
        self.tell(&listener.bound, Audience::Loop(token));
    }

    pub fn register(&self, stream: &Stream, token: usize) {
        stream.tell_loop(self, token);
    }

    pub fn connect(&self, to: &Address) -> io::Result<Stream> {
        self.0.ports.check_fds()?;
        let end = self.dial(None, to);
        Ok(Stream::new(self, end, Owner::Program))
    }

    /// The addresses on which the program listens, in the order in which it began to listen.
    pub fn program_listens_at(&self) -> Vec<Address> {
        let own = |bound: &Rc<Bound>| bound.owner == Owner::Program;
        self.0.ports.listeners().into_iter().filter(own).map(|bound| bound.address.clone()).collect()
    }

    /// Connects to the program, as a peer that the test plays. `from` is the peer's address: `None` stands for a loopback
    /// address, and the port 0 for a free port.
    pub fn connect_scripted(&self, from: Option<SocketAddr>, to: &Address) -> Stream {
        let end = self.dial(from, to);
        Stream::new(self, end, Owner::Script)
    }

    fn dial(&self, from: Option<SocketAddr>, to: &Address) -> Endpoint {
        let to = match to {
            Address::Ip(to) => Address::Ip(dialled(*to)),
            named => named.clone(),
        };
        let from = match (&to, from) {
            (Address::Unix(_) | Address::Abstract(_), _) => Address::Unix(None),
            (Address::Ip(_), Some(from)) if from.port() != 0 => Address::Ip(from),
            (Address::Ip(to), from) => {
                let loopback = if to.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
                let ip = from.map_or(loopback, |from| from.ip());
                Address::Ip(SocketAddr::new(ip, self.0.ports.dynamic()))
            }
        };
        let end = Endpoint::connecting(from, to);
        let first = end.clone();
        let delay = self.0.network.borrow().delay(&self.0.random);
        self.at(self.now().saturating_add(delay), move |world| world.request(first, 0));
        end
    }

    /// Handles a connection request that arrives at its destination.
    fn request(&self, from: Endpoint, tries: u32) {
        if from.is_released() {
            return;
        }
        let to = from.other();
        let address = to.address();
        let lost = matches!(&address, Address::Ip(ip) if self.0.ports.black_holes.borrow().contains(ip));
        let bound = self.0.ports.find(&address);
        let full = bound.as_ref().is_some_and(|bound| bound.waiting.borrow().len() >= bound.backlog.max(1));
        if lost || full {
            let wait = RETRY * 2u32.pow(tries);
            self.at(self.now() + wait, move |world| {
                if tries < RETRIES { world.request(from, tries + 1) } else { from.fail(world, ErrorKind::TimedOut) }
            });
            return;
        }
        match bound {
            None => to.reset(self),
            Some(bound) => {
                to.establish(self);
                bound.waiting.borrow_mut().push_back(to);
                self.edge(&bound);
            }
        }
    }

    pub fn accept(&self, listener: &Listener) -> io::Result<(Stream, Address)> {
        let ports = &self.0.ports;
        if let Some(kind) = self.0.faults.call() {
            // A failed accept loses the connection that it would have returned, except for EINTR.
            let lost = kind != ErrorKind::Interrupted;
            let end = if lost { listener.bound.waiting.borrow_mut().pop_front() } else { None };
            if let Some(end) = end {
                end.reset(self);
            }
            return Err(kind.into());
        }
        // Checked before the backlog, as in Linux.
        ports.check_fds()?;
        let end = listener.bound.waiting.borrow_mut().pop_front().ok_or(ErrorKind::WouldBlock)?;
        if let Some(left) = ports.aborts.get().checked_sub(1) {
            ports.aborts.set(left);
            end.reset(self);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let peer = end.other().address();
        Ok((Stream::new(self, end, Owner::Program), peer))
    }

    pub fn shed(&self, listener: &Listener) -> io::Result<bool> {
        if matches!(self.0.ports.limit.get(), Some(FdLimit::System(_))) {
            self.0.ports.check_fds()?;
        }
        Ok(listener.take().is_some())
    }

    pub fn set_fd_limit(&self, limit: Option<FdLimit>) {
        self.0.ports.limit.set(limit);
    }

    /// How many sockets the program has open.
    pub fn open_fds(&self) -> usize {
        self.0.ports.fds.get()
    }

    /// Makes the next accept fail because the connection has gone (ECONNABORTED). Two calls make the next two accepts fail.
    pub fn abort_next_accept(&self) {
        self.0.ports.aborts.set(self.0.ports.aborts.get() + 1);
    }

    /// From now on, connection requests to this address get no answer at all.
    pub fn set_black_hole(&self, address: SocketAddr) {
        self.0.ports.black_holes.borrow_mut().insert(address);
    }
}

/// Connecting to "any address" reaches the machine itself.
fn dialled(mut to: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => to.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => to.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    to
}

impl Listener {
    pub fn local_addr(&self) -> Address {
        self.bound.address.clone()
    }

    /// Accepts a connection for a script. The limit of file descriptors does not apply.
    pub fn take(&self) -> Option<Stream> {
        let end = self.bound.waiting.borrow_mut().pop_front()?;
        Some(Stream::new(&self.world, end, Owner::Script))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ports = &self.world.0.ports;
        if self.bound.owner == Owner::Program {
            ports.close_fd();
        }
        ports.bound.borrow_mut().retain(|bound| !std::ptr::eq(bound.as_ptr(), Rc::as_ptr(&self.bound)));
        let audience = std::mem::take(&mut self.bound.watch.borrow_mut().audience);
        drop(audience);
        for end in self.bound.waiting.take() {
            end.reset(&self.world);
        }
    }
}
