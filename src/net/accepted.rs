use super::Address;
use crate::event_loop::driver::Io;

/// A connection that was accepted. The server makes a stream from it.
pub(crate) struct Accepted {
    pub(super) io: Io,
    pub peer: Address,
}
