//! The one place that calls user code: guard, timing, ticks.

use super::Loop;
use crate::callback::{Caught, Site, discard, guarded};
use crate::notice;
use std::cell::{Cell, RefCell};
use std::fmt::Display;

/// What becomes of a panic in a callback. See [`set_panic_policy`](super::set_panic_policy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PanicPolicy {
    /// It is logged, costs what it concerns (the exchange, the socket, the timer), and the loop goes on.
    #[default]
    Catch,
    /// The same; then the loop stops, and `run` goes on with the unwind. For tests: a failed assertion fails.
    Resume,
}

/// A panic in a callback, as [`on_panic`](super::on_panic) sees it.
#[derive(Debug)]
pub struct PanicInfo<'a> {
    /// What the panic said.
    pub message: &'a str,
    /// Where the callback was registered.
    pub registered: Site,
    /// What it was called for: "a timer", or the method and target of a request.
    pub what: String,
}

type OnPanic = Box<dyn FnMut(&PanicInfo<'_>)>;

/// What a loop knows of panics.
#[derive(Default)]
pub(super) struct Panics {
    pub policy: Cell<PanicPolicy>,
    listener: RefCell<Option<OnPanic>>,
    /// Waits to be resumed out of `run`.
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
    /// Calls a callback of the user's, and the ticks that it leaves. `None`: it panicked, which has been logged and
    /// reported; what it costs is for the caller to settle.
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
            // It may have replaced itself.
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

    /// Has a panic to be resumed: no further callback is made.
    #[inline]
    pub(crate) fn is_halted(&self) -> bool {
        self.panics.halted.get()
    }

    /// Goes on with the unwind of a panic that waits for it.
    pub(super) fn resume_panic(&self) {
        if self.panics.halted.replace(false) {
            let caught = self.panics.payload.take();
            if let Some(caught) = caught {
                caught.resume();
            }
        }
    }
}
