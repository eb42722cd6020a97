use super::error::Error;

/// Why a response is not what the program meant to send.
pub(crate) enum Failure {
    /// A callback has returned an error, or the program has called [`Response::fail`](super::Response::fail).
    Error(Error),
    /// The library cannot do what the program has asked for; the log says why.
    #[cfg_attr(not(feature = "app"), expect(dead_code, reason = "for the layer above"))]
    Status(u16),
    /// A callback has panicked.
    Panicked,
    /// The last handle of the response was dropped.
    Dropped,
}
