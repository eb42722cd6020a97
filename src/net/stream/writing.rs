//! All writing of a stream. Bytes go into the cork (the loop's buffer for the running turn) or into the stream's `Output`,
//! and from there to the kernel. How many bytes one turn writes: `WRITE_BUDGET` in `turns.rs`, `FILE_BUDGET` and `BORROWED_BUDGET` below.

use super::closing::reason_of;
use super::turns::WRITE_BUDGET;
use super::{Event, Stream};
use crate::net::chunk::{Chunk, Flow, LARGE};
use crate::net::output::Output;
use crate::net::transport::{Plaintext, Transport};
use crate::net::{CloseReason, FilePart};
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

/// When the cork has grown to this size, it is sent at once, not only at the end of the turn.
const CORK: usize = 64 * 1024;
/// How many bytes of files one turn writes. To send them takes as long as to send a turn's budget of other bytes, since the
/// kernel does not copy them.
const FILE_BUDGET: usize = 4 * WRITE_BUDGET;
/// How many bytes of a borrowed chunk are offered to the kernel at once. What is not offered must be copied, and to copy it takes about
/// as long as to send it.
const BORROWED_BUDGET: usize = 4 * WRITE_BUDGET;

impl Stream {
    /// Returns whether this stream's turn is running. Its writes are then sent at the end of the turn.
    #[inline]
    pub fn is_corked(&self) -> bool {
        self.cx.turn_of.get() == self.token.get()
    }

    /// How many bytes of output the kernel has not taken.
    pub fn pending(&self) -> usize {
        let cork = if self.is_corked() { self.cx.cork.borrow().len() } else { 0 };
        cork + self.output_len()
    }

    pub(super) fn output_len(&self) -> usize {
        let output = self.output.take();
        let len = output.as_ref().map_or(0, |output| output.len());
        self.output.set(output);
        len
    }

    /// How many bytes of the `Output` are in memory, not in files.
    pub(super) fn output_held(&self) -> usize {
        let output = self.output.take();
        let held = output.as_ref().map_or(0, |output| output.held());
        self.output.set(output);
        held
    }

    pub(super) fn has_output(&self) -> bool {
        let output = self.output.take();
        let has = output.is_some();
        self.output.set(output);
        has
    }

    pub(super) fn can_write(&self) -> bool {
        self.state.takes_output()
    }

    /// Lets `f` append small pieces (heads, chunk sizes) to the output.
    #[inline]
    pub fn encode(&self, f: impl FnOnce(&mut Vec<u8>)) {
        if !self.can_write() {
            return;
        }
        if self.is_corked() && !self.has_output() {
            let mut cork = self.cx.cork.borrow_mut();
            f(&mut cork);
            if cork.len() >= CORK {
                drop(cork);
                self.flush_full_cork();
            }
        } else {
            self.with_output(|output| output.edit(f));
        }
    }

    fn with_output(&self, f: impl FnOnce(&mut Output)) {
        let mut output = self.take_output();
        f(&mut output);
        if output.len() > 0 {
            self.output.set(Some(output));
            if !self.is_blocked() && !self.is_connecting() {
                self.queue();
            }
        } else {
            self.cx.outputs.give_back(output, &self.cx.large);
        }
    }

    /// The stream's output, to be put back, or an empty one.
    fn take_output(&self) -> Box<Output> {
        self.output.take().unwrap_or_else(|| self.cx.outputs.take())
    }

    /// Writes a part of a body, or data of a socket. Returns `Full` if `limit` bytes or more are pending afterwards.
    pub fn write(&self, chunk: Chunk<'_>, limit: usize) -> Flow {
        if !self.can_write() {
            return Flow::Closed;
        }
        if chunk.len() < LARGE && (self.is_corked() || !chunk.is_shared()) {
            self.encode(|buffer| buffer.extend_from_slice(chunk.as_bytes()));
        } else if self.is_corked() && !self.has_output() && self.state.is_open() {
            self.write_through(chunk);
        } else {
            self.with_output(|output| output.push(chunk, 0, &self.cx.large));
        }
        self.flow(limit)
    }

    /// Lets `f` append a small message to the output. Returns `Full` if `limit` bytes or more are pending afterwards.
    #[inline]
    pub fn write_by(&self, f: impl FnOnce(&mut Vec<u8>), limit: usize) -> Flow {
        if !self.can_write() {
            return Flow::Closed;
        }
        self.encode(f);
        self.flow(limit)
    }

