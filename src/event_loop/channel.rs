use super::remote::{Inbox, Posted};
use super::{Loop, current};
use crate::callback::{Site, discard};
use slab::Slab;
use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SendError, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

/// Opens a channel into this thread's loop: the loop calls `f` for each message that this thread or any other sends. `f` stays on
/// the loop's thread, so it may hold an `Rc` or any handle. Only the messages and the [`Sender`] have to be `Send`.
///
/// ```
/// use std::{cell::Cell, rc::Rc, thread};
///
/// let sum = Rc::new(Cell::new(0));
/// let total = sum.clone();
/// let sender = oneloop::channel(move |number: u32| total.set(total.get() + number));
/// thread::spawn(move || (1..=4).try_for_each(|number| sender.send(number)));
/// oneloop::run()?; // until the last sender is gone
/// assert_eq!(sum.get(), 10);
/// # std::io::Result::Ok(())
/// ```
///
/// `f` is called in the poll phase, once for each message. Messages of one thread come in the order in which that thread
/// sent them, together with the closures that it posted by a [`Remote`](super::Remote). If `f` panics, the message that
/// it was called with is lost; `f` is still called for the next one. When the last sender is gone and all messages have
/// been given to `f`, `f` is dropped.
///
/// The loop keeps running while there is a sender, unless [`Sender::unref`] was called. Any number of messages may wait,
/// as with [`std::sync::mpsc::channel`]; if a sender can be faster than the loop for long, see [`bounded_channel`].
///
/// If this thread is ending and its loop is gone, `f` is dropped, and each call of `send` returns its message as an error.
#[track_caller]
pub fn channel<T: Send + 'static>(f: impl FnMut(T) + 'static) -> Sender<T> {
    open(None, Location::caller(), f)
}

/// Like [`channel`], but at most `limit` messages can wait (a limit of 0 counts as 1). When that many wait,
/// [`Sender::send`] blocks until there is room, and [`Sender::try_send`] returns an error. Use it for a thread that can
/// produce messages faster than the loop handles them, such as a thread that reads a file.
///
/// A message that is sent on the loop's own thread does not wait, since only that thread can make room; it may exceed the
/// limit.
#[track_caller]
pub fn bounded_channel<T: Send + 'static>(limit: usize, f: impl FnMut(T) + 'static) -> Sender<T> {
    let gate = Gate { limit: limit.max(1), own: thread::current().id(), state: Mutex::default(), room: Condvar::new() };
    open(Some(Arc::new(gate)), Location::caller(), f)
}

fn open<T: Send + 'static>(gate: Option<Arc<Gate>>, site: Site, mut f: impl FnMut(T) + 'static) -> Sender<T> {
    let Some(lp) = current() else {
        discard(f);
        let shared = Shared { inbox: Weak::new(), id: 0, referenced: AtomicBool::new(false), gate: None };
        return Sender { shared: Arc::new(shared), messages: PhantomData };
    };
    let receive = move |message: Box<dyn Any + Send>| match message.downcast::<T>() {
        Ok(message) => f(*message),
        Err(_) => unreachable!("a channel has the message of another"),
    };
    let entry = Entry { site, gate: gate.clone(), receive: Some(Box::new(receive)) };
    let id = lp.channels.0.borrow_mut().insert(entry);
    lp.inbox.refer();
    let shared = Shared { inbox: Arc::downgrade(&lp.inbox), id, referenced: AtomicBool::new(true), gate };
    Sender { shared: Arc::new(shared), messages: PhantomData }
}

type Receive = Box<dyn FnMut(Box<dyn Any + Send>)>;

struct Entry {
    site: Site,
    gate: Option<Arc<Gate>>,
    /// `None` while the callback runs.
    receive: Option<Receive>,
}

/// The receiving ends of the channels of one loop.
#[derive(Default)]
pub(super) struct Channels(RefCell<Slab<Entry>>);

impl Channels {
    fn take(&self, id: usize) -> Option<(Site, Receive)> {
        let mut entries = self.0.borrow_mut();
        let entry = entries.get_mut(id)?;
        if let Some(gate) = &entry.gate {
            gate.leave();
        }
        Some((entry.site, entry.receive.take()?))
    }

    /// Removes a channel whose last sender is gone and all of whose messages have been received.
    pub fn end(&self, id: usize) {
        let ended = self.0.borrow_mut().try_remove(id);
        discard(ended);
    }

    pub fn teardown(&self) {
        let entries = self.0.take();
        for (_, entry) in entries {
            if let Some(gate) = &entry.gate {
                gate.close();
            }
            discard(entry);
        }
    }
}

