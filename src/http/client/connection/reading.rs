//! Reading: the response to the present call.

use super::{Connection, Left};
use crate::http::client::call::{Call, Wish};
use crate::http::client::connection::writing::is_error;
use crate::net::{CloseReason, HandedOver, Socket, Stream};
use crate::proto::h1::connection::{Action, Event, Reading, Writing};
use crate::proto::h1::{BodyDecoder, BodyEvent, Framing, IncomingResponse, Parsed, RequestInfo, ResponseParser};
use std::rc::Rc;

/// What follows a step of reading.
enum Step {
    /// So many bytes were consumed; there may be more to do.
    On(usize),
    /// So many bytes were consumed; the rest has to wait.
    Wait(usize),
    /// The rest of the bytes belongs to nobody.
    Stop,
}

impl Connection {
    /// Reads what has come. Returns how many bytes were consumed.
    pub(super) fn read(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> usize {
        self.reading.busy.set(true);
        let consumed = self.read_steps(stream, bytes);
        self.reading.busy.set(false);
        consumed
    }

    fn read_steps(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let step = match self.reading() {
                Reading::Idle if rest.is_empty() => return at,
                Reading::Idle => {
                    self.unsolicited(stream);
                    Step::Stop
                }
                Reading::Head => self.read_head(stream, rest),
                Reading::Body => self.read_body(stream, rest),
                // A new protocol gets the bytes, or nobody does.
                Reading::Closed if stream.is_in_use() => return at,
                Reading::Done | Reading::Closed => Step::Stop,
            };
            match step {
                Step::On(count) => at += count,
                Step::Wait(count) => return at + count,
                Step::Stop => return bytes.len(),
            }
            if !stream.is_in_use() {
                return bytes.len();
            }
        }
    }

    /// Bytes that are no response to anything. A server that sends them may send more, so the connection cannot be trusted any more: the
    /// next response could be one to nobody.
    fn unsolicited(self: &Rc<Self>, stream: &Stream) {
        log::debug!(target: "oneloop::http", "{} has sent something without a request", self.place);
        self.leave_pool();
        stream.destroy(CloseReason::BadMessage);
    }

    /// Tells the pool that this connection carries no further call.
    pub(super) fn leave_pool(self: &Rc<Self>) {
        if let Some(owner) = self.owner() {
            owner.unusable(self);
        }
    }

    // ---- The head

