//! The stages of one exchange, and what waits there.

use super::{Coder, Content, Stage, Then};
use crate::net::{Chunk, FilePart};
use crate::proto::h1::{BodyEncoder, Framing, IncomingRequest, LengthMismatch, OutgoingResponse};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

/// How many bytes of one answer are coded in one iteration. To compress them takes some 0.5 ms. The other connections have their
/// turns before more is coded.
const TURN: usize = 32 * 1024;

/// The last part of an answer, which waits for a stage.
pub(in crate::http) enum Last {
    Bytes(Chunk<'static>),
    File(FilePart),
}

/// How far the stages have been asked whether the answer may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) enum Asked {
    /// No stage is asked.
    #[default]
    Nobody,
    /// A stage is being asked.
    Now,
    /// A stage keeps the [`End`](super::End).
    Waits,
    GoesOn,
    Failed,
}

/// The stages of an exchange. Used again with it.
#[derive(Default)]
pub(in crate::http) struct Stages {
    list: RefCell<Vec<Rc<dyn Stage>>>,
    /// How many stages have yet to let the end go on.
    to_ask: Cell<usize>,
    asked: Cell<Asked>,
    last: Cell<Option<Last>>,
    pub(in crate::http) passing: RefCell<Passing>,
}

impl Stages {
    pub fn add(&self, stage: Rc<dyn Stage>) {
        self.list.borrow_mut().push(stage);
    }

    /// Returns what a user may have given, to be dropped.
    pub fn take_all(&self) -> impl Sized + use<> {
        self.asked.set(Asked::Nobody);
        let list = mem::take(&mut *self.list.borrow_mut());
        let passing = self.passing.take();
        (list, passing, self.last.take())
    }

    // ---- The end

    pub(in crate::http) fn begin_to_ask(&self) {
        self.to_ask.set(self.list.borrow().len());
    }

    pub(in crate::http) fn next_to_ask(&self) -> Option<Rc<dyn Stage>> {
        let at = self.to_ask.get().checked_sub(1)?;
        self.to_ask.set(at);
        self.list.borrow().get(at).cloned()
    }

    pub(in crate::http) fn asked(&self) -> Asked {
        self.asked.get()
    }

    pub(in crate::http) fn set_asked(&self, asked: Asked) -> Asked {
        self.asked.replace(asked)
    }

    pub(in crate::http) fn keep(&self, last: Last) {
        self.last.set(Some(last));
    }

    pub(in crate::http) fn take_last(&self) -> Option<Last> {
        self.last.take()
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        let last = self.last.take();
        let held = match &last {
            Some(Last::Bytes(chunk)) => chunk.len(),
            Some(Last::File(part)) => part.len,
            None => 0,
        };
        self.last.set(last);
        held + self.passing.borrow().waiting()
    }

    // ---- The head

    pub fn may_code(&self, request: &IncomingRequest, head: &OutgoingResponse, media_type: &str) -> bool {
        self.list.borrow().iter().any(|stage| stage.may_code(request, head, media_type))
    }

    /// Shows the head to all stages. `known`: the length of the content that the program has given, if that is all of it.
    pub(in crate::http) fn begin(
        &self,
        request: &IncomingRequest,
        head: &mut OutgoingResponse,
        known: Option<u64>,
        passes: bool,
    ) {
        let declared = head.declared_length();
        // A handler may know that a response to HEAD needs no content, and give none.
        let known = known.filter(|length| *length > 0 || !request.is_head());
        if known.is_some() && declared.is_some() && known != declared {
            return; // The carrier refuses it.
        }
        let mut content = Content { length: declared.or(known), passes };
        let mut passing = self.passing.borrow_mut();
        for stage in self.list.borrow().iter().rev() {
            if let Some(coder) = stage.head(request, head, content) {
                debug_assert!(passes, "the content does not pass here");
                content.length = None;
                head.remove("Content-Length");
                passing.coders.push(coder);
            }
        }
        if !passing.coders.is_empty() && !request.is_head() {
            passing.counted = declared.map(|length| BodyEncoder::new(Framing::Length(length)));
        }
    }
}

