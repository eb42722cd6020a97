//! The simulated world: what a loop runs on in a test. Sockets are in memory, the clock moves only while the loop waits,
//! jobs have no threads, and chance comes from a seed. The same program with the same seed has the same run.
//!
//! ```text
//!   the program's loop                        the harness (crate::sim)
//!     │ wait, register, accept, …               │ at, dial, watch, set_…
//!   ┌─┴──────────────────── World ──────────────┴──┐
//!   │ schedule ──due──▶ connection, listener, job  │    time moves from one occurrence to the next
//!   │                        │ edge                │
//!   │                   ready list ──▶ Event       │
//!   └──────────────────────────────────────────────┘
//! ```
//!
//! Everything on the network is an occurrence of the schedule: bytes, a FIN and a RST arrive some time after they were
//! sent, at the earliest with the next wait. Everything happens inside [`World::wait`]. So nothing changes while the
//! program runs, and no time passes, unless the program says that it blocks.
//!
//! Its modules: `schedule` (what will happen), `readiness` (edges and events, as epoll has them), `connection` (two ends
//! and the packets between them), `listener` (ports, backlogs, file descriptors), `faults` (calls that fail), `waits`
//! (waits that are interrupted or full), `workers` (jobs and host names),
//! `rooms` (residents), `network` (delays, splits and buffers),
//! `sendfile` (whether the system has that call), `random`; and, for tests of the library, `veil` (a toy in place of
//! TLS). It imports only types of `driver`, and none of those that may also be the system's: [`Driver`](super::Driver) wraps
//! its sockets.

mod connection;
mod faults;
mod listener;
mod network;
mod random;
mod readiness;
mod rooms;
mod schedule;
mod sendfile;
#[cfg(test)]
mod tests;
#[cfg(any(test, oneloop_veil))]
mod veil;
mod waits;
mod workers;

pub(crate) use connection::Stream;
pub(crate) use listener::{FdLimit, Listener};
pub use network::Network;
pub(crate) use readiness::Script;
pub(crate) use rooms::Room;
pub use sendfile::Sendfile;
#[cfg(any(test, oneloop_veil))]
pub(crate) use veil::{VEILED, Veil};
pub use waits::Waits;

use super::lanes::{Lane, Lanes};
use super::{
    Address, Bind, Descriptors, Event, Job, ListenHow, Look, Ready, Refused, Resolver, WAKE, Waker, WakerKind,
};
use faults::Faults;
use listener::Ports;
use random::Random;
use readiness::Source;
use schedule::Schedule;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use waits::Waiting;
use workers::{Hosts, Workers};

/// The virtual wall clock starts at 2026-01-01T00:00:00Z: a fixed date, so that a `Date` field can be compared.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// A simulated world: see the module's docs. A clone is the same world.
#[derive(Clone)]
pub(crate) struct World(Rc<Inner>);

struct Inner {
    clock: Cell<Duration>,
    schedule: RefCell<Schedule>,
    ready: RefCell<VecDeque<Rc<dyn Source>>>,
    waker: Waker,
    horizon: Cell<Option<Duration>>,
    horizon_reached: Cell<bool>,
    at_rest: Cell<bool>,
    network: RefCell<Network>,
    sendfile: Cell<Sendfile>,
    random: Random,
    ports: Ports,
    faults: Faults,
    descriptors: Descriptors,
    waiting: Waiting,
    workers: Workers,
    hosts: Hosts,
}

impl World {
    pub fn new(seed: u64) -> World {
        World(Rc::new(Inner {
            clock: Cell::new(Duration::ZERO),
            schedule: RefCell::default(),
            ready: RefCell::default(),
            waker: Waker { pending: Arc::new(AtomicBool::new(false)), kind: WakerKind::Sim },
            horizon: Cell::new(None),
            horizon_reached: Cell::new(false),
            at_rest: Cell::new(false),
            network: RefCell::default(),
            sendfile: Cell::default(),
            random: Random::new(seed),
            ports: Ports::new(),
            faults: Faults::default(),
            descriptors: Descriptors::of_world(),
            waiting: Waiting::default(),
            workers: Workers::new(),
            hosts: Hosts::new(),
        }))
    }

    /// Runs occurrences until there is an event or the timeout has passed. The clock jumps from one occurrence to the
    /// next, never past the horizon (see `set_horizon`), and stands still as long as there is an event.
    pub fn wait(&self, timeout: Option<Duration>, out: &mut Vec<Event>) -> io::Result<Look> {
        let deadline = timeout.map(|timeout| self.now().saturating_add(timeout));
        self.0.at_rest.set(false);
        self.0.horizon_reached.set(false);
        loop {
            self.run_due();
            if let Some(look) = self.interrupted() {
                return Ok(look);
            }
            let (told, look) = self.take_events(out);
            if told || deadline.is_some_and(|deadline| deadline <= self.now()) {
                return Ok(look);
            }
            if !self.move_clock(deadline) {
                return if self.0.at_rest.get() { Err(io::Error::other(AT_REST)) } else { Ok(Look::All) };
            }
        }
    }

