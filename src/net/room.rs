use super::{CloseReason, Context, Stream};
use crate::event_loop::{Moment, Time};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// Connections that a look through all of them finds, so that each new one does not cost such a look.
const FOUND: usize = 64;
/// Where nobody was idle, there is no other look through all connections before this has passed.
const NOT_BEFORE: Time = Time::from_millis(100);
/// The log says so once in so long.
const COMPLAIN_EVERY: Time = Time::from_secs(10);

/// An idle connection.
struct Idle {
    since: Time,
    stream: Weak<Stream>,
}

/// Room for new connections where descriptors run out: for each of them the one goes that has been idle longest.
///
/// ```text
///   found ──no room, but a new connection──► leaving ──a look at all that the kernel has──► still idle: closed
///     ▲───────── nobody was waiting ────────────┘                                           └ else: another in its place
/// ```
#[derive(Default)]
pub(super) struct Room {
    /// Those that have been idle longest of all, the longest last.
    found: RefCell<Vec<Idle>>,
    /// Those that go as soon as what they have sent until that moment has had its turn, if they are idle then.
    leaving: RefCell<Vec<(Moment, Idle)>>,
    /// The last of `leaving` makes room for a connection that has not come yet.
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

    /// Nobody waits to be accepted: who was to go for that need not.
    pub(super) fn nobody_waits(&self) {
        if self.room.spare.replace(false) {
            let stays = self.room.leaving.borrow_mut().pop();
            self.room.found.borrow_mut().extend(stays.map(|(_, idle)| idle));
        }
    }

    /// Returns whether connections are about to go that have been idle: a turn later there is room.
    pub(super) fn is_making_room(&self) -> bool {
        !self.room.leaving.borrow().is_empty()
    }

    /// Has the connection that has been idle longest leave. Says whether there is one.
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

    /// Closes those that had been asked to leave, as far as it is known that they have sent nothing since: in a turn of the
    /// pending phase. Says whether others are still to go.
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

    /// Looks through all connections. Says whether one is idle, and not about to go.
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

/// The connection, where it has done nothing since.
fn still_idle(idle: &Idle) -> Option<Rc<Stream>> {
    idle.stream.upgrade().filter(|stream| stream.idle_since() == Some(idle.since))
}

impl Stream {
    /// Since when nothing is going on that its end would cost anybody. `None`: something is, or it is not for the library to
    /// say.
    fn idle_since(self: &Rc<Self>) -> Option<Time> {
        if self.is_open() && self.pending() == 0 { self.protocol().idle_since(self) } else { None }
    }
}
