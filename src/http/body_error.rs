use crate::callback::Site;
use crate::net::CloseReason;
use std::fmt;
use std::io;
use std::panic::Location;

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
    /// The body was given to another callback before. The library does not keep it for a second callback.
    AlreadyRead {
        /// Where the program asked for the body: the call of a method such as `read_body` or `on_data`, or the line at which a
        /// handler was made that takes a body (`app::json` and the like).
        by: &'static Location<'static>,
    },
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge { limit } => write!(f, "the body has more than {limit} bytes"),
            BodyError::Closed(reason) => cut_off(f, *reason),
            BodyError::AlreadyRead { by } => already_read(f, by),
        }
    }
}

impl std::error::Error for BodyError {}

fn cut_off(f: &mut fmt::Formatter<'_>, reason: CloseReason) -> fmt::Result {
    write!(f, "the connection was closed before the body ended: {reason}")
}

fn already_read(f: &mut fmt::Formatter<'_>, by: Site) -> fmt::Result {
    write!(f, "the body was read already, by the callback registered at {by}")
}

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
    /// The body was given to another callback before: see [`BodyError::AlreadyRead`].
    AlreadyRead {
        /// Where the program asked for the body.
        by: &'static Location<'static>,
    },
    /// The file cannot be made, written or renamed.
    File(io::Error),
}

impl SaveError {
    pub(super) fn of(error: BodyError) -> SaveError {
        match error {
            BodyError::TooLarge { limit } => SaveError::TooLarge { limit: limit as u64 },
            BodyError::Closed(reason) => SaveError::Closed(reason),
            BodyError::AlreadyRead { by } => SaveError::AlreadyRead { by },
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaveError::TooLarge { limit } => write!(f, "the body has more than {limit} bytes"),
            SaveError::Closed(reason) => cut_off(f, *reason),
            SaveError::AlreadyRead { by } => already_read(f, by),
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
