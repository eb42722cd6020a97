//! Timers: a heap ordered by (deadline, sequence). A cleared or refreshed timer leaves its old entry behind, which is
//! recognised by its sequence number and dropped when it comes up, or when such entries are the majority.

use super::{Loop, Time, current};
use crate::callback::{Site, discard};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Node's: a timer of 0 is one of 1 ms, so that timers cannot keep the loop from its other phases.
const LEAST: Duration = Duration::from_millis(1);
/// Dead entries below this number are not worth a rebuild of the heap.
const REBUILD_FROM: usize = 64;

pub(super) enum Callback {
    Once(Box<dyn FnOnce()>),
    Repeat(Box<dyn FnMut(&Timeout)>),
}

/// One timer. Armed while its callback is there and its sequence is not 0.
pub(super) struct Timer {
    every: Time,
    deadline: Cell<Time>,
    sequence: Cell<u64>,
    referenced: Cell<bool>,
    site: Site,
    callback: Cell<Option<Callback>>,
    lp: Weak<Loop>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    deadline: Time,
    sequence: u64,
}

struct Entry(Key, Rc<Timer>);

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.0 == other.0
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The timers of a loop.
pub(super) struct Timers {
    heap: RefCell<BinaryHeap<Reverse<Entry>>>,
    next_sequence: Cell<u64>,
    /// Armed timers, and those of them that keep the loop alive.
    armed: Cell<usize>,
    referenced: Cell<usize>,
}

/// A timer that is due, as it was when the snapshot was taken.
pub(super) struct DueTimer {
    sequence: u64,
    timer: Rc<Timer>,
}

impl Timers {
    pub fn new() -> Timers {
        Timers {
            heap: RefCell::new(BinaryHeap::new()),
            next_sequence: Cell::new(1),
            armed: Cell::new(0),
            referenced: Cell::new(0),
        }
    }

    pub fn armed(&self) -> usize {
        self.armed.get()
    }

    pub fn referenced(&self) -> usize {
        self.referenced.get()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        let mut heap = self.heap.borrow_mut();
        while let Some(Reverse(Entry(key, timer))) = heap.peek() {
            if timer.sequence.get() == key.sequence {
                return Some(key.deadline);
            }
            heap.pop();
        }
        None
    }

    /// Takes those that are due, in their order. They stay armed until they run: a timer may clear its neighbour.
    pub fn take_due(&self, now: Time, into: &mut std::collections::VecDeque<DueTimer>) {
        let mut heap = self.heap.borrow_mut();
        while heap.peek().is_some_and(|Reverse(entry)| entry.0.deadline <= now) {
            let Some(Reverse(Entry(key, timer))) = heap.pop() else { break };
            if timer.sequence.get() == key.sequence {
                into.push_back(DueTimer { sequence: key.sequence, timer });
            }
        }
    }

    /// Puts back what a halted phase did not come to.
    pub fn put_back(&self, due: impl Iterator<Item = DueTimer>) {
        let mut heap = self.heap.borrow_mut();
        for DueTimer { sequence, timer } in due {
            heap.push(Reverse(Entry(Key { deadline: timer.deadline.get(), sequence }, timer)));
        }
    }

    fn arm(&self, timer: &Rc<Timer>, now: Time) {
        self.disarm(timer);
        let sequence = self.next_sequence.replace(self.next_sequence.get() + 1);
        timer.sequence.set(sequence);
        timer.deadline.set(now.saturating_add(timer.every));
        self.armed.set(self.armed.get() + 1);
        if timer.referenced.get() {
            self.referenced.set(self.referenced.get() + 1);
        }
        let mut heap = self.heap.borrow_mut();
        if heap.len() >= REBUILD_FROM && heap.len() > 2 * self.armed.get() {
            heap.retain(|Reverse(Entry(key, timer))| timer.sequence.get() == key.sequence);
        }
        heap.push(Reverse(Entry(Key { deadline: timer.deadline.get(), sequence }, timer.clone())));
    }

    fn disarm(&self, timer: &Timer) {
        if timer.sequence.replace(0) != 0 {
            self.armed.set(self.armed.get() - 1);
            if timer.referenced.get() {
                self.referenced.set(self.referenced.get() - 1);
            }
        }
    }

    pub fn teardown(&self) {
        let heap = self.heap.take();
        for Reverse(Entry(_, timer)) in heap {
            self.disarm(&timer);
            discard(timer.callback.take());
        }
    }
}

impl DueTimer {
    /// Runs it, unless it was cleared or refreshed since the snapshot. Says whether it ran.
    pub fn run(self, lp: &Loop) -> bool {
        let DueTimer { sequence, timer } = self;
        if timer.sequence.get() != sequence {
            return false;
        }
        lp.timers.disarm(&timer);
        match timer.callback.take() {
            Some(Callback::Once(f)) => {
                lp.call(timer.site, &"a timer", f);
            }
            Some(Callback::Repeat(mut f)) => {
                // Armed before it runs, so that it may clear or refresh itself.
                lp.timers.arm(&timer, lp.now());
                let handle = Timeout(Some(timer.clone()));
                let lives = lp.call(timer.site, &"an interval", || f(&handle)).is_some();
                if !lives {
                    lp.timers.disarm(&timer);
                }
                if timer.sequence.get() != 0 {
                    timer.callback.set(Some(Callback::Repeat(f)));
                } else {
                    discard(f);
                }
            }
            None => return false,
        }
        true
    }
}

