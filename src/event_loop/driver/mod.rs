//! The driver: what a loop runs on. It is either the operating system ([`Os`]: `mio`, real sockets, real clocks, threads)
//! or a simulated world ([`World`]: in-memory sockets, a virtual clock, no threads).
//!
//! It is made of enums, without generics or trait objects: a `match` on the hot path costs a predictable branch.
//! Everything that the library asks of the outside world goes through the driver (waiting, registering, both clocks,
//! listening, connecting, accepting, worker jobs, threads for one who stays, name look-ups, running out of file
//! descriptors), so that a whole program runs on either driver.
//!
//! ```text
//!   event_loop, net, worker
//!        │ wait register now wall listen connect accept spawn settle resolve
//!   ┌────┴─────┐
//!   │  Driver  │ = Os(mio::Poll, threads, spare fd) | Sim(World)
//!   └────┬─────┘
//!   Io = Tcp | Unix | Sim        Listener = Tcp | Unix | Sim        Waker = Os | Sim
//! ```
//!
//! Readiness is edge-triggered, as in `mio`: an event says that something has changed, and it does not come again until the
//! source has been read or written until `WouldBlock` (or, for reads on epoll and kqueue, until a short read).

mod address;
mod descriptors;
mod file;
mod home;
mod io;
mod lanes;
mod os;
mod pool;
mod resident;
#[cfg(unix)]
mod unix;
mod unsent;
pub(crate) mod world;

pub use address::Address;
pub(crate) use descriptors::{Descriptors, FileRoom, OpenFile, is_out_of_descriptors};
pub(crate) use file::read_at;
pub(crate) use home::Home;
pub(crate) use io::{Io, Listener, SHORT_READ_ENDS};
pub(crate) use lanes::{Job, Lane};
pub(crate) use os::Os;
pub(crate) use pool::Refused;
pub(crate) use resident::{MoveIn, Next, Resident};
pub(crate) use unsent::Unsent;
pub(crate) use world::World;
#[cfg(any(test, oneloop_veil))]
pub(crate) use world::{VEILED, Veil};

use crate::notice;
use std::io::Result;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Looks up the addresses of a host, with a port. It may block.
pub(crate) type Resolver = Box<dyn FnOnce(&str, u16) -> Result<Vec<SocketAddr>> + Send>;

/// The token of the waker. No source has it.
pub(crate) const WAKE: usize = usize::MAX;

/// The readiness that a wait reports for one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub token: usize,
    pub ready: Ready,
}

/// How much a wait has reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It reported all sources that were ready.
    All,
    /// It reported as many sources as one wait can. More may be ready.
    Full,
    /// A signal interrupted it. It reported no source, although some may be ready.
    Interrupted,
}

/// A set of readiness hints. A hint may be spurious; a missing hint is a bug of the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready(u8);

impl Ready {
    pub const NONE: Ready = Ready(0);
    /// There is something to read: bytes, a connection to accept, or an end of input.
    pub const READ: Ready = Ready(1);
    /// There is room for output again.
    pub const WRITE: Ready = Ready(2);
    /// The peer has closed its side (FIN). So after a short read there may still be more to read: at least the end.
    pub const READ_CLOSED: Ready = Ready(4);
    /// Both sides are closed, or the socket has an error. A read or a write will tell which.
    pub const ERROR: Ready = Ready(8);

    pub fn has(self, any_of: Ready) -> bool {
        self.0 & any_of.0 != 0
    }

    pub fn with(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }

    pub fn when(self, condition: bool) -> Ready {
        if condition { self } else { Ready::NONE }
    }
}

/// The address on which to listen.
#[derive(Clone, Debug)]
pub(crate) enum Bind {
    /// All addresses of the machine: `::` dual-stack if there is IPv6, else `0.0.0.0`, as in Node.
    Any { port: u16 },
    /// One address.
    Ip(SocketAddr),
    /// A path in the file system (Unix).
    Unix(PathBuf),
    /// A name in the abstract namespace (Linux).
    Abstract(Vec<u8>),
    /// A socket that is already listening.
    Inherited(Arc<Inherited>),
}

/// A listening socket that was made by someone else: by a supervisor, or by the process that ran before.
#[derive(Debug)]
pub(crate) enum Inherited {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// The options of a listening socket.
#[derive(Clone, Debug)]
pub(crate) struct ListenHow {
    pub backlog: i32,
    pub reuse_port: bool,
    pub ipv6_only: bool,
    pub no_delay: bool,
    /// The permissions of a Unix socket's path.
    pub mode: Option<u32>,
    /// Replaces a Unix socket at this path if nobody listens on it.
    pub replace_stale: bool,
}

impl ListenHow {
    pub fn new(backlog: i32) -> ListenHow {
        ListenHow { backlog, reuse_port: false, ipv6_only: false, no_delay: true, mode: None, replace_stale: false }
    }
}

/// The operating system or the simulated world. See the module's docs.
pub(crate) enum Driver {
    Os(Os),
    Sim(World),
}

/// Evaluates the same call for whichever variant the driver is.
macro_rules! either {
    ($self:ident, $driver:ident => $call:expr) => {
        match $self {
            Driver::Os($driver) => $call,
            Driver::Sim($driver) => $call,
        }
    };
}

impl Driver {
    /// Waits until a source is ready or the time is over (`None`: no time limit), and appends the ready sources to
    /// `events`, in the order in which they became ready. A wait that a signal interrupts appends nothing.
    pub fn wait(&self, timeout: Option<Duration>, events: &mut Vec<Event>) -> Result<Look> {
        either!(self, d => d.wait(timeout, events))
    }

