use crate::secure::Fault;
use std::io::{self, ErrorKind};

/// What has ended the work of the transport.
pub(super) enum Failure {
    Io(io::Error),
    Session(Fault),
    /// A step that was to be taken on another thread was not.
    Elsewhere(io::Error),
    /// The peer has spoken HTTP, and was answered.
    PlainHttp,
}

impl Failure {
    pub fn into_error(self) -> io::Error {
        match self {
            Failure::Io(error) | Failure::Elsewhere(error) => error,
            Failure::Session(fault) => fault.into_error(),
            Failure::PlainHttp => {
                io::Error::new(ErrorKind::InvalidData, "the peer speaks plain HTTP on a port for TLS")
            }
        }
    }
}
