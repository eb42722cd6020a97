use super::server::Server;
use super::server_connection::ConnectionState;
use crate::net::Stream;

/// How many connections of a server are in each state. Each of the server's [`connections`](Server::connections) is in exactly
/// one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStates {
    /// There is no request, and none has begun: the connection has just been made, or persists after a response (RFC 9112,
    /// 9.3). [`close_idle_connections`](Server::close_idle_connections) closes these, and those that are `sending`.
    pub idle: usize,
    /// A request is arriving: its head has begun, or the end of its content has not come yet. Its handler may have been
    /// called already, and may even have answered.
    pub receiving: usize,
    /// A whole request has come, and its response has not ended: the handler has to answer. This includes connections whose
    /// peer has ended its side, until [`Limits::half_open`](super::Limits::half_open) is over.
    pub answering: usize,
    /// The response has ended, and the peer has not taken all of it yet.
    pub sending: usize,
    /// The connection takes no further request: pending output is sent, the peer's close is awaited, or the end is about to
    /// be reported.
    pub closing: usize,
    /// The connection was handed over ([`on_upgrade`](Server::on_upgrade), [`Response::upgrade`](super::Response::upgrade),
    /// [`on_connect`](Server::on_connect)), and is open.
    pub upgraded: usize,
}

impl Server {
    /// Returns how many of the connections are in each state now. It looks at every connection, so do not call it for each
    /// request.
    pub fn connection_states(&self) -> ConnectionStates {
        let mut states = ConnectionStates::default();
        for stream in Stream::all(&self.0.cx.lp) {
            match self.connection(&stream).map(|connection| connection.state(&stream)) {
                Some(ConnectionState::Idle) => states.idle += 1,
                Some(ConnectionState::Receiving) => states.receiving += 1,
                Some(ConnectionState::Answering) => states.answering += 1,
                Some(ConnectionState::Sending) => states.sending += 1,
                Some(ConnectionState::Closing) => {}
                None if self.has_handed_over(&stream) => states.upgraded += 1,
                None => {}
            }
        }
        // A connection whose end is being reported has no protocol any more, so the loop above does not find it. It counts as
        // `closing`.
        let open = states.idle + states.receiving + states.answering + states.sending + states.upgraded;
        states.closing = self.connections().saturating_sub(open);
        states
    }
}
