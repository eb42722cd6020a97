use super::{CloseReason, Context, Stream};
use crate::event_loop::{Moment, Time};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// How many idle connections one search collects. A search goes through all connections. It collects several, so that not every
/// new connection needs a search.
const FOUND: usize = 64;
/// If a search has found no idle connection, the next search begins after this time at the earliest.
const NOT_BEFORE: Time = Time::from_millis(100);
/// The shortest time between two lines of the log about a lack of descriptors.
const COMPLAIN_EVERY: Time = Time::from_secs(10);

/// An idle connection.
struct Idle {
    since: Time,
    stream: Weak<Stream>,
}

/// Makes room for new connections when descriptors run out: for each of them, the connection that has been idle longest is
/// closed.
///
/// ```text
///   found ──no descriptor is left to accept with──► leaving ──all input so far was handled──► still idle: closed
///     ▲────── no connection waits to be accepted ──────┘                                     └ in use again: another leaves
/// ```
pub(super) struct Room {
    cx: Rc<Context>,
    /// Idle connections that the last search (`find_idle`) collected, as candidates to be closed. The one that has been idle
    /// longest is at the end, and is taken first.
    found: RefCell<Vec<Idle>>,
    /// Connections that were asked to leave, each with the moment at which it was asked. A connection is closed if it is
    /// still idle when the loop has handled all input that had come up to that moment.
    leaving: RefCell<Vec<(Moment, Idle)>>,
    /// True if the last connection in `leaving` was asked to leave for a connection that has not been accepted yet.
    spare: Cell<bool>,
    found_none: Cell<Option<Time>>,
    complained: Cell<Option<Time>>,
}

impl Room {
    /// The room of a loop, made at the first call.
    pub(super) fn of(cx: &Rc<Context>) -> Rc<Room> {
        cx.lp.local(|_| {
            Rc::new(Room {
                cx: cx.clone(),
                found: RefCell::default(),
                leaving: RefCell::default(),
                spare: Cell::new(false),
                found_none: Cell::new(None),
                complained: Cell::new(None),
            })
        })
    }

    /// Returns whether one more connection may be accepted. Then [`Room::accepted`] or [`Room::nobody_waits`] follows.
    pub(super) fn may_accept(&self) -> bool {
        let leaving = self.leaving.borrow().len();
        self.cx.lp.driver().descriptors().has_room(leaving) || self.spare.get() || self.ask_one_to_leave()
    }

    pub(super) fn accepted(&self) {
        self.spare.set(false);
    }

    /// No connection waits to be accepted, so the idle connection that was asked to make room may stay.
    pub(super) fn nobody_waits(&self) {
        if self.spare.replace(false) {
            let stays = self.leaving.borrow_mut().pop();
            self.found.borrow_mut().extend(stays.map(|(_, idle)| idle));
        }
    }

    /// Returns whether idle connections are about to close, so that there will be room a turn later.
    pub(super) fn is_making_room(&self) -> bool {
        !self.leaving.borrow().is_empty()
    }

    /// Asks the connection that has been idle longest to leave. Returns whether there is one.
    #[cold]
    pub(super) fn ask_one_to_leave(&self) -> bool {
        if self.leaving.borrow().len() >= self.cx.lp.driver().descriptors().ahead() {
            return false;
        }
        let idle = self.longest_idle();
        self.complain(idle.is_some());
        let Some(idle) = idle else { return false };
        self.leaving.borrow_mut().push((self.cx.lp.this_moment(), idle));
        self.spare.set(true);
        true
    }

    /// Closes the connections that were asked to leave and are known to have sent nothing since. If one is in use again,
    /// another is asked instead. Runs in the pending phase. Returns whether connections that were asked to leave are still
    /// open.
    pub(super) fn close_leaving(&self) -> bool {
        if !self.is_making_room() {
            return false;
        }
        // From now on, no connection in `leaving` is reserved for a connection that has not been accepted yet.
        self.spare.set(false);
        for (asked, idle) in self.leaving.take() {
            if !self.cx.lp.has_looked_since(asked) {
                self.leaving.borrow_mut().push((asked, idle));
            } else if let Some(stream) = still_idle(&idle) {
                stream.destroy(CloseReason::MadeRoom);
            } else if let Some(other) = self.longest_idle() {
                self.leaving.borrow_mut().push((self.cx.lp.this_moment(), other));
            }
        }
        self.is_making_room()
    }

    fn longest_idle(&self) -> Option<Idle> {
        loop {
            let next = self.found.borrow_mut().pop();
            match next {
                Some(idle) if still_idle(&idle).is_some() => return Some(idle),
                Some(_) => {}
                None if self.find_idle() => {}
                None => return None,
            }
        }
    }

    /// Searches all connections. Returns whether it found an idle one that was not asked to leave yet.
    fn find_idle(&self) -> bool {
        let now = self.cx.lp.now();
        if self.found_none.get().is_some_and(|at| now < at + NOT_BEFORE) {
            return false;
        }
        let mut found: Vec<Idle> = Vec::with_capacity(2 * FOUND);
        for stream in Stream::all(&self.cx.lp) {
            let Some(since) = stream.idle_since() else { continue };
            if self.leaving.borrow().iter().any(|(_, idle)| idle.stream.as_ptr() == Rc::as_ptr(&stream)) {
                continue;
            }
            found.push(Idle { since, stream: Rc::downgrade(&stream) });
            if found.len() == 2 * FOUND {
                found.select_nth_unstable_by_key(FOUND, |idle| idle.since);
                found.truncate(FOUND);
            }
        }
        found.sort_by_key(|idle| idle.since);
        found.truncate(FOUND);
        found.reverse();
        let any = !found.is_empty();
        self.found_none.set((!any).then_some(now));
        self.found.replace(found);
        any
    }

    fn complain(&self, anybody_idle: bool) {
        let now = self.cx.lp.now();
        if self.complained.get().is_some_and(|at| now < at + COMPLAIN_EVERY) {
            return;
        }
        self.complained.set(Some(now));
        let descriptors = self.cx.lp.driver().descriptors();
        let then = if anybody_idle {
            "for each new connection the one that has been idle longest is closed"
        } else {
            "new connections wait until one ends"
        };
        notice::warn!(
            target: "oneloop::net",
            "{} connections and {} files that are being sent leave no file descriptor (of {}): {then}. \
             Let the process open more files: `ulimit -n`, or LimitNOFILE= of systemd",
            descriptors.connections(), descriptors.files(), descriptors.limit(),
        );
    }
}

/// Returns the connection, if it has been idle ever since the search found it.
fn still_idle(idle: &Idle) -> Option<Rc<Stream>> {
    idle.stream.upgrade().filter(|stream| stream.idle_since() == Some(idle.since))
}

impl Stream {
    /// The time since which the connection has been idle, so that a close harms nobody. `None` if it is in use, or if its
    /// protocol does not let the library close it.
    fn idle_since(self: &Rc<Self>) -> Option<Time> {
        if self.is_in_use() && self.pending() == 0 { self.protocol().idle_since(self) } else { None }
    }
}
