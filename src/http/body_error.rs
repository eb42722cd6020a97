use crate::net::CloseReason;
use std::fmt;
use std::io;

/// The reason why there is no whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The body has more bytes than were allowed.
    TooLarge {
        /// How many bytes were allowed.
        limit: usize,
    },
    /// The exchange was over before the whole body had come.
    Closed(CloseReason),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge { limit } => write!(f, "the body has more than {limit} bytes"),
            BodyError::Closed(reason) => write!(f, "the connection was closed before the body ended: {reason}"),
        }
    }
}

impl std::error::Error for BodyError {}

/// The reason why a body was not saved to a file: see [`Request::save_to`](super::Request::save_to).
#[derive(Debug)]
#[non_exhaustive]
pub enum SaveError {
    /// The body has more bytes than were allowed.
    TooLarge {
        /// How many bytes were allowed.
        limit: u64,
    },
    /// The exchange was over before the whole body had come.
    Closed(CloseReason),
    /// The file cannot be made, written or renamed.
    File(io::Error),
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaveError::TooLarge { limit } => write!(f, "the body has more than {limit} bytes"),
            SaveError::Closed(reason) => write!(f, "the connection was closed before the body ended: {reason}"),
            SaveError::File(error) => write!(f, "the body cannot be stored: {error}"),
        }
    }
}

impl std::error::Error for SaveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SaveError::File(error) => Some(error),
            _ => None,
        }
    }
}