    /// Moves the clock to the next occurrence, at most to the horizon, and runs what is due, without a loop that waits.
    /// It serves for the time after the program has ended. Returns false if nothing more happens before the horizon.
    pub fn pass(&self) -> bool {
        self.0.at_rest.set(false);
        self.0.horizon_reached.set(false);
        let moved = self.move_clock(None);
        self.run_due();
        moved
    }

    /// Moves the clock to the next occurrence or to `deadline`. Returns false if the horizon comes first, or if there is
    /// nothing more.
    fn move_clock(&self, deadline: Option<Duration>) -> bool {
        let next = self.0.schedule.borrow().next();
        let to = [next, deadline].into_iter().flatten().min();
        match (to, self.0.horizon.get()) {
            (Some(to), None) => self.0.clock.set(to.max(self.now())),
            (Some(to), Some(horizon)) if to <= horizon => self.0.clock.set(to.max(self.now())),
            (_, Some(horizon)) => {
                self.0.clock.set(horizon.max(self.now()));
                self.0.horizon_reached.set(true);
                return false;
            }
            (None, None) => {
                self.0.at_rest.set(true);
                return false;
            }
        }
        true
    }

    /// Runs the occurrences that are due, and those that become due because of them.
    fn run_due(&self) {
        loop {
            let due = self.0.schedule.borrow_mut().due(self.now());
            match due {
                Some(occurrence) => occurrence(self),
                None => return,
            }
        }
    }

    pub fn now(&self) -> Duration {
        self.0.clock.get()
    }

    /// Lets time pass while the program runs. The next wait runs the occurrences of that time.
    pub fn block(&self, time: Duration) {
        self.0.clock.set(self.now().saturating_add(time));
    }

    pub fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + EPOCH + self.now()
    }

    pub fn waker(&self) -> Waker {
        self.0.waker.clone()
    }

    /// Schedules an occurrence for this time, or for now if the time is past. It comes after all that is already scheduled
    /// for the same time.
    pub fn at(&self, time: Duration, occurrence: impl FnOnce(&World) + 'static) {
        self.0.schedule.borrow_mut().add(time.max(self.now()), Box::new(occurrence));
    }

    /// Returns whether something happens without the clock moving: an occurrence that is due, an event that waits, or a
    /// wake.
    pub fn is_due(&self) -> bool {
        let due = self.0.schedule.borrow().next().is_some_and(|at| at <= self.now());
        due || self.is_to_stop()
            || !self.0.ready.borrow().is_empty()
            || self.0.waker.pending.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Sets the instant beyond which no wait moves the clock. `None`: no limit.
    pub fn set_horizon(&self, horizon: Option<Duration>) {
        self.0.horizon.set(horizon);
        self.0.horizon_reached.set(false);
    }

    /// Returns whether the last wait ended because the next occurrence lies beyond the horizon.
    pub fn horizon_reached(&self) -> bool {
        self.0.horizon_reached.get()
    }

    /// Returns whether the last wait found that nothing can happen any more.
    pub fn at_rest(&self) -> bool {
        self.0.at_rest.get()
    }

    pub fn set_network(&self, network: Network) {
        *self.0.network.borrow_mut() = network;
    }

    /// How many calls the program has made on its sockets.
    pub fn calls(&self) -> u64 {
        self.0.faults.calls()
    }

    /// Makes one of the program's calls on its sockets fail, after `after` calls that succeed.
    pub fn fail_call(&self, after: u64, kind: io::ErrorKind) {
        self.0.faults.fail(after, kind);
    }

    /// The count of descriptors that are open because of the program's peers.
    pub fn descriptors(&self) -> &Descriptors {
        &self.0.descriptors
    }

    /// A random number below `end`, from the world's seed.
    pub fn random(&self, end: u64) -> u64 {
        self.0.random.below(end)
    }

    /// Drops everything that is scheduled. Occurrences may hold the world, which would otherwise never be freed.
    pub fn end(&self) {
        let schedule = std::mem::take(&mut *self.0.schedule.borrow_mut());
        drop(schedule);
        let ready = std::mem::take(&mut *self.0.ready.borrow_mut());
        drop(ready);
    }
}

const AT_REST: &str = "the simulated world is at rest: nothing can happen any more";

/// The error for a real socket that is given to a simulated loop.
pub(super) fn foreign() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a real socket on a simulated loop")
}
