use crate::event_loop::JobError;
use std::fmt;
use std::io;

/// The reason why a job has no result.
#[derive(Debug)]
pub struct Error(pub(super) JobError);

impl Error {
    /// Returns whether the work panicked. The message of the panic is part of this error's text.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, JobError::Panicked(_))
    }

    /// Returns whether the job was refused because too many jobs wait already. The work has not begun and never will.
    pub fn is_queue_full(&self) -> bool {
        matches!(self.0, JobError::QueueFull(_))
    }

    /// Returns whether the job was refused because there is no worker thread and the system cannot start one: there are too many
    /// threads or there is too little memory. The work has not begun and never will. The system's error is the
    /// [`source`](std::error::Error::source).
    pub fn is_no_thread(&self) -> bool {
        matches!(self.0, JobError::NoThread(_))
    }

    /// Returns whether the job was refused because the value of its [`Keeper`](super::Keeper) cannot be made at present. The
    /// work has not begun and never will. The error of `make` is the [`source`](std::error::Error::source).
    pub fn is_no_value(&self) -> bool {
        matches!(self.0, JobError::NoValue(_))
    }

    /// Returns whether the job was refused because its [`Keeper`](super::Keeper) had been closed. The work has not begun and
    /// never will.
    pub fn is_closed(&self) -> bool {
        matches!(self.0, JobError::Closed)
    }

    /// Returns whether the work was done, or was to be done, in a group that failed: see
    /// [`Keeper::start_grouped`](super::Keeper::start_grouped). What `begin` or `commit` returned, or the panic of another job
    /// of the group, is the [`source`](std::error::Error::source).
    pub fn is_undone(&self) -> bool {
        matches!(self.0, JobError::Undone(_))
    }

    /// Returns whether the work was not begun.
    pub(crate) fn is_refusal(&self) -> bool {
        self.is_queue_full() || self.is_no_thread() || self.is_no_value() || self.is_closed()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            JobError::NoThread(error) => Some(error),
            JobError::NoValue(error) | JobError::Undone(error) => Some(&**error),
            JobError::QueueFull(_) | JobError::Panicked(_) | JobError::Closed => None,
        }
    }
}

/// For work that returns an `io::Result`: `result.unwrap_or_else(|error| Err(error.into()))`.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}
