//! All reading of a stream: input goes from the kernel into the loop's read buffer, and from there to the protocol. What
//! the protocol does not consume is held in the stream's `Input`.

use super::{Event, Stream};
use crate::net::transport::Received;
#[cfg(feature = "tls")]
use crate::net::transport::Transport;
use std::rc::Rc;

/// How many bytes one turn reads before other sources have their turns.
const READ_BUDGET: usize = 256 * 1024;

impl Stream {
    pub fn pause(&self) {
        self.state.on(Event::Pause);
    }

    pub fn resume_reading(&self) {
        if self.state.on(Event::Unpause) {
            self.ask_for_turn();
        }
    }

    pub fn is_paused(&self) -> bool {
        self.state.is_paused()
    }

    #[inline(always)]
    pub(super) fn wants_input(&self) -> bool {
        self.state.wants_input() && (self.input.is_empty() || self.has_room_behind_held())
    }

    /// Returns whether more input may be read although some is held for the protocol. A stream that discards input holds
    /// none.
    #[cold]
    fn has_room_behind_held(&self) -> bool {
        self.input.len() < self.protocol().held_limit()
    }

    /// Returns whether the kernel has nothing for this stream: no bytes, no end, no error. It asks the kernel, by a read that does not
    /// wait. If the result is false, a byte may be lost: then the stream must be closed.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let received = self.transport.borrow_mut().as_mut().map(|transport| transport.read(&mut byte));
        #[cfg(feature = "tls")]
        if let Some(Received::Own(own)) = received {
            return self.is_quiet_after(own);
        }
        matches!(received, Some(Received::Nothing))
    }

    /// Returns whether the transport keeps bytes that have come. Over TLS they may be a part of a record: whether it carries something for
    /// the protocol, the rest of it tells.
    pub fn has_part_of_record(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.transport.borrow().as_ref().is_some_and(Transport::is_holding);
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Reads input and gives it to the protocol. Input is read nowhere else, except for the one byte by which `is_quiet` looks whether
    /// any has come. It is inlined into the turn, because it makes a system call: see `flush_cork`.
    #[inline(always)]
    pub(super) fn receive(self: &Rc<Self>) {
        let mut budget = READ_BUDGET;
        while self.wants_input() {
            if budget == 0 {
                self.queue();
                return;
            }
            let mut buffer = self.cx.take_read_buffer();
            // If bytes are held for the protocol already, only as many are read as the limit of held bytes allows.
            let room = if self.input.is_empty() { buffer.len() } else { self.room_behind_held(buffer.len()) };
            let received = match (&mut *self.transport.borrow_mut(), buffer.get_mut(..room.min(budget))) {
                (Some(transport), Some(buffer)) => transport.read(buffer),
                _ => Received::Nothing,
            };
            match received {
                Received::Bytes { count, drained } => {
                    if drained && !self.has_fin_hint() {
                        self.state.on(Event::Drained);
                    }
                    budget = budget.saturating_sub(count);
                    self.read.set(self.read.get() + count as u64);
                    self.cx.lp.record_read(count);
                    if let Some(bytes) = buffer.get_mut(..count) {
                        self.deliver(bytes);
                    }
                }
                Received::End => self.received_end(),
                Received::Nothing => _ = self.state.on(Event::Drained),
                Received::Failed(error) => self.fail(error),
                #[cfg(feature = "tls")]
                Received::Own(own) => {
                    self.cx.put_read_buffer(buffer);
                    if !self.received_own(own, &mut budget) {
                        return;
                    }
                    continue;
                }
            }
            self.cx.put_read_buffer(buffer);
        }
    }

    /// Returns whether the transport reads when it is asked to. While a step of a TLS handshake is taken on another thread it does not.
    #[cold]
    pub(super) fn reads_now(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.transport.borrow().as_ref().and_then(Transport::tls).is_none_or(|tls| !tls.is_elsewhere());
        #[cfg(not(feature = "tls"))]
        true
    }

    #[cold]
    fn room_behind_held(&self, most: usize) -> usize {
        self.protocol().held_limit().saturating_sub(self.input.len()).clamp(1, most)
    }

    #[cold]
    fn received_end(self: &Rc<Self>) {
        // If a write has failed, it has taken the error from the socket. Then a read of 0 bytes does not mean that the peer
        // has ended.
        if self.has_write_failed() {
            self.state.on(Event::Drained);
        } else {
            self.ended();
        }
    }

    #[inline(always)]
    fn deliver(self: &Rc<Self>, bytes: &mut [u8]) {
        if !self.state.is_open() {
            self.discard_input(bytes.len());
        } else if self.input.is_empty() {
            let consumed = self.give(bytes);
            if consumed < bytes.len() && self.state.is_open() {
                self.input.append(bytes.get(consumed..).unwrap_or_default());
            }
        } else {
            self.input.append(bytes);
            self.give_held();
        }
    }

    /// Gives bytes to the protocol. If it does not consume all of them and was replaced meanwhile, the new protocol gets
    /// the rest. Returns how many bytes were consumed.
    #[inline(always)]
    fn give(self: &Rc<Self>, bytes: &mut [u8]) -> usize {
        let protocol = self.protocol();
        let called = Rc::as_ptr(&protocol).addr();
        let consumed = protocol.data(self, bytes);
        match bytes.get_mut(consumed..) {
            Some(rest @ [_, ..]) => consumed + self.give_to_next(called, rest),
            _ => consumed,
        }
    }

    /// Gives the bytes that the protocol at the address `called` did not consume to the protocol that has replaced it.
    #[cold]
    fn give_to_next(self: &Rc<Self>, mut called: usize, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.state.is_open() {
            let protocol = self.protocol();
            let next = Rc::as_ptr(&protocol).addr();
            if next == called {
                break;
            }
            called = next;
            at += protocol.data(self, bytes.get_mut(at..).unwrap_or_default());
        }
        at
    }

    pub(super) fn give_held(self: &Rc<Self>) {
        self.input.consume(|bytes| self.give(bytes));
        if !self.state.is_open() {
            self.input.take();
        }
    }

    fn ended(self: &Rc<Self>) {
        self.state.on(Event::InputEnded);
        let state = &self.state;
        if state.is_open() {
            self.protocol().eof(self);
        } else if state.is_lingering() && !state.is_cut_short() {
            // If the last message was cut short, the stream will be reset, which can destroy bytes that the peer has not
            // read. So in that case it does not close yet, although the peer has ended its side.
            self.close_with_ending();
        }
    }

    pub(super) fn discard_input(self: &Rc<Self>, count: usize) {
        let Some(mut ending) = self.ending.take() else { return };
        ending.discarded += count;
        ending.last_read = self.cx.lp.now();
        let too_much = ending.linger.is_none_or(|linger| ending.discarded > linger.bytes);
        self.ending.set(Some(ending));
        if too_much {
            if self.state.is_lingering() {
                self.close_with_ending();
            } else {
                // The output is still sent. Further input is not read, and stays in the kernel.
                self.state.on(Event::Drained);
            }
        }
    }
}
