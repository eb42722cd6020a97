use crate::callback::Site;
use crate::proto::h1::{Fields, Framing, IncomingRequest};
use std::cell::{Cell, OnceCell, RefCell};

/// The incoming half of an exchange: the request, how much of it has come, and what the program wants of it.
///
/// The head is written while there is no other handle to the exchange, and does not change afterwards.
pub(crate) struct Incoming {
    head: IncomingRequest,
    complete: Cell<bool>,
    paused: Cell<bool>,
    owes_continue: Cell<bool>,
    /// Where the program asked for the body that it was given, or whose end it was told.
    read_by: Cell<Option<Site>>,
    end_told: Cell<bool>,
    /// Allocated when the first part of a body is decoded.
    trailers: OnceCell<Box<RefCell<Fields>>>,
}

impl Incoming {
    pub fn new() -> Incoming {
        Incoming {
            head: IncomingRequest::new(),
            complete: Cell::new(false),
            paused: Cell::new(false),
            owes_continue: Cell::new(false),
            read_by: Cell::new(None),
            end_told: Cell::new(false),
            trailers: OnceCell::new(),
        }
    }

    /// Resets this half for another request. The buffers keep their memory, each up to `keep` bytes.
    pub fn reset(&mut self, keep: usize) {
        if self.head.capacity() > keep {
            self.head.clear();
            self.head.shrink();
        }
        if let Some(trailers) = self.trailers.get_mut() {
            reset_fields(trailers.get_mut(), keep);
        }
        self.complete.set(false);
        self.paused.set(false);
        self.owes_continue.set(false);
        self.read_by.set(None);
        self.end_told.set(false);
    }

    /// Begins the request whose head was just read into [`head_mut`](Incoming::head_mut).
    pub fn begin(&mut self) {
        let complete = is_whole(self.head.framing());
        self.complete.set(complete);
        self.owes_continue.set(!complete && self.head.expects_continue());
    }

    #[inline]
    pub fn head(&self) -> &IncomingRequest {
        &self.head
    }

    /// The head into which the parser writes.
    pub fn head_mut(&mut self) -> &mut IncomingRequest {
        &mut self.head
    }

    /// Returns whether the whole request has come.
    pub fn is_complete(&self) -> bool {
        self.complete.get()
    }

    pub fn set_complete(&self) {
        self.complete.set(true);
    }

    /// Returns whether the program has asked for no more of the body for now.
    pub fn is_paused(&self) -> bool {
        self.paused.get()
    }

    pub fn pause(&self) {
        self.paused.set(true);
    }

    /// Ends a pause. Returns whether there was one.
    pub fn unpause(&self) -> bool {
        self.paused.replace(false)
    }

    /// Returns whether the peer waits for `100 (Continue)` before it sends the body (RFC 9110, section 10.1.1).
    pub fn owes_continue(&self) -> bool {
        self.owes_continue.get()
    }

    /// Notes that `100 (Continue)` is about to be sent. Returns whether the peer waits for it.
    pub fn take_continue(&self) -> bool {
        self.owes_continue.replace(false)
    }

    /// The place of the first of the listeners that were given bytes of the body; if there were no bytes, of the first of those that
    /// were told the end. `None` as long as the whole body can be had.
    pub fn read_by(&self) -> Option<Site> {
        self.read_by.get()
    }

    /// Notes that bytes of the body or its end are told now, to the listener of this place first.
    pub fn note_read(&self, first: impl FnOnce() -> Option<Site>) {
        if self.read_by.get().is_none() {
            self.read_by.set(first());
        }
    }

    /// Returns whether the listeners for the end of the request have been called.
    pub fn is_end_told(&self) -> bool {
        self.end_told.get()
    }

    /// Notes that the listeners for the end are called now. Returns whether they were called before.
    pub fn note_end_told(&self) -> bool {
        self.end_told.replace(true)
    }

    /// The fields after a chunked body. They are complete once the request is complete.
    pub fn trailers(&self) -> &RefCell<Fields> {
        self.trailers.get_or_init(Box::default)
    }
}

/// Returns whether a request with this framing has no content, so that it is complete once its head has been read.
pub(super) fn is_whole(framing: Framing) -> bool {
    matches!(framing, Framing::None | Framing::Length(0))
}

#[cold]
pub(super) fn reset_fields(fields: &mut Fields, keep: usize) {
    fields.clear();
    if fields.capacity() > keep {
        fields.shrink();
    }
}
