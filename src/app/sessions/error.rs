use std::fmt;

/// Why a session cannot be changed. Returned by a handler it is a 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// The session would have more than 4 KiB.
    TooLarge,
    /// The answer has ended, or its head has been sent, so that no cookie can go with it.
    Late,
    /// The system gives no random bytes for an id.
    Random,
}

impl fmt::Display for SessionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            SessionError::TooLarge => {
                "a session has at most 4 KiB: keep in it which user it is, and the rest elsewhere"
            }
            SessionError::Late => "a session is changed before the head of the answer is sent",
            SessionError::Random => "the system gives no random bytes for the id of a session",
        })
    }
}

impl std::error::Error for SessionError {}
