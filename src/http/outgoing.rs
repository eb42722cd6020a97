use super::incoming::reset_fields;
use crate::event_loop::Timeout;
use crate::net::CloseReason;
use crate::proto::h1::{Fields, OutgoingResponse};
use std::cell::{Cell, OnceCell, RefCell};

/// The progress of a response.
///
/// ```text
///   Open ──first write, flush_headers──► Streaming ──end──► Ended
///     │└───────────────end(body)──────────────────────────────▲
///     └◄─► Failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The head can be changed.
    Open,
    /// The head was sent.
    Streaming,
    /// A callback has failed, and the layer above is going to answer: what the program sends meanwhile is ignored. Then the head is
    /// open again, for the layer's error handlers.
    #[cfg_attr(not(feature = "app"), expect(dead_code, reason = "for the layer above"))]
    Failed,
    /// Everything was given to the connection, or the rest never will be.
    Ended,
}

/// The part of a response that waits in a stage. The program has ended the response, and the connection does not have this part
/// yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Nothing,
    /// The last part. The head was sent.
    Rest,
    /// The head and the last part.
    All,
}

/// The outgoing half of an exchange: the response, its progress, and what happens if the program does not complete it.
pub(crate) struct Outgoing {
    head: RefCell<OutgoingResponse>,
    phase: Cell<Phase>,
    waits: Cell<Waits>,
    fixed: Cell<bool>,
    finished: Cell<bool>,
    full: Cell<bool>,
    content_sent: Cell<u64>,
    pending_limit: Cell<usize>,
    fallback: Cell<u16>,
    retry_after: Cell<u32>,
    broken: Cell<Option<CloseReason>>,
    ends_with_server: Cell<bool>,
    timer: Cell<Option<Timeout>>,
    /// Allocated for the first trailer.
    trailers: OnceCell<Box<RefCell<Fields>>>,
}

impl Outgoing {
    pub fn new() -> Outgoing {
        Outgoing {
            head: RefCell::new(OutgoingResponse::new()),
            phase: Cell::new(Phase::Open),
            waits: Cell::new(Waits::Nothing),
            fixed: Cell::new(false),
            finished: Cell::new(false),
            full: Cell::new(false),
            content_sent: Cell::new(0),
            pending_limit: Cell::new(usize::MAX),
            fallback: Cell::new(500),
            retry_after: Cell::new(0),
            broken: Cell::new(None),
            ends_with_server: Cell::new(false),
            timer: Cell::new(None),
            trailers: OnceCell::new(),
        }
    }

    /// Resets this half for another response. The buffers keep their memory, each up to `keep` bytes.
    pub fn reset(&mut self, keep: usize) {
        let head = self.head.get_mut();
        head.clear();
        if head.capacity() > keep {
            head.shrink();
        }
        if let Some(trailers) = self.trailers.get_mut() {
            reset_fields(trailers.get_mut(), keep);
        }
        self.phase.set(Phase::Open);
        self.fixed.set(false);
        self.finished.set(false);
        self.full.set(false);
        self.pending_limit.set(usize::MAX);
        self.fallback.set(500);
        self.retry_after.set(0);
        self.broken.set(None);
        self.ends_with_server.set(false);
    }

    // ---- The head

    pub fn head(&self) -> &RefCell<OutgoingResponse> {
        &self.head
    }

    /// Returns whether the program may still change the head.
    pub fn is_changeable(&self) -> bool {
        self.phase.get() == Phase::Open && !self.fixed.get()
    }

    /// Notes that `write_head` was called: the program cannot change the head any more.
    pub fn fix_head(&self) {
        self.fixed.set(true);
    }

    /// The fields that follow a chunked body.
    pub fn trailers(&self) -> &RefCell<Fields> {
        self.trailers.get_or_init(Box::default)
    }

    // ---- The progress

    #[inline]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Notes that a callback has failed before the head was sent.
    #[cfg(feature = "app")]
    pub fn set_failed(&self) {
        self.phase.set(Phase::Failed);
    }

    /// Opens the head again after a failure, for another answer.
    #[cfg(feature = "app")]
    pub fn reopen(&self) {
        self.phase.set(Phase::Open);
        self.fixed.set(false);
    }

    /// Returns whether the head was sent. The connection may be gone by now.
    pub fn is_begun(&self) -> bool {
        matches!(self.phase.get(), Phase::Streaming | Phase::Ended) && self.waits.get() != Waits::All
    }

