//! Compares the preconditions of a request with the validators that its response has been given. A layer above `http` uses
//! this.

use super::conditional::{Conditions, Outcome, Validators, characters};
use super::range::Selection;
use super::request::Request;

impl Request {
    /// The validators that the response has so far: its `ETag` and its `Last-Modified`.
    fn validators(&self) -> Validators {
        let outgoing = self.0.outgoing().head().borrow();
        let text = |name| outgoing.fields().get_bytes(name).map(characters);
        let mut validators = Validators::default();
        validators.replace(text("ETag").as_deref(), text("Last-Modified").as_deref());
        validators
    }

    /// Returns whether a GET or HEAD is to be answered 304.
    pub(crate) fn is_not_modified(&self) -> bool {
        Conditions::of(self.0.head()).evaluate(&self.validators(), 0) == Outcome::NotModified
    }

    /// Returns whether a request that changes something may do so: 412 if not (RFC 9110, 13.2.2).
    pub(crate) fn may_change(&self) -> bool {
        matches!(Conditions::of_change(self.0.head()).evaluate(&self.validators(), 0), Outcome::Send(_))
    }

    /// The bytes that a GET asks for, if the content has `length` bytes.
    pub(crate) fn selection(&self, length: u64) -> Selection {
        Conditions::of(self.0.head()).selection(&self.validators(), length)
    }
}
