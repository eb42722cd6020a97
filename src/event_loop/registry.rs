use super::driver::Ready;
use super::{Loop, Time};
use slab::Slab;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The kind of a source, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Listener,
    Connection,
    /// An attempt to connect to one address.
    Attempt,
    Signals,
}

/// Something that the driver watches and that the loop gives turns to: a listener, a connection, an attempt to connect, or
/// the signals.
pub(crate) trait Source: Any {
    /// Gives the source a turn in the poll phase, because a wait has reported the readiness `ready`.
    fn turn(self: Rc<Self>, lp: &Rc<Loop>, ready: Ready);
    /// Gives the source a turn in the pending phase, because it has put itself on the ready list.
    fn resume(self: Rc<Self>, lp: &Rc<Loop>);
    /// The time set with [`Registry::set_due`] has passed. A sweep calls this, outside of any turn of the source. Whether a
    /// peer is late is decided by [`Loop::seen_until`], not by the clock.
    fn due(self: Rc<Self>, lp: &Rc<Loop>);
    /// Called in the closing phase, to call `on_close`. The slot is freed afterwards.
    fn closed(self: Rc<Self>, lp: &Rc<Loop>);
    /// Called when the loop ends: drops everything that could keep other objects alive, and calls no callback.
    fn teardown(&self);
    fn kind(&self) -> Kind;
    /// How many bytes the library holds for this source.
    fn buffered(&self) -> usize;
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

/// The number by which the driver identifies a source: the index and the generation of its slot, with half of the bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(usize);

const HALF: u32 = usize::BITS / 2;
const INDEX: usize = (1 << HALF) - 1;

impl Token {
    /// The token of a source that is not registered.
    pub const NONE: Token = Token(usize::MAX - 1);

    /// On the ready list: all that wait for heavy work. No source has it.
    #[cfg(feature = "tls")]
    pub const HEAVY: Token = Token(usize::MAX - 2);

    fn new(index: usize, generation: usize) -> Token {
        Token(generation << HALF | index)
    }

    pub fn from_number(number: usize) -> Token {
        Token(number)
    }

    pub fn number(self) -> usize {
        self.0
    }

    fn index(self) -> usize {
        self.0 & INDEX
    }
}

/// The deadline of a source, in tenths of a second. 32 bits are enough for 13 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due(u32);

impl Due {
    pub const NEVER: Due = Due(u32::MAX);
    const NANOS: u64 = 100_000_000;

    /// Rounded up, so that a deadline is never early.
    pub fn at(time: Time) -> Due {
        Due(u32::try_from(time.nanos().div_ceil(Due::NANOS)).unwrap_or(u32::MAX - 1))
    }

    /// The first instant at which the deadline has passed.
    pub fn time(self) -> Time {
        Time::from_nanos(u64::from(self.0) * Due::NANOS)
    }
}

struct Slot {
    /// The upper half of the token. It distinguishes the present source of a slot from earlier ones, in case an old token
    /// is used.
    generation: u32,
    due: Due,
    source: Rc<dyn Source>,
}

/// The sources of a loop, in slots, and their coarse deadlines.
///
/// A slot is freed only in the closing phase, so an event never reaches a later source of the same slot. (If the start of
/// a source fails, its slot is freed at once: no event for that source can exist.)
pub(crate) struct Registry {
    slots: RefCell<Slab<Slot>>,
    generation: Cell<u32>,
    /// The earliest deadline of all slots, or an earlier time.
    earliest: Cell<Due>,
    /// No sweep begins before this time, since sweeps are at least [`SWEEP_EVERY`] apart.
    next_sweep: Cell<Time>,
    /// The slot at which a sweep that was interrupted goes on.
    cursor: Cell<Option<usize>>,
}

/// The time between two sweeps. Deadlines of connections are seconds, so being this late does not matter; looking through
/// 10,000 slots takes microseconds.
const SWEEP_EVERY: Time = Time::from_millis(500);
/// How many slots one iteration looks through, so that a million connections do not hold it up.
const SLICE: usize = 16_384;

impl Registry {
    pub fn new() -> Registry {
        Registry {
            slots: RefCell::new(Slab::new()),
            generation: Cell::new(0),
            earliest: Cell::new(Due::NEVER),
            next_sweep: Cell::new(Time::ZERO),
            cursor: Cell::new(None),
        }
    }

    /// The number of sources.
    pub fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    pub fn insert(&self, source: Rc<dyn Source>) -> Token {
        // The last generation is not used: together with the last index it would be the waker's token.
        let generation = (self.generation.get() + 1) % (INDEX as u32);
        self.generation.set(generation);
        let index = self.slots.borrow_mut().insert(Slot { generation, due: Due::NEVER, source });
        Token::new(index, generation as usize)
    }

    pub fn get(&self, token: Token) -> Option<Rc<dyn Source>> {
        let slots = self.slots.borrow();
        let slot = slots.get(token.index())?;
        (Token::new(token.index(), slot.generation as usize) == token).then(|| slot.source.clone())
    }

    /// Frees a slot: in the closing phase, or if the start of its source has failed.
    pub fn remove(&self, token: Token) -> Option<Rc<dyn Source>> {
        self.get(token)?;
        self.slots.borrow_mut().try_remove(token.index()).map(|slot| slot.source)
    }

    /// Sets the deadline after which a sweep calls `Source::due`. The previous deadline is replaced.
    pub fn set_due(&self, token: Token, due: Due) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(token.index())
            && Token::new(token.index(), slot.generation as usize) == token
        {
            slot.due = due;
            if due < self.earliest.get() {
                self.earliest.set(due);
            }
        }
    }

    /// When the loop has to wake up for a sweep. `None`: no sweep is needed.
    pub fn next_sweep(&self) -> Option<Time> {
        match self.cursor.get() {
            Some(_) => Some(Time::ZERO),
            None if self.earliest.get() == Due::NEVER => None,
            None => Some(self.earliest.get().time().max(self.next_sweep.get())),
        }
    }

    /// Returns whether a sweep over the sources' deadlines is due.
    pub fn sweep_is_due(&self, now: Time) -> bool {
        self.next_sweep().is_some_and(|at| at <= now)
    }

    /// Looks through the next slice of slots. Returns the sources whose deadlines have passed, and removes these deadlines.
    pub fn sweep(&self, now: Time) -> Vec<Token> {
        let mut found = Vec::new();
        let from = self.cursor.get().unwrap_or_else(|| {
            self.next_sweep.set(now + SWEEP_EVERY);
            self.earliest.set(Due::NEVER);
            0
        });
        let mut slots = self.slots.borrow_mut();
        let end = slots.capacity();
        let until = from + SLICE;
        for index in from..until.min(end) {
            let Some(slot) = slots.get_mut(index) else { continue };
            if slot.due.time() <= now {
                slot.due = Due::NEVER;
                found.push(Token::new(index, slot.generation as usize));
            } else if slot.due < self.earliest.get() {
                self.earliest.set(slot.due);
            }
        }
        self.cursor.set((until < end).then_some(until));
        found
    }

    /// All present sources, in the order of their slots.
    pub fn snapshot(&self) -> Vec<Rc<dyn Source>> {
        self.slots.borrow().iter().map(|(_, slot)| slot.source.clone()).collect()
    }

    pub fn take_all(&self) -> Vec<Rc<dyn Source>> {
        self.slots.borrow_mut().drain().map(|slot| slot.source).collect()
    }
}
