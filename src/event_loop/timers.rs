//! Timers: a heap ordered by (deadline, order of setting).
//!
//! Neither `clear` nor `refresh` moves anything in the heap. `clear` drops the callback and leaves a dead entry behind;
//! the entry is removed when it becomes the first one, or when a sweep finds it. `refresh` writes down the new deadline,
//! which is never earlier than the old one; the entry gets its new place when the old deadline comes. So a timeout that
//! is refreshed at each message, as timeouts of connections are, costs next to nothing.

use super::heap::{Heap, Key};
use super::{Loop, Time, current};
use crate::callback::{Lendable, Site, discard_by};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// As in Node, a timer of 0 ms becomes one of 1 ms, so that timers cannot keep the loop from its other phases.
const LEAST: Duration = Duration::from_millis(1);
/// A heap is swept if its dead entries outnumber its armed timers by more than this. With fewer, a sweep is not worth its time.
const SPARE: usize = 64;
/// How many entries a sweep looks at, each time that a timer is armed. Half of the entries are dead then, so four entries
/// contain two dead ones on average. A timer that is armed and cleared adds only one, so the sweep removes dead entries
/// faster than they can be added.
const SWEPT: usize = 4;
/// How many dead entries are removed in one go when they come first. That takes about half a millisecond.
const DROPPED: usize = 1_024;
/// A closure of more bytes than this is boxed, so that a dead entry does not keep its memory.
const LONG: usize = 64;

/// The closure of a timer, until it is cleared or has run.
trait Callback {
    /// Calls the closure, and drops it afterwards unless the timer is then armed (again).
    fn run(&self, lp: &Loop, timer: &Rc<Timer>);
    fn discard(&self);
}

struct FiresOnce<F>(Cell<Option<F>>);
struct FiresAgain<F>(Lendable<F>);

/// A timer. While it is armed, the heap has an entry for it.
struct Timer<C: Callback + ?Sized = dyn Callback> {
    after: Time,
    /// When the timer is due. Its entry in the heap may still have an earlier key.
    due: Cell<Key>,
    armed: Cell<bool>,
    referenced: Cell<bool>,
    site: Site,
    lp: Weak<Loop>,
    callback: C,
}

/// The timers of a loop.
pub(super) struct Timers {
    heap: RefCell<Heap<Rc<Timer>>>,
    /// The position that the sweep has reached. The sweep goes from the last entry to the first, again and again.
    sweep_at: Cell<usize>,
    next_sequence: Cell<u64>,
    /// The number of armed timers, and the number of those that keep the loop alive.
    armed: Cell<usize>,
    referenced: Cell<usize>,
}

