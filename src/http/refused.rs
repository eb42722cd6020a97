use crate::net::{CloseReason, Protocol, Stream};
use std::rc::Rc;

/// The protocol of a connection that is one too many: its input is ignored, and it is closed.
pub(super) struct Refused;

impl Protocol for Refused {
    fn data(self: Rc<Self>, _: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        bytes.len()
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        stream.destroy(CloseReason::TooMany);
    }
}
