//! Where connections are while no thread has them, and the poller that watches them.

use super::super::blocking::{Connection, Request};
use crossbeam_channel::Sender;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use slab::Slab;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the poller looks for connections that are due: oneloop's sweep.
const SWEEP: Duration = Duration::from_millis(500);
/// Events taken from the kernel at a time: oneloop's number.
const EVENTS: usize = 1024;
/// No slot has this number.
const WAKER: Token = Token(usize::MAX);

/// A connection on its way between the lot and a thread.
pub struct Parked {
    pub connection: Connection,
    /// What the thread is to do with it.
    pub task: Task,
    /// True if it is registered with the poller.
    pub watched: bool,
    /// Its number for as long as it lives.
    slot: usize,
}

pub enum Task {
    /// It is readable, or due.
    Read,
    /// It has requests that were read before.
    Again,
    /// The event has come that this request waited for.
    Answer(Box<Request>),
}

#[derive(Default)]
struct State {
    /// A slot is empty while a thread has its connection.
    slots: Slab<Option<Parked>>,
    /// Connections with something to do that the poller cannot see.
    runnable: Vec<Parked>,
    /// Those who wait for the event.
    waiting: Vec<Parked>,
}

/// Locked for as long as it takes to note something or to arm a registration. No registration changes outside the lock:
/// else a thread could close a connection, and another's new one get its file descriptor, in between.
pub struct Lot {
    state: Mutex<State>,
    registry: Registry,
    waker: Waker,
}

pub struct Poller {
    poll: Poll,
    lot: Arc<Lot>,
}

pub fn create() -> io::Result<(Arc<Lot>, Poller)> {
    let poll = Poll::new()?;
    let (registry, waker) = (poll.registry().try_clone()?, Waker::new(poll.registry(), WAKER)?);
    let lot = Arc::new(Lot { state: Mutex::default(), registry, waker });
    Ok((lot.clone(), Poller { poll, lot }))
}

impl Lot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new connection in.
    pub fn admit(&self, connection: Connection) {
        let slot = self.state().slots.insert(None);
        self.park(Parked { connection, task: Task::Read, watched: false, slot });
    }

    /// Parks a connection until it is readable or due.
    pub fn park(&self, mut parked: Parked) {
        let mut state = self.state();
        let (fd, token) = (parked.connection.stream().as_raw_fd(), Token(parked.slot));
        let armed = match parked.watched {
            true => self.registry.reregister(&mut SourceFd(&fd), token, Interest::READABLE),
            false => self.registry.register(&mut SourceFd(&fd), token, Interest::READABLE),
        };
        if armed.is_err() {
            // The kernel has no memory for another registration.
            state.slots.remove(parked.slot);
            return;
        }
        parked.watched = true;
        if let Some(place) = state.slots.get_mut(parked.slot) {
            *place = Some(parked);
        }
    }

    /// Has a thread take it again, after the others.
    pub fn again(&self, mut parked: Parked) {
        parked.task = Task::Again;
        self.state().runnable.push(parked);
        self.wake();
    }

    /// Has it wait for the event.
    pub fn wait(&self, mut parked: Parked, request: Box<Request>) {
        parked.task = Task::Answer(request);
        self.state().waiting.push(parked);
    }

    /// Wakes those who wait, and says how many they were.
    pub fn publish(&self) -> usize {
        let mut state = self.state();
        let mut waiting = std::mem::take(&mut state.waiting);
        let woken = waiting.len();
        state.runnable.append(&mut waiting);
        drop(state);
        self.wake();
        woken
    }

    /// Has the poller leave it alone until it is parked again.
    pub fn unwatch(&self, connection: &Connection, watched: &mut bool) {
        let _state = self.state();
        if std::mem::take(watched) {
            // Were it not registered, that would do no harm either.
            let _ = self.registry.deregister(&mut SourceFd(&connection.stream().as_raw_fd()));
        }
    }

    /// Forgets it, to be closed.
    pub fn release(&self, parked: Parked) -> Connection {
        self.state().slots.remove(parked.slot);
        parked.connection
    }

    fn wake(&self) {
        // An eventfd or pipe that is ours: it cannot be full of wake-ups.
        let _ = self.waker.wake();
    }
}

impl Poller {
    /// Hands over what is ready, for as long as the process lives. It is the only sender of the queue: while that is full,
    /// it waits, and all stay parked.
    pub fn run(mut self, queue: &Sender<Parked>) {
        let mut events = Events::with_capacity(EVENTS);
        let mut next_sweep = Instant::now() + SWEEP;
        loop {
            let wait = next_sweep.saturating_duration_since(Instant::now());
            // An interrupted wait brings no events.
            let _ = self.poll.poll(&mut events, Some(wait));
            for event in &events {
                // None where a thread has it.
                let Token(slot) = event.token();
                let parked = self.lot.state().slots.get_mut(slot).and_then(Option::take);
                if let Some(parked) = parked {
                    // The pool never ends, so that the queue has readers.
                    let _ = queue.send(parked);
                }
            }
            let runnable = std::mem::take(&mut self.lot.state().runnable);
            for parked in runnable.into_iter().chain(self.due(&mut next_sweep)) {
                let _ = queue.send(parked);
            }
        }
    }

    fn due(&self, next_sweep: &mut Instant) -> Vec<Parked> {
        let now = Instant::now();
        if now < *next_sweep {
            return Vec::new();
        }
        *next_sweep = now + SWEEP;
        let is_due = |place: &mut Option<Parked>| place.take_if(|parked| parked.connection.is_due(now));
        self.lot.state().slots.iter_mut().filter_map(|(_, place)| is_due(place)).collect()
    }
}
