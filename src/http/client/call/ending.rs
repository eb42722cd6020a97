//! The end of a call: nothing else ends one. It is noted first, and then told: in a tick, if the program has caused it.

use super::super::error::{RequestError, RequestErrorKind};
use super::{Call, End, Listener, On, Phase, Told};
use crate::callback::discard;
use crate::event_loop::next_tick;
use crate::net::CloseReason;
use crate::notice;
use std::rc::Rc;

impl Call {
    /// Ends the call in a tick, since the program has called this.
    pub fn end_soon(self: &Rc<Self>, end: End) {
        if self.note_end(end.reason) {
            let call = self.clone();
            next_tick(move || call.tell_failure(&end));
        }
    }

    /// Ends the call: the loop calls this, and so tells the program at once.
    pub fn end(self: &Rc<Self>, end: &End) {
        if self.note_end(end.reason) {
            self.tell_failure(end);
        }
    }

    /// The response is whole, and told. Ends the call.
    pub fn finish(self: &Rc<Self>) {
        if self.note_end(CloseReason::Finished) {
            self.tell_close(CloseReason::Finished);
        }
    }

    /// From now on nothing that the program does with the call has an effect. Returns whether it was not over before.
    fn note_end(&self, reason: CloseReason) -> bool {
        if self.is_over() {
            return false;
        }
        self.over.set(Some(reason));
        self.phase.set(Phase::Ended);
        self.unlink();
        self.set_timer(None);
        self.held.take();
        self.whole.take();
        true
    }

    fn tell_failure(self: &Rc<Self>, end: &End) {
        if self.told.get() == Told::Nothing {
            self.told.set(Told::Error);
            let respond = self.respond.take();
            discard(respond);
            let error = RequestError {
                kind: end.kind,
                text: format!("{self}: {}", end.words),
                reason: end.reason,
                reused: end.reused,
                sent: end.sent,
                proxy_status: end.proxy_status,
            };
            self.tell_error(&error);
        } else {
            log::debug!(target: "oneloop::http", "{self}: the response was cut: {}", end.words);
        }
        self.tell_close(end.reason);
    }

    fn tell_error(self: &Rc<Self>, error: &RequestError) {
        if !self.listeners.has(On::Error) && error.kind != RequestErrorKind::Aborted {
            notice::warn!(target: "oneloop::http", "{error} (nobody listens with on_error)");
        }
        self.emit(On::Error, |listener| {
            if let Listener::Error(f) = listener
                && let Some(f) = f.take()
            {
                f(self, error);
            }
        });
    }

    fn tell_close(self: &Rc<Self>, reason: CloseReason) {
        for on in [On::ResponseClose, On::RequestClose] {
            self.emit(on, |listener| {
                if let Listener::Close(f) = listener
                    && let Some(f) = f.take()
                {
                    f(self, reason);
                }
            });
        }
        self.closed_told.set(true);
        self.listeners.clear();
    }

    /// Ends the call without a call of any listener, because its loop ends.
    pub fn teardown(&self) {
        self.note_end(CloseReason::LoopEnded);
        self.closed_told.set(true);
        let respond = self.respond.take();
        discard(respond);
        self.listeners.clear();
    }
}