    #[inline]
    fn flow(&self, limit: usize) -> Flow {
        if self.is_blocked() {
            self.offer_again();
        }
        if self.pending() >= limit {
            self.state.on(Event::TellSent);
            return Flow::Full;
        }
        Flow::Ready
    }

    /// Returns whether [`Stream::write_file`] can be used. If not, the caller has to read the file and write its bytes.
    pub fn sends_files(&self) -> bool {
        self.transport.borrow().as_ref().is_some_and(Transport::sends_files)
    }

    /// Sends bytes of a file after all earlier output. `Protocol::sent` reports when they have been sent.
    pub fn write_file(&self, part: FilePart) -> Flow {
        if !self.can_write() {
            return Flow::Closed;
        }
        if self.is_corked() && !self.has_output() {
            self.flush_full_cork();
        }
        if let Some(unsent) = part.unsent {
            log::debug!(target: "oneloop::net", "the limit of unsent bytes for {}: {unsent:?}", self.peer());
            self.with_io(|io| io.set_unsent(unsent));
        }
        self.with_output(|output| output.push_file(part));
        if self.is_corked() && !self.is_blocked() {
            self.flush_output();
        }
        self.state.on(Event::TellSent);
        Flow::Full
    }

    /// If more output is pending than the protocol allows, offers it to the kernel once more, which may have room by now.
    /// Only if the kernel refuses again is the stream closed with [`CloseReason::Overflow`].
    #[cold]
    fn offer_again(&self) {
        if self.output_held() > self.protocol().pending_limit() {
            self.state.on(Event::Writable);
            self.queue_unless_corked();
        }
    }

    /// Offers pending output to the kernel now, without waiting for a turn: for a protocol whose output grows past its limit within one
    /// callback. Returns `false` if the kernel refuses output of which more is pending than the protocol allows.
    #[cold]
    pub fn offer(self: &Rc<Self>) -> bool {
        let was_blocked = self.is_blocked();
        self.state.on(Event::Writable);
        let (limit, mut before) = (self.protocol().pending_limit(), None);
        // Each round sends as much as a turn does. The kernel refuses in the end, or takes all.
        while self.output_held() > limit && before.replace(self.written.get()) != Some(self.written.get()) {
            self.flush_output();
        }
        if !self.is_corked() {
            self.queue();
            if self.is_blocked() && !was_blocked {
                self.protocol().blocked(self);
            }
        }
        !self.is_blocked() || self.output_held() <= limit
    }

    /// Sends the cork and a large chunk, without copying the chunk.
    fn write_through(&self, chunk: Chunk<'_>) {
        let mut cork = self.cx.cork.borrow_mut();
        let most = if chunk.is_borrowed() { BORROWED_BUDGET } else { WRITE_BUDGET };
        let first = chunk.as_bytes().get(..most).unwrap_or(chunk.as_bytes());
        let taken = self.send(&Plaintext::Pieces(&[IoSlice::new(&cork), IoSlice::new(first)]));
        let corked = cork.len();
        if taken < corked + chunk.len() {
            let mut output = self.cx.outputs.take();
            output.append(cork.get(taken..).unwrap_or_default());
            output.push(chunk, taken.saturating_sub(corked), &self.cx.large);
            self.output.set(Some(output));
        }
        cork.clear();
        drop(cork);
        self.flush_output();
    }

    #[cold]
    fn flush_full_cork(&self) {
        self.flush_cork();
    }

    /// Sends the cork at the end of a turn.
    ///
    /// A system call flushes the CPU's stack of return addresses, so the return of each function that is active during the
    /// call is mispredicted. That is why the functions of the write path and of the read path are inlined into the turn.
    #[inline(always)]
    pub(super) fn flush_cork(&self) {
        let mut cork = self.cx.cork.borrow_mut();
        let mut at = 0;
        while at < cork.len() && self.state.sends() {
            at += self.send(&Plaintext::Bytes(cork.get(at..).unwrap_or_default()));
        }
        if let Some(rest @ [_, ..]) = cork.get(at..)
            && !self.has_write_failed()
            && !self.is_closed()
        {
            self.keep(rest);
        }
        cork.clear();
    }

    #[cold]
    fn keep(&self, rest: &[u8]) {
        let mut output = self.take_output();
        output.append(rest);
        self.output.set(Some(output));
    }

