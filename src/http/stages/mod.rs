//! The stages of an answer: what it goes through on its way from the program to the connection. For the layer above, whose
//! middlewares compress answers, and save sessions before the client can ask again.
//!
//! ```text
//!   res.write, res.end, a file, a page for an error
//!        │
//!        ▼         of several stages, the one that was added last comes first
//!   ┌─────────┐
//!   │   end   │    the last part only: it waits here until each stage has let it go on, and with it a head that was not sent
//!   ├─────────┤
//!   │  head   │    the first part only: each stage may change the head, and may give a coder for the content
//!   ├─────────┤
//!   │ coders  │    the content goes from one coder to the next. What is more than `TURN` bytes in one iteration waits here
//!   └─────────┘
//!        │         the head, and coded content
//!        ▼
//!     carrier      frames, counts and sends what comes out, as if the program had sent it
//! ```
//! A stage is no user code and calls none. So all of this may happen within a call of the user, and a stage that has to call the
//! user (`Store::save`) asks the loop to do so, and keeps the [`End`] until it is told the result.
//!
//! # What holds while a part waits
//! To the program a response has ended when it has called `end`, whatever waits: it cannot be changed or dropped unanswered any
//! more. To the connection it has not ended: its deadlines go on, the next request waits, and a server that closes waits too
//! (`Exchange::is_answered`). If the exchange ends before its answer, everything that waits is dropped, and letting it go on does
//! nothing.
//!
//! A writer sees the same backpressure as without stages: `write` returns `Full` while content waits for a coder, and while the
//! connection has much to send, and `drain` comes when all of it has gone. If the connection has much to send, the coders rest;
//! unless the response has a limit for its pending output, which closes the connection only if the output gets there.
//!
//! # What does not go through stages
//! Informational answers, upgrades, and what the library answers by itself to a request that its connection refuses (a body that
//! came too late, 408) or that no layer answers.

mod state;

pub(super) use state::{Asked, Last, Stages};

use super::error::Error;
use crate::proto::h1::{IncomingRequest, OutgoingResponse};
use std::io;
use std::rc::Rc;

/// What a stage is told of the content of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    /// The number of bytes, if it is known. To a HEAD request: of the content that GET would get.
    pub length: Option<u64>,
    /// Whether a coder would see the content. If not, the system sends it from a file.
    #[cfg_attr(
        not(any(test, feature = "compression")),
        expect(dead_code, reason = "for middlewares of other features")
    )]
    pub passes: bool,
}

/// A stage of answers. One may serve any number of exchanges. The documentation of this module says what comes when.
pub(crate) trait Stage {
    /// The head is about to be sent. Comes once for an answer. The stage may change the head, and may give a coder through which
    /// the content goes, if it passes here. Then a `Content-Length` is removed.
    fn head(&self, _: &IncomingRequest, _: &mut OutgoingResponse, _: Content) -> Option<Box<dyn Coder>> {
        None
    }

    /// The program has ended the answer. Nothing of its last part was sent. Comes again if the answer was given up for that of an
    /// error handler, or for a page.
    fn end(&self, end: End) {
        end.go_on();
    }

    /// Returns whether [`head`](Stage::head) may give a coder for content of this type. Asked before a large file is opened,
    /// since its bytes have to pass here then.
    fn may_code(&self, _: &IncomingRequest, _: &OutgoingResponse, _media_type: &str) -> bool {
        false
    }
}

/// What a coder is to do when it has taken some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// More bytes come soon: the coder may keep these.
    More,
    /// The coder gives all that it has taken, in a form that the peer can read, since it may take long until more comes.
    Flush,
    /// These were the last bytes: the coder gives everything. It is not called again.
    End,
}

/// Codes the content of one answer. It is dropped with its last byte, or on any other way out of the exchange.
pub(crate) trait Coder {
    /// Takes bytes, and appends what they become.
    fn code(&mut self, bytes: &[u8], then: Then, out: &mut Vec<u8>);
}

/// The end of an answer that waits for a stage. Consumed by use. Whoever keeps it sees to it that the wait ends; if it is dropped,
/// the answer fails.
#[must_use = "a dropped end fails the answer"]
pub(crate) struct End(Option<Rc<dyn Ending>>);

/// An answer whose end is held by an [`End`].
pub(super) trait Ending {
    fn go_on(self: Rc<Self>);
    fn fail_end(self: Rc<Self>, error: Error);
}

impl End {
    pub(super) fn of(answer: Rc<dyn Ending>) -> End {
        End(Some(answer))
    }

    /// Lets the answer go on: to the next stage, or out.
    pub fn go_on(mut self) {
        if let Some(answer) = self.0.take() {
            answer.go_on();
        }
    }

    /// Discards the answer whose end is held, and answers with `error` through the error handlers. If the head of the answer was
    /// sent already, the connection is cut instead.
    #[cfg_attr(not(any(test, feature = "sessions")), expect(dead_code, reason = "for sessions"))]
    pub fn fail(mut self, error: Error) {
        if let Some(answer) = self.0.take() {
            answer.fail_end(error);
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer.fail_end(io::Error::other("the end of the answer was held, and never let go on").into());
        }
    }
}
