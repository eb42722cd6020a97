//! The request of a call: what the program sends.

use super::super::error::RequestErrorKind;
use super::{Call, End, Phase};
use crate::event_loop::{Deadline, set_deadline};
use crate::net::{Chunk, CloseReason, Flow};
use crate::proto::h1::{BodyPlan, request_framing};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

impl Call {
    /// Sends a part of the body, or all of it, after the head.
    pub fn send(self: &Rc<Self>, chunk: Chunk<'_>, last: bool) -> Flow {
        if self.is_over() || self.phase.get() == Phase::Ended {
            log::debug!(target: "oneloop::http", "{self}: a write after the end");
            return Flow::Closed;
        }
        if self.phase.get() == Phase::Open {
            if last {
                self.phase.set(Phase::Ended);
                *self.whole.borrow_mut() = Some(chunk.into_vec());
                self.begin();
                return Flow::Ready;
            }
            self.phase.set(Phase::Streaming);
            self.begin();
        }
        if last {
            self.phase.set(Phase::Ended);
        }
        let flow = self.link().map_or(Flow::Closed, |link| link.send(self, chunk, last));
        if flow.is_full() {
            self.full.set(true);
        }
        flow
    }

    /// Sends the head alone, if it was not sent yet.
    pub fn send_head(self: &Rc<Self>) {
        if !self.is_over() && self.phase.get() == Phase::Open {
            self.phase.set(Phase::Streaming);
            self.begin();
        }
    }

    fn begin(self: &Rc<Self>) {
        let known = self.whole.borrow().as_ref().map(|body| body.len() as u64);
        let plan = request_framing(&self.head.borrow(), known);
        match plan {
            Ok(plan) => self.plan.set(Some(plan)),
            Err(error) => return self.invalid(error.to_string()),
        }
        if self.place.as_ref().is_some_and(|place| place.is_behind_proxy())
            && self.head.borrow().has("Proxy-Authorization")
        {
            return self
                .invalid("Proxy-Authorization would go to the server: give it to Proxy::credentials".to_owned());
        }
        if let Some(after) = self.timeout.get() {
            self.arm(after);
        }
        if let Some(link) = self.link() {
            link.begin(self);
        }
    }

    /// The program has made a mistake: the request is not sent.
    #[cold]
    pub fn invalid(self: &Rc<Self>, words: String) {
        self.abort(End::of(RequestErrorKind::Invalid, CloseReason::Destroyed, words));
    }

    pub fn set_timeout(self: &Rc<Self>, after: Option<Duration>) {
        self.timeout.set(after);
        if self.phase.get() != Phase::Open && !self.is_over() {
            match after {
                Some(after) => self.arm(after),
                None => self.set_timer(None),
            }
        }
    }

    fn arm(self: &Rc<Self>, after: Duration) {
        let weak = Rc::downgrade(self);
        let timer = set_deadline(after, move || {
            if let Some(call) = weak.upgrade() {
                let words = format!("it has taken longer than {after:?}");
                call.abort(End::new(CloseReason::RequestTimeout, words));
            }
        });
        self.set_timer(Some(timer));
    }

    pub(super) fn set_timer(&self, timer: Option<Deadline>) {
        if let Some(before) = self.timer.replace(timer) {
            before.clear();
        }
    }

    pub fn plan(&self) -> Option<BodyPlan> {
        self.plan.get()
    }

    /// Keeps a part of the body until it can be sent.
    pub fn hold(&self, chunk: &Chunk<'_>) -> usize {
        let mut held = self.held.borrow_mut();
        held.extend_from_slice(chunk.as_bytes());
        held.len()
    }

    pub fn take_held(&self) -> Vec<u8> {
        self.held.take()
    }

    pub fn held(&self) -> usize {
        self.held.borrow().len()
    }

    pub fn whole(&self) -> &RefCell<Option<Vec<u8>>> {
        &self.whole
    }

    /// The rest of the request is not wanted: what the program still writes goes nowhere.
    pub fn stop_sending(&self) {
        self.phase.set(Phase::Ended);
    }

    /// Whether the request may be sent again by itself if its connection turns out to be gone.
    pub fn may_retry(&self) -> bool {
        self.retry.get() && !self.retried.get()
    }

    pub fn set_retry(&self, on: bool) {
        self.retry.set(on);
    }

    pub fn is_retried(&self) -> bool {
        self.retried.get()
    }

    pub fn set_retried(&self) {
        self.retried.set(true);
    }
}
