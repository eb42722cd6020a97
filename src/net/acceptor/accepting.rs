//! Takes connections from the listening socket, and makes streams of them. Whether there are descriptors for one more
//! connection is decided by `Room::may_accept` (`net/room.rs`), by the counts in `event_loop/driver/descriptors.rs`.

use super::{Acceptor, Owner};
use crate::event_loop::{Time, set_timeout};
use crate::net::{Accepted, Protocol, Stream};
use crate::notice;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

/// How many connections one turn accepts before other sources have their turns.
pub(super) const BUDGET: usize = 64;

/// How long an acceptor waits before it tries again if there is no descriptor left, not even the spare one.
const RETRY: Duration = Duration::from_millis(100);
/// The shortest time between two lines of the log about a lack of descriptors.
const COMPLAIN_EVERY: Time = Time::from_secs(1);

impl Acceptor {
    pub(super) fn give(&self, owner: &Rc<dyn Owner>, connection: Accepted) {
        if self.connections() >= self.max_connections.get() {
            owner.clone().dropped(connection);
        } else {
            owner.clone().accepted(connection);
        }
    }

    fn accept(self: &Rc<Self>) {
        let Some(owner) = self.owner.borrow().clone() else { return };
        for _ in 0..BUDGET {
            if !self.acceptable.get() || !self.is_listening() {
                break;
            }
            if self.cx.lp.is_halted() {
                break;
            }
            if !self.room.may_accept() {
                // The connection stays in the backlog.
                return if self.room.is_making_room() { self.queue() } else { self.wait_for_room() };
            }
            let accepted = match &*self.listener.borrow() {
                Some(listener) => self.cx.lp.driver().accept(listener),
                None => return,
            };
            match accepted {
                Ok((io, peer)) => {
                    self.room.accepted();
                    self.give(&owner, Accepted { io, peer });
                }
                Err(error) => self.settle(&error),
            }
        }
        if self.acceptable.get() || self.room.is_making_room() {
            self.queue();
        }
    }

    fn settle(self: &Rc<Self>, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => {
                self.acceptable.set(false);
                self.room.nobody_waits();
            }
            // A signal has interrupted the call; the next one may succeed.
            ErrorKind::Interrupted => {}
            _ if is_about_one(error) => {
                log::debug!(target: "oneloop::net", "a connection was gone before it was accepted: {error}");
            }
            _ => self.out_of_descriptors(error),
        }
    }

    /// Handles EMFILE, ENFILE, or a lack of memory: an idle connection is closed to make room. If no connection is idle, the
    /// new one is accepted and closed at once, so that its peer learns at once that it is not served. If even that fails, the
    /// acceptor tries again later.
    #[cold]
    fn out_of_descriptors(self: &Rc<Self>, error: &io::Error) {
        let now = self.cx.lp.now();
        if self.complained.get().is_none_or(|at| now >= at + COMPLAIN_EVERY) {
            self.complained.set(Some(now));
            notice::error!(target: "oneloop::net", "cannot accept connections: {error}");
        }
        if self.room.is_making_room() || self.room.ask_one_to_leave() {
            self.acceptable.set(false);
            return self.queue();
        }
        let shed = match &*self.listener.borrow() {
            Some(listener) => self.cx.lp.driver().shed(listener),
            None => return,
        };
        match shed {
            Ok(true) => {}
            Ok(false) => self.acceptable.set(false),
            Err(_) => self.wait_for_room(),
        }
    }

    fn wait_for_room(self: &Rc<Self>) {
        self.cx.wait_for_room(self.token.get());
        // The close of a file or of another loop's connection does not wake this loop, so the acceptor also tries again after
        // a time.
        self.retry_later();
    }

    fn retry_later(self: &Rc<Self>) {
        self.acceptable.set(false);
        if self.retrying.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        let retry = move || {
            if let Some(acceptor) = weak.upgrade() {
                acceptor.retrying.set(false);
                acceptor.accept_waiting();
            }
        };
        set_timeout(RETRY, retry).unref();
    }

    /// Accepts the connections that the kernel has, up to the budget of a turn.
    pub(super) fn accept_waiting(self: &Rc<Self>) {
        if self.is_listening() {
            self.acceptable.set(true);
            self.accept();
        }
    }

    /// Makes the stream of an accepted connection, which counts as one of [`connections`](Acceptor::connections) until it
    /// has closed.
    pub fn stream(self: &Rc<Self>, connection: Accepted, protocol: Rc<dyn Protocol>) -> Option<Rc<Stream>> {
        let Accepted { io, peer } = connection;
        watched(Stream::accepted(&self.cx, Some(&self.connections), io, peer, protocol))
    }

    /// Makes the stream of a connection beyond the limit. It is not counted among the connections: its protocol only
    /// refuses it and closes it.
    pub fn dropped_stream(&self, connection: Accepted, protocol: Rc<dyn Protocol>) -> Option<Rc<Stream>> {
        let Accepted { io, peer } = connection;
        watched(Stream::accepted(&self.cx, None, io, peer, protocol))
    }
}

fn watched(stream: io::Result<Rc<Stream>>) -> Option<Rc<Stream>> {
    match stream {
        Ok(stream) => Some(stream),
        Err(error) => {
            notice::error!(target: "oneloop::net", "cannot watch a connection: {error}");
            None
        }
    }
}

/// Returns whether the error of an accept concerns one connection only: the peer has closed it already, or the network has
/// failed (see accept(2)). The next accept may succeed.
pub(super) fn is_about_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::PermissionDenied
    )
}
