//! What happens to an exchange that the program does not complete: a callback has panicked, or nobody holds the response any more.

use super::exchange::{Exchange, On};
use super::outgoing::Phase;
use super::own_answer::{usual_words, write_error, write_instead};
use crate::net::CloseReason;
use crate::notice;
use crate::proto::h1::OutgoingResponse;
use std::fmt;

impl Exchange {
    /// Gives up the exchange, because one of its callbacks has panicked.
    pub fn panicked(&self) {
        self.discard_body();
        self.give_up(500, CloseReason::Panicked);
    }

    /// Answers in place of the handler: see [`own_answer`](super::own_answer).
    pub fn answer(&self, status: u16, words: &str) {
        self.answer_by(|head| write_instead(head, status, words, self.outgoing().retry_after()));
    }

    /// Answers with an error of the handler.
    pub fn answer_error(&self, status: u16, words: &str) {
        self.answer_by(|head| write_error(head, status, words, self.outgoing().retry_after()));
    }

    fn answer_by(&self, write: impl FnOnce(&mut OutgoingResponse) -> String) {
        if self.is_carried() {
            let text = write(&mut self.outgoing().head().borrow_mut());
            self.send(text.into(), true).ignore();
        }
    }

    /// Answers with this status and the library's text for it, or cuts the connection if the head has been sent.
    pub fn give_up(&self, status: u16, reason: CloseReason) {
        match self.outgoing().phase() {
            Phase::Ended => {}
            Phase::Streaming => {
                self.outgoing().break_off(reason);
                self.cut(reason);
            }
            Phase::Open => self.answer(status, usual_words(status)),
        }
    }

    /// Logs that the connection is cut because the rest of a file cannot be sent.
    #[cold]
    pub fn file_broke_off(&self, error: &dyn fmt::Display) {
        notice::warn!(target: "oneloop::http", "{self}: a file cannot be sent on: {error}; the connection is cut");
    }

    /// The last `Response` handle is gone, and the response has not ended. That is no error if the connection is already
    /// cut (perhaps by the program itself), or if a `drain` listener is still to be called, which receives a handle.
    #[cold]
    pub fn abandoned(&self) {
        let unwinding = std::thread::panicking();
        let awaits_drain = self.outgoing().is_full() && self.has(On::Drain) && !unwinding;
        if awaits_drain || self.is_closed() {
            return;
        }
        let status = if unwinding { 500 } else { self.outgoing().fallback() };
        // A program that learns from `on_peer_end` that the client is gone may drop the response on purpose: that is no mistake.
        if !unwinding && self.has_peer_ended() {
            log::debug!(target: "oneloop::http", "{self}: the response was dropped after the client had ended its side");
        } else if status == 500 && !unwinding {
            notice::warn!(target: "oneloop::http", "{self}: the response was dropped before it had ended");
        }
        self.give_up(status, CloseReason::BadResponse);
    }
}
