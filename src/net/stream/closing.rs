//! All ways to close a stream. Lingering (reading and discarding input after our FIN) is one state on this path.

use super::{Ending, Event, Linger, Stream};
use crate::event_loop::Time;
use crate::net::CloseReason;
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// Limits of the delay before a reset, so that data already sent can arrive first: a RST discards data that is still in flight.
/// One second is longer than a round trip. A peer that reads slowly may still lose data.
const ARRIVAL: Linger = Linger { between_reads: Time::from_secs(1), total: Time::from_secs(1), bytes: 1024 * 1024 };

impl Stream {
    pub(super) fn new_ending(&self, reason: CloseReason, error: Option<io::Error>) -> Ending {
        let now = self.cx.lp.now();
        Ending { reason, error, linger: None, began: now, last_read: now, discarded: 0 }
    }

    /// Closes the stream when its output has been sent. With `linger`, our FIN is sent first, and input from the peer is
    /// then read and discarded for a while. Closing a socket with unread input would reset the connection, and the peer
    /// could lose our last bytes.
    pub fn finish(self: &Rc<Self>, reason: CloseReason, linger: Option<Linger>) {
        if !self.is_in_use() {
            return;
        }
        if self.is_connecting() {
            return self.destroy(reason);
        }
        // A failed write determines how the stream ends, whatever is found afterwards.
        if !self.has_write_failed() {
            let linger = linger.filter(|_| !self.is_eof());
            self.ending.set(Some(Box::new(Ending { linger, ..self.new_ending(reason, None) })));
        }
        self.state.on(Event::Finish);
        self.input.take();
        self.queue_unless_corked();
    }

    pub(super) fn linger(self: &Rc<Self>) {
        let Some(mut ending) = self.ending.take() else { return self.destroy(CloseReason::Finished) };
        // The time of lingering begins now, with our FIN, regardless of how long the output or the callback before it took.
        self.cx.lp.read_clock();
        ending.began = self.cx.lp.now();
        ending.last_read = ending.began;
        let breaks_off = self.state.is_cut_short();
        if breaks_off {
            ending.linger = Some(ARRIVAL);
        } else if self.is_eof() || ending.linger.is_some_and(|linger| ending.discarded > linger.bytes) {
            ending.linger = None;
        }
        let linger = ending.linger;
        self.ending.set(Some(ending));
        if self.state.has_last_written() {
            self.with_io(|io| io.set_reset_on_close(false));
        }
        let Some(linger) = linger else {
            self.send_close_notice();
            return self.close_with_ending();
        };
        self.state.on(Event::Linger);
        if !breaks_off {
            self.shut_down();
        }
        self.need_due(self.cx.lp.now() + linger.between_reads.min(linger.total));
        if self.state.is_readable() {
            self.queue();
        }
    }

    /// Closes the stream because its transport cannot go on, as soon as what the transport had to say about that has been sent. The peer
    /// can read it: input is discarded for a while.
    #[cfg(feature = "tls")]
    #[cold]
    pub(super) fn break_down(self: &Rc<Self>, reason: CloseReason, error: io::Error) {
        if !self.is_in_use() || self.has_write_failed() {
            return self.close_with_ending();
        }
        log::debug!(target: "oneloop::net", "{}: {error}", self.peer());
        let ending = Ending { linger: Some(ARRIVAL), ..self.new_ending(reason, Some(error)) };
        self.ending.set(Some(Box::new(ending)));
        // Nothing of it can be sent any more.
        if self.is_corked() {
            self.cx.cork.borrow_mut().clear();
        }
        self.output.take();
        self.input.take();
        self.state.on(Event::Finish);
        self.queue();
    }

    pub(super) fn linger_due(&self) {
        let Some(mut ending) = self.ending.take() else { return };
        let now = self.cx.lp.seen_until();
        let until = ending
            .linger
            .map_or(Time::ZERO, |linger| (ending.began + linger.total).min(ending.last_read + linger.between_reads));
        if now >= until {
            ending.linger = None;
            self.ending.set(Some(ending));
            self.close_with_ending();
        } else {
            self.ending.set(Some(ending));
            self.need_due(until);
        }
    }

    pub(super) fn close_with_ending(&self) {
        let (reason, error) = match self.ending.take() {
            Some(ending) => (ending.reason, ending.error),
            None => (CloseReason::Finished, None),
        };
        self.close(reason, error);
    }

    /// Closes the stream at once. Output that the kernel has not taken is lost.
    pub fn destroy(&self, reason: CloseReason) {
        self.close(reason, None);
    }

    /// Closes the stream with a reset, so that the peer sees an error.
    pub fn reset(&self, reason: CloseReason) {
        self.with_io(|io| io.set_reset_on_close(true));
        // Nothing says that this is the end.
        #[cfg(feature = "tls")]
        if let Some(tls) = self.transport.borrow_mut().as_mut().and_then(|transport| transport.tls_mut()) {
            tls.withhold_notice();
        }
        self.close(reason, None);
    }

    pub fn destroy_with(&self, reason: CloseReason, error: io::Error) {
        self.close(reason, Some(error));
    }

    #[cold]
    pub(super) fn fail(&self, error: io::Error) {
        // While the stream lingers, everything was sent, so a reset by the peer does not matter. If a write has failed
        // before, the reason of the close is known already.
        if self.state.is_lingering() || self.has_write_failed() {
            return self.close_with_ending();
        }
        self.close(reason_of(&error), Some(error));
    }

    /// Closes the stream; every close goes through this method. The file descriptor is closed at once, and the protocol is
    /// told in the closing phase.
    fn close(&self, reason: CloseReason, error: Option<io::Error>) {
        if self.is_closed() {
            return;
        }
        if self.is_connecting() {
            self.cx.end_dial(self.token.get());
        }
        self.state.on(Event::Close);
        if self.has_peer() {
            log::debug!(target: "oneloop::net", "{} closed: {reason}", self.peer());
        } else {
            log::debug!(target: "oneloop::net", "a connection was not made: {reason}");
        }
        #[cfg(feature = "tls")]
        self.say_nothing_follows();
        if self.is_corked() {
            self.cx.cork.borrow_mut().clear();
        }
        self.ending.set(Some(Box::new(self.new_ending(reason, error))));
        let transport = self.transport.borrow_mut().take();
        drop(transport);
        self.input.take();
        self.output.take();
        self.cx.lp.count_close(reason.as_str());
        self.cx.lp.make_closing(self.token.get());
        if self.is_referenced() {
            self.cx.lp.release();
        }
        self.cx.lp.driver().descriptors().connection_closed();
        self.cx.wake_acceptors();
    }
}

/// The reason of a close after a failed read or write.
pub(super) fn reason_of(error: &io::Error) -> CloseReason {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => CloseReason::Reset,
        _ => CloseReason::Failed,
    }
}