    fn read_head(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> Step {
        let Some(call) = self.call() else { return Step::Stop };
        if bytes.is_empty() {
            return Step::Wait(0);
        }
        let mut parser = self.reading.parser.get();
        let parsed = parser.parse(bytes, &self.limits.borrow().heads(), &mut self.reading.head.borrow_mut());
        self.reading.parser.set(parser);
        let length = match parsed {
            Ok(Parsed::Complete { len }) => len,
            Ok(Parsed::Partial) => return Step::Wait(0),
            Err(fault) => {
                self.fail(stream, CloseReason::BadMessage, format!("the response is not valid: {}", fault.text()));
                return Step::Stop;
            }
        };
        self.reading.parser.set(ResponseParser::default());
        let head = self.reading.head.take();
        if head.status() == 101 {
            return self.switch(stream, &call, head, length);
        }
        if head.is_informational() {
            return self.inform(stream, &call, head, length);
        }
        self.respond(stream, &call, head, length)
    }

    fn inform(
        self: &Rc<Self>,
        stream: &Rc<Stream>,
        call: &Rc<Call>,
        mut head: IncomingResponse,
        length: usize,
    ) -> Step {
        let count = self.reading.informational.get() + 1;
        self.reading.informational.set(count);
        let most = self.limits.borrow().informational;
        if count > most {
            self.fail(stream, CloseReason::BadMessage, format!("more than {most} informational responses"));
            return Step::Stop;
        }
        if head.status() == 100 {
            self.go_on_sending(stream, call);
        }
        call.tell_information(&head);
        head.clear();
        *self.reading.head.borrow_mut() = head;
        Step::On(length)
    }

    fn respond(self: &Rc<Self>, stream: &Rc<Stream>, call: &Rc<Call>, head: IncomingResponse, length: usize) -> Step {
        let info = RequestInfo::from(&*call.head().borrow());
        let framing = match head.framing(&info) {
            Ok(framing) => framing,
            Err(fault) => {
                self.fail(stream, CloseReason::BadMessage, format!("the response is not valid: {}", fault.text()));
                return Step::Stop;
            }
        };
        self.reading.decoder.set(BodyDecoder::new(framing));
        self.keep.set(self.limits.borrow().keep(head.fields().get_all_bytes("keep-alive")));
        self.on(Event::HeadRead { content: true, persistent: head.persistent() && framing != Framing::UntilClose });
        if self.state.get().writing() == Writing::Body
            && (is_error(head.status()) || self.writing.waits.get().is_some())
        {
            // The server has decided without the rest of the body.
            call.stop_sending();
        }
        self.note_progress(stream);
        call.whole().take();
        call.tell_response(head);
        Step::On(length)
    }

    /// The server accepts to speak another protocol from now on.
    fn switch(self: &Rc<Self>, stream: &Rc<Stream>, call: &Rc<Call>, head: IncomingResponse, length: usize) -> Step {
        if !head.is_upgrade() || !call.offers_upgrade() || self.state.get().writing() != Writing::Done {
            let words = "the server changes to another protocol (101), for which the request has not asked";
            self.fail(stream, CloseReason::BadMessage, words);
            return Step::Stop;
        }
        let sending = self.limits.borrow().sending();
        let given = stream.clone();
        let socket = Socket::adopt(|protocol| {
            given.set_protocol(protocol);
            Some(HandedOver { stream: given, sending })
        });
        self.on(Event::Switched);
        self.take_call();
        self.leave_pool();
        if let Some(owner) = self.owner() {
            owner.gone(self, Left::Nothing);
        }
        if let Some(socket) = socket {
            call.tell_upgrade(head, &socket);
        }
        call.finish();
        stream.ask_for_turn();
        Step::Wait(length)
    }

    // ---- The body

    pub(super) fn note_progress(&self, stream: &Stream) {
        self.reading.last.set(stream.cx().lp.now());
        self.arm(stream);
    }

    fn read_body(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> Step {
        let Some(call) = self.call() else { return Step::Stop };
        let mut at = 0;
        if !bytes.is_empty() {
            self.reading.last.set(stream.cx().lp.now());
        }
        loop {
            let mut decoder = self.reading.decoder.get();
            let wish = call.wish();
            if wish == Wish::Hold && !decoder.is_done() {
                return Step::Wait(at);
            }
            if wish == Wish::Discard && !self.may_discard(stream, &decoder) {
                return Step::Stop;
            }
            let mut trailers = call.received_trailers().take();
            let limits = self.limits.borrow().bodies();
            let step = decoder.decode(bytes.get(at..).unwrap_or_default(), &limits, &mut trailers);
            *call.received_trailers().borrow_mut() = trailers;
            self.reading.decoder.set(decoder);
            match step {
                Ok(step) => {
                    at += step.consumed;
                    match step.event {
                        BodyEvent::Data(data) if wish == Wish::Give => call.tell_data(data),
                        BodyEvent::Data(data) => self.discarded(data.len()),
                        BodyEvent::NeedMore => return Step::Wait(at),
                        BodyEvent::End => {
                            self.complete(stream, &call, at == bytes.len());
                            return Step::On(at);
                        }
                    }
                }
                Err(fault) => {
                    self.fail(stream, CloseReason::BadMessage, format!("the response is not valid: {}", fault.text()));
                    return Step::Stop;
                }
            }
            if !stream.is_in_use() || !self.carries(&call) {
                return Step::Stop;
            }
        }
    }

    /// Returns whether the rest of a body that nobody wants may be read, so that the connection can be used again. If not, closes the
    /// connection.
    fn may_discard(self: &Rc<Self>, stream: &Rc<Stream>, decoder: &BodyDecoder) -> bool {
        let most = self.limits.borrow().discard as u64;
        let (_, count) = self.reading.discarding.get().unwrap_or_else(|| {
            let began = (stream.cx().lp.now(), 0);
            self.reading.discarding.set(Some(began));
            self.arm(stream);
            began
        });
        if !decoder.is_done() && count.saturating_add(decoder.remaining()) > most {
            self.break_off(stream);
            return false;
        }
        true
    }

    fn discarded(&self, bytes: usize) {
        if let Some((since, count)) = self.reading.discarding.get() {
            self.reading.discarding.set(Some((since, count + bytes as u64)));
        }
    }

    /// Closes the connection in the middle of a body that nobody wants.
    pub(super) fn break_off(self: &Rc<Self>, stream: &Stream) {
        log::debug!(target: "oneloop::http", "{}: the rest of a response that nobody reads is too long, or does not come", self.place);
        self.leave_pool();
        stream.destroy(CloseReason::Destroyed);
    }

    /// The response is whole. `all`: nothing has come behind it.
    fn complete(self: &Rc<Self>, stream: &Rc<Stream>, call: &Rc<Call>, all: bool) {
        call.set_complete();
        self.take_call();
        let now = stream.cx().lp.now();
        let all = all && !stream.has_part_of_record();
        let next = self.on(Event::ContentRead) == Action::NextExchange;
        if next && all && !stream.is_eof() && stream.pending() == 0 && self.may_rest(now) {
            match self.owner() {
                Some(owner) => owner.free(self),
                None => stream.destroy(CloseReason::Finished),
            }
        } else {
            self.leave_pool();
            stream.destroy(if all { CloseReason::Finished } else { CloseReason::BadMessage });
        }
        call.tell_end();
        call.finish();
    }

    // ---- The end of the input

    /// The server has ended its side, and what it has sent before was read, or is held.
    pub(super) fn ended(self: &Rc<Self>, stream: &Rc<Stream>) {
        match self.reading() {
            _ if stream.held() > 0 && self.reading() == Reading::Body => {}
            Reading::Idle => {
                self.leave_pool();
                stream.destroy(CloseReason::Finished);
            }
            Reading::Body => {
                let mut decoder = self.reading.decoder.get();
                let whole = decoder.end_of_input();
                self.reading.decoder.set(decoder);
                match self.call() {
                    // Somebody on the way may have cut off what followed.
                    #[cfg(feature = "tls")]
                    Some(_) if stream.was_cut_off() => stream.destroy(CloseReason::Truncated),
                    Some(call) if whole => self.complete(stream, &call, true),
                    _ => stream.destroy(CloseReason::Truncated),
                }
            }
            Reading::Head => stream.destroy(CloseReason::Truncated),
            Reading::Done | Reading::Closed => {}
        }
    }
}
