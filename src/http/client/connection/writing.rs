//! Writing: the request of the present call.

use super::Connection;
use crate::event_loop::Time;
use crate::http::client::call::{Call, End, Link, Phase};
use crate::http::client::error::RequestErrorKind;
use crate::net::{Address, Chunk, CloseReason, Flow, LARGE, Stream};
use crate::proto::h1::connection::{Event, Persistence, Writing};
use crate::proto::h1::{self, BodyEncoder, BodyPlan, ConnectionField, Encoding, Framing, Piece, ResponseParser};
use std::rc::Rc;

/// How long the body of a request with `Expect: 100-continue` waits for the 100. Then it is sent without, because old servers do not
/// answer (RFC 9110, 10.1.1).
const CONTINUE: Time = Time::from_secs(1);

/// Returns whether a server that answers with this status, while it still gets the body, does not want the rest.
pub(super) fn is_error(status: u16) -> bool {
    status >= 400
}

impl Connection {
    /// Carries a call from now on: writes its request. The connection is free before.
    pub fn start(self: &Rc<Self>, call: &Rc<Call>) {
        let (Some(stream), Some(plan)) = (self.stream(), call.plan()) else { return };
        if let Some(owner) = self.owner() {
            *self.limits.borrow_mut() = owner.limits();
        }
        let now = stream.cx().lp.now();
        self.calls.set(self.calls.get() + 1);
        self.before.set((stream.bytes_written() + stream.pending() as u64, stream.bytes_read()));
        *self.call.borrow_mut() = Some(call.clone());
        call.set_reused(self.reused());
        call.carried_by(self.clone());
        stream.set_referenced(true);
        self.reading.parser.set(ResponseParser::default());
        *self.reading.head.borrow_mut() = call.take_blank();
        self.reading.informational.set(0);
        self.reading.discarding.set(None);
        self.writing.ended.set(now);
        self.write_head(stream, call, &plan);
        let expects = plan.body && plan.framing != Framing::Length(0) && call.head().borrow().expects_continue();
        self.writing.waits.set(expects.then(|| now + CONTINUE));
        if !expects {
            self.write_held(stream, call);
        }
        self.arm(stream);
    }

    fn write_head(&self, stream: &Stream, call: &Call, plan: &BodyPlan) {
        let head = call.head().borrow();
        let last = head.fields().wants_close() || self.limits.borrow().idle.is_zero();
        let persistence = if last { Persistence::Ends } else { Persistence::Persists };
        let connection = if last { ConnectionField::Close } else { ConnectionField::None };
        stream.encode(|out| head.encode(out, &Encoding { framing: plan.framing, date: None, connection }));
        let content = plan.body && plan.framing != Framing::Length(0);
        self.writing.encoder.set(BodyEncoder::new(if plan.body { plan.framing } else { Framing::None }));
        self.on(Event::HeadWritten { content, persistence });
    }

    /// Sends what the program has given of the body so far.
    fn write_held(&self, stream: &Rc<Stream>, call: &Rc<Call>) {
        let whole = call.whole().borrow_mut().take();
        match whole {
            Some(body) if self.state.get().writing() != Writing::Body => *call.whole().borrow_mut() = Some(body),
            // The body is kept for the case that this connection turns out to be gone.
            Some(body) if self.reused() && call.may_retry() => {
                self.write_body(stream, call, Chunk::from(&body), true).ignore();
                *call.whole().borrow_mut() = Some(body);
            }
            Some(body) => self.write_body(stream, call, Chunk::from(body), true).ignore(),
            None => {
                let (held, last) = (call.take_held(), call.phase() == Phase::Ended);
                if !held.is_empty() || last {
                    self.write_body(stream, call, Chunk::from(held), last).ignore();
                }
                // A write may have returned `Full` before there was a connection.
                stream.tell_sent();
            }
        }
    }

    /// The server wants the body that has waited for `100 Continue`, or it is not waited for any more.
    pub(super) fn go_on_sending(&self, stream: &Rc<Stream>, call: &Rc<Call>) {
        if self.writing.waits.take().is_some() {
            self.writing.ended.set(stream.cx().lp.now());
            self.write_held(stream, call);
        }
    }

    fn write_body(&self, stream: &Rc<Stream>, call: &Rc<Call>, chunk: Chunk<'_>, last: bool) -> Flow {
        let limit = self.limits.borrow().pending_output;
        if self.state.get().writing() != Writing::Body {
            return if chunk.is_empty() { Flow::Ready } else { self.mismatched(call, "the request has no body") };
        }
        let mut encoder = self.writing.encoder.get();
        let piece = match encoder.take(chunk.len(), last) {
            Ok(piece) => piece,
            Err(mismatch) => return self.mismatched(call, &mismatch.to_string()),
        };
        self.writing.encoder.set(encoder);
        match piece {
            Piece::Dropped => {}
            Piece::Plain => stream.write(chunk, limit).ignore(),
            Piece::Chunk => {
                if chunk.len() >= LARGE {
                    stream.encode(|out| h1::chunk_start(out, chunk.len()));
                    stream.write(chunk, limit).ignore();
                    stream.encode(|out| out.extend_from_slice(h1::CHUNK_END));
                } else {
                    stream.encode(|out| h1::chunk(out, chunk.as_bytes()));
                }
                if last {
                    stream.encode(|out| h1::last_chunk(out, &call.trailers().borrow()));
                }
            }
        }
        if last {
            self.on(Event::ContentWritten);
            self.writing.ended.set(stream.cx().lp.now());
            self.arm(stream);
        }
        stream.write(().into(), limit)
    }

    fn mismatched(&self, call: &Rc<Call>, words: &str) -> Flow {
        call.invalid(words.to_owned());
        Flow::Closed
    }
}

impl Link for Connection {
    fn begin(&self, _: &Rc<Call>) {}

    fn send(&self, call: &Rc<Call>, chunk: Chunk<'_>, last: bool) -> Flow {
        let Some(stream) = self.stream().filter(|stream| self.carries(call) && stream.is_in_use()) else {
            return Flow::Closed;
        };
        if self.writing.waits.get().is_none() {
            return self.write_body(stream, call, chunk, last);
        }
        if call.hold(&chunk) >= self.limits.borrow().pending_output { Flow::Full } else { Flow::Ready }
    }

    fn wake(&self, call: &Call) {
        if let Some(stream) = self.stream().filter(|_| self.carries(call)) {
            self.reading.last.set(stream.cx().lp.now());
            if !self.reading.busy.get() {
                stream.ask_for_turn();
            }
        }
    }

    fn abort(&self, call: &Rc<Call>, end: End) {
        if !self.carries(call) {
            return;
        }
        self.take_call();
        let Some(stream) = self.stream() else { return };
        let reason = if end.kind == RequestErrorKind::Invalid { CloseReason::Destroyed } else { end.reason };
        let sent = self.was_sent(stream);
        if let Some(me) = self.me.upgrade() {
            me.leave_pool();
        }
        // The server must not take what it has got for the whole request.
        stream.destroy(reason);
        call.end_soon(End { reused: self.reused(), sent, ..end });
    }

    fn pending(&self, call: &Call) -> usize {
        self.stream().map_or(0, |stream| stream.pending()) + call.held()
    }

    fn peer(&self, _: &Call) -> Option<Address> {
        self.stream().map(|stream| stream.peer())
    }
}
