//! The turns that the loop gives.

use super::{State, Stream, flag};
use crate::event_loop::driver::Ready;
use crate::event_loop::{Due, Kind, Loop, Source, Token};
use crate::net::CloseReason;
use crate::net::protocol::Nobody;
use std::any::Any;
use std::io::ErrorKind;
use std::rc::Rc;

/// Bytes that one turn writes before the others have theirs, as many as it reads. With 1 MiB, two hundred downloads at full
/// speed kept everybody else waiting for 100 ms.
pub(super) const WRITE_BUDGET: usize = 256 * 1024;
/// Times that one turn tells its protocol that output went out, however little that was.
const ROUNDS: u32 = 64;

impl Stream {
    /// Runs a turn with the cork, and writes what it left there.
    pub(super) fn corked(self: &Rc<Self>, turn: impl FnOnce()) {
        self.cx.corked.set(self.token.get());
        let before = self.written.get();
        let was_blocked = self.has(flag::BLOCKED);
        turn();
        self.flush_cork();
        if self.has(flag::TELL | flag::END) || self.state.get() == State::Finishing {
            self.go_on_writing(before);
        }
        self.cx.corked.set(Token::NONE);
        if self.has(flag::BLOCKED) && !self.is_closed() {
            self.refused(was_blocked);
        }
    }

    /// Tells who waits for output to go, and writes what that leaves in the cork.
    #[inline(never)]
    fn go_on_writing(self: &Rc<Self>, before: u64) {
        let mut rounds = 0;
        while !self.has(flag::BROKEN) && (self.has(flag::TELL | flag::END) || self.state.get() == State::Finishing) {
            if self.written.get() - before > WRITE_BUDGET as u64 || rounds == ROUNDS {
                self.queue();
                return;
            }
            rounds += 1;
            if !self.after_flush(before) {
                return;
            }
            self.flush_cork();
        }
    }

    /// The kernel has refused output in this turn, or refuses it still.
    #[cold]
    fn refused(self: &Rc<Self>, was_blocked: bool) {
        let protocol = self.protocol();
        if self.output_held() > protocol.pending_limit() {
            self.destroy(CloseReason::Overflow);
        } else if !was_blocked {
            protocol.blocked(self);
        }
    }

    /// What waits for output to go. Says whether the protocol was called, and may have written more.
    pub(super) fn after_flush(self: &Rc<Self>, before: u64) -> bool {
        let pending = self.output_len();
        match self.state.get() {
            State::Finishing if pending == 0 => self.linger(),
            State::Open if pending == 0 && self.has(flag::END) && !self.has(flag::SHUT) => self.shut(),
            _ => {}
        }
        let progress = self.written.get() != before || pending == 0;
        if self.has(flag::TELL) && progress && !self.is_closed() {
            if pending == 0 {
                self.clear(flag::TELL);
            }
            self.protocol().sent(self, pending);
            return pending == 0;
        }
        false
    }

    #[cold]
    fn take_error(&self) {
        if !self.is_closed() && !self.has(flag::BROKEN) && !self.wants_input() {
            let error = self.with_io(|io| io.take_error().ok().flatten()).flatten();
            self.fail(error.unwrap_or_else(|| ErrorKind::ConnectionReset.into()));
        }
    }

    #[cold]
    fn tell_fin_hint(self: &Rc<Self>) {
        if self.state.get() == State::Open && !self.has(flag::EOF | flag::BROKEN) {
            self.protocol().fin_hinted(self);
        }
    }

    fn shut(&self) {
        self.set(flag::SHUT);
        self.with_io(|io| io.shutdown_write());
        // What is held back is for the protocol, which closes when it has taken it.
        if self.has(flag::EOF) && self.input.is_empty() {
            self.destroy(CloseReason::Finished);
        }
    }
}

impl Source for Stream {
    fn turn(self: Rc<Self>, _lp: &Rc<Loop>, ready: Ready) {
        if self.is_closed() {
            return;
        }
        self.corked(|| {
            if ready.has(Ready::READ.with(Ready::READ_CLOSED)) {
                self.set(flag::READABLE);
                if ready.has(Ready::READ_CLOSED) {
                    self.set(flag::FIN_HINT);
                }
            }
            if ready.has(Ready::WRITE) {
                self.clear(flag::BLOCKED);
                self.flush_output();
            }
            self.receive();
            if ready.has(Ready::READ_CLOSED) {
                self.tell_fin_hint();
            }
            // Reading ends with the error, where anybody reads.
            if ready.has(Ready::ERROR) {
                self.take_error();
            }
        });
    }

    fn resume(self: Rc<Self>, _lp: &Rc<Loop>) {
        self.clear(flag::QUEUED);
        if self.is_closed() {
            return;
        }
        if self.has(flag::BROKEN) {
            return self.close_with_ending();
        }
        // Its output waits for the connection.
        if self.is_connecting() {
            return;
        }
        self.corked(|| {
            self.flush_output();
            if self.has(flag::RESUME) && self.state.get() == State::Open {
                self.clear(flag::RESUME);
                self.give_held();
                if !self.is_closed() {
                    self.protocol().resume(&self);
                }
            }
            self.receive();
        });
    }

    fn due(self: Rc<Self>, _lp: &Rc<Loop>) {
        self.due.set(Due::NEVER);
        match self.state.get() {
            State::Closed => {}
            State::Lingering => self.linger_due(),
            _ => self.corked(|| self.protocol().due(&self)),
        }
    }

    fn closed(self: Rc<Self>, _lp: &Rc<Loop>) {
        let protocol = self.protocol.replace(Rc::new(Nobody));
        let (reason, error) = match self.ending.take() {
            Some(ending) => (ending.reason, ending.error),
            None => (CloseReason::Destroyed, None),
        };
        protocol.close(&self, reason, error.as_ref());
    }

    fn teardown(&self) {
        if !self.is_closed() {
            self.cx.lp.driver().descriptors().connection_closed();
        }
        self.state.set(State::Closed);
        let io = self.io.borrow_mut().take();
        drop(io);
        self.input.take();
        self.output.take();
        let protocol = self.protocol.replace(Rc::new(Nobody));
        protocol.teardown();
    }

    fn kind(&self) -> Kind {
        Kind::Connection
    }

    fn buffered(&self) -> usize {
        self.input.len() + self.output_held()
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
