use super::{SendLimits, Stream};
use std::rc::Rc;

/// A connection that one protocol has given to another.
pub(crate) struct HandedOver {
    pub stream: Rc<Stream>,
    /// The limits of output that the peer does not take. The new protocol owns a `SendWatch` for them.
    pub sending: SendLimits,
}
