//! Calls user code: catches panics, measures the time, and runs the ticks afterwards. The loop calls user code nowhere else.

use super::Loop;
use crate::callback::{Caught, Site, discard, guarded};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::fmt::Display;

/// What happens after a panic in a callback. See [`set_panic_policy`](super::set_panic_policy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PanicPolicy {
    /// The panic is logged, and the object that the callback belongs to (the exchange, the socket, the timer) ends. The
    /// loop keeps running.
    #[default]
    Catch,
    /// As `Catch`, but then the loop stops, and the panic comes out of `run`. For tests: a failed assertion fails the test.
    Resume,
}

/// A panic in a callback, as the listener of [`on_panic`](super::on_panic) receives it.
#[derive(Debug)]
pub struct PanicInfo<'a> {
    /// The text of the panic.
    pub message: &'a str,
    /// Where the callback was registered.
    pub registered: Site,
    /// What the callback was called for: "a timer", or the method and target of a request.
    pub what: String,
}

type OnPanic = Box<dyn FnMut(&PanicInfo<'_>)>;

/// The panic policy of a loop, its listener for panics, and a panic that is to come out of `run`.
#[derive(Default)]
pub(super) struct Panics {
    pub policy: Cell<PanicPolicy>,
    listener: RefCell<Option<OnPanic>>,
    /// True if there is a panic that is to come out of `run`.
    halted: Cell<bool>,
    payload: RefCell<Option<Caught>>,
}

impl Panics {
    pub fn set_listener(&self, f: OnPanic) {
        let old = self.listener.replace(Some(f));
        discard(old);
    }

    pub fn teardown(&self) {
        let listener = self.listener.take();
        discard(listener);
        if let Some(caught) = self.payload.take() {
            caught.forget();
        }
        self.halted.set(false);
    }
}

impl Loop {
    /// Calls a user's callback, and then the ticks that are queued. Returns `None` if the callback panicked. The panic
    /// was logged and reported; the caller decides which object ends because of it.
    #[inline]
    pub(crate) fn call<R>(&self, site: Site, what: &dyn Display, f: impl FnOnce() -> R) -> Option<R> {
        self.turn.callbacks.set(self.turn.callbacks.get() + 1);
        self.turn.site.set(site);
        let result = self.call_without_ticks(site, what, f);
        if !self.ticks.is_empty() {
            self.drain_ticks();
        }
        result
    }

    #[inline]
    pub(super) fn call_without_ticks<R>(&self, site: Site, what: &dyn Display, f: impl FnOnce() -> R) -> Option<R> {
        let result = if self.exact_timing.get() { self.timed(site, what, || guarded(f)) } else { guarded(f) };
        match result {
            Ok(value) => Some(value),
            Err(caught) => {
                self.panicked(site, what, caught);
                None
            }
        }
    }

    #[cold]
    fn panicked(&self, site: Site, what: &dyn Display, caught: Caught) {
        let info = PanicInfo { message: caught.message(), registered: site, what: what.to_string() };
        notice::error!(target: "oneloop::loop", "{} panicked: {} (callback registered at {site})", info.what, info.message);
        let listener = self.panics.listener.take();
        if let Some(mut listener) = listener {
            if let Err(second) = guarded(|| listener(&info)) {
                notice::error!(target: "oneloop::loop", "the on_panic listener panicked: {}", second.message());
                second.forget();
            }
            // The listener may have replaced itself.
            if self.panics.listener.borrow().is_none() {
                *self.panics.listener.borrow_mut() = Some(listener);
            } else {
                discard(listener);
            }
        }
        if self.panics.policy.get() == PanicPolicy::Resume && !self.panics.halted.replace(true) {
            *self.panics.payload.borrow_mut() = Some(caught);
        } else {
            caught.forget();
        }
    }

    /// Returns whether a panic is to come out of `run`. Then no further callback is called.
    #[inline]
    pub(crate) fn is_halted(&self) -> bool {
        self.panics.halted.get()
    }

    /// Resumes the panic that is to come out of `run`, if there is one.
    pub(super) fn resume_panic(&self) {
        if self.panics.halted.replace(false) {
            let caught = self.panics.payload.take();
            if let Some(caught) = caught {
                caught.resume();
            }
        }
    }
}
