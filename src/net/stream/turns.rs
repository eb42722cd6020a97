//! The turns that the loop gives to a stream.

use super::{Event, Stream};
use crate::event_loop::driver::Ready;
use crate::event_loop::{Due, Kind, Loop, Source, Token};
use crate::net::CloseReason;
use std::any::Any;
use std::io::ErrorKind;
use std::rc::Rc;

/// How many bytes one turn writes before other sources have their turns: as many as it reads. With 1 MiB, two hundred
/// downloads at full speed kept all other connections waiting for 100 ms.
pub(super) const WRITE_BUDGET: usize = 256 * 1024;
/// How many times at most one turn tells its protocol that output was sent, even if little is sent each time.
const ROUNDS: u32 = 64;

impl Stream {
    /// Runs a turn. Writes of the stream go to the cork during the turn, and the cork is sent at its end.
    pub(super) fn run_turn(self: &Rc<Self>, turn: impl FnOnce()) {
        self.cx.turn_of.set(self.token.get());
        let before = self.written.get();
        let was_blocked = self.is_blocked();
        turn();
        self.flush_cork();
        if self.state.awaits_output() {
            self.go_on_writing(before);
        }
        self.cx.turn_of.set(Token::NONE);
        if self.is_blocked() && !self.is_closed() {
            self.refused(was_blocked);
        }
    }

    /// Calls [`after_flush`](Stream::after_flush), then sends what this call has put into the cork, and so on, until nothing
    /// is left to do. `before`: how many bytes the stream had sent when the turn began.
    #[inline(never)]
    fn go_on_writing(self: &Rc<Self>, before: u64) {
        let mut rounds = 0;
        while self.state.awaits_output() && !self.has_write_failed() {
            if self.written.get() - before > WRITE_BUDGET as u64 || rounds == ROUNDS {
                if self.state.is_lingering() {
                    // All was sent, or was dropped because the transport broke down. Whoever still waits for output is told by the close.
                    self.state.on(Event::ToldAll);
                } else {
                    self.queue();
                }
                return;
            }
            rounds += 1;
            if !self.after_flush(before) {
                return;
            }
            self.flush_cork();
        }
    }

    /// The kernel has refused output in this turn, or still refuses it. Closes the stream if too much is pending; else
    /// tells the protocol, unless output was refused before the turn already (`was_blocked`).
    #[cold]
    fn refused(self: &Rc<Self>, was_blocked: bool) {
        let protocol = self.protocol();
        if self.output_held() > protocol.pending_limit() {
            self.destroy(CloseReason::Overflow);
        } else if !was_blocked {
            protocol.blocked(self);
        }
    }

    /// Does what is due after output was sent. If no output is left, our FIN or the close; then the call of
    /// `Protocol::sent`, if no output is left or some was sent in this turn. `before`: how many bytes the stream had sent when
    /// the turn began. Returns whether the protocol was called and no output was left: then it may have written more.
    pub(super) fn after_flush(self: &Rc<Self>, before: u64) -> bool {
        let pending = self.output_len();
        if pending == 0 {
            if self.state.is_finishing() {
                self.linger();
            } else if self.state.owes_fin() {
                self.end_now();
            }
        }
        let progress = self.written.get() != before || pending == 0;
        if self.state.tells_sent() && progress && !self.is_closed() {
            if pending == 0 {
                self.state.on(Event::ToldAll);
            }
            self.protocol().sent(self, pending);
            return pending == 0;
        }
        false
    }

    #[cold]
    fn close_with_socket_error(&self) {
        // Else the next read says it.
        let reads = self.wants_input() && self.reads_now();
        if !self.is_closed() && !self.has_write_failed() && !reads {
            let error = self.with_io(|io| io.take_error().ok().flatten()).flatten();
            self.fail(error.unwrap_or_else(|| ErrorKind::ConnectionReset.into()));
        }
    }

    #[cold]
    fn tell_fin_hint(self: &Rc<Self>) {
        if self.state.is_open() && !self.is_eof() && !self.has_write_failed() {
            self.protocol().fin_hinted(self);
        }
    }

    fn end_now(&self) {
        self.state.on(Event::FinSent);
        self.shut_down();
        // If bytes are held for the protocol, the protocol closes the stream when it has taken them.
        if self.is_eof() && self.input.is_empty() {
            self.destroy(CloseReason::Finished);
        }
    }
}

impl Source for Stream {
    fn turn(self: Rc<Self>, _lp: &Rc<Loop>, ready: Ready) {
        if self.is_closed() {
            return;
        }
        self.run_turn(|| {
            if ready.has(Ready::READ_CLOSED) {
                self.state.on(Event::PeerClosed);
            } else if ready.has(Ready::READ) {
                self.state.on(Event::Readable);
            }
            if ready.has(Ready::WRITE) {
                self.state.on(Event::Writable);
                self.flush_transport();
                self.flush_output();
            }
            self.receive();
            if ready.has(Ready::READ_CLOSED) {
                self.tell_fin_hint();
            }
            // If the stream still reads, the read reports the error instead.
            if ready.has(Ready::ERROR) {
                self.close_with_socket_error();
            }
        });
    }

    fn resume(self: Rc<Self>, _lp: &Rc<Loop>) {
        self.state.on(Event::Dequeue);
        if self.is_closed() {
            return;
        }
        if self.has_write_failed() {
            return self.close_with_ending();
        }
        // Output waits until the connection is made.
        if self.is_connecting() {
            return;
        }
        self.run_turn(|| {
            self.flush_output();
            if self.state.is_open() && self.state.on(Event::GiveTurn) {
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
        if self.state.is_lingering() {
            self.linger_due();
        } else if !self.is_closed() {
            #[cfg(feature = "tls")]
            if self.has_handshake_timed_out() {
                return;
            }
            self.run_turn(|| self.protocol().due(&self));
        }
    }

    fn closed(self: Rc<Self>, _lp: &Rc<Loop>) {
        let protocol = self.protocol.take();
        let (reason, error) = match self.ending.take() {
            Some(ending) => (ending.reason, ending.error),
            None => (CloseReason::Destroyed, None),
        };
        if let Some(protocol) = protocol {
            protocol.close(&self, reason, error.as_ref());
        }
        if let Some(among) = &self.among {
            among.closed();
        }
    }

    fn teardown(&self) {
        if !self.is_closed() {
            self.cx.lp.driver().descriptors().connection_closed();
        }
        self.state.on(Event::Close);
        let transport = self.transport.borrow_mut().take();
        drop(transport);
        self.input.take();
        self.output.take();
        if let Some(protocol) = self.protocol.take() {
            protocol.teardown();
        }
    }

    fn kind(&self) -> Kind {
        Kind::Connection
    }

    fn buffered(&self) -> usize {
        let held = self.input.len() + self.output_held();
        #[cfg(feature = "tls")]
        let held = held + self.transport.borrow().as_ref().map_or(0, |transport| transport.buffered());
        held
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
