//! The one read path.

use super::{State, Stream, flag};
use crate::net::transport::{self, Received};
use std::rc::Rc;

/// Bytes that one turn reads before the others have theirs.
const READ_BUDGET: usize = 256 * 1024;
/// epoll and kqueue tell of what comes after a short read; elsewhere only `WouldBlock` ends reading.
const SHORT_READ_ENDS: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
));

impl Stream {
    pub fn pause(&self) {
        self.set(flag::PAUSED);
    }

    pub fn resume_reading(&self) {
        if self.has(flag::PAUSED) {
            self.clear(flag::PAUSED);
            self.make_ready();
        }
    }

    pub fn is_paused(&self) -> bool {
        self.has(flag::PAUSED)
    }

    #[inline]
    pub(super) fn wants_input(&self) -> bool {
        self.has(flag::READABLE) && self.takes_input()
    }

    fn takes_input(&self) -> bool {
        !self.has(flag::EOF)
            && match self.state.get() {
                State::Open => {
                    !self.has(flag::PAUSED) && (self.input.is_empty() || self.input.len() < self.protocol().held())
                }
                State::Finishing | State::Lingering => true,
                State::Connecting | State::Closed => false,
            }
    }

    /// The one read path. Inlined for the reason that `flush_cork` has.
    #[inline(always)]
    pub(super) fn receive(self: &Rc<Self>) {
        let mut budget = READ_BUDGET;
        while self.wants_input() {
            if budget == 0 {
                self.queue();
                return;
            }
            let mut landing = self.cx.take_landing();
            // Behind what is held there is only room for the rest of what may be.
            let room = if self.input.is_empty() { landing.len() } else { self.room_behind_held(landing.len()) };
            let received = match (&*self.io.borrow(), landing.get_mut(..room)) {
                (Some(io), Some(landing)) => transport::receive(io, landing),
                _ => Received::Nothing,
            };
            match received {
                Received::Bytes(count) => {
                    if SHORT_READ_ENDS && count < room && !self.has(flag::FIN_HINT) {
                        self.clear(flag::READABLE);
                    }
                    budget = budget.saturating_sub(count);
                    self.read.set(self.read.get() + count as u64);
                    self.cx.lp.record_read(count);
                    if let Some(bytes) = landing.get_mut(..count) {
                        self.deliver(bytes);
                    }
                }
                Received::End => self.received_end(),
                Received::Nothing => self.clear(flag::READABLE),
                Received::Failed(error) => self.fail(error),
            }
            self.cx.put_landing(landing);
        }
    }

    #[cold]
    fn room_behind_held(&self, most: usize) -> usize {
        self.protocol().held().saturating_sub(self.input.len()).clamp(1, most)
    }

    #[cold]
    fn received_end(self: &Rc<Self>) {
        self.clear(flag::READABLE);
        // A write that failed has taken the error off the socket; what is left looks like an end.
        if !self.has(flag::BROKEN) {
            self.ended();
        }
    }

    #[inline(always)]
    fn deliver(self: &Rc<Self>, bytes: &mut [u8]) {
        if self.state.get() != State::Open {
            self.discard(bytes.len());
        } else if self.input.is_empty() {
            let consumed = self.give(bytes);
            if consumed < bytes.len() && self.state.get() == State::Open {
                self.input.append(bytes.get(consumed..).unwrap_or_default());
            }
        } else {
            self.input.append(bytes);
            self.give_held();
        }
    }

    /// Gives bytes to the protocol, and what it leaves to the one that has replaced it.
    fn give(self: &Rc<Self>, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        loop {
            self.clear(flag::REPLACED);
            at += self.protocol().data(self, bytes.get_mut(at..).unwrap_or_default());
            if !self.has(flag::REPLACED) || at >= bytes.len() || self.state.get() != State::Open {
                return at;
            }
        }
    }

    pub(super) fn give_held(self: &Rc<Self>) {
        self.input.consume(|bytes| self.give(bytes));
        if self.state.get() != State::Open {
            self.input.take();
        }
    }

    fn ended(self: &Rc<Self>) {
        self.set(flag::EOF);
        match self.state.get() {
            // That it says nothing more is no sign that it has read what was said.
            State::Lingering if !self.has(flag::PARTIAL) => self.close_with_ending(),
            State::Open => self.protocol().eof(self),
            _ => {}
        }
    }

    pub(super) fn discard(self: &Rc<Self>, count: usize) {
        let Some(mut ending) = self.ending.take() else { return };
        ending.discarded += count;
        ending.last_read = self.cx.lp.now();
        let too_much = ending.linger.is_none_or(|linger| ending.discarded > linger.bytes);
        self.ending.set(Some(ending));
        if too_much {
            match self.state.get() {
                State::Lingering => self.close_with_ending(),
                // The output still goes out; what comes in stays with the kernel.
                _ => self.clear(flag::READABLE),
            }
        }
    }
}
