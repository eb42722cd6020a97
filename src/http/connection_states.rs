use super::server::Server;

/// What a connection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionState {
    Idle,
    Receiving,
    Answering,
    Sending,
    Closing,
}

/// How many connections of a server are in which state. Each of its [`connections`](Server::connections) is in one of
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStates {
    /// No request is here, and none has begun: the connection has just been made, or persists behind a response (RFC 9112,
    /// 9.3). [`close_idle_connections`](Server::close_idle_connections) closes these, and those that are `sending`.
    pub idle: usize,
    /// A request is on its way: its head has begun, or the end of its content is not here yet. Its handler may have
    /// it already, and may even have answered it.
    pub receiving: usize,
    /// A whole request is here, and its response has not ended: the handler owes it. Also where the peer has ended its side
    /// meanwhile, until [`Limits::half_open`](super::Limits::half_open) is over.
    pub answering: usize,
    /// The response has ended, and the peer has yet to take a part of it.
    pub sending: usize,
    /// It takes no further request: what is still to be sent goes out, the peer's close is awaited, or its end is about to
    /// be told.
    pub closing: usize,
    /// It was handed over to [`on_upgrade`](Server::on_upgrade) or [`on_connect`](Server::on_connect), and is open.
    pub upgraded: usize,
}

impl Server {
    /// How many of its connections are in which state, now. It looks at every connection, so it is not for every request.
    pub fn connection_states(&self) -> ConnectionStates {
        let mut states = ConnectionStates::default();
        for stream in self.0.cx.streams() {
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
        // One whose end is being told has no slot any more, and still counts as a connection.
        let open = states.idle + states.receiving + states.answering + states.sending + states.upgraded;
        states.closing = self.connections().saturating_sub(open);
        states
    }
}