impl Timers {
    pub fn new() -> Timers {
        Timers {
            heap: RefCell::new(Heap::new()),
            sweep_at: Cell::new(0),
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

    /// The time at which the timers phase has something to do: the earliest deadline. The result may be earlier than that
    /// if a timer was refreshed, or if very many were cleared.
    pub fn next(&self) -> Option<Time> {
        let mut heap = self.heap.borrow_mut();
        let mut left = DROPPED;
        loop {
            let ((time, _), timer) = heap.first()?;
            if timer.armed.get() || left == 0 {
                return Some(time);
            }
            left -= 1;
            heap.remove(0);
        }
    }

    /// Takes out the first timer whose deadline is not after `now`, so that it can be called. Each entry that is looked at
    /// reduces `left` by one. At 0 this returns `None`; timers may still be due, and `next` then returns a time in the past.
    pub fn take_due(&self, now: Time, left: &mut usize) -> Option<DueTimer> {
        let mut heap = self.heap.borrow_mut();
        loop {
            let (key, timer) = heap.first()?;
            if key.0 > now || *left == 0 {
                return None;
            }
            *left -= 1;
            let due = timer.due.get();
            if !timer.armed.get() {
                heap.remove(0);
            } else if due != key {
                heap.put_off_first(due);
            } else {
                return heap.remove(0).map(DueTimer);
            }
        }
    }

    fn arm(&self, timer: Rc<Timer>, now: Time) {
        let due = self.set_due(&timer, now);
        timer.armed.set(true);
        self.armed.set(self.armed.get() + 1);
        if timer.referenced.get() {
            self.referenced.set(self.referenced.get() + 1);
        }
        let mut heap = self.heap.borrow_mut();
        heap.push(due, timer);
        if self.is_untidy(&heap) {
            self.sweep(&mut heap);
        }
    }

    /// Starts a timer's time again. The timer comes after all others that have the same deadline now.
    #[inline]
    fn set_due(&self, timer: &Timer, now: Time) -> Key {
        let sequence = self.next_sequence.replace(self.next_sequence.get() + 1);
        let due = (now + timer.after, sequence);
        timer.due.set(due);
        due
    }

    #[inline]
    fn disarm(&self, timer: &Timer) {
        if timer.armed.replace(false) {
            self.armed.set(self.armed.get() - 1);
            if timer.referenced.get() {
                self.referenced.set(self.referenced.get() - 1);
            }
        }
    }

    /// Returns whether most entries are dead.
    fn is_untidy(&self, heap: &Heap<Rc<Timer>>) -> bool {
        heap.len() > 2 * self.armed.get() + SPARE
    }

    /// Removes some of the dead entries.
    #[cold]
    fn sweep(&self, heap: &mut Heap<Rc<Timer>>) {
        for _ in 0..SWEPT {
            let position = self.sweep_at.get().checked_sub(1).unwrap_or(heap.len()).min(heap.len() - 1);
            self.sweep_at.set(position);
            if heap.get(position).is_some_and(|timer| !timer.armed.get()) {
                // The last entry takes its place. The sweep has already looked at that entry.
                heap.remove(position);
            }
        }
    }

    pub fn teardown(&self) {
        let timers: Vec<Rc<Timer>> = self.heap.replace(Heap::new()).into_items().collect();
        for timer in timers {
            self.disarm(&timer);
            timer.callback.discard();
        }
    }
}

/// A due timer that was taken out of the heap.
pub(super) struct DueTimer(Rc<Timer>);

impl DueTimer {
    pub fn run(self, lp: &Loop) {
        self.0.callback.run(lp, &self.0);
    }
}

impl<F: FnOnce()> Callback for FiresOnce<F> {
    fn run(&self, lp: &Loop, timer: &Rc<Timer>) {
        lp.timers.disarm(timer);
        let mut f = self.0.take();
        call_once(lp, timer.site, &mut || {
            if let Some(f) = f.take() {
                f();
            }
        });
    }

    fn discard(&self) {
        let mut f = self.0.take();
        discard_by(&mut || drop(f.take()));
    }
}

/// This function is not generic, so that it is compiled once and not once for each closure.
fn call_once(lp: &Loop, site: Site, f: &mut dyn FnMut()) {
    lp.call(site, &"a timer", f);
}

impl<F: FnMut(&Timeout)> Callback for FiresAgain<F> {
    fn run(&self, lp: &Loop, timer: &Rc<Timer>) {
        if self.0.lend(|f| call_interval(lp, timer, f)) == Some(false) {
            self.0.discard();
        }
    }

    fn discard(&self) {
        self.0.discard();
    }
}

/// Arms an interval again, so that its closure may clear or refresh it, and then calls the closure. Returns whether the
/// interval goes on.
fn call_interval(lp: &Loop, timer: &Rc<Timer>, f: &mut dyn FnMut(&Timeout)) -> bool {
    lp.timers.disarm(timer);
    lp.timers.arm(timer.clone(), lp.now());
    let handle = Timeout(Some(timer.clone()));
    if lp.call(timer.site, &"an interval", || f(&handle)).is_none() {
        lp.timers.disarm(timer);
    }
    timer.armed.get()
}

/// The handle of a timer. Dropping it does **not** cancel the timer; [`clear`](Timeout::clear) does.
#[derive(Clone)]
pub struct Timeout(Option<Rc<Timer>>);

impl Timeout {
    /// Cancels the timer: its callback is dropped now and never called again. Does nothing if the timer has run or was cleared
    /// before.
    pub fn clear(&self) {
        if let Some((timer, lp)) = self.parts() {
            lp.timers.disarm(timer);
            timer.callback.discard();
        }
    }

    /// Starts the timer's time again, from now. A `set_timeout` that has run, and a timer that was cleared, stay ended.
    pub fn refresh(&self) {
        if let Some((timer, lp)) = self.parts()
            && timer.armed.get()
        {
            lp.timers.set_due(timer, lp.now());
        }
    }

    /// Lets the loop end although this timer waits.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Sets whether the loop keeps running for this timer (true at first).
    pub fn set_ref(&self, on: bool) -> &Self {
        if let Some((timer, lp)) = self.parts()
            && timer.referenced.replace(on) != on
            && timer.armed.get()
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
        self.0.as_ref().is_some_and(|timer| timer.armed.get())
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
/// their deadlines; timers with the same deadline run in the order in which they were set. One phase runs 1,024 timers at
/// most; the others follow in the next iteration. The loop keeps running until the timer has run, unless it was
/// [unref'd](Timeout::unref).
///
/// ```
/// use std::time::Duration;
/// oneloop::set_timeout(Duration::from_millis(5), || println!("later"));
/// oneloop::run().unwrap();
/// ```
#[track_caller]
pub fn set_timeout(after: Duration, f: impl FnOnce() + 'static) -> Timeout {
    let site = Location::caller();
    if size_of_val(&f) > LONG {
        return set(after, FiresOnce(Cell::new(Some(Box::new(f)))), site);
    }
    set(after, FiresOnce(Cell::new(Some(f))), site)
}

/// Calls `f` each time that `every` has passed (at least 1 ms), in the timers phase, until the timer is cleared. The time to
/// the next call begins when this call begins, so a late call makes all later ones late. If `f` panics, the timer is cleared.
/// To end an interval from its own callback, use [`set_interval_with`].
#[track_caller]
pub fn set_interval(every: Duration, mut f: impl FnMut() + 'static) -> Timeout {
    repeat(every, move |_| f(), Location::caller())
}

/// The same as [`set_interval`], but `f` receives its own timer, so that it can clear, refresh or `unref` it.
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
/// It is not one function with `set_interval` because Rust could not infer the type of `timer` then: every program would have
/// to write `|timer: &Timeout|`.
#[track_caller]
pub fn set_interval_with(every: Duration, f: impl FnMut(&Timeout) + 'static) -> Timeout {
    repeat(every, f, Location::caller())
}

fn repeat(every: Duration, f: impl FnMut(&Timeout) + 'static, site: Site) -> Timeout {
    if size_of_val(&f) > LONG {
        return set(every, FiresAgain(Lendable::new(Box::new(f))), site);
    }
    set(every, FiresAgain(Lendable::new(f)), site)
}

fn set(after: Duration, callback: impl Callback + 'static, site: Site) -> Timeout {
    let lp = current();
    let timer = Rc::new(Timer {
        after: after.max(LEAST).into(),
        due: Cell::new((Time::ZERO, 0)),
        armed: Cell::new(false),
        referenced: Cell::new(true),
        site,
        lp: lp.as_ref().map_or_else(Weak::new, Rc::downgrade),
        callback,
    });
    begin(timer, lp)
}

/// This function is not generic, either.
fn begin(timer: Rc<Timer>, lp: Option<Rc<Loop>>) -> Timeout {
    let Some(lp) = lp else {
        timer.callback.discard();
        return Timeout(None);
    };
    lp.timers.arm(timer.clone(), lp.now());
    Timeout(Some(timer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleared_timers_leave_no_more_entries_than_others_wait() {
        const WAITING: usize = 1_000;
        let hour = Duration::from_secs(3_600);
        let mut timers: Vec<Timeout> = (0..WAITING).map(|_| set_timeout(hour, || ())).collect();
        let lp = current().unwrap();
        for step in 0..50 * WAITING {
            // Half of the calls clear a timer that was set recently, and half of them an old one.
            let which = if step % 2 == 0 { step / 2 % WAITING } else { WAITING - 1 };
            let (timer, after) = (&mut timers[which], hour + Duration::from_millis((step * 7919 % 9973) as u64));
            timer.clear();
            *timer = set_timeout(after, || ());
            assert!(lp.timers.heap.borrow().len() <= 3 * WAITING, "at step {step}");
        }
        assert_eq!(lp.timers.armed(), WAITING);
    }
}
