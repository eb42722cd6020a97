use super::Stream;
use crate::event_loop::Time;
use crate::net::CloseReason;
use std::any::Any;
use std::io;
use std::rc::Rc;

/// The receiver of a stream's bytes and events: an HTTP/1 connection, or a socket with its user's callbacks. See the
/// [docs of `net`](crate::net).
///
/// The loop calls these methods within a turn of the stream, while no cell of the library is borrowed. Only `data` must be
/// implemented: by default a protocol ignores all other events.
pub(crate) trait Protocol {
    /// Called with bytes that came. Returns how many of them it consumed. The stream keeps the rest, and gives it again,
    /// before later bytes: when more bytes have come, or in a turn that [`Stream::ask_for_turn`] asked for.
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize;
    /// Called once, when the end of the peer's side was read. The stream may still keep bytes that were not consumed.
    fn eof(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called when an event reports that the peer has ended its side, but the end cannot be read yet, because the protocol
    /// has not taken the input before it.
    fn fin_hinted(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called in a turn that [`Stream::ask_for_turn`] asked for, after the stream has given the bytes that it kept.
    fn resume(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called when output was sent, if [`Stream::tell_sent`] asks for it. `pending` bytes are left.
    fn sent(self: Rc<Self>, _stream: &Rc<Stream>, _pending: usize) {}
    /// Called when the kernel has refused output, which is pending from now on.
    fn blocked(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called when a deadline has passed that [`Stream::need_due`] asked for.
    fn due(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// The most bytes that the stream keeps for this protocol. With that many, the stream stops reading.
    fn held_limit(&self) -> usize {
        HELD
    }
    /// The most bytes that may be pending once the kernel has refused output. With more, the stream is closed.
    fn pending_limit(&self) -> usize {
        usize::MAX
    }
    /// Called once, before any other method, when an outgoing connection was made. If it cannot be made, the stream closes
    /// instead.
    fn connected(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called once, when the handshake of a stream that was [secured](Stream::secure) is over. If it fails, the stream closes instead.
    #[cfg(feature = "tls")]
    fn secured(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// The time at which the connection became idle, if it may be closed when another connection needs its file descriptor.
    /// With `None`, which the sockets of users return, it is never closed for that.
    fn idle_since(&self, _stream: &Rc<Stream>) -> Option<Time> {
        None
    }
    /// Called when the server that has handed the connection over to this protocol begins to close. It calls no user code.
    fn server_closing(self: Rc<Self>, _stream: &Rc<Stream>) {}
    /// Called by a layer above, which looks for a stream's protocol by its concrete type. `wanted` is a `&mut Option<T>`,
    /// where `T` is the type that the layer looks for. A protocol that can be used as a `T` puts itself there.
    fn provide(self: Rc<Self>, _wanted: &mut dyn Any) {}
    /// The last call, in the closing phase.
    fn close(self: Rc<Self>, _stream: &Rc<Stream>, _reason: CloseReason, _error: Option<&io::Error>) {}
    /// Called in place of `close` when the loop ends. It must not call user code.
    fn teardown(&self) {}
}

/// The default of `held_limit`, in bytes: room for an unfinished message, or for the input behind a message that is being
/// handled.
const HELD: usize = 64 * 1024;

/// The protocol of a closed stream.
pub(super) struct Nobody;

impl Protocol for Nobody {
    fn data(self: Rc<Self>, _: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        bytes.len()
    }
}
