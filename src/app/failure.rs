//! The errors that error handlers get for a panic and for a forgotten response.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::panic::Location;

/// The cause of the [`Error`](crate::http::Error) that error handlers get for a panic:
/// [`downcast_ref`](crate::http::Error::downcast_ref) finds it. The text of the panic is in the log only, since it may contain
/// private details.
///
/// ```
/// use oneloop::app::{App, Panicked};
///
/// let mut app = App::new();
/// app.on_error(|error, _req, res, next| match error.downcast_ref::<Panicked>() {
///     Some(_) => res.end("We have been told, and will mend it.\n"),
///     None => next.fail(error),
/// });
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Panicked;

impl Display for Panicked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a callback panicked")
    }
}

impl Error for Panicked {}

/// The cause of the [`Error`](crate::http::Error) that error handlers get if a step drops its handles of the response without an
/// answer, and does not go on. [`downcast_ref`](crate::http::Error::downcast_ref) finds it.
///
/// ```
/// use oneloop::app::{App, Unanswered};
///
/// let mut app = App::new();
/// app.on_error(|error, _req, _res, next| {
///     if let Some(forgotten) = error.downcast_ref::<Unanswered>() {
///         println!("look at {}", forgotten.registered);
///     }
///     next.fail(error);
/// });
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Unanswered {
    /// Where the step was registered.
    pub registered: &'static Location<'static>,
}

impl Display for Unanswered {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the step registered at {} neither answered nor went on", self.registered)
    }
}

impl Error for Unanswered {}
