//! Catches the panics of user code. What follows from a panic of a callback is decided elsewhere: `event_loop/call.rs` logs it
//! and applies the panic policy of the loop; the caller of `Loop::call` ends the object to which the callback belongs, such
//! as the exchange (`http/dispatch.rs`), which answers 500.

use crate::notice;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A caught panic of a user's callback.
pub(crate) struct Caught(Box<dyn Any + Send>);

impl Caught {
    /// The text of the panic, as the standard library's panic hook would print it.
    pub fn message(&self) -> &str {
        if let Some(text) = self.0.downcast_ref::<&'static str>() {
            text
        } else if let Some(text) = self.0.downcast_ref::<String>() {
            text
        } else {
            "(no message)"
        }
    }

    /// Continues the panic in the caller.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.0)
    }

    /// Drops the payload of the panic. It is a user's value, so its drop may panic too; this second panic is caught.
    pub fn forget(self) {
        discard(self.0);
    }
}

/// Runs user code and catches its panic. This is unwind-safe because user code never runs while a `RefCell` of the library is
/// borrowed (the rule in the docs of `callback`): a panic cannot leave the library's state half-changed.
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Result<R, Caught> {
    catch_unwind(AssertUnwindSafe(f)).map_err(Caught)
}

/// Drops a value that may hold user values, and catches a panic of its drop. The payload of that panic is dropped as well;
/// if this panics too, the payload of the second panic is leaked.
pub(crate) fn discard<T>(value: T) {
    if let Err(caught) = guarded(|| drop(value)) {
        drop_panicked(caught);
    }
}

/// As [`discard`], of the value that `drop_it` drops. This function is not generic: generic code that uses it does not have the guard
/// compiled for each closure of a user.
pub(crate) fn discard_by(drop_it: &mut dyn FnMut()) {
    if let Err(caught) = guarded(drop_it) {
        drop_panicked(caught);
    }
}

#[cold]
fn drop_panicked(Caught(payload): Caught) {
    notice::error!(target: "oneloop::loop", "a value panicked while it was dropped");
    if let Err(Caught(second)) = guarded(|| drop(payload)) {
        std::mem::forget(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_drop_whose_payload_panics_when_dropped_is_contained() {
        discard(Bomb(3));
        let mut bomb = Some(Bomb(3));
        discard_by(&mut || drop(bomb.take()));
        match guarded(|| std::panic::panic_any(Bomb(2))) {
            Err(caught) => caught.forget(),
            Ok(()) => panic!("the guard let a panic pass"),
        }
    }

    #[test]
    fn the_message_is_what_the_panic_said() {
        let static_text = guarded(|| panic!("plain")).unwrap_err();
        let formatted = guarded(|| panic!("number {}", 7)).unwrap_err();
        assert_eq!(static_text.message(), "plain");
        assert_eq!(formatted.message(), "number 7");
    }
}
