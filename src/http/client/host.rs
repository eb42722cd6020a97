//! What a pool knows of one server: its connections, and the calls that wait for one.

use super::call::Call;
use super::connection::Connection;
use crate::event_loop::Deadline;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// What the pool knows of one place.
#[derive(Default)]
pub(super) struct Host {
    /// The slots that are taken: connections that are being made, in use, or free.
    pub open: usize,
    /// Those of them that are being made.
    pub dialing: usize,
    /// The newest is at the end.
    pub free: Vec<Rc<Connection>>,
    pub waiting: VecDeque<Waiting>,
    /// All connections, to end them.
    pub all: Vec<Weak<Connection>>,
}

/// A call that waits for a connection.
pub(super) struct Waiting {
    /// Ascending: who has waited longest has the smallest.
    pub number: u64,
    pub call: Rc<Call>,
    pub timer: Deadline,
}

impl Host {
    /// Returns whether there is nothing to do with this place any more.
    pub fn is_unused(&self) -> bool {
        self.open == 0 && !self.is_awaited()
    }

    /// Returns whether a call waits for a connection.
    pub fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns whether fewer connections are being made than calls wait.
    pub fn wants_dial(&self) -> bool {
        self.dialing < self.waiting.len()
    }
}
