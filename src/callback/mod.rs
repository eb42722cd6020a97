//! Callbacks: how they are stored, where they were registered, and how their panics are caught.
//!
//! Imports `notice` only, and does not know the event loop. It helps to keep the main rule of the crate: *user code (a callback,
//! the drop of one, the drop of a panic's payload) never runs while a `RefCell` is borrowed, and always inside [`guarded`].*

mod guard;
mod identity;
mod lendable;
mod listeners;
mod optional;

pub(crate) use guard::{Caught, discard, discard_by, guarded};
pub(crate) use identity::{Identity, compare_by_identity};
pub(crate) use lendable::Lendable;
pub(crate) use listeners::{Listeners, Once};
pub use optional::OptionalCallback;

/// Where a callback was registered (`#[track_caller]`).
pub(crate) type Site = &'static std::panic::Location<'static>;
