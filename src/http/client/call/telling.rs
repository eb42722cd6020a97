//! What the loop tells the program of a call. User code runs here.

use super::handle::RequestHandle;
use super::{Call, End, Listener, On, Phase, Told};
use crate::callback::{Site, discard};
use crate::net::{CloseReason, Socket};
use crate::proto::h1::IncomingResponse;
use std::rc::Rc;

impl Call {
    /// Calls a callback of this call. If it panics, the call is cut.
    pub fn call(self: &Rc<Self>, site: Site, f: impl FnOnce(&Rc<Call>)) {
        if self.lp.call(site, &**self, || f(self)).is_none() {
            self.abort(End::new(CloseReason::Panicked, "a callback panicked"));
        }
    }

    pub(super) fn emit(self: &Rc<Self>, on: On, mut f: impl FnMut(&mut Listener)) {
        let mut panicked = false;
        self.listeners.each(on, |site, listener| {
            if !panicked && self.lp.call(site, &**self, || f(listener)).is_none() {
                panicked = true;
                self.abort(End::new(CloseReason::Panicked, "a callback panicked"));
            }
        });
    }

    pub fn tell_information(self: &Rc<Self>, head: &IncomingResponse) {
        self.emit(On::Information, |listener| {
            if let Listener::Information(f) = listener {
                f(self, head);
            }
        });
    }

    /// Tells the program the final response.
    pub fn tell_response(self: &Rc<Self>, head: IncomingResponse) {
        let _ = self.response.set(head);
        self.told.set(Told::Response);
        let respond = self.respond.take();
        if let Some(respond) = respond {
            self.call(self.site, respond);
        }
    }

    pub fn tell_upgrade(self: &Rc<Self>, head: IncomingResponse, socket: &Socket) {
        let _ = self.response.set(head);
        self.told.set(Told::Response);
        self.complete.set(true);
        let respond = self.respond.take();
        discard(respond);
        self.emit(On::Upgrade, |listener| {
            if let Listener::Upgrade(f) = listener
                && let Some(f) = f.take()
            {
                f(self, socket.clone());
            }
        });
    }

    pub fn tell_data(self: &Rc<Self>, bytes: &[u8]) {
        if self.read_by.get().is_none() {
            // A listener for the end alone lets the bytes pass, and they are lost to others.
            self.read_by.set(self.listeners.first(On::Data).or_else(|| self.listeners.first(On::End)));
        }
        self.emit(On::Data, |listener| {
            if let Listener::Data(f) = listener {
                f(self, bytes);
            }
        });
    }

    pub fn set_complete(&self) {
        self.complete.set(true);
    }

    /// Tells the end of the body, and then the end of the call.
    pub fn tell_end(self: &Rc<Self>) {
        if let Some(first) = self.listeners.first(On::End) {
            self.note_end_told(first);
            self.emit(On::End, |listener| {
                if let Listener::End(f) = listener
                    && let Some(f) = f.take()
                {
                    f(self);
                }
            });
        }
        self.listeners.remove(On::Data);
        self.listeners.remove(On::End);
    }

    /// Calls the listeners for `drain`, if a write has returned `Full`.
    pub fn tell_drain(self: &Rc<Self>) {
        if self.full.replace(false) && !self.is_over() && self.phase.get() == Phase::Streaming {
            let _handle = RequestHandle::new(self);
            self.emit(On::Drain, |listener| {
                if let Listener::Drain(f) = listener {
                    f(self);
                }
            });
        }
    }
}
