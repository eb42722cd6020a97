use super::{CloseReason, Stream};
use crate::event_loop::Time;
use std::any::Any;
use std::io;
use std::rc::Rc;

/// What drives a stream: HTTP, or a user's callbacks. See the [module's docs](super).
///
/// All of it is called by the loop, within a turn of the stream, with nothing borrowed.
pub(crate) trait Protocol: Any {
    /// Bytes came. Says how many it consumed; the rest is given again, before what follows it, when more came or when
    /// [`Stream::make_ready`] asks for it.
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize;
    /// The peer ended its side; once. Bytes that were not consumed may still be there.
    fn eof(self: Rc<Self>, stream: &Rc<Stream>);
    /// An event said that the peer has ended its side, but the end cannot be read yet: the input before it is not taken.
    fn fin_hinted(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// A turn that the stream had asked for with [`Stream::make_ready`], after bytes that were left over were given.
    fn resume(self: Rc<Self>, stream: &Rc<Stream>);
    /// Output went out: `pending` bytes are left.
    fn sent(self: Rc<Self>, stream: &Rc<Stream>, pending: usize);
    /// The kernel has refused output: from now on it is pending.
    fn blocked(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// The deadline that was asked for with [`Stream::need_due`] has passed.
    fn due(self: Rc<Self>, stream: &Rc<Stream>);
    /// Bytes that may be held back unconsumed; with more, reading stops.
    fn held(&self) -> usize {
        HELD
    }
    /// Bytes that may be pending once the kernel has refused more; beyond them the stream is closed.
    fn pending_limit(&self) -> usize {
        usize::MAX
    }
    /// The connection that is made from here is there; once, before anything else. One that cannot be made closes.
    fn connected(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Since when nothing is going on, where the connection may be closed for that if another needs its descriptor. Never, for
    /// a socket of the user's.
    fn idle_since(&self, _stream: &Rc<Stream>) -> Option<Time> {
        None
    }
    /// The closing phase: the last call.
    fn close(self: Rc<Self>, stream: &Rc<Stream>, reason: CloseReason, error: Option<&io::Error>);
    /// The loop ends; no callback is made.
    fn teardown(&self);
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

/// Room for an unfinished message, or for what comes behind one that waits (design, section 7).
const HELD: usize = 64 * 1024;

/// The protocol of a closed stream: breaks the cycle between a stream and its protocol.
pub(super) struct Nobody;

impl Protocol for Nobody {
    fn data(self: Rc<Self>, _: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        bytes.len()
    }
    fn eof(self: Rc<Self>, _: &Rc<Stream>) {}
    fn resume(self: Rc<Self>, _: &Rc<Stream>) {}
    fn sent(self: Rc<Self>, _: &Rc<Stream>, _: usize) {}
    fn due(self: Rc<Self>, _: &Rc<Stream>) {}
    fn close(self: Rc<Self>, _: &Rc<Stream>, _: CloseReason, _: Option<&io::Error>) {}
    fn teardown(&self) {}
    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