/// The content on its way through the coders.
pub(in crate::http) struct Passing {
    pub begun: bool,
    coders: Vec<Box<dyn Coder>>,
    /// Counts the content if the program has announced its length, since the carrier sees another one.
    counted: Option<BodyEncoder>,
    /// Chunks that the coders have not seen, or not whole: each with the number of bytes that they have seen.
    input: VecDeque<(Chunk<'static>, usize)>,
    /// How many bytes these are. Asked with each `write`, of which there may be many before the next turn.
    waiting: usize,
    /// Whether the program has given everything, and all stages have let it go on.
    ended: bool,
    /// How many bytes may still be coded in this iteration.
    left: usize,
    /// Whether a coder may have kept something.
    kept: bool,
    /// Whether a callback is set that codes more of the content in the next iteration.
    pub scheduled: bool,
    /// Whether the carrier has much to send.
    pub full: bool,
}

impl Default for Passing {
    fn default() -> Passing {
        Passing {
            begun: false,
            coders: Vec::new(),
            counted: None,
            input: VecDeque::new(),
            waiting: 0,
            ended: false,
            left: TURN,
            kept: false,
            scheduled: false,
            full: false,
        }
    }
}

impl Passing {
    pub fn has_coders(&self) -> bool {
        !self.coders.is_empty()
    }

    pub fn drop_coders(&mut self) {
        self.coders = Vec::new();
        self.input = VecDeque::new();
        self.waiting = 0;
        self.kept = false;
    }

    pub fn waiting(&self) -> usize {
        self.waiting
    }

    pub fn count(&mut self, length: usize, last: bool) -> Result<(), LengthMismatch> {
        self.counted.as_mut().map_or(Ok(()), |counted| counted.take(length, last).map(drop))
    }

    /// Takes content, and codes as much of it as may be coded in this iteration.
    pub fn take(&mut self, chunk: Chunk<'_>, last: bool) -> (Vec<u8>, bool) {
        self.ended |= last;
        let mut out = Vec::new();
        let now = if self.input.is_empty() { self.left.min(chunk.len()) } else { 0 };
        if now > 0 {
            self.left -= now;
            self.code(&chunk.as_bytes()[..now], Then::More, &mut out);
        }
        if now < chunk.len() {
            self.waiting += chunk.len() - now;
            self.input.push_back((chunk.into_static(), now));
        }
        let whole = self.finish(&mut out);
        (out, whole)
    }

    /// Codes what waits, as much of it as one iteration may, and gives everything that the coders have kept if nothing waits any
    /// more. Returns what they gave, and whether the content is whole now.
    pub fn go_on(&mut self) -> (Vec<u8>, bool) {
        self.left = TURN;
        let mut out = Vec::new();
        while let Some((chunk, at)) = self.input.pop_front() {
            let rest = &chunk.as_bytes()[at..];
            let now = self.left.min(rest.len());
            self.left -= now;
            self.waiting -= now;
            self.code(&rest[..now], Then::More, &mut out);
            if now < rest.len() {
                self.input.push_front((chunk, at + now));
                break;
            }
        }
        let whole = self.finish(&mut out);
        if self.kept && self.input.is_empty() {
            self.code(&[], Then::Flush, &mut out);
            self.kept = false;
        }
        (out, whole)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let whole = self.ended && self.input.is_empty();
        if whole {
            self.code(&[], Then::End, out);
            self.drop_coders();
        }
        whole
    }

    /// Whether there is something to do in the next iteration.
    pub fn wants_a_turn(&self) -> bool {
        self.kept || !self.input.is_empty()
    }

    fn code(&mut self, bytes: &[u8], then: Then, out: &mut Vec<u8>) {
        self.kept = true;
        let [before @ .., last] = &mut self.coders[..] else { return };
        let mut coded = None::<Vec<u8>>;
        for coder in before {
            let mut next = Vec::new();
            coder.code(coded.as_deref().unwrap_or(bytes), then, &mut next);
            coded = Some(next);
        }
        last.code(coded.as_deref().unwrap_or(bytes), then, out);
    }
}