    /// Returns whether the response has ended for the program, but not for the connection.
    pub fn waits(&self) -> bool {
        self.waits.get() != Waits::Nothing
    }

    /// Notes that the program has ended the response, and that its last part waits.
    #[cfg(feature = "app")]
    pub fn hold_end(&self) {
        self.waits.set(if self.phase.get() == Phase::Open { Waits::All } else { Waits::Rest });
        self.phase.set(Phase::Ended);
    }

    /// Notes that the part that waits will not be sent: the response is again what it was before its end.
    #[cfg(feature = "app")]
    pub fn take_back(&self) {
        match self.waits.replace(Waits::Nothing) {
            Waits::Nothing => {}
            Waits::Rest => self.phase.set(Phase::Streaming),
            Waits::All => self.phase.set(Phase::Open),
        }
    }

    /// Returns whether what the program sends is ignored: its response has ended, or has failed.
    #[inline]
    pub fn is_refused(&self) -> bool {
        matches!(self.phase.get(), Phase::Failed | Phase::Ended)
    }

    /// Notes that the head was sent, and that content follows.
    pub fn begin(&self) {
        match self.waits.get() {
            Waits::Nothing => self.phase.set(Phase::Streaming),
            Waits::Rest | Waits::All => self.waits.set(Waits::Rest),
        }
        self.content_sent.set(0);
    }

    /// Notes that everything was sent at once, with `content` bytes of content.
    #[inline]
    pub fn send_whole(&self, content: u64) {
        self.end();
        self.content_sent.set(content);
    }

    /// Notes that more bytes of the content were sent.
    pub fn count_content(&self, bytes: u64) {
        self.content_sent.set(self.content_sent.get() + bytes);
    }

    /// Notes that the content is whole, or that no more of it is wanted.
    #[inline]
    pub fn end(&self) {
        self.phase.set(Phase::Ended);
        #[cfg(feature = "app")]
        self.waits.set(Waits::Nothing);
    }

    /// Notes that the response will never be whole, for this reason.
    pub fn break_off(&self, reason: CloseReason) {
        self.end();
        self.broken.set(Some(reason));
    }

    /// The reason why the response was broken off, if it was.
    pub fn break_reason(&self) -> Option<CloseReason> {
        self.broken.get()
    }

    /// Notes that the response goes on until somebody ends it, and that its server does so when it begins to close.
    #[cfg(feature = "app")]
    pub fn end_with_server(&self) {
        self.ends_with_server.set(true);
    }

    pub fn ends_with_server(&self) -> bool {
        self.ends_with_server.get()
    }

    /// How many bytes of content were given to the connection; 0 if the head was not given to it yet.
    pub fn content_sent(&self) -> u64 {
        if self.is_begun() { self.content_sent.get() } else { 0 }
    }

    /// Returns whether the kernel has taken the whole response.
    pub fn is_finished(&self) -> bool {
        self.finished.get()
    }

    pub fn set_finished(&self, finished: bool) {
        self.finished.set(finished);
    }

    // ---- Backpressure

    /// Returns whether a write has returned `Full`, so that `drain` is to follow.
    pub fn is_full(&self) -> bool {
        self.full.get()
    }

    pub fn set_full(&self) {
        self.full.set(true);
    }

    /// Notes that the `drain` listeners are called now. Returns whether a write had returned `Full`.
    pub fn clear_full(&self) -> bool {
        self.full.replace(false)
    }

    /// The most bytes that may be pending for the peer while the response is being written.
    pub fn pending_limit(&self) -> usize {
        self.pending_limit.get()
    }

    pub fn set_pending_limit(&self, bytes: usize) {
        self.pending_limit.set(bytes);
    }

    // ---- If the program does not complete the response

    /// The status with which the library answers if the program does not.
    pub fn fallback(&self) -> u16 {
        self.fallback.get()
    }

    pub fn set_fallback(&self, status: u16) {
        self.fallback.set(status);
    }

    /// The number of seconds after which the peer may try again, as a 503 of the library states it. 0: it states no time.
    pub fn retry_after(&self) -> u32 {
        self.retry_after.get()
    }

    pub fn set_retry_after(&self, seconds: u32) {
        self.retry_after.set(seconds);
    }

    /// Replaces the timer of `set_timeout`, and clears the old one.
    pub fn set_timer(&self, timer: Option<Timeout>) {
        if let Some(old) = self.timer.replace(timer) {
            old.clear();
        }
    }
}
