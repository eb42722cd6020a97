//! The last connections of a server that closes: those that wait in the backlog of its listening socket.

use super::Acceptor;
use super::accepting::{BUDGET, is_about_one};
use crate::event_loop::driver::Listener;
use crate::net::Accepted;
use std::io::ErrorKind;
use std::rc::Rc;

/// How many connections a server takes from its backlog when it closes: the most that Linux keeps by default
/// (`net.core.somaxconn`).
const LAST: usize = 4_096;

impl Acceptor {
    /// Accepts all connections that wait in the backlog, at most `LAST`. It calls no callback: the owner gets the
    /// connections in the acceptor's next turn.
    pub(super) fn take_backlog(&self, listener: &Listener) {
        let mut last = self.last.borrow_mut();
        for _ in 0..LAST {
            match self.cx.lp.driver().accept(listener) {
                Ok((io, peer)) => last.push_back(Accepted { io, peer }),
                Err(error) if is_about_one(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Gives connections that were taken from the backlog to the owner. Returns whether more are left.
    fn accept_last(self: &Rc<Self>) -> bool {
        let Some(owner) = self.owner.borrow().clone() else { return false };
        for _ in 0..BUDGET {
            if self.cx.lp.is_halted() {
                return true;
            }
            let next = self.last.borrow_mut().pop_front();
            match next {
                Some(connection) => self.give(&owner, connection),
                None => return false,
            }
        }
        !self.last.borrow().is_empty()
    }

    /// Called by the owner before it closes its idle connections, because their requests may wait in the kernel already. When
    /// the loop has handled all input that the kernel has now, the acceptor calls [`Owner::looked`]. Without connections
    /// there is no call.
    pub fn look(&self) {
        if self.connections() > 0 || self.has_last() {
            self.looking.set(Some(self.cx.lp.this_moment()));
            self.queue();
        }
    }

    /// Closes the connections that were taken from the backlog and not yet given to the owner.
    pub fn drop_last(&self) {
        let last = self.last.take();
        drop(last);
    }

    /// Returns whether connections that were taken from the backlog are still to be given to the owner.
    pub fn has_last(&self) -> bool {
        !self.last.borrow().is_empty()
    }

    /// Runs in a turn of the acceptor: gives the rest of the backlog to the owner, then waits until the loop has handled
    /// all input that the kernel has, and tells the owner.
    pub(super) fn end_backlog(self: &Rc<Self>) {
        let had_some = !self.last.borrow().is_empty();
        if self.accept_last() {
            return self.queue();
        }
        if had_some {
            self.check_closed();
        }
        if had_some && self.looking.get().is_some() {
            // Wait once more: the new connections may have sent input already.
            return self.look();
        }
        let Some(moment) = self.looking.get() else { return self.check_closed() };
        if !self.cx.lp.has_looked_since(moment) {
            return self.queue();
        }
        self.looking.set(None);
        let owner = self.owner.borrow().clone();
        if let Some(owner) = owner {
            owner.looked();
        }
        self.check_closed();
    }
}
