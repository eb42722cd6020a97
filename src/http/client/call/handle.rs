//! The handles of a call. Their number tells whether the program can still do something with it.

use super::super::error::RequestErrorKind;
use super::{Call, End, Phase, Wish};
use crate::net::CloseReason;
use std::ops::Deref;
use std::rc::Rc;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $count:ident, $last:ident) => {
        $(#[$doc])*
        pub(in crate::http::client) struct $name(Rc<Call>);

        impl $name {
            pub fn new(call: &Rc<Call>) -> $name {
                call.$count.set(call.$count.get() + 1);
                $name(call.clone())
            }
        }

        impl Clone for $name {
            fn clone(&self) -> $name {
                $name::new(&self.0)
            }
        }

        impl Deref for $name {
            type Target = Rc<Call>;

            fn deref(&self) -> &Rc<Call> {
                &self.0
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                let left = self.0.$count.get() - 1;
                self.0.$count.set(left);
                if left == 0 {
                    self.0.$last();
                }
            }
        }
    };
}

handle!(
    /// A handle of the request. When the last one is dropped and the request has not ended, the call is aborted.
    RequestHandle,
    requests,
    request_dropped
);
handle!(
    /// A handle of the response. When the last one is dropped and nobody listens, the rest of the body is discarded.
    ResponseHandle,
    responses,
    response_dropped
);

impl Call {
    fn request_dropped(self: &Rc<Self>) {
        if !self.is_over() && self.phase.get() != Phase::Ended {
            let words = "the request was dropped before its end";
            self.abort(End::of(RequestErrorKind::Aborted, CloseReason::Destroyed, words));
        }
    }

    fn response_dropped(self: &Rc<Self>) {
        if !self.is_over() && !self.complete.get() && self.wish() != Wish::Hold {
            self.wake();
        }
    }
}
