//! The beginning of an outgoing connection.

use super::{Event, Peer, Stream};
use crate::event_loop::Address;
use crate::event_loop::driver::Io;
use crate::net::CloseReason;
use crate::net::transport::Transport;
use std::rc::Rc;

impl Stream {
    /// The connection was made: from now on the stream owns its socket. Output that was written earlier is sent now.
    #[cold]
    pub fn connected(self: &Rc<Self>, mut io: Io, peer: &Address) {
        if !self.is_connecting() {
            return;
        }
        if let Err(error) = self.cx.lp.driver().reregister(&mut io, self.token.get().number()) {
            return self.destroy_with(CloseReason::ConnectFailed, error);
        }
        self.peer.set(Peer::from(peer));
        *self.transport.borrow_mut() = Some(Transport::new(io));
        self.state.on(Event::Connected);
        self.run_turn(|| {
            self.protocol().connected(self);
            self.flush_output();
        });
    }
}
