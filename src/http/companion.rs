use super::error::Error;
#[cfg(feature = "app")]
use std::any::Any;
#[cfg(feature = "app")]
use std::rc::Rc;

/// What a layer above `http` keeps with an exchange that it answers: see [`Layer`](super::dispatch::Layer). An exchange is used
/// again for another request, and its companion with it: [`end`](Companion::end) resets the companion, which keeps its memory.
/// `E` is the type of the exchange: its file imports this one, so this one cannot name it.
#[cfg(feature = "app")]
pub(crate) trait Companion<E>: Any {
    /// Called when a callback of the exchange has failed before the head was sent. The layer is to answer the request, later:
    /// this method calls no user code, since a call of the user may be running. Returns the failure if the layer does not
    /// answer this exchange. Then `http` does.
    fn failed(&self, exchange: &Rc<E>, failure: Failure) -> Option<Failure>;
    /// The host and port that the request is for, as far as the layer knows better than the request's head.
    fn host<'e>(&self, exchange: &'e E) -> Option<&'e str>;
    /// The pattern of the route that the layer has chosen, if it has one.
    fn route(&self) -> Option<Rc<str>>;
    /// Called when the exchange is over, after its own listeners and those of `on_exchange_end`, and never within a call of the
    /// user. Drops all values of the user.
    fn end(&self);
}

/// The reason why a response is not what the program meant to send.
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
