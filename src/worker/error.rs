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
        matches!(self.0, JobError::QueueFull)
    }

    /// Returns whether the job was refused because there is no worker thread and the system cannot start one: there are too many
    /// threads or there is too little memory. The work has not begun and never will. The system's error is the
    /// [`source`](std::error::Error::source).
    pub fn is_no_thread(&self) -> bool {
        matches!(self.0, JobError::NoThread(_))
    }

    /// Returns whether the work was not begun.
    pub(crate) fn is_refusal(&self) -> bool {
        self.is_queue_full() || self.is_no_thread()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            JobError::Panicked(message) => write!(f, "the work panicked on its worker thread: {message}"),
            JobError::QueueFull => f.write_str(
                "the workers' queue is full: hand over fewer jobs at a time, or allow more with worker::set_pool_size",
            ),
            JobError::NoThread(error) => write!(f, "no worker thread can be started: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            JobError::NoThread(error) => Some(error),
            JobError::QueueFull | JobError::Panicked(_) => None,
        }
    }
}

/// For work that returns an `io::Result`: `result.unwrap_or_else(|error| Err(error.into()))`.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}
