//! Reading: heads and bodies in turn, and the answers to those that are refused.

use super::{H1, Unfinished};
use crate::event_loop::{Loop, Time};
use crate::http::client_error::ClientError;
use crate::http::exchange::Exchange;
use crate::http::own_answer;
use crate::net::{CloseReason, Stream};
use crate::proto::h1::connection::{Action, Event, Persistence, Reading};
use crate::proto::h1::{BodyDecoder, BodyEvent, Fault, Framing, Parsed, RequestParser};
use std::rc::Rc;
use std::time::Duration;

/// How many requests of one connection one turn dispatches before other sources have their turns (promise 10).
const BUDGET: u8 = 64;
/// How many exchanges of a connection may be over while their output still waits for the peer. Each keeps its head, of up to
/// 16 KiB.
const WAITING: usize = 64;

impl H1 {
    /// Reads heads and bodies in turn until it cannot go on. Returns how many bytes were consumed.
    pub(super) fn consume(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            self.release_if_over(stream);
            if !stream.is_in_use() {
                return bytes.len();
            }
            let rest = bytes.get(at..).unwrap_or_default();
            match self.reading() {
                Reading::Idle | Reading::Head => {
                    if rest.is_empty() {
                        self.finish_if_spent(stream);
                        return at;
                    }
                    if !self.may_dispatch(stream) {
                        return at;
                    }
                    match self.read_head(stream, rest) {
                        Some(consumed) => at += consumed,
                        None => return at,
                    }
                }
                Reading::Body => {
                    let (consumed, go_on) = self.read_body(stream, rest);
                    at += consumed;
                    if !go_on {
                        return at;
                    }
                }
                Reading::Done | Reading::Closed => return at,
            }
        }
    }

    /// Parses a head. `Some` if its bytes were consumed; `None` if nothing more can be done with these bytes now.
    fn read_head(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> Option<usize> {
        let pool = &self.server.pool;
        let mut exchange = pool.take();
        let fresh = Rc::get_mut(&mut exchange)?;
        let begun = self.reading() == Reading::Head;
        let mut parser = match self.unfinished.get() {
            Unfinished::Head(parser) if begun => parser,
            _ => RequestParser::default(),
        };
        let parsed = parser.parse(bytes, &self.server.limits.head(), fresh.incoming_mut().head_mut());
        match parsed {
            Ok(Parsed::Complete { len }) => {
                let may_leave = self.may_leave(fresh.head());
                if may_leave && self.awaits_ends(stream) {
                    pool.recycle(exchange);
                    if begun {
                        self.on(Event::HeadPutOff);
                    }
                    return None;
                }
                fresh.begin(self.clone(), stream.cx().lp.now());
                let rest = bytes.get(len..).unwrap_or_default();
                let taken =
                    if self.start_exchange(stream, exchange, may_leave.then_some(rest)) { rest.len() } else { 0 };
                Some(len + taken)
            }
            Ok(Parsed::Partial) => {
                self.unfinished.set(Unfinished::Head(parser));
                pool.recycle(exchange);
                self.facts.note_method(bytes);
                if !begun {
                    self.head_begins(stream);
                }
                None
            }
            Err(fault) => {
                pool.recycle(exchange);
                self.facts.note_method(bytes);
                self.fault(stream, fault);
                None
            }
        }
    }

    #[cold]
    fn head_begins(&self, stream: &Rc<Stream>) {
        if self.on(Event::HeadBegins) == Action::Finish {
            return stream.finish(CloseReason::Finished, Some(self.server.limits.all().linger()));
        }
        if self.requests.get() > 0 {
            self.since.set(stream.cx().lp.now());
        }
        stream.need_due(self.since.get() + Time::from(self.server.limits.all().header));
    }

    /// Counts a request whose head has been read, and gives it to its listeners. `leftover`: the bytes after the head,
    /// if the request asks for the connection itself. Returns whether a listener has got the connection with those bytes.
    fn start_exchange(self: &Rc<Self>, stream: &Rc<Stream>, exchange: Rc<Exchange>, leftover: Option<&[u8]>) -> bool {
        let lp = &stream.cx().lp;
        self.dispatched.set(self.dispatched.get() + 1);
        self.requests.set(self.requests.get().saturating_add(1));
        self.server.count_request();
        let complete = exchange.incoming().is_complete();
        let action = self.on(Event::HeadRead { content: !complete, persistent: exchange.head().persistent() });
        self.current.set(Some(exchange.clone()));
        if !complete {
            self.await_body(stream, exchange.head().framing());
        }
        if let Some(response) = self.server.limits.response() {
            self.await_response(stream, exchange.started(), response);
        }
        lp.label_turn(exchange.head().method_and_target());
        if action == Action::Drop {
            self.server.dispatch.drop_request(lp, &exchange);
        } else if self.server.shedding.is_due(lp) && self.sheds(lp, &exchange) {
            // The request was answered, and the connection goes on.
        } else if let Some(rest) = leftover {
            if self.takes_over(lp, &exchange) {
                return self.upgrade(stream, &exchange, rest);
            }
            self.decline_upgrade(stream, &exchange);
        } else {
            self.server.dispatch.request(lp, &exchange);
        }
        if exchange.incoming().is_complete() && exchange.is_listened_to() {
            exchange.request_over(lp);
        }
        false
    }

    #[cold]
    fn await_response(&self, stream: &Rc<Stream>, started: Time, limit: Duration) {
        stream.need_due(started + Time::from(limit));
    }

    #[cold]
    fn sheds(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) -> bool {
        // True for the first request of a connection that was accepted just now: the request may have come before the accept.
        let fresh = self.requests.get() == 1 && lp.is_recent(self.since.get());
        self.server.sheds(exchange, fresh)
    }

    /// Begins to measure the rate of a body anew, because it was not the peer that delayed the body.
    pub(super) fn restart_window(&self, stream: &Stream) {
        let now = stream.cx().lp.now();
        let read = stream.bytes_read();
        self.watched(|watch| {
            if let Some(window) = &mut watch.receive {
                *window = (now, read);
            }
        });
    }

    #[cold]
    fn await_body(&self, stream: &Rc<Stream>, framing: Framing) {
        let now = stream.cx().lp.now();
        let limits = self.server.limits.all();
        self.watch(|watch| {
            (watch.decoder, watch.discarded) = (BodyDecoder::new(framing), 0);
            watch.receive = Some((now, stream.bytes_read()));
            watch.before_body = stream.bytes_read();
        });
        stream.need_due(now + Time::from(limits.receive_window.min(limits.request)));
    }

    /// Gives the body to its listeners, or discards it. Returns how many bytes were consumed, and whether reading can go on.
    #[inline(never)]
    fn read_body(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> (usize, bool) {
        let Some(exchange) = self.current() else { return (0, false) };
        let is_read = exchange.is_read();
        let unwanted = !is_read && exchange.is_answered();
        if !unwanted && (exchange.incoming().is_paused() || !is_read) {
            return (0, false);
        }
        let limits = self.server.limits.all().body();
        let decoded =
            self.watch(|watch| watch.decoder.decode(bytes, &limits, &mut exchange.incoming().trailers().borrow_mut()));
        let lp = &stream.cx().lp;
        match decoded {
            Err(fault) => {
                self.body_fault(stream, &exchange, fault);
                (bytes.len(), false)
            }
            Ok(step) => {
                match step.event {
                    BodyEvent::NeedMore => return (step.consumed, false),
                    BodyEvent::Data(chunk) if unwanted => self.discard_content(stream, &exchange, chunk.len()),
                    BodyEvent::Data(chunk) => exchange.tell_data(lp, chunk),
                    BodyEvent::End => {
                        exchange.incoming().set_complete();
                        self.on(Event::ContentRead);
                        self.watched(|watch| watch.receive = None);
                        exchange.request_over(lp);
                    }
                }
                (step.consumed, true)
            }
        }
    }

    fn discard_content(&self, stream: &Rc<Stream>, exchange: &Exchange, count: usize) {
        let discarded = self.watch(|watch| {
            watch.discarded += count;
            watch.discarded
        });
        let limits = self.server.limits.all();
        if discarded <= limits.discard {
            return;
        }
        // The length of the body was not announced, and its answer has said that the connection goes on. If the
        // connection closed now, a client that relies on that would lose its next request. So the body is discarded for
        // as long as lingering would discard it.
        let over = stream.cx().lp.now() >= exchange.started() + Time::from(limits.linger_total);
        if over || discarded > limits.linger_bytes {
            self.on(Event::ContentLeft);
        }
    }

    /// Refuses bytes that are not a valid request. Earlier requests have been answered, since they are read one after
    /// another.
    #[cold]
    fn fault(&self, stream: &Rc<Stream>, fault: Fault) {
        log::debug!(target: "oneloop::http", "{}: {fault}", stream.peer());
        self.server.client_error(&ClientError { fault: Some(fault), status: fault.status(), peer: stream.peer() });
        self.refuse(stream, fault.status(), fault.text(), CloseReason::BadMessage);
    }

    #[cold]
    fn body_fault(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, fault: Fault) {
        log::debug!(target: "oneloop::http", "{exchange} from {}: {fault}", stream.peer());
        self.server.client_error(&ClientError { fault: Some(fault), status: fault.status(), peer: stream.peer() });
        self.abort(stream, exchange, fault.status(), fault.text(), CloseReason::BadMessage);
    }

    /// Ends an exchange whose request or response will never be whole: with an answer of the library if its head has not
    /// been sent, and then by a close.
    #[cold]
    pub(super) fn abort(
        &self,
        stream: &Rc<Stream>,
        exchange: &Rc<Exchange>,
        status: u16,
        words: &str,
        reason: CloseReason,
    ) {
        if !self.state.get().is_exchanging() || !stream.is_in_use() {
            // A callback has ended the exchange meanwhile, with a reason of its own.
            return;
        }
        match self.on(Event::Refused) {
            Action::Answer => exchange.answer(status, words),
            _ => exchange.outgoing().end(),
        }
        self.break_off(stream, reason);
    }

    /// Sends an answer of the library when there is no exchange, and closes.
    #[cold]
    pub(super) fn refuse(&self, stream: &Rc<Stream>, status: u16, words: &str, reason: CloseReason) {
        self.on(Event::Refused);
        let date = self.server.date();
        stream.encode(|out| own_answer::encode(out, status, words, &date, self.facts.begins_like_head()));
        self.on(Event::HeadWritten { content: false, persistence: Persistence::Ends });
        stream.finish(reason, Some(self.server.limits.all().linger()));
    }

    /// Returns whether another request of this connection may be dispatched now. If not, asks for a turn in which it may be: in
    /// the next iteration, or when output has been sent.
    fn may_dispatch(&self, stream: &Rc<Stream>) -> bool {
        let lp = &stream.cx().lp;
        if lp.is_halted() {
            stream.ask_for_turn();
            return false;
        }
        let much = stream.pending() >= self.server.limits.pending_output();
        if much || stream.is_blocked() && self.watched(|watch| watch.finishing.len()) >= WAITING {
            self.facts.hold_requests();
            stream.tell_sent();
            return false;
        }
        let turn = lp.turn_serial() as u16;
        if self.turn.replace(turn) != turn {
            self.dispatched.set(0);
        }
        if self.dispatched.get() >= BUDGET {
            stream.ask_for_turn();
            return false;
        }
        true
    }
}
