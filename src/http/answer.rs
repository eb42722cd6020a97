use super::companion::Failure;
use super::error::{Error, Result};
use super::exchange::{Exchange, Handle};
use super::outgoing::Phase;
use crate::net::CloseReason;
use crate::notice;
use std::rc::Rc;

/// The return value of a handler, or of a callback of its request or response: nothing, or an [`http::Result`](Result), so
/// that `?` works. An error answers the request: see [`Error`].
#[diagnostic::on_unimplemented(
    message = "a handler returns nothing, or a `Result<(), oneloop::http::Error>`; this one returns `{Self}`",
    note = "a `;` behind the last call makes a handler return nothing; a handler with `?` in it ends with `Ok(())`",
    note = "`?` makes an `http::Error` of any other error: `|req, res| Ok(handle(req, res)?)`"
)]
pub trait Answer {
    #[doc(hidden)]
    fn into_error(self) -> Option<Error>;
    /// True if a value of this type can be an error.
    #[doc(hidden)]
    const FALLIBLE: bool;
}

impl Answer for () {
    const FALLIBLE: bool = false;
    fn into_error(self) -> Option<Error> {
        None
    }
}

/// Implemented for one error type only. With several, the type of `Ok(())` at the end of a closure would be ambiguous.
impl Answer for Result<()> {
    const FALLIBLE: bool = true;
    fn into_error(self) -> Option<Error> {
        self.err()
    }
}

/// For closures that only panic, such as `|_, _| unreachable!()`. Their type is `!`, which stable Rust cannot name in
/// another way.
impl Answer for <fn() -> ! as Returns>::Output {
    const FALLIBLE: bool = false;
    fn into_error(self) -> Option<Error> {
        self
    }
}

#[doc(hidden)]
pub trait Returns {
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// Calls a handler, or a callback of an exchange, and answers with the error that it returns, if any.
#[inline]
pub(super) fn answer<R: Answer>(exchange: &Rc<Exchange>, f: impl FnOnce() -> R) {
    if !R::FALLIBLE {
        f();
        return;
    }
    // This handle is kept until the result is known. If `f` drops its handles and returns an error, the answer is the error, not
    // the 500 of a dropped response.
    let _handle = Handle::new(exchange);
    if let Some(error) = f().into_error() {
        exchange.fail(error);
    }
}

impl Exchange {
    /// A handler or callback of this exchange has failed: answers with its error, or cuts the connection if the head has
    /// been sent. The rest of the request's body is discarded.
    #[cold]
    pub fn fail(self: &Rc<Self>, error: Error) {
        let phase = self.outgoing().phase();
        let error = match phase {
            Phase::Open if !self.is_over() => {
                self.discard_body();
                match self.leave(Failure::Error(error)) {
                    Some(Failure::Error(error)) => error,
                    _ => return,
                }
            }
            _ => error,
        };
        let status = error.status();
        match phase {
            _ if self.is_over() => {
                log::debug!(target: "oneloop::http", "{self}: failed when it was over: {error}");
                return;
            }
            Phase::Open if status < 500 => {
                log::debug!(target: "oneloop::http", "{self}: the handler failed: {error}; answered {status}");
            }
            Phase::Open => {
                notice::warn!(target: "oneloop::http", "{self}: the handler failed: {error}; answered {status}");
            }
            Phase::Streaming => {
                notice::warn!(target: "oneloop::http", "{self}: the handler failed behind the head: {error}; cut");
            }
            Phase::Failed => {
                log::debug!(target: "oneloop::http", "{self}: failed again: {error}");
                return;
            }
            Phase::Ended => {
                notice::warn!(target: "oneloop::http", "{self}: the handler failed behind its answer: {error}");
                return;
            }
        }
        self.discard_body();
        if phase == Phase::Open {
            self.answer_error(status, error.text());
        } else {
            self.give_up(status, CloseReason::BadResponse);
        }
        self.wake();
    }
}
