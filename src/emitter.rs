//! Node's `EventEmitter`, typed: an [`Emitter<E>`] is *one* event, whose payload is `&E`.
//!
//! Where Node has one emitter with named events, a type here has one field for each of its events:
//!
//! ```
//! use oneloop::Emitter;
//!
//! #[derive(Default)]
//! struct Garden {
//!     planted: Emitter<str>,
//!     watered: Emitter<u32>,
//! }
//!
//! let garden = Garden::default();
//! garden.planted.on(|seed| println!("{seed} is in the ground"));
//! assert!(garden.planted.emit("a tulip"));
//! assert!(!garden.watered.emit(&3)); // nobody listens
//! ```
//!
//! An emitter needs no loop: [`emit`](Emitter::emit) calls the listeners before it returns, in the order of registration. This
//! module imports `callback` only.

use crate::callback::discard;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies a listener, for [`Emitter::off`]. No two ids of a process are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

impl ListenerId {
    fn next() -> ListenerId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        ListenerId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

struct Listener<F: ?Sized> {
    id: ListenerId,
    once: bool,
    f: F,
}

type List<E> = Vec<Rc<Listener<dyn Fn(&E)>>>;

/// One event with the payload `&E`. It is a handle: a clone is the same emitter, so one part of a program can emit an event, and
/// another part can listen to it.
///
/// A listener may do anything with the emitter that calls it: add and remove listeners, itself included, and emit.
///
/// Listeners are `Fn`, since an `emit` within an `emit` calls them while they run; keep their state in a `Cell` or `RefCell`. The
/// listeners of [`once`](Emitter::once) are `FnOnce`. A listener that captures its own emitter keeps it alive until
/// [`off`](Emitter::off) or [`remove_all`](Emitter::remove_all).
///
/// ```
/// use oneloop::Emitter;
/// use std::{cell::Cell, rc::Rc};
///
/// let price = Emitter::<f64>::new();
/// let last = Rc::new(Cell::new(0.0));
///
/// let seen = last.clone();
/// let id = price.on(move |value| seen.set(*value));
/// price.emit(&1.5);
/// price.off(id);
/// price.emit(&9.0);
/// assert_eq!(last.get(), 1.5);
/// ```
pub struct Emitter<E: ?Sized> {
    /// Each running `emit` holds a clone of the inner `Rc` as its snapshot, which costs no allocation. If the list is changed
    /// during an `emit`, it is copied first (`Rc::make_mut`).
    listeners: Rc<RefCell<Rc<List<E>>>>,
}

impl<E: ?Sized> Emitter<E> {
    /// An emitter without listeners.
    pub fn new() -> Emitter<E> {
        Emitter { listeners: Rc::default() }
    }

    /// Calls `f` at each [`emit`](Emitter::emit), after the listeners that are registered already.
    pub fn on(&self, f: impl Fn(&E) + 'static) -> ListenerId {
        self.add(false, false, f)
    }

    /// Calls `f` at the next [`emit`](Emitter::emit) only. `f` is removed before it is called.
    ///
    /// ```
    /// use oneloop::Emitter;
    /// use std::{cell::Cell, rc::Rc};
    /// let ready = Emitter::<()>::new();
    /// let calls = Rc::new(Cell::new(0));
    /// let count = calls.clone();
    /// ready.once(move |()| count.set(count.get() + 1));
    /// ready.emit(&());
    /// ready.emit(&());
    /// assert_eq!(calls.get(), 1);
    /// ```
    pub fn once(&self, f: impl FnOnce(&E) + 'static) -> ListenerId {
        self.add(true, false, called_once(f))
    }

    /// As [`on`](Emitter::on), but calls `f` before the listeners that are registered already.
    pub fn prepend(&self, f: impl Fn(&E) + 'static) -> ListenerId {
        self.add(false, true, f)
    }

    /// As [`once`](Emitter::once), but calls `f` before the listeners that are registered already.
    pub fn prepend_once(&self, f: impl FnOnce(&E) + 'static) -> ListenerId {
        self.add(true, true, called_once(f))
    }