    #[inline]
    pub(super) fn flush_output(&self) {
        if let Some(output) = self.output.take() {
            self.flush_pending(output);
        }
    }

    #[inline(never)]
    fn flush_pending(&self, mut output: Box<Output>) {
        let mut budget = WRITE_BUDGET;
        while output.len() > 0 && self.state.sends() {
            if budget == 0 {
                self.queue();
                break;
            }
            let (taken, cost) = if let Some((file, offset, len)) = output.next_in_file() {
                let taken = self.send(&Plaintext::File(file, offset, len.min(FILE_BUDGET)));
                (taken, taken.div_ceil(FILE_BUDGET / WRITE_BUDGET))
            } else {
                let mut slices = Output::no_slices();
                let count = output.slices(&mut slices, budget);
                let taken = match slices.get(..count).unwrap_or_default() {
                    [one] => self.send(&Plaintext::Bytes(one)),
                    slices => self.send(&Plaintext::Pieces(slices)),
                };
                (taken, taken)
            };
            output.advance(taken, &self.cx.large);
            budget = budget.saturating_sub(cost);
        }
        if output.len() == 0 {
            self.cx.outputs.give_back(output, &self.cx.large);
        } else if !self.has_write_failed() {
            self.output.set(Some(output));
        }
    }

    /// Gives output to the transport; no other method does. It counts the bytes, notes a refusal, and keeps an error for
    /// the pending phase. Returns how many bytes were taken.
    #[inline(always)]
    fn send(&self, plaintext: &Plaintext<'_>) -> usize {
        let sent = match &mut *self.transport.borrow_mut() {
            Some(transport) => transport.write(plaintext),
            None => Ok(0),
        };
        match sent {
            Ok(0) => {
                self.state.on(Event::Refused);
                0
            }
            Ok(count) => {
                self.written.set(self.written.get() + count as u64);
                self.cx.lp.record_written(count);
                count
            }
            Err(error) => {
                self.note_write_failure(error);
                0
            }
        }
    }

    #[cold]
    fn note_write_failure(&self, error: io::Error) {
        log::debug!(target: "oneloop::net", "writing to {} failed: {error}", self.peer());
        let ending = self.ending.take();
        let reason = reason_of_write(&error);
        let mut ending = ending.unwrap_or_else(|| Box::new(self.new_ending(reason, None)));
        (ending.reason, ending.error) = (reason, Some(error));
        self.ending.set(Some(ending));
        self.state.on(Event::WriteFailed);
        self.queue();
    }

    /// Begins a message whose end is the end of the connection: the FIN tells the peer that the message is complete. Until
    /// all of it is written and sent, any close, even by the end of the process, is a reset (except on Unix sockets, which
    /// have no reset).
    pub fn begin_last_message(&self) {
        if self.with_io(|io| io.set_reset_on_close(true)) == Some(true) {
            self.state.on(Event::LastMessage);
        }
    }

    /// Ends the message that [`begin_last_message`](Stream::begin_last_message) began: all of it has been written.
    pub fn end_message(&self) {
        self.state.on(Event::LastWritten);
    }

    /// Asks for a call of `Protocol::sent` whenever pending output has been sent, until no more is pending.
    pub fn tell_sent(&self) {
        self.state.on(Event::TellSent);
    }

    /// Sends the bytes that the transport has made itself (a handshake, a close notice), if there are any.
    #[inline(always)]
    pub(super) fn flush_transport(&self) {
        if let Some(transport) = &mut *self.transport.borrow_mut()
            && transport.wants_write()
        {
            transport.flush();
        }
    }

    /// Tells the peer, before a close, that no more bytes follow.
    pub(super) fn send_close_notice(&self) {
        if let Some(transport) = &mut *self.transport.borrow_mut() {
            transport.send_close_notice();
        }
    }

    /// Sends our FIN now.
    pub(super) fn shut_down(&self) {
        if let Some(transport) = &mut *self.transport.borrow_mut() {
            transport.shutdown();
        }
    }

    /// Ends our side once the output has been sent. The peer's side may go on.
    pub fn end(&self) {
        if self.state.on(Event::End) {
            self.queue_unless_corked();
        }
    }
}

/// The reason of a close after a failed write. If a file has become shorter, the response is at fault, not the peer.
fn reason_of_write(error: &io::Error) -> CloseReason {
    match error.kind() {
        ErrorKind::UnexpectedEof => CloseReason::BadResponse,
        _ => reason_of(error),
    }
}
