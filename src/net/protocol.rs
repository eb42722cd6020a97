use super::{CloseReason, Stream};
use crate::event_loop::Time;
use std::any::Any;
use std::io;
use std::rc::Rc;

/// What drives a stream: an HTTP/1 connection, or a socket with its user's callbacks. See the [module's docs](super).
///
/// The loop calls all of it, within a turn of the stream, with nothing borrowed. Only `data` has to be written: by default a
/// protocol ignores what it is told.
pub(crate) trait Protocol {
    /// Called with bytes that came. Returns how many of them it consumed. The stream keeps the rest, and gives it again in front
    /// of what comes next: when more came, or when [`Stream::make_ready`] asks for a turn.
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize;
    /// Called once, when the end of the peer's side was read. The stream may still keep bytes that were not consumed.
    fn eof(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called when an event tells that the peer has ended its side while that end cannot be read, because the input before it is
    /// not taken.
    fn fin_hinted(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called in a turn that [`Stream::make_ready`] asked for, after the stream has given the bytes that it kept.
    fn resume(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called when output was sent, if [`Stream::tell_sent`] asks for it. `pending` bytes are left.
    fn sent(self: Rc<Self>, _stream: &Rc<Stream>, _pending: usize) {}
    /// Called when the kernel has refused output, which is pending from now on.
    fn blocked(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called when a deadline has passed that [`Stream::need_due`] asked for.
    fn due(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// The most bytes that the stream keeps for it. With that many, the stream stops reading.
    fn held_limit(&self) -> usize {
        HELD
    }
    /// The most bytes that may be pending once the kernel has refused output. With more, the stream is closed.
    fn pending_limit(&self) -> usize {
        usize::MAX
    }
    /// Called once, before anything else, when a connection that is made from here is there. If it cannot be made, the stream
    /// closes.
    fn connected(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// The time at which the connection became idle, if it may be closed when another connection needs its file descriptor.
    /// `None`, as for the sockets of users, never has it closed.
    fn idle_since(&self, _stream: &Rc<Stream>) -> Option<Time> {
        None
    }
    /// Called by a layer above, which wants to speak to a protocol of its own as more than a `Protocol`. `wanted` is a
    /// `&mut Option<T>`, where `T` is what that layer looks for. A protocol that can be used as a `T` puts itself there.
    fn provide(self: Rc<Self>, _wanted: &mut dyn Any) {}
    /// The last call, in the closing phase.
    fn close(self: Rc<Self>, _stream: &Rc<Stream>, _reason: CloseReason, _error: Option<&io::Error>) {}
    /// Called in place of `close` when the loop ends. It makes no callback.
    fn teardown(&self) {}
}

/// In bytes: room for an unfinished message, or for what follows a message that waits.
const HELD: usize = 64 * 1024;

/// The protocol of a closed stream.
pub(super) struct Nobody;

impl Protocol for Nobody {
    fn data(self: Rc<Self>, _: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        bytes.len()
    }
}
