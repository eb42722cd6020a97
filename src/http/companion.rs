use super::error::Error;
#[cfg(feature = "app")]
use std::any::Any;
#[cfg(feature = "app")]
use std::rc::Rc;

/// What a layer above `http` keeps with an exchange that it answers: see [`Layer`](super::dispatch::Layer). It is used again with
/// its exchange, so it is reset at its end, and keeps its memory. `E` is the exchange,
/// which knows this trait, and which this file need not know.
#[cfg(feature = "app")]
pub(crate) trait Companion<E>: Any {
    /// A callback of the exchange has failed, and no head was sent: the layer is to answer. Returns the failure if the layer
    /// does not answer this exchange; then `http` does. Does not call user code, since a user's call may be running.
    fn failed(&self, exchange: &Rc<E>, failure: Failure) -> Option<Failure>;
    /// The host and port that the request is for, as far as the layer knows better than the request's head.
    fn host<'e>(&self, exchange: &'e E) -> Option<&'e str>;
    /// The pattern of the route that the layer has chosen, if it has one.
    fn route(&self) -> Option<Rc<str>>;
    /// The exchange is over: its listeners, and those for the end of an exchange, were called. Drops all values of the user.
    /// Nobody calls it inside of a user's call.
    fn end(&self);
}

/// Why a response is not what the program meant to send.
pub(crate) enum Failure {
    /// A callback has returned an error, or the program has called [`Response::fail`](super::Response::fail).
    Error(Error),
    /// The library cannot do what the program has asked for; the log says why.
    #[cfg_attr(not(feature = "app"), expect(dead_code, reason = "for the layer above"))]
    Status(u16),
    /// A callback has panicked.
    Panicked,
    /// The last handle of the response was dropped.
    Dropped,
}
