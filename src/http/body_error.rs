use crate::net::CloseReason;
use std::fmt;

/// Why there is no whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// It has more bytes than were allowed.
    TooLarge {
        /// So many were.
        limit: usize,
    },
    /// The exchange was over before the body was.
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
