//! What an HTTP/1 connection remembers besides the state of its messages and the current exchange: four facts, each true or false.
//! Only this file changes them, in methods that are named after what has happened.

use std::cell::Cell;

/// The facts of a connection, in one byte.
#[derive(Default)]
pub(super) struct Facts(Cell<u8>);

impl Facts {
    /// `data` runs: it looks at everything that changes meanwhile, so nothing has to ask for a turn.
    const IN_DATA: u8 = 1;
    /// No further request is dispatched until output has been sent.
    const REQUESTS_HELD: u8 = 1 << 1;
    /// The head that was read in part, or refused, begins like a HEAD request: an answer to it has no content.
    const BEGINS_LIKE_HEAD: u8 = 1 << 2;
    /// The connection is to close soon after it was accepted, unless its first request has begun by then.
    const LEAVING: u8 = 1 << 3;

    #[inline(always)]
    fn has(&self, fact: u8) -> bool {
        self.0.get() & fact != 0
    }

    #[inline(always)]
    fn set(&self, fact: u8, on: bool) {
        self.0.set(if on { self.0.get() | fact } else { self.0.get() & !fact });
    }

    /// Returns whether `data` runs.
    #[inline(always)]
    pub fn is_in_data(&self) -> bool {
        self.has(Facts::IN_DATA)
    }

    #[inline(always)]
    pub fn data_begins(&self) {
        self.set(Facts::IN_DATA, true);
    }

    #[inline(always)]
    pub fn data_ends(&self) {
        self.set(Facts::IN_DATA, false);
    }

    /// Returns whether requests wait until output has been sent.
    pub fn holds_requests(&self) -> bool {
        self.has(Facts::REQUESTS_HELD)
    }

    pub fn hold_requests(&self) {
        self.set(Facts::REQUESTS_HELD, true);
    }

    pub fn let_requests_go(&self) {
        self.set(Facts::REQUESTS_HELD, false);
    }

    /// Returns whether the head that was read in part, or refused, begins like a HEAD request.
    pub fn begins_like_head(&self) -> bool {
        self.has(Facts::BEGINS_LIKE_HEAD)
    }

    /// Notes whether a head that is incomplete or refused begins like a HEAD request, since the answer then has no content
    /// (RFC 9110, 9.3.2).
    #[cold]
    pub fn note_method(&self, head: &[u8]) {
        let own = head.strip_prefix(b"\r\n").unwrap_or(head);
        self.set(Facts::BEGINS_LIKE_HEAD, own.starts_with(b"HEAD "));
    }

    /// Returns whether the connection is to close if no request begins.
    pub fn is_leaving(&self) -> bool {
        self.has(Facts::LEAVING)
    }

    /// Call this when the server closes its idle connections, and this one is new. The fact stays true, and has no meaning any more once
    /// there was a request.
    pub fn leave(&self) {
        self.set(Facts::LEAVING, true);
    }
}