/// A timer. Dropping it does **not** cancel the timer; [`clear`](Timeout::clear) does.
#[derive(Clone)]
pub struct Timeout(Option<Rc<Timer>>);

impl Timeout {
    /// Cancels it: the callback is dropped and does not run any more. Nothing happens where it has run or was
    /// cancelled already.
    pub fn clear(&self) {
        if let Some((timer, lp)) = self.parts() {
            lp.timers.disarm(timer);
            discard(timer.callback.take());
        }
    }

    /// Begins its time anew, from now. A one-shot timer that has run, or one that was cleared, stays ended.
    pub fn refresh(&self) {
        if let Some((timer, lp)) = self.parts()
            && timer.sequence.get() != 0
        {
            lp.timers.arm(timer, lp.now());
        }
    }

    /// Lets the loop end while this timer waits.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Says whether the loop goes on for this timer (true at first).
    pub fn set_ref(&self, on: bool) -> &Self {
        if let Some((timer, lp)) = self.parts()
            && timer.referenced.replace(on) != on
            && timer.sequence.get() != 0
        {
            let count = &lp.timers.referenced;
            count.set(if on { count.get() + 1 } else { count.get() - 1 });
        }
        self
    }

    /// Returns whether this timer keeps the loop running.
    pub fn has_ref(&self) -> bool {
        self.0.as_ref().is_some_and(|timer| timer.referenced.get())
    }

    /// Returns whether the timer is going to run (for an interval: to run again).
    pub fn is_armed(&self) -> bool {
        self.0.as_ref().is_some_and(|timer| timer.sequence.get() != 0)
    }

    fn parts(&self) -> Option<(&Rc<Timer>, Rc<Loop>)> {
        let timer = self.0.as_ref()?;
        Some((timer, timer.lp.upgrade()?))
    }
}

impl std::fmt::Debug for Timeout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeout").field("armed", &self.is_armed()).field("has_ref", &self.has_ref()).finish()
    }
}

/// Calls `f` once, in the timers phase, when `after` has passed (at least 1 ms, as in Node). Timers run in the order of
/// their deadlines, and those of one deadline in the order in which they were set. The loop goes on until it has run,
/// unless [`Timeout::unref`] says otherwise.
///
/// ```
/// use std::time::Duration;
/// oneloop::set_timeout(Duration::from_millis(5), || println!("later"));
/// oneloop::run().unwrap();
/// ```
#[track_caller]
pub fn set_timeout(after: Duration, f: impl FnOnce() + 'static) -> Timeout {
    set(after, Callback::Once(Box::new(f)), Location::caller())
}

/// Calls `f` each time that `every` has passed (at least 1 ms), in the timers phase, until it is cleared. A call that is
/// late puts off those after it: the next comes `every` after this one began. If `f` panics, it is cleared. One that is to
/// end from within is easier with [`set_interval_with`].
#[track_caller]
pub fn set_interval(every: Duration, mut f: impl FnMut() + 'static) -> Timeout {
    set(every, Callback::Repeat(Box::new(move |_| f())), Location::caller())
}

/// As [`set_interval`]; `f` is lent its own timer, so that it can clear it, or `unref` it.
///
/// ```
/// use std::time::Duration;
///
/// let mut left = 3;
/// oneloop::set_interval_with(Duration::from_millis(1), move |timer| {
///     println!("{left}");
///     left -= 1;
///     if left == 0 {
///         timer.clear();
///     }
/// });
/// oneloop::run().unwrap();
/// ```
///
/// It has a name of its own, since Rust cannot tell the type of `timer` where a closure may have an argument or none:
/// `|timer: &Timeout|` would have to be written out.
#[track_caller]
pub fn set_interval_with(every: Duration, f: impl FnMut(&Timeout) + 'static) -> Timeout {
    set(every, Callback::Repeat(Box::new(f)), Location::caller())
}

fn set(after: Duration, callback: Callback, site: Site) -> Timeout {
    let Some(lp) = current() else {
        discard(callback);
        return Timeout(None);
    };
    let every = u64::try_from(after.max(LEAST).as_nanos()).unwrap_or(u64::MAX);
    let timer = Rc::new(Timer {
        every,
        deadline: Cell::new(0),
        sequence: Cell::new(0),
        referenced: Cell::new(true),
        site,
        callback: Cell::new(Some(callback)),
        lp: Rc::downgrade(&lp),
    });
    lp.timers.arm(&timer, lp.now());
    Timeout(Some(timer))
}
