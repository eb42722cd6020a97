use super::exchange::Exchange;
use crate::net::Stream;
use std::rc::Rc;

/// The methods that a server needs of its connections, whichever version of HTTP they speak. A connection that was handed over to
/// another protocol does not have them.
pub(super) trait ServerConnection {
    /// Returns what the connection is doing.
    fn state(&self, stream: &Stream) -> ConnectionState;
    /// Closes the connection if it has no request, and none is coming in: see
    /// [`close_idle_connections`](super::Server::close_idle_connections).
    fn close_if_idle(&self, stream: &Rc<Stream>);
    /// Calls `f` with each exchange that the connection carries. `f` calls no user code.
    fn each_exchange(&self, f: &mut dyn FnMut(Rc<Exchange>));
}

/// The state of a connection: see [`ConnectionStates`](super::ConnectionStates).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionState {
    Idle,
    Receiving,
    Answering,
    Sending,
    Closing,
}
