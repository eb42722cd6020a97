use super::{Address, CloseReason};
use std::{fmt, io};

/// A connection that did not become secure.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsError {
    /// The peer's address.
    pub peer: Option<Address>,
    /// Why the connection was closed: [`TlsFailed`](CloseReason::TlsFailed), [`HandshakeTimeout`](CloseReason::HandshakeTimeout), or
    /// what else can happen to a connection.
    pub reason: CloseReason,
    /// What went wrong, in words.
    pub message: String,
}

impl TlsError {
    pub(crate) fn new(peer: Option<Address>, reason: CloseReason, error: Option<&io::Error>) -> TlsError {
        TlsError { peer, reason, message: error.map_or_else(|| reason.to_string(), io::Error::to_string) }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            Some(peer) => write!(f, "no secure connection with {peer}: {}", self.message),
            None => write!(f, "no secure connection: {}", self.message),
        }
    }
}

impl std::error::Error for TlsError {}
