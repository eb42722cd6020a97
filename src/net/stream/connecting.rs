//! The end of an attempt to connect.

use super::{State, Stream, flag};
use crate::net::CloseReason;
use std::io::{self, ErrorKind};
use std::rc::Rc;

impl Stream {
    #[cold]
    pub(super) fn finish_connect(self: &Rc<Self>) {
        let outcome = match &*self.io.borrow() {
            Some(io) => io.take_error().and_then(|error| match error {
                Some(error) => Err(error),
                // Writable without a peer: a spurious event.
                None => match io.peer_addr() {
                    Ok(_) => Ok(true),
                    Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
                    Err(error) => Err(error),
                },
            }),
            None => Ok(false),
        };
        match outcome {
            Ok(true) => {
                self.state.set(State::Open);
                self.set(flag::MADE);
                self.protocol().connected(self);
                self.flush_output();
            }
            Ok(false) => {}
            Err(error) => {
                *self.io.borrow_mut() = None;
                self.connect_failed(error);
            }
        }
    }

    /// An attempt to connect has failed; the protocol may try another address.
    fn connect_failed(self: &Rc<Self>, error: io::Error) {
        self.ending.set(Some(Box::new(self.new_ending(CloseReason::ConnectFailed, Some(error)))));
        self.protocol().connected(self);
    }

    /// Why the last attempt to connect failed, for `Protocol::connected`.
    pub fn take_connect_error(&self) -> Option<io::Error> {
        self.ending.take().and_then(|ending| ending.error)
    }
}