    fn add(&self, once: bool, first: bool, f: impl Fn(&E) + 'static) -> ListenerId {
        let id = ListenerId::next();
        let listener = Rc::new(Listener { id, once, f });
        let mut list = self.listeners.borrow_mut();
        let at = if first { 0 } else { list.len() };
        Rc::make_mut(&mut list).insert(at, listener);
        id
    }

    /// Removes a listener. Returns whether it was registered. An `emit` that is running still calls it, as in Node.
    pub fn off(&self, id: ListenerId) -> bool {
        let removed = {
            let mut list = self.listeners.borrow_mut();
            let at = list.iter().position(|listener| listener.id == id);
            at.map(|at| Rc::make_mut(&mut list).remove(at))
        };
        let was_there = removed.is_some();
        discard(removed);
        was_there
    }

    /// Removes all listeners. An `emit` that is running still calls them, as in Node.
    pub fn remove_all(&self) {
        drop(Snapshot(self.listeners.take()));
    }

    /// Calls the listeners that are registered now, one after another, before it returns. Listeners that are added during these
    /// calls are first called by the next `emit`. Returns whether there were any listeners.
    ///
    /// A panic of a listener is not caught, because your code made this call, not the loop. The panic goes on in the caller of
    /// `emit`, and the listeners after that one are not called.
    pub fn emit(&self, event: &E) -> bool {
        let snapshot = Snapshot(self.listeners.borrow().clone());
        for listener in snapshot.0.iter() {
            if listener.once {
                self.off(listener.id);
            }
            (listener.f)(event);
        }
        !snapshot.0.is_empty()
    }

