//! Which requests are sent again by themselves (RFC 9110, 9.2.2; RFC 9112, 9.3.1).
//!
//! A server may close an idle connection at the moment in which the next request is sent on it. Nobody has made a mistake then, so the
//! request is sent once more, on a new connection: but only if it is certain that this does no harm.

use crate::net::CloseReason;

/// A request whose connection has closed before its response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// The connection had carried other requests before.
    pub reused: bool,
    /// A byte came after the request was begun.
    pub answered: bool,
    /// The kernel has taken a byte of the request.
    pub sent: bool,
    /// The request has an idempotent method (RFC 9110, 9.2.2): sent twice, it has the same effect as sent once.
    pub idempotent: bool,
    /// The whole body is still there.
    pub replayable: bool,
    /// The program allows it, and it has not been sent again before.
    pub allowed: bool,
    pub reason: CloseReason,
}

/// Returns whether the request is sent again.
pub(super) fn may_retry(attempt: &Attempt) -> bool {
    let gone = matches!(attempt.reason, CloseReason::Truncated | CloseReason::Reset | CloseReason::MadeRoom);
    attempt.reused
        && gone
        && !attempt.answered
        && attempt.replayable
        && attempt.allowed
        && (attempt.idempotent || !attempt.sent)
}

/// Returns whether a method is idempotent (RFC 9110, 9.2.2).
pub(super) fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALE: Attempt = Attempt {
        reused: true,
        answered: false,
        sent: true,
        idempotent: true,
        replayable: true,
        allowed: true,
        reason: CloseReason::Truncated,
    };

    #[test]
    fn a_request_is_sent_again_only_if_every_condition_holds() {
        assert!(may_retry(&STALE));
        assert!(may_retry(&Attempt { reason: CloseReason::Reset, ..STALE }));
        assert!(may_retry(&Attempt { idempotent: false, sent: false, ..STALE }), "nothing of it has gone out");
        for attempt in [
            Attempt { reused: false, ..STALE },
            Attempt { answered: true, ..STALE },
            Attempt { idempotent: false, ..STALE },
            Attempt { replayable: false, ..STALE },
            Attempt { allowed: false, ..STALE },
            Attempt { reason: CloseReason::ResponseTimeout, ..STALE },
            Attempt { reason: CloseReason::BadMessage, ..STALE },
            Attempt { reason: CloseReason::Destroyed, ..STALE },
        ] {
            assert!(!may_retry(&attempt), "{attempt:?}");
        }
    }

    #[test]
    fn post_patch_and_connect_are_not_idempotent_and_methods_have_a_case() {
        for method in ["POST", "PATCH", "CONNECT", "get", "PURGE"] {
            assert!(!is_idempotent(method), "{method}");
        }
    }
}
