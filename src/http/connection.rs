use crate::net::{Address, CloseReason, Stream};
use std::rc::Rc;

/// A connection of a server, as [`Server::on_connection`](super::Server::on_connection) sees it.
#[derive(Clone)]
pub struct Connection(pub(super) Rc<Stream>);

impl Connection {
    /// The peer's address.
    pub fn remote_addr(&self) -> Address {
        self.0.peer()
    }

    /// The address of our end, while the connection is open.
    pub fn local_addr(&self) -> Option<Address> {
        self.0.local()
    }

    /// Bytes received so far.
    pub fn bytes_read(&self) -> u64 {
        self.0.bytes_read()
    }

    /// Bytes that the kernel has taken so far.
    pub fn bytes_written(&self) -> u64 {
        self.0.bytes_written()
    }

    /// Returns whether the connection is closed or closing.
    pub fn is_closed(&self) -> bool {
        !self.0.is_in_use()
    }

    /// Closes the connection at once.
    pub fn destroy(&self) {
        self.0.destroy(CloseReason::Destroyed);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("remote_addr", &self.remote_addr()).finish()
    }
}
