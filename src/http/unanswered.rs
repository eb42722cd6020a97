//! What happens to an exchange that the program does not complete: a callback has panicked, or nobody holds the response any more.

use super::companion::Failure;
use super::exchange::{Exchange, On};
use super::outgoing::Phase;
#[cfg(feature = "app")]
use super::own_answer;
use super::own_answer::{usual_words, write_error, write_instead};
use crate::net::CloseReason;
use crate::notice;
use crate::proto::h1::OutgoingResponse;
use std::fmt;
use std::rc::Rc;

impl Exchange {
    /// Gives up the exchange, because one of its callbacks has panicked.
    pub fn panicked(self: &Rc<Self>) {
        self.discard_body();
        self.give_up(500, CloseReason::Panicked);
    }

    /// Leaves a failure to the layer above, which answers later. Returns the failure if there is no such layer.
    pub fn leave(self: &Rc<Self>, failure: Failure) -> Option<Failure> {
        #[cfg(feature = "app")]
        if let Some(companion) = self.companion() {
            let failure = companion.failed(self, failure);
            if failure.is_none() {
                self.outgoing().set_failed();
            }
            return failure;
        }
        Some(failure)
    }

    /// Answers in place of the handler: see [`own_answer`](super::own_answer).
    pub fn answer(&self, status: u16, words: &str) {
        if let Some(text) = self.write(|head| write_instead(head, status, words, self.outgoing().retry_after())) {
            self.give(text.into(), true).ignore();
        }
    }

    /// Answers with an error of the handler.
    pub fn answer_error(&self, status: u16, words: &str) {
        if let Some(text) = self.write(|head| write_error(head, status, words, self.outgoing().retry_after())) {
            self.give(text.into(), true).ignore();
        }
    }

    fn write(&self, write: impl FnOnce(&mut OutgoingResponse) -> String) -> Option<String> {
        self.is_carried().then(|| write(&mut self.outgoing().head().borrow_mut()))
    }

    /// Answers with this status and the library's text for it, or leaves that to the layer above. Cuts the connection if the head
    /// has been sent.
    pub fn give_up(self: &Rc<Self>, status: u16, reason: CloseReason) {
        let failure = if reason == CloseReason::Panicked { Failure::Panicked } else { Failure::Status(status) };
        if self.outgoing().phase() != Phase::Open || self.leave(failure).is_some() {
            self.answer_or_cut(status, reason);
        }
    }

    fn answer_or_cut(&self, status: u16, reason: CloseReason) {
        match self.outgoing().phase() {
            Phase::Failed | Phase::Ended => {}
            Phase::Streaming => {
                self.outgoing().break_off(reason);
                self.cut(reason);
            }
            Phase::Open => self.answer(status, usual_words(status)),
        }
    }

    /// Opens the head of a response that has failed again, for another answer with this status. Fields about the content that
    /// is not sent are removed. A failure is `uncertain` if it is a panic or a dropped response: the program may have set only
    /// some of the other fields that belong together. Then only [the fields without which a client does not show the
    /// answer](own_answer::KEPT) stay.
    #[cfg(feature = "app")]
    pub fn reopen(&self, status: u16, uncertain: bool) {
        self.outgoing().reopen();
        own_answer::prepare(&mut self.outgoing().head().borrow_mut(), status, uncertain);
    }

    /// Answers with a page of the layer above, which goes through the stages. Keeps the fields that are set.
    #[cfg(feature = "app")]
    pub fn answer_with(self: &Rc<Self>, status: u16, content_type: &str, page: String) {
        let retry_after = self.outgoing().retry_after();
        own_answer::write_page(&mut self.outgoing().head().borrow_mut(), status, content_type, retry_after);
        self.send(page.into(), true).ignore();
    }

    /// Logs that the connection is cut because the rest of a file cannot be sent.
    #[cold]
    pub fn file_broke_off(&self, error: &dyn fmt::Display) {
        notice::warn!(target: "oneloop::http", "{self}: a file cannot be sent on: {error}; the connection is cut");
    }

    /// The last `Response` handle is gone, and the response has not ended. That is no error if the connection is already
    /// cut (perhaps by the program itself), or if a `drain` listener is still to be called, which receives a handle.
    #[cold]
    pub fn abandoned(self: &Rc<Self>) {
        let unwinding = std::thread::panicking();
        let awaits_drain = self.outgoing().is_full() && self.has(On::Drain) && !unwinding;
        if awaits_drain || self.is_closed() {
            return;
        }
        if self.outgoing().phase() == Phase::Open {
            let failure = if unwinding { Failure::Panicked } else { Failure::Dropped };
            if self.leave(failure).is_none() {
                return;
            }
        }
        let status = if unwinding { 500 } else { self.outgoing().fallback() };
        // A program that learns from `on_peer_end` that the client is gone may drop the response on purpose: that is no mistake.
        if !unwinding && self.has_peer_ended() {
            log::debug!(target: "oneloop::http", "{self}: the response was dropped after the client had ended its side");
        } else if status == 500 && !unwinding {
            notice::warn!(target: "oneloop::http", "{self}: the response was dropped before it had ended");
        }
        self.answer_or_cut(status, CloseReason::BadResponse);
    }
}