    /// Time on the monotonic clock since the driver was made.
    pub fn now(&self) -> Duration {
        either!(self, d => d.now())
    }

    /// Wall-clock time.
    pub fn wall(&self) -> SystemTime {
        either!(self, d => d.wall())
    }

    /// Registers a connection for its whole life, for reading and writing.
    pub fn register(&self, io: &mut Io, token: usize) -> Result<()> {
        match self {
            Driver::Os(os) => os.register(io, token),
            Driver::Sim(world) => io.simulated().map(|stream| world.register(stream, token)),
        }
    }

    /// Registers a connection anew, for another source. Readiness that exists already is reported again.
    pub fn reregister(&self, io: &mut Io, token: usize) -> Result<()> {
        match self {
            Driver::Os(os) => os.reregister(io, token),
            Driver::Sim(world) => io.simulated().map(|stream| world.register(stream, token)),
        }
    }

    pub fn register_listener(&self, listener: &mut Listener, token: usize) -> Result<()> {
        match self {
            Driver::Os(os) => os.register_listener(listener, token),
            Driver::Sim(world) => listener.simulated().map(|listener| world.register_listener(listener, token)),
        }
    }

    /// Closes a listener. It is deregistered first: closing alone would not end the registration if the socket has other
    /// descriptors, in this process or in another.
    pub fn close_listener(&self, mut listener: Listener) {
        if let Driver::Os(os) = self {
            os.deregister_listener(&mut listener);
        }
        drop(listener);
    }

    /// Binds and listens. An error says what failed, without the address: the caller adds that.
    pub fn listen(&self, bind: &Bind, how: &ListenHow) -> Result<Listener> {
        match self {
            Driver::Os(os) => os.listen(bind, how),
            Driver::Sim(world) => world.listen(bind, how).map(Listener::Sim),
        }
    }

    /// Starts to connect. The socket becomes writable when it is connected or has failed; `Io::take_error` tells which.
    pub fn connect(&self, to: &Address) -> Result<Io> {
        match self {
            Driver::Os(os) => os.connect(to),
            Driver::Sim(world) => world.connect(to).map(Io::from),
        }
    }

    pub fn accept(&self, listener: &Listener) -> Result<(Io, Address)> {
        match self {
            Driver::Os(os) => os.accept(listener),
            Driver::Sim(world) => world.accept(listener.simulated()?).map(|(stream, peer)| (stream.into(), peer)),
        }
    }

    /// The count of descriptors that are open because of peers, and its limit.
    pub fn descriptors(&self) -> &Descriptors {
        either!(self, d => d.descriptors())
    }

    /// Call this when no file descriptor is left. It closes the spare one, accepts one connection, and closes that
    /// connection at once, so that the peer notices and the backlog empties. `Ok(false)`: no connection was waiting. An
    /// error: not even this was possible.
    pub fn shed(&self, listener: &Listener) -> Result<bool> {
        match self {
            Driver::Os(os) => os.shed(listener),
            Driver::Sim(world) => world.shed(listener.simulated()?),
        }
    }

    /// Hands a job to the worker threads. If it is not taken, gives it back with the reason.
    pub fn spawn(&self, lane: Lane, job: Job) -> std::result::Result<(), (Job, Refused)> {
        either!(self, d => d.spawn(lane, job))
    }

    /// Sets how many jobs of the program may run at a time and how many may wait.
    pub fn configure_pool(&self, threads: usize, queue: usize) {
        either!(self, d => d.configure_pool(threads, queue))
    }

    /// Gives a resident a thread of its own.
    pub fn settle(&self, move_in: MoveIn) -> Result<Home> {
        match self {
            Driver::Os(os) => os.settle(move_in).map(|()| Home::Thread),
            Driver::Sim(world) => Ok(Home::Sim(world.settle(move_in))),
        }
    }

    /// Returns a function that looks up a host name. Call it in a worker, since the operating system's resolver blocks.
    pub fn resolver(&self) -> Resolver {
        either!(self, d => d.resolver())
    }

    pub fn is_simulated(&self) -> bool {
        matches!(self, Driver::Sim(_))
    }

    pub fn waker(&self) -> Waker {
        either!(self, d => d.waker())
    }
}

/// Ends a wait, from any thread. Wakes are coalesced: only the first of several makes a system call.
#[derive(Clone)]
pub(crate) struct Waker {
    /// Set by `wake`. The loop clears it *before* it drains the queues that it was woken for.
    pub(super) pending: Arc<AtomicBool>,
    pub(super) kind: WakerKind,
}

#[derive(Clone)]
pub(super) enum WakerKind {
    Os(Arc<mio::Waker>),
    /// Needs no system call: the world looks at `pending`.
    Sim,
}

impl Waker {
    pub fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            match &self.kind {
                WakerKind::Os(waker) => {
                    if let Err(error) = waker.wake() {
                        notice::error!(target: "oneloop::loop", "cannot wake the loop: {error}");
                    }
                }
                WakerKind::Sim => {}
            }
        }
    }

    /// Call this before draining the queues, so that a later post wakes the loop again. Returns whether `wake` was called
    /// since the last `clear`.
    pub fn clear(&self) -> bool {
        self.pending.swap(false, Ordering::AcqRel)
    }
}
