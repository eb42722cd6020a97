//! A stream becomes secure: TLS gets between it and its socket. The protocol above stays as it is.

use super::{Event, Stream};
use crate::event_loop::{Due, Time};
use crate::net::CloseReason;
use crate::net::handshaking::{Handshaking, Steps, here};
use crate::net::transport::tls::{Begin, Buffers};
use crate::net::transport::{Own, Received};
use crate::secure::{Info, NewSession, Step, Stepped};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

/// What happens to output that the stream has when it becomes secure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// This output is sent after the handshake, encrypted.
    Encrypted,
    /// This output is sent before the handshake, not encrypted: it is the last word of the plain protocol (STARTTLS).
    Plain,
}

impl Stream {
    /// Begins the handshake, which may take `limit`. Until it is over, output waits. Then `Protocol::secured` is called, or the stream
    /// closes with [`TlsFailed`](CloseReason::TlsFailed) or [`HandshakeTimeout`](CloseReason::HandshakeTimeout). Bytes that were read and
    /// not consumed are taken for the beginning of the peer's handshake. `to_plain_http`: what a server says to a peer that speaks HTTP
    /// without TLS.
    ///
    /// # Errors
    /// If there is no connection, if it is secure already, or if it has a file to send first.
    pub fn secure(
        self: &Rc<Self>,
        session: NewSession,
        limit: Duration,
        unsent: Unsent,
        to_plain_http: &'static [u8],
    ) -> io::Result<()> {
        if self.is_connecting() || !self.is_in_use() {
            return Err(io::Error::new(ErrorKind::NotConnected, "there is no connection"));
        }
        if self.is_secure() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the connection is secure already"));
        }
        let before = self.plain_output(unsent)?;
        let read = self.input.take();
        let has_read = !read.is_empty();
        let until = self.cx.lp.now() + Time::from(limit);
        let begin = Begin { session, until, to_plain_http, read, before: &before };
        let plain = self.transport.borrow_mut().take();
        let secured = plain.and_then(|plain| plain.secured(Buffers::of(&self.cx.lp), begin));
        let is_secure = secured.is_some();
        *self.transport.borrow_mut() = secured;
        if !is_secure {
            self.destroy(CloseReason::Failed);
            return Err(io::Error::new(ErrorKind::Unsupported, "there is no socket to secure"));
        }
        // Output waits for the end of the handshake.
        self.state.on(Event::Refused);
        self.need_due(until);
        if has_read {
            self.state.on(Event::Readable);
            self.ask_for_turn();
        }
        Ok(())
    }

    /// The output that has to go as it is.
    fn plain_output(&self, unsent: Unsent) -> io::Result<Vec<u8>> {
        if unsent == Unsent::Encrypted {
            return Ok(Vec::new());
        }
        if self.is_corked() {
            self.flush_cork();
        }
        let Some(output) = self.output.take() else { return Ok(Vec::new()) };
        let copied = output.copy();
        self.output.set(Some(output));
        copied.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "a file has to be sent first"))
    }

    /// Returns whether the stream has or begins a TLS connection.
    pub fn is_secure(&self) -> bool {
        self.transport.borrow().as_ref().is_some_and(|transport| transport.tls().is_some())
    }

    /// What was agreed with the peer, once the handshake is over.
    pub fn tls(&self) -> Option<Info> {
        self.transport.borrow().as_ref()?.tls()?.info()
    }

    /// Returns whether the peer of a secure stream has ended its side without saying that nothing follows: what has come may not be all.
    pub fn was_cut_off(&self) -> bool {
        self.transport.borrow().as_ref().and_then(|transport| transport.tls()).is_some_and(|tls| tls.was_cut_off())
    }

    /// Goes on with the question of `is_quiet`, after a message of the transport: a server may have sent a ticket after its answer.
    #[cold]
    pub(super) fn is_quiet_after(&self, mut own: Own) -> bool {
        let mut bytes = [0; 1024];
        // Tickets are few and short.
        for _ in 0..16 {
            match own {
                Own::Read(_, false) => {}
                Own::Read(_, true) => return true,
                _ => return false,
            }
            match self.transport.borrow_mut().as_mut().map(|transport| transport.read(&mut bytes)) {
                Some(Received::Own(next)) => own = next,
                Some(Received::Nothing) => return true,
                _ => return false,
            }
        }
        false
    }

    /// Acts on messages of the transport. Returns whether the stream may read on.
    #[cold]
    pub(super) fn received_own(self: &Rc<Self>, own: Own, budget: &mut usize) -> bool {
        match own {
            Own::Read(count, drained) => {
                if drained && !self.has_fin_hint() {
                    self.state.on(Event::Drained);
                }
                *budget = budget.saturating_sub(count.max(1));
                if !self.state.is_open() {
                    self.discard_input(count);
                }
                true
            }
            Own::Secured => {
                if let Some(tls) = self.transport.borrow_mut().as_mut().and_then(|transport| transport.tls_mut()) {
                    tls.after_handshake();
                }
                self.state.on(Event::Writable);
                self.protocol().secured(self);
                self.flush_output();
                true
            }
            Own::Blocked | Own::Away => false,
            Own::Step => {
                let this: Rc<dyn Handshaking> = self.clone();
                Steps::ask(&self.cx.lp, here(), Rc::downgrade(&this));
                false
            }
            Own::Later => {
                self.queue_heavy();
                false
            }
            Own::Broken(error) => {
                self.break_down(CloseReason::TlsFailed, error);
                true
            }
        }
    }

    /// Closes the stream if its handshake should be over. Returns whether it was closed.
    pub(super) fn has_handshake_timed_out(&self) -> bool {
        let until = self.transport.borrow().as_ref().and_then(|transport| transport.tls()?.handshake_until());
        let Some(until) = until else { return false };
        if self.cx.lp.seen_until() < until {
            self.set_due(Due::at(until));
            return false;
        }
        let error = io::Error::new(ErrorKind::TimedOut, "the TLS handshake was not over in time");
        self.destroy_with(CloseReason::HandshakeTimeout, error);
        true
    }

    /// Before a close: if the peer has all that was written, tells it that nothing follows.
    pub(super) fn say_nothing_follows(&self) {
        if self.has_write_failed() || self.pending() > 0 || self.state.is_cut_short() || self.state.has_last_written() {
            return;
        }
        if let Some(tls) = self.transport.borrow_mut().as_mut().and_then(|transport| transport.tls_mut()) {
            // The close follows in any case.
            drop(tls.send_close_notice());
        }
    }
}

impl Handshaking for Stream {
    fn leave(&self) -> Option<Step> {
        self.transport.borrow_mut().as_mut()?.tls_mut()?.leave()
    }

    fn come_back(self: Rc<Self>, stepped: io::Result<Stepped>) {
        let mut transport = self.transport.borrow_mut();
        let Some(tls) = transport.as_mut().and_then(|transport| transport.tls_mut()) else { return };
        tls.come_back(stepped);
        drop(transport);
        // The next read tells what has come of it. What has come meanwhile is in the kernel.
        self.state.on(Event::Readable);
        self.queue();
    }
}