    /// Returns the number of listeners.
    pub fn listener_count(&self) -> usize {
        self.listeners.borrow().len()
    }
}

/// Makes a `Fn` of a `FnOnce`: the second call does nothing. A second call of a `once` listener happens if one `emit` runs within
/// another: the inner one calls it, and the outer one still has it in its snapshot.
fn called_once<E: ?Sized>(f: impl FnOnce(&E) + 'static) -> impl Fn(&E) + 'static {
    let f = Cell::new(Some(f));
    move |event| {
        if let Some(f) = f.take() {
            f(event);
        }
    }
}

/// The listeners at the beginning of an `emit`. A snapshot may be the last owner of listeners that were removed during the
/// `emit`. It is dropped even if a listener panics.
struct Snapshot<E: ?Sized>(Rc<List<E>>);

impl<E: ?Sized> Drop for Snapshot<E> {
    fn drop(&mut self) {
        // Each listener is dropped separately: two panics within one drop would abort the process.
        for listener in Rc::into_inner(std::mem::take(&mut self.0)).into_iter().flatten() {
            discard(listener);
        }
    }
}

impl<E: ?Sized> Clone for Emitter<E> {
    fn clone(&self) -> Emitter<E> {
        Emitter { listeners: self.listeners.clone() }
    }
}

impl<E: ?Sized> Default for Emitter<E> {
    fn default() -> Emitter<E> {
        Emitter::new()
    }
}

impl<E: ?Sized> std::fmt::Debug for Emitter<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emitter").field("listeners", &self.listener_count()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    type Log = Rc<RefCell<Vec<&'static str>>>;

    fn note(log: &Log, text: &'static str) -> impl Fn(&u32) + 'static {
        let log = log.clone();
        move |_| log.borrow_mut().push(text)
    }

    #[test]
    fn listeners_are_called_in_order_and_prepended_ones_first() {
        let (emitter, log) = (Emitter::new(), Log::default());
        assert!(!emitter.emit(&0));
        emitter.on(note(&log, "on"));
        emitter.once(note(&log, "once"));
        emitter.prepend(note(&log, "prepend"));
        emitter.prepend_once(note(&log, "prepend_once"));
        assert_eq!(emitter.listener_count(), 4);
        assert!(emitter.emit(&0));
        assert!(emitter.clone().emit(&0));
        assert_eq!(*log.borrow(), ["prepend_once", "prepend", "on", "once", "prepend", "on"]);
        assert_eq!(emitter.listener_count(), 2);
    }

    #[test]
    fn the_payload_may_be_unsized() {
        let emitter = Emitter::<[u8]>::new();
        let seen = Rc::new(Cell::new(0));
        let inner = seen.clone();
        emitter.on(move |bytes| inner.set(bytes.len()));
        emitter.emit(b"four");
        assert_eq!(seen.get(), 4);
    }

    #[test]
    fn a_listener_may_remove_itself_and_others_and_add() {
        let (emitter, log) = (Emitter::new(), Log::default());
        let own = Rc::new(Cell::new(None));
        let (inner, inner_log, inner_own) = (emitter.clone(), log.clone(), own.clone());
        own.set(Some(emitter.on(move |_| {
            inner_log.borrow_mut().push("first");
            assert!(inner.off(inner_own.take().unwrap()));
            inner.remove_all();
            inner.on(note(&inner_log, "added"));
        })));
        emitter.on(note(&log, "removed during the emit"));
        emitter.emit(&0);
        assert_eq!(*log.borrow(), ["first", "removed during the emit"]);
        log.borrow_mut().clear();
        emitter.emit(&0);
        assert_eq!(*log.borrow(), ["added"]);
    }

    #[test]
    fn a_once_listener_is_gone_before_it_is_called_and_an_emit_within_does_not_call_it_twice() {
        let (emitter, log) = (Emitter::new(), Log::default());
        let inner = emitter.clone();
        let depth = Cell::new(0);
        emitter.on(move |_| {
            if depth.replace(1) == 0 {
                inner.emit(&1);
            }
        });
        let (inner, inner_log) = (emitter.clone(), log.clone());
        emitter.once(move |_| inner_log.borrow_mut().push(if inner.listener_count() == 1 { "gone" } else { "there" }));
        emitter.emit(&0);
        assert_eq!(*log.borrow(), ["gone"]);
    }

    #[test]
    fn off_knows_only_its_own_listeners_and_only_once() {
        let (one, other) = (Emitter::<u32>::new(), Emitter::<u32>::new());
        let id = one.on(|_| ());
        other.on(|_| ());
        assert!(!other.off(id));
        assert!(one.off(id));
        assert!(!one.off(id));
        assert_eq!((one.listener_count(), other.listener_count()), (0, 1));
    }

    /// Uses the emitter in its own drop. This would panic if the emitter's list were borrowed then.
    struct Nosy(Emitter<u32>, Rc<Cell<u32>>);

    impl Drop for Nosy {
        fn drop(&mut self) {
            self.0.on(|_| ());
            self.0.emit(&0);
            self.1.set(self.1.get() + 1);
        }
    }

    #[test]
    fn a_listener_is_dropped_while_nothing_is_borrowed() {
        let (emitter, drops) = (Emitter::<u32>::new(), Rc::new(Cell::new(0)));
        let listener = || {
            let nosy = Nosy(emitter.clone(), drops.clone());
            move |_: &u32| {
                let _ = &nosy;
            }
        };
        let id = emitter.on(listener());
        emitter.off(id);
        assert_eq!(drops.get(), 1);
        emitter.remove_all();
        emitter.once(listener());
        emitter.emit(&0);
        assert_eq!(drops.get(), 2);
        emitter.on(listener());
        emitter.remove_all();
        assert_eq!(drops.get(), 3);
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bomb");
        }
    }

    #[test]
    fn listeners_that_panic_while_they_are_dropped_are_contained() {
        let emitter = Emitter::<u32>::new();
        for _ in 0..2 {
            let bomb = Bomb;
            emitter.on(move |_| {
                let _ = &bomb;
            });
        }
        emitter.remove_all();
        assert_eq!(emitter.listener_count(), 0);
    }

    #[test]
    fn a_panic_comes_out_of_emit_and_the_emitter_goes_on() {
        let (emitter, log) = (Emitter::new(), Log::default());
        let (inner, drops) = (emitter.clone(), Rc::new(Cell::new(0)));
        let nosy = Nosy(emitter.clone(), drops.clone());
        emitter.on(move |_| {
            let _ = &nosy;
            inner.remove_all();
            panic!("a listener");
        });
        emitter.on(note(&log, "not reached"));
        assert!(catch_unwind(AssertUnwindSafe(|| emitter.emit(&0))).is_err());
        assert_eq!((drops.get(), log.borrow().len()), (1, 0));
        emitter.on(note(&log, "reached"));
        emitter.emit(&0);
        assert_eq!(*log.borrow(), ["reached"]);
    }
}
