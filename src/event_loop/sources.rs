//! The methods by which sources are added to the loop, are given turns, and are removed.

use super::{Due, Kind, Loop, Source, Token};
use std::rc::Rc;

impl Loop {
    /// Adds a source. Its owner calls [`Loop::hold`] if it is to keep the loop alive.
    pub(crate) fn insert(&self, source: Rc<dyn Source>) -> Token {
        let is_signals = source.kind() == Kind::Signals;
        let token = self.registry.insert(source);
        if is_signals {
            self.signals.set(token);
        }
        token
    }

    /// Counts a source that keeps the loop alive.
    pub(crate) fn hold(&self) {
        self.referenced.set(self.referenced.get() + 1);
    }

    /// Counts a source that no longer keeps the loop alive.
    pub(crate) fn release(&self) {
        self.referenced.set(self.referenced.get().saturating_sub(1));
    }

    pub(crate) fn set_due(&self, token: Token, due: Due) {
        self.registry.set_due(token, due);
    }

    /// Gives a source a turn in the next pending phase. The source itself makes sure that it is on the ready list only once.
    pub(crate) fn make_ready(&self, token: Token) {
        self.ready.borrow_mut().push_back(token);
    }

    /// Gives a source its last turn, in the closing phase. The source calls this when it has closed.
    pub(crate) fn make_closing(&self, token: Token) {
        self.closing.borrow_mut().push_back(token);
    }

    /// Returns whether any source has closed and has not had its last turn.
    #[inline]
    #[cfg(feature = "app")]
    pub(crate) fn has_closing(&self) -> bool {
        !self.closing.borrow().is_empty()
    }

    /// Removes a source whose start failed before any callback knew of it.
    pub(crate) fn remove(&self, token: Token) {
        let removed = self.registry.remove(token);
        drop(removed);
    }

    pub(crate) fn sources(&self) -> Vec<Rc<dyn Source>> {
        self.registry.snapshot()
    }
}