impl Loop {
    pub(super) fn receive(&self, id: usize, message: Box<dyn Any + Send>) {
        let Some((site, mut receive)) = self.channels.take(id) else { return discard(message) };
        self.call(site, &"a message", || receive(message));
        if let Some(entry) = self.channels.0.borrow_mut().get_mut(id) {
            entry.receive = Some(receive);
            return;
        }
        discard(receive);
    }
}

/// Sends messages to the callback of a [`channel`], from any thread. Clones send to the same channel.
pub struct Sender<T> {
    shared: Arc<Shared>,
    messages: PhantomData<fn(T)>,
}

struct Shared {
    /// Weak, so that a sender does not keep the inbox of an ended loop in memory.
    inbox: Weak<Inbox>,
    id: usize,
    referenced: AtomicBool,
    gate: Option<Arc<Gate>>,
}

impl<T: Send + 'static> Sender<T> {
    /// Sends a message, and returns without waiting for the callback. With a [`bounded_channel`] it first waits for room.
    ///
    /// # Errors
    /// Gives the message back if the loop has ended: its thread is over, or its `Sim` was dropped.
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        if self.shared.gate.as_ref().is_some_and(|gate| gate.enter(true) == Entered::Closed) {
            return Err(SendError(message));
        }
        self.post(message).map_err(SendError)
    }

    /// Sends a message if there is room. It never waits.
    ///
    /// # Errors
    /// Gives the message back: `Full` if as many messages wait as a [`bounded_channel`] allows, `Disconnected` if the loop
    /// has ended.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        match self.shared.gate.as_ref().map(|gate| gate.enter(false)) {
            Some(Entered::Full) => Err(TrySendError::Full(message)),
            Some(Entered::Closed) => Err(TrySendError::Disconnected(message)),
            Some(Entered::In) | None => self.post(message).map_err(TrySendError::Disconnected),
        }
    }

    fn post(&self, message: T) -> Result<(), T> {
        match self.shared.inbox.upgrade() {
            Some(inbox) => inbox.post(message, |message| Posted::Message(self.shared.id, Box::new(message))),
            None => Err(message),
        }
    }
}

impl<T> Sender<T> {
    /// Lets the loop end although there are senders. Messages that they have sent may then never be received.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Sets whether the loop goes on while there is a sender of this channel (true by default). The setting applies to
    /// all clones.
    pub fn set_ref(&self, on: bool) -> &Self {
        self.shared.set_ref(on);
        self
    }

    /// Returns whether the loop goes on while there is a sender of this channel.
    pub fn has_ref(&self) -> bool {
        self.shared.referenced.load(Ordering::Acquire)
    }

    /// A handle that can call `set_ref` for this channel and does not count as a sender.
    pub(crate) fn hold(&self) -> Hold {
        Hold(Arc::downgrade(&self.shared))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { shared: self.shared.clone(), messages: PhantomData }
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("has_ref", &self.has_ref()).finish()
    }
}

impl Shared {
    fn set_ref(&self, on: bool) {
        if self.referenced.swap(on, Ordering::AcqRel) != on
            && let Some(inbox) = self.inbox.upgrade()
        {
            if on { inbox.refer() } else { inbox.release() }
        }
    }
}

/// Dropped with the last sender of the channel.
impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(inbox) = self.inbox.upgrade() {
            inbox.hang_up(self.id, *self.referenced.get_mut());
        }
    }
}

/// Reads and sets whether a channel keeps the loop running, without counting as one of its senders.
#[derive(Clone)]
pub(crate) struct Hold(Weak<Shared>);

impl Hold {
    pub fn set_ref(&self, on: bool) {
        if let Some(shared) = self.0.upgrade() {
            shared.set_ref(on);
        }
    }

    pub fn has_ref(&self) -> bool {
        self.0.upgrade().is_some_and(|shared| shared.referenced.load(Ordering::Acquire))
    }
}

/// The limit of a bounded channel: counts the messages that wait.
struct Gate {
    limit: usize,
    /// The loop's thread, which must not wait for itself.
    own: ThreadId,
    state: Mutex<Inside>,
    room: Condvar,
}

#[derive(Default)]
struct Inside {
    count: usize,
    closed: bool,
}

#[derive(PartialEq, Eq)]
enum Entered {
    In,
    Full,
    Closed,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, waits: bool) -> Entered {
        let mut inside = self.lock();
        while inside.count >= self.limit && !inside.closed {
            if !waits {
                return Entered::Full;
            }
            if thread::current().id() == self.own {
                break;
            }
            inside = self.room.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        if inside.closed {
            return Entered::Closed;
        }
        inside.count += 1;
        Entered::In
    }

    fn leave(&self) {
        self.lock().count -= 1;
        self.room.notify_one();
    }

    /// Called when the loop has ended: makes senders that wait for room return.
    fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
    }
}
