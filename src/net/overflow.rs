//! What becomes of a peer that takes less than it is sent.

/// What happens when more is pending for a peer than was allowed: see
/// [`Socket::set_pending_limit`](super::Socket::set_pending_limit) and
/// [`Response::set_pending_limit`](crate::http::Response::set_pending_limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// The connection is closed at once, for the reason [`CloseReason::Overflow`](super::CloseReason::Overflow). What is
    /// pending is lost.
    Close,
}
