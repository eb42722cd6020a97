//! The setting for peers that read more slowly than the program writes.

/// What happens when more output is pending for a peer than the limit allows: see
/// [`Socket::set_pending_limit`](super::Socket::set_pending_limit) and
/// [`Response::set_pending_limit`](crate::http::Response::set_pending_limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// The connection is closed at once, for the reason [`CloseReason::Overflow`](super::CloseReason::Overflow). Pending
    /// output is lost.
    Close,
}
