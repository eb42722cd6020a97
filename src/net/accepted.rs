use super::Address;
use crate::event_loop::driver::Io;

/// A connection that was accepted, of which its server makes a stream.
pub(crate) struct Accepted {
    pub(super) io: Io,
    pub peer: Address,
}
