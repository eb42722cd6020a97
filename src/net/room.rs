use super::{CloseReason, Context, Stream};
use crate::event_loop::{Moment, Time};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// How many idle connections one look through all connections collects, so that not each new connection costs such a look.
const FOUND: usize = 64;
/// If none was idle, all connections are not looked at again before this time has passed.
const NOT_BEFORE: Time = Time::from_millis(100);
/// The shortest time between two lines of the log about this.
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
///   found ──no room, but a new connection──► leaving ──a look at all that the kernel has──► still idle: closed
///     ▲───────── nobody was waiting ────────────┘                                           └ else: another in its place
/// ```
#[derive(Default)]
pub(super) struct Room {
    /// The connections that have been idle longest of all, the longest last.
    found: RefCell<Vec<Idle>>,
    /// Connections that close if they are still idle when everything that they had sent up to that moment has had its turn.
    leaving: RefCell<Vec<(Moment, Idle)>>,
    /// True if the last of `leaving` makes room for a connection that has not come yet.
    spare: Cell<bool>,
    found_none: Cell<Option<Time>>,
    complained: Cell<Option<Time>>,
}

impl Context {
    /// Returns whether one more connection may be accepted. Then [`Context::accepted`] or [`Context::nobody_waits`] follows.
    pub(super) fn may_accept(&self) -> bool {
        let leaving = self.room.leaving.borrow().len();
        self.lp.driver().descriptors().has_room(leaving) || self.room.spare.get() || self.ask_one_to_leave()
    }

    pub(super) fn accepted(&self) {
        self.room.spare.set(false);
    }

    /// No connection waits to be accepted, so the one that was to leave for it may stay.
    pub(super) fn nobody_waits(&self) {
        if self.room.spare.replace(false) {
            let stays = self.room.leaving.borrow_mut().pop();
            self.room.found.borrow_mut().extend(stays.map(|(_, idle)| idle));
        }
    }

    /// Returns whether idle connections are about to close, so that there will be room a turn later.
    pub(super) fn is_making_room(&self) -> bool {
        !self.room.leaving.borrow().is_empty()
    }

    /// Asks the connection that has been idle longest to leave. Returns whether there is one.
    #[cold]
    pub(super) fn ask_one_to_leave(&self) -> bool {
        if self.room.leaving.borrow().len() >= self.lp.driver().descriptors().ahead() {
            return false;
        }
        let idle = self.longest_idle();
        self.complain(idle.is_some());
        let Some(idle) = idle else { return false };
        self.room.leaving.borrow_mut().push((self.lp.this_moment(), idle));
        self.room.spare.set(true);
        true
    }

    /// Closes the connections that were asked to leave and are known to have sent nothing since, in a turn of the pending
    /// phase. Returns whether others are still to close.
    pub(super) fn close_leaving(&self) -> bool {
        if !self.is_making_room() {
            return false;
        }
        // From here on nobody has to make room for a connection that has not come yet.
        self.room.spare.set(false);
        for (asked, idle) in self.room.leaving.take() {
            if !self.lp.has_looked_since(asked) {
                self.room.leaving.borrow_mut().push((asked, idle));
            } else if let Some(stream) = still_idle(&idle) {
                stream.destroy(CloseReason::MadeRoom);
            } else if let Some(other) = self.longest_idle() {
                self.room.leaving.borrow_mut().push((self.lp.this_moment(), other));
            }
        }
        self.is_making_room()
    }

    fn longest_idle(&self) -> Option<Idle> {
        loop {
            let next = self.room.found.borrow_mut().pop();
            match next {
                Some(idle) if still_idle(&idle).is_some() => return Some(idle),
                Some(_) => {}
                None if self.find_idle() => {}
                None => return None,
            }
        }
    }

    /// Looks through all connections. Returns whether one is idle and not about to close.
    fn find_idle(&self) -> bool {
        let now = self.lp.now();
        if self.room.found_none.get().is_some_and(|at| now < at + NOT_BEFORE) {
            return false;
        }
        let mut found: Vec<Idle> = Vec::with_capacity(2 * FOUND);
        for stream in self.streams() {
            let Some(since) = stream.idle_since() else { continue };
            if self.room.leaving.borrow().iter().any(|(_, idle)| idle.stream.as_ptr() == Rc::as_ptr(&stream)) {
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
        self.room.found_none.set((!any).then_some(now));
        self.room.found.replace(found);
        any
    }

    fn complain(&self, anybody_idle: bool) {
        let now = self.lp.now();
        if self.room.complained.get().is_some_and(|at| now < at + COMPLAIN_EVERY) {
            return;
        }
        self.room.complained.set(Some(now));
        let descriptors = self.lp.driver().descriptors();
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

/// The connection, if it has done nothing since it was found.
fn still_idle(idle: &Idle) -> Option<Rc<Stream>> {
    idle.stream.upgrade().filter(|stream| stream.idle_since() == Some(idle.since))
}

impl Stream {
    /// Since when the connection has been idle, so that its end would harm nobody. `None` if it is in use, or if the
    /// library may not decide that.
    fn idle_since(self: &Rc<Self>) -> Option<Time> {
        if self.is_open() && self.pending() == 0 { self.protocol().idle_since(self) } else { None }
    }
}
