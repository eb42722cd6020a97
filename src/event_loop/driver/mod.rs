//! The driver: what a loop stands on. Either the operating system ([`Os`]: `mio`, real sockets, real clocks, threads)
//! or a simulated world ([`World`]: in-memory sockets, a virtual clock, no threads).
//!
//! Leaf enums, no generics, no trait objects: a `match` on the hot path costs a predictable branch. Everything that the
//! library asks of the outside goes through here (waiting, registering, both clocks, listening, connecting, accepting,
//! worker jobs, name look-ups, running out of file descriptors), so that a whole program runs on either.
//!
//! ```text
//!   event_loop, net, worker
//!        │ wait register now wall listen connect accept spawn resolve
//!   ┌────┴─────┐
//!   │  Driver  │ = Os(mio::Poll, threads, spare fd) | Sim(World)
//!   └────┬─────┘
//!   Io = Tcp | Unix | Sim        Listener = Tcp | Unix | Sim        Waker = Os | Sim
//! ```
//!
//! Readiness is edge-triggered, as `mio`'s is: an event says that something changed; what it tells is consumed by reading
//! or writing until `WouldBlock` (or, for reads on epoll and kqueue, until a short read).

mod address;
mod descriptors;
mod file;
mod io;
mod lanes;
mod os;
mod pool;
#[cfg(unix)]
mod unix;
pub(crate) mod world;

pub use address::Address;
pub(crate) use descriptors::{Descriptors, FileRoom, OpenFile, is_out_of_descriptors};
pub(crate) use file::read_at;
pub(crate) use io::{Io, Listener};
pub(crate) use lanes::Lane;
pub(crate) use os::Os;
pub(crate) use pool::{Job, Refused};
pub(crate) use world::World;

use crate::notice;
use std::io::Result;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Looks up the addresses of a host, with a port. It may block.
pub(crate) type Resolver = Box<dyn FnOnce(&str, u16) -> Result<Vec<SocketAddr>> + Send>;

/// The token of the waker; no source has it.
pub(crate) const WAKE: usize = usize::MAX;

/// What changed for one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub token: usize,
    pub ready: Ready,
}

/// What a wait has found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It told of all sources that were ready.
    All,
    /// It told of as many as one wait can: others may be ready.
    Full,
    /// A signal interrupted it: it told of none, whatever is ready.
    Interrupted,
}

/// A set of readiness hints. Hints may be spurious; a missing one is a bug of the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready(u8);

impl Ready {
    pub const NONE: Ready = Ready(0);
    /// Bytes, a connection or an end of input wait to be read.
    pub const READ: Ready = Ready(1);
    /// Output is possible again.
    pub const WRITE: Ready = Ready(2);
    /// The peer has closed its side (FIN): a short read does not mean that all was read.
    pub const READ_CLOSED: Ready = Ready(4);
    /// Both sides are gone, or the socket is in error: reading or writing tells which.
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

/// Where to listen.
#[derive(Clone, Debug)]
pub(crate) enum Bind {
    /// Every address of the machine: `::` dual-stack where IPv6 is there, else `0.0.0.0`, as Node does.
    Any { port: u16 },
    /// One address.
    Ip(SocketAddr),
    /// A path in the file system (Unix).
    Unix(PathBuf),
    /// A name in the abstract namespace (Linux).
    Abstract(Vec<u8>),
    /// A socket that listens already.
    Inherited(Arc<Inherited>),
}

/// A listening socket that was made elsewhere: by a supervisor, or by the process before.
#[derive(Debug)]
pub(crate) enum Inherited {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// How to listen.
#[derive(Clone, Debug)]
pub(crate) struct ListenHow {
    pub backlog: i32,
    pub reuse_port: bool,
    pub ipv6_only: bool,
    pub no_delay: bool,
    /// Permissions of a Unix socket's path.
    pub mode: Option<u32>,
    /// Replaces a Unix socket's path where nobody listens.
    pub replace_stale: bool,
}

impl ListenHow {
    pub fn new(backlog: i32) -> ListenHow {
        ListenHow { backlog, reuse_port: false, ipv6_only: false, no_delay: true, mode: None, replace_stale: false }
    }
}

/// See the module's docs.
pub(crate) enum Driver {
    Os(Os),
    Sim(World),
}

/// Calls the same method on whichever driver it is.
macro_rules! either {
    ($self:ident, $driver:ident => $call:expr) => {
        match $self {
            Driver::Os($driver) => $call,
            Driver::Sim($driver) => $call,
        }
    };
}

impl Driver {
    /// Waits until something is ready or the time is over (`None`: for ever), and appends what is ready to `events`.
    /// A wait cut short by a signal is a wait without events. Sources are told of in the order in which they became ready.
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
        either!(self, d => d.register(io, token))
    }

    /// Has another source hear of a connection that is registered. What is ready already is told once more.
    pub fn reregister(&self, io: &mut Io, token: usize) -> Result<()> {
        either!(self, d => d.reregister(io, token))
    }

    pub fn register_listener(&self, listener: &mut Listener, token: usize) -> Result<()> {
        either!(self, d => d.register_listener(listener, token))
    }

    /// Closes a listener. That its socket may be another process's or another descriptor's as well is why closing it does not
    /// end its registration.
    pub fn close_listener(&self, mut listener: Listener) {
        if let Driver::Os(os) = self {
            os.deregister_listener(&mut listener);
        }
        drop(listener);
    }

    /// Binds and listens. An error names what failed, not the address: the caller adds that.
    pub fn listen(&self, bind: &Bind, how: &ListenHow) -> Result<Listener> {
        either!(self, d => d.listen(bind, how))
    }

    /// Starts to connect. The socket turns writable when it is connected; `Io::take_error` says whether it failed.
    pub fn connect(&self, to: &Address) -> Result<Io> {
        either!(self, d => d.connect(to))
    }

    pub fn accept(&self, listener: &Listener) -> Result<(Io, Address)> {
        either!(self, d => d.accept(listener))
    }

    /// What is open because of peers, and may be.
    pub fn descriptors(&self) -> &Descriptors {
        either!(self, d => d.descriptors())
    }

    /// With no file descriptor left: gives up the spare one to accept one connection and close it at once, so that its
    /// peer learns of it and the backlog empties. `Ok(false)`: nothing was waiting. An error: not even that was possible.
    pub fn shed(&self, listener: &Listener) -> Result<bool> {
        either!(self, d => d.shed(listener))
    }

    /// Hands a job to the worker threads. Gives it back where it is not taken, and why.
    pub fn spawn(&self, lane: Lane, job: Job) -> std::result::Result<(), (Job, Refused)> {
        either!(self, d => d.spawn(lane, job))
    }

    /// Sets how many jobs of the program may run at a time and how many may wait.
    pub fn configure_pool(&self, threads: usize, queue: usize) {
        either!(self, d => d.configure_pool(threads, queue))
    }

    /// What looks a host name up: a job for a worker, since the operating system's resolver blocks.
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

/// Ends a wait from any thread. Wakes are coalesced: the first of several pays for the system call.
#[derive(Clone)]
pub(crate) struct Waker {
    /// Set by whoever wakes, cleared by the loop *before* it drains the queues that it was woken for.
    pub(super) pending: Arc<AtomicBool>,
    pub(super) kind: WakerKind,
}

#[derive(Clone)]
pub(super) enum WakerKind {
    Os(Arc<mio::Waker>),
    /// The world looks at `pending` itself.
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

    /// To be called before the queues are drained: what is posted later wakes again.
    pub fn clear(&self) -> bool {
        self.pending.swap(false, Ordering::AcqRel)
    }
}
