use super::exchange::{Body, Carrier, Exchange, Listener, On, Phase};
use super::limits::nanos;
use super::server::{Inner, refusal};
use super::{ClientError, Request};
use crate::event_loop::{Loop, Time};
use crate::net::{Address, Chunk, CloseReason, Flow, Protocol, Socket, Stream};
use crate::proto::h1::{
    self, BodyDecoder, BodyEvent, Encoding, Fault, Framing, HeadParser, Parsed, RequestInfo, ResponseFraming,
    connection_field, response_framing,
};
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

/// Requests of one connection that one turn dispatches before the others have theirs (promise 10).
const BUDGET: u8 = 64;

mod flag {
    /// No further request: the connection closes after the response that is being sent.
    pub const CLOSE: u8 = 1;
    /// A part of a head is here.
    pub const PARTIAL: u8 = 2;
    /// Dispatching waits for output to go.
    pub const OUTPUT_HELD: u8 = 4;
    /// `max_requests_per_socket` is reached: a further request is dropped.
    pub const SPENT: u8 = 8;
    /// Within `data`, which sees for itself what has changed.
    pub const READING: u8 = 16;
    /// Another protocol has taken over.
    pub const UPGRADED: u8 = 32;
}

/// An HTTP/1 connection: the protocol of a stream, and the carrier of one exchange after the other.
///
/// ```text
///   reading:  head ──complete──► body ──End──► (held back until the answer has ended) ──► head
///   writing:  see `Phase` of the exchange
///   both over: the exchange is finished and recycled; CLOSE? the stream finishes : the next head
/// ```
pub(super) struct H1 {
    stream: OnceCell<Rc<Stream>>,
    pub(super) server: Rc<Inner>,
    /// The exchange that is being carried.
    current: RefCell<Option<Rc<Exchange>>>,
    parser: Cell<HeadParser>,
    /// When the state began whose deadline runs: idle, or the first bytes of a head.
    since: Cell<Time>,
    watch: Cell<Option<Box<Watch>>>,
    /// Requests so far.
    requests: Cell<u32>,
    /// The turn that `dispatched` counts.
    turn: Cell<u32>,
    dispatched: Cell<u8>,
    flags: Cell<u8>,
}

/// What is only needed while something is awaited from the peer; allocated then.
#[derive(Default)]
struct Watch {
    /// When the present window of the receive rate began, and the bytes read until then.
    receive: Option<(Time, u64)>,
    /// The same for what was sent.
    send: Option<(Time, u64)>,
    /// When output last made progress, and the bytes sent until then.
    progress: (Time, u64),
    /// Exchanges that are over but for the output: each is finished when so many bytes were sent, for its reason.
    finishing: VecDeque<(u64, CloseReason, Rc<Exchange>)>,
}

impl H1 {
    pub fn new(server: &Rc<Inner>, now: Time) -> Rc<H1> {
        Rc::new(H1 {
            stream: OnceCell::new(),
            server: server.clone(),
            current: RefCell::new(None),
            parser: Cell::new(HeadParser::default()),
            since: Cell::new(now),
            watch: Cell::new(None),
            requests: Cell::new(0),
            turn: Cell::new(0),
            dispatched: Cell::new(0),
            flags: Cell::new(0),
        })
    }

    /// It has its stream, and waits for the first request.
    pub fn start(&self, stream: &Rc<Stream>) {
        let _ = self.stream.set(stream.clone());
        stream.need_due(self.since.get() + nanos(self.server.limits.borrow().header));
    }

    fn has(&self, flags: u8) -> bool {
        self.flags.get() & flags != 0
    }

    fn set(&self, flags: u8) {
        self.flags.set(self.flags.get() | flags);
    }

    fn clear(&self, flags: u8) {
        self.flags.set(self.flags.get() & !flags);
    }

    pub fn current(&self) -> Option<Rc<Exchange>> {
        self.current.borrow().clone()
    }

    /// No request is here, none is coming in and none is held back.
    pub fn is_idle(&self) -> bool {
        let nothing_held = self.stream.get().is_none_or(|stream| stream.held() == 0);
        self.current.borrow().is_none() && nothing_held && !self.has(flag::PARTIAL | flag::READING)
    }

    /// Closes it if it is idle; an answer that is still going out goes out.
    pub fn close_if_idle(&self, stream: &Rc<Stream>) {
        if !self.is_idle() || !stream.is_open() {
            return;
        }
        if stream.pending() > 0 {
            self.set(flag::CLOSE);
            stream.finish(CloseReason::ServerClosed, Some(self.server.limits.borrow().linger()));
        } else {
            stream.destroy(CloseReason::ServerClosed);
        }
    }

    fn watch<R>(&self, f: impl FnOnce(&mut Watch) -> R) -> R {
        let mut watch = self.watch.take().unwrap_or_default();
        let result = f(&mut watch);
        let needed = watch.receive.is_some() || watch.send.is_some() || !watch.finishing.is_empty();
        self.watch.set(needed.then_some(watch));
        result
    }

    // ---- Reading

    /// The one loop over what came: heads and bodies in turn, until nothing can go on.
    fn read(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            self.settle(stream);
            if self.has(flag::UPGRADED) {
                return at;
            }
            if !stream.is_open() {
                return bytes.len();
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let current = self.current();
            match current {
                Some(exchange) if exchange.complete.get() => return at,
                Some(exchange) => {
                    let (consumed, go_on) = self.read_body(stream, &exchange, rest);
                    at += consumed;
                    if !go_on {
                        return at;
                    }
                }
                None if rest.is_empty() => {
                    self.check_spent(stream);
                    return at;
                }
                None if !self.may_begin(stream) => return at,
                None => match self.read_head(stream, rest) {
                    Some(consumed) => at += consumed,
                    None => {
                        self.check_spent(stream);
                        return at;
                    }
                },
            }
        }
    }

    /// Parses a head. `Some`: its bytes are consumed. `None`: nothing more can be done with these bytes now.
    fn read_head(self: &Rc<Self>, stream: &Rc<Stream>, bytes: &[u8]) -> Option<usize> {
        let shared = &self.server.shared;
        let mut exchange = shared.take_exchange();
        let fresh = Rc::get_mut(&mut exchange)?;
        let mut parser = self.parser.get();
        let parsed = parser.parse(bytes, &self.server.head_limits.get(), &mut fresh.head);
        match parsed {
            Ok(Parsed::Complete { len }) => {
                self.parser.set(HeadParser::default());
                self.clear(flag::PARTIAL);
                let rest = bytes.get(len..).unwrap_or_default();
                let taken = if self.begin(stream, exchange, rest) { rest.len() } else { 0 };
                Some(len + taken)
            }
            Ok(Parsed::Partial) => {
                self.parser.set(parser);
                shared.recycle(exchange);
                if !self.has(flag::PARTIAL) {
                    self.set(flag::PARTIAL);
                    if self.requests.get() > 0 {
                        self.since.set(stream.cx().lp.now());
                    }
                    stream.need_due(self.since.get() + nanos(self.server.limits.borrow().header));
                }
                None
            }
            Err(fault) => {
                shared.recycle(exchange);
                self.fault(stream, fault);
                None
            }
        }
    }

    /// A request is here: dispatches it. Says whether what follows its head went with it, to another protocol.
    fn begin(self: &Rc<Self>, stream: &Rc<Stream>, mut exchange: Rc<Exchange>, rest: &[u8]) -> bool {
        let lp = &stream.cx().lp;
        self.dispatched.set(self.dispatched.get() + 1);
        self.requests.set(self.requests.get() + 1);
        if let Some(fresh) = Rc::get_mut(&mut exchange) {
            let framing = fresh.head.framing();
            let complete = matches!(framing, Framing::None | Framing::Length(0));
            fresh.started = lp.now();
            fresh.decoder.set(BodyDecoder::new(framing));
            fresh.complete.set(complete);
            fresh.owes_continue.set(!complete && fresh.head.expects_continue());
            *fresh.link.get_mut() = Some(self.clone());
        }
        *self.current.borrow_mut() = Some(exchange.clone());
        if !exchange.complete.get() {
            self.await_body(stream);
        }
        if let Some(response) = self.server.limits.borrow().response {
            stream.need_due(exchange.started + nanos(response));
        }
        lp.label_turn(exchange.head.method_and_target());
        if self.has(flag::SPENT) {
            self.clear(flag::SPENT);
            self.server.drop_request(lp, &exchange);
        } else if exchange.head.is_connect() || exchange.head.wants_upgrade() && self.server.upgrades() {
            return self.upgrade(stream, &exchange, rest);
        } else {
            self.server.dispatch(lp, &exchange);
        }
        if exchange.complete.get() && !exchange.listeners.is_empty() {
            exchange.request_over(lp);
        }
        false
    }

    /// Hands the connection over: from here on it is a socket of the user's.
    fn upgrade(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, rest: &[u8]) -> bool {
        if exchange.head.is_connect() && !self.server.connects() {
            self.set(flag::CLOSE);
            exchange.answer(self, 501);
            return false;
        }
        self.set(flag::UPGRADED);
        self.watch(|watch| watch.receive = None);
        let current = self.current.borrow_mut().take();
        drop(current);
        let link = exchange.link.borrow_mut().take();
        drop(link);
        let socket = Socket::adopt(stream, &self.server.acceptor);
        self.server.upgrade(&stream.cx().lp, exchange, &socket, rest);
        exchange.finish(&stream.cx().lp, CloseReason::Finished);
        true
    }

    /// The peer could not go on until now: the rate of its body is measured anew.
    fn restart_window(&self, stream: &Stream) {
        let now = stream.cx().lp.now();
        let read = stream.bytes_read();
        self.watch(|watch| {
            if let Some(window) = &mut watch.receive {
                *window = (now, read);
            }
        });
    }

    fn await_body(&self, stream: &Rc<Stream>) {
        let now = stream.cx().lp.now();
        let limits = self.server.limits.borrow();
        self.watch(|watch| watch.receive = Some((now, stream.bytes_read())));
        stream.need_due(now + nanos(limits.receive_window.min(limits.request)));
    }

    /// Gives the body to whoever wants it. Says how much was consumed, and whether more can be done.
    fn read_body(self: &Rc<Self>, stream: &Rc<Stream>, exchange: &Rc<Exchange>, bytes: &[u8]) -> (usize, bool) {
        let is_read = exchange.is_read();
        let unwanted = !is_read && exchange.phase.get() == Phase::Ended;
        if !unwanted && (exchange.paused.get() || !is_read) {
            return (0, false);
        }
        let mut decoder = exchange.decoder.get();
        let decoded = {
            let limits = self.server.limits.borrow().body();
            decoder.decode(bytes, &limits, &mut exchange.trailers.borrow_mut())
        };
        exchange.decoder.set(decoder);
        let lp = &stream.cx().lp;
        match decoded {
            Err(fault) => {
                self.body_fault(stream, exchange, fault);
                (bytes.len(), false)
            }
            Ok(step) => {
                match step.event {
                    BodyEvent::NeedMore => return (step.consumed, false),
                    BodyEvent::Data(chunk) if unwanted => self.discard(stream, exchange, chunk.len()),
                    BodyEvent::Data(chunk) => {
                        let request = Request(exchange.clone());
                        exchange.emit(lp, On::Data, |listener| {
                            if let Listener::Data(f) = listener {
                                f(&request, chunk);
                            }
                        });
                    }
                    BodyEvent::End => {
                        exchange.complete.set(true);
                        self.watch(|watch| watch.receive = None);
                        exchange.request_over(lp);
                    }
                }
                (step.consumed, true)
            }
        }
    }

    fn discard(&self, stream: &Rc<Stream>, exchange: &Exchange, count: usize) {
        exchange.discarded.set(exchange.discarded.get() + count);
        let limits = self.server.limits.borrow();
        if exchange.discarded.get() > limits.discard {
            self.set(flag::CLOSE);
            stream.finish(CloseReason::Finished, Some(limits.linger()));
        }
    }

    /// What came is no message of ours. Requests before it have been answered: they are read one after another.
    fn fault(&self, stream: &Rc<Stream>, fault: Fault) {
        log::debug!(target: "oneloop::http", "{}: {fault}", stream.peer());
        self.server.client_error(&ClientError { fault: Some(fault), status: fault.status(), peer: stream.peer() });
        self.refuse(stream, fault.status(), CloseReason::BadMessage);
    }

    fn body_fault(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, fault: Fault) {
        log::debug!(target: "oneloop::http", "{exchange} from {}: {fault}", stream.peer());
        self.server.client_error(&ClientError { fault: Some(fault), status: fault.status(), peer: stream.peer() });
        self.abort(stream, exchange, fault.status(), CloseReason::BadMessage);
    }

    /// Ends an exchange whose request or response will never be whole: an answer of ours if there is none, then the close.
    fn abort(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, status: u16, reason: CloseReason) {
        self.set(flag::CLOSE);
        match exchange.phase.get() {
            Phase::Open => exchange.answer(self, status),
            // It breaks off; what went before it, the answers to earlier requests, is not lost with it.
            Phase::Streaming(_) => exchange.phase.set(Phase::Ended),
            Phase::Ended => {}
        }
        stream.finish(reason, Some(self.server.limits.borrow().linger()));
        self.release(stream, reason);
    }

    /// An answer of ours where there is no exchange; then the close.
    fn refuse(&self, stream: &Rc<Stream>, status: u16, reason: CloseReason) {
        self.set(flag::CLOSE);
        let date = self.server.shared.date();
        stream.encode(|out| refusal(out, status, &date));
        stream.finish(reason, Some(self.server.limits.borrow().linger()));
    }

    /// May another request of this connection be dispatched in this turn?
    fn may_begin(&self, stream: &Rc<Stream>) -> bool {
        let lp = &stream.cx().lp;
        if self.has(flag::CLOSE) && !self.has(flag::SPENT) {
            return false;
        }
        if lp.is_halted() {
            stream.make_ready();
            return false;
        }
        if stream.pending() >= self.server.pending_output.get() {
            self.set(flag::OUTPUT_HELD);
            stream.tell_sent();
            return false;
        }
        let turn = lp.turn_serial();
        if self.turn.replace(turn) != turn {
            self.dispatched.set(0);
        }
        if self.dispatched.get() >= BUDGET {
            stream.make_ready();
            return false;
        }
        true
    }

    // ---- The end of an exchange

    /// If the response has ended and the request is whole, makes room for the next one.
    fn settle(self: &Rc<Self>, stream: &Rc<Stream>) {
        let (over, reason) = match &*self.current.borrow() {
            Some(exchange) => {
                let over = exchange.phase.get() == Phase::Ended
                    && (exchange.complete.get() || self.has(flag::CLOSE) && !exchange.is_read());
                (over || exchange.broken.get().is_some(), exchange.broken.get().unwrap_or(CloseReason::Finished))
            }
            None => return,
        };
        // One whose connection is cut ends with it, for its reason.
        if !over || stream.is_closed() {
            return;
        }
        self.release(stream, reason);
        let lp = &stream.cx().lp;
        self.since.set(lp.now());
        let limits = self.server.limits.borrow();
        stream.need_due(lp.now() + nanos(limits.keep_alive));
        // The server may have been closed since the head of this response went.
        if self.has(flag::CLOSE) && !self.has(flag::SPENT) || self.server.is_closing() {
            stream.finish(CloseReason::Finished, Some(limits.linger()));
        } else if stream.held() > 0 {
            // Requests that waited behind this one; within `data` it has them at hand, and none is held.
            stream.make_ready();
        }
    }

    /// The last request that this connection may have was answered, and no other is here to be dropped.
    fn check_spent(&self, stream: &Rc<Stream>) {
        if self.has(flag::SPENT) && self.current.borrow().is_none() {
            stream.finish(CloseReason::Finished, Some(self.server.limits.borrow().linger()));
        }
    }

    /// Lets go of the current exchange: at once, or when its output has gone, where somebody wants to know that.
    fn release(&self, stream: &Rc<Stream>, reason: CloseReason) {
        let current = self.current.borrow_mut().take();
        let Some(exchange) = current else { return };
        let lp = &stream.cx().lp;
        // One that a handle is kept of learns when it has gone, too: see `Response::is_finished`.
        if exchange.listeners.is_empty() && Rc::strong_count(&exchange) == 1 {
            exchange.finish(lp, reason);
            self.server.shared.recycle(exchange);
            return;
        }
        let link = exchange.link.borrow_mut().take();
        drop(link);
        // What a broken connection has dropped will never have gone.
        let mark = if stream.is_broken() { u64::MAX } else { stream.bytes_written() + stream.pending() as u64 };
        self.watch(|watch| watch.finishing.push_back((mark, reason, exchange)));
        stream.tell_sent();
    }

    /// Finishes the exchanges whose output has gone.
    fn finish_sent(&self, stream: &Rc<Stream>) {
        loop {
            let written = stream.bytes_written();
            let next = self.watch(|watch| {
                let gone = watch.finishing.front().is_some_and(|(mark, ..)| *mark <= written);
                if gone { watch.finishing.pop_front() } else { None }
            });
            let Some((_, reason, exchange)) = next else { return };
            exchange.finished.set(reason == CloseReason::Finished);
            exchange.finish(&stream.cx().lp, reason);
            self.server.shared.recycle(exchange);
        }
    }

    /// What the peer's end of input means, as soon as it can be told.
    fn check_eof(&self, stream: &Rc<Stream>) {
        if stream.held() == 0 {
            self.check_spent(stream);
        }
        if !stream.is_eof() || !stream.is_open() {
            return;
        }
        let current = self.current();
        match current {
            Some(exchange) if exchange.complete.get() => {}
            Some(exchange) if exchange.phase.get() == Phase::Ended => {
                let reason = if exchange.is_read() { CloseReason::Truncated } else { CloseReason::Finished };
                stream.finish(reason, None);
                self.release(stream, reason);
            }
            // All of it is here, but its end cannot be told while it is paused.
            Some(exchange) if exchange.decoder.get().is_done() => {}
            // The answers to earlier requests still go out.
            Some(_) if stream.held() == 0 => {
                stream.finish(CloseReason::Truncated, None);
                self.release(stream, CloseReason::Truncated);
            }
            Some(_) => {}
            None if stream.held() == 0 => stream.finish(CloseReason::Finished, None),
            None if self.has(flag::PARTIAL) => stream.finish(CloseReason::Truncated, None),
            None => {}
        }
    }

    // ---- Writing

    /// Does the connection end with this response?
    fn closes_after(&self, exchange: &Exchange, must: bool, wanted: bool) -> bool {
        let limits = self.server.limits.borrow();
        // Where the rest of the body is too long to be discarded, or the peer holds it back until we ask for it.
        let unread = !exchange.complete.get()
            && !exchange.is_read()
            && (exchange.owes_continue.get() || exchange.decoder.get().remaining() > limits.discard as u64);
        must || wanted
            || unread
            || self.server.is_closing()
            || self.has(flag::CLOSE)
            || self.requests.get() >= self.server.max_requests.get()
    }

    /// The head, and what is here of the body, in one piece where that is small.
    fn send_first(&self, stream: &Rc<Stream>, exchange: &Exchange, chunk: Chunk<'_>, known: Option<u64>) -> Flow {
        let head = exchange.response.borrow();
        let plan = match response_framing(&RequestInfo::from(&exchange.head), &head, known) {
            Ok(plan) => plan,
            Err(error) => {
                drop(head);
                log::error!(target: "oneloop::http", "{exchange}: {error}; answered 500");
                exchange.answer(self, 500);
                return Flow::Closed;
            }
        };
        let closing = self.closes_after(exchange, plan.must_close(), head.wants_close());
        if closing {
            self.set(flag::CLOSE);
            if self.requests.get() >= self.server.max_requests.get() {
                self.set(flag::SPENT);
            }
        }
        let date = self.server.shared.date();
        let how = Encoding {
            framing: plan.framing,
            date: Some(&date),
            connection: connection_field(exchange.head.version(), exchange.head.persistent(), closing),
        };
        let body = match plan.framing {
            _ if !plan.body => Body::None,
            ResponseFraming::Empty => Body::None,
            ResponseFraming::Length(length) => Body::Length(length),
            ResponseFraming::Chunked => Body::Chunked,
            ResponseFraming::UntilClose => Body::UntilClose,
        };
        exchange.phase.set(Phase::Streaming(body));
        if !exchange.head.persistent() {
            self.set(flag::CLOSE);
        }
        if let Body::Length(length) = body
            && chunk.len() < COPIED
            && chunk.len() as u64 == length
            && known.is_some()
        {
            // The usual answer: one append.
            stream.encode(|out| {
                head.encode(out, &how);
                out.extend_from_slice(chunk.as_bytes());
            });
            exchange.phase.set(Phase::Ended);
            return Flow::Ready;
        }
        stream.encode(|out| head.encode(out, &how));
        drop(head);
        self.send_more(stream, exchange, body, chunk, known.is_some())
    }

    fn send_more(&self, stream: &Rc<Stream>, exchange: &Exchange, body: Body, chunk: Chunk<'_>, last: bool) -> Flow {
        let limit = self.server.pending_output.get();
        let mut flow = Flow::Ready;
        match body {
            Body::None => {}
            Body::UntilClose => flow = stream.write(chunk, limit),
            Body::Length(left) => {
                let Some(rest) = left.checked_sub(chunk.len() as u64).filter(|rest| !last || *rest == 0) else {
                    log::error!(
                        target: "oneloop::http",
                        "{exchange}: the body does not match its Content-Length; the connection is closed"
                    );
                    exchange.phase.set(Phase::Ended);
                    exchange.broken.set(Some(CloseReason::BadResponse));
                    self.cut(CloseReason::BadResponse);
                    return Flow::Closed;
                };
                exchange.phase.set(Phase::Streaming(Body::Length(rest)));
                flow = stream.write(chunk, limit);
            }
            Body::Chunked => {
                if chunk.len() >= COPIED {
                    stream.encode(|out| h1::chunk_start(out, chunk.len()));
                    stream.write(chunk, limit).ignore();
                    stream.encode(|out| out.extend_from_slice(h1::CHUNK_END));
                } else if !chunk.is_empty() {
                    stream.encode(|out| h1::chunk(out, chunk.as_bytes()));
                }
                if last {
                    stream.encode(|out| h1::last_chunk(out, &exchange.trailers_out.borrow()));
                }
                flow = stream.write(().into(), limit);
            }
        }
        if last {
            exchange.phase.set(Phase::Ended);
        }
        flow
    }

    // ---- Deadlines

    /// What runs out next while output is pending. `None`: it has.
    fn check_output(&self, stream: &Rc<Stream>, now: Time) -> Option<Time> {
        if stream.pending() == 0 {
            self.watch(|watch| watch.send = None);
            return Some(Time::MAX);
        }
        let limits = self.server.limits.borrow();
        let (window, stall) = (nanos(limits.send_window), nanos(limits.write_stall));
        let written = stream.bytes_written();
        let (stalled, slow, next) = self.watch(|watch| {
            let (began, mark) = match watch.send {
                Some(window) => window,
                None => {
                    watch.progress = (now, written);
                    *watch.send.insert((now, written))
                }
            };
            if watch.progress.1 != written {
                watch.progress = (now, written);
            }
            let stalled = now >= watch.progress.0 + stall;
            let mut slow = false;
            if now >= began + window {
                let sent = written - mark;
                // None at all is a stall, which has its own time.
                slow = sent > 0 && too_slow(sent, limits.send_rate, now - began);
                watch.send = Some((now, written));
            }
            let began = watch.send.map_or(now, |(began, _)| began);
            (stalled, slow, (began + window).min(watch.progress.0 + stall))
        });
        if stalled || slow {
            stream.destroy(if stalled { CloseReason::WriteStall } else { CloseReason::SlowSend });
            return None;
        }
        Some(next)
    }

    fn check_request(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, now: Time) -> Option<Time> {
        let limits = self.server.limits.borrow().clone();
        let mut next = Time::MAX;
        if !exchange.complete.get() {
            let until = exchange.started + nanos(limits.request);
            if now >= until {
                self.abort(stream, exchange, 408, CloseReason::RequestTimeout);
                return None;
            }
            // It stands still while it is us who do not read.
            let unwanted = !exchange.is_read() && exchange.phase.get() == Phase::Ended;
            let waits_for_us = !unwanted
                && (exchange.paused.get() || exchange.owes_continue.get() || !exchange.listeners.has(On::Data))
                || stream.is_paused();
            let window = nanos(limits.receive_window);
            let read = stream.bytes_read();
            let (slow, end) = self.watch(|watch| {
                let (began, mark) = *watch.receive.get_or_insert((now, read));
                let over = now >= began + window;
                if over || waits_for_us {
                    watch.receive = Some((now, read));
                }
                let slow = over && !waits_for_us && too_slow(read - mark, limits.receive_rate, now - began);
                (slow, if over || waits_for_us { now + window } else { began + window })
            });
            if slow {
                self.abort(stream, exchange, 408, CloseReason::SlowReceive);
                return None;
            }
            next = until.min(end);
        }
        if let Some(response) = limits.response.filter(|_| !exchange.has_ended()) {
            let until = exchange.started + nanos(response);
            if now >= until {
                log::warn!(target: "oneloop::http", "{exchange}: no response in {response:?}");
                self.abort(stream, exchange, 503, CloseReason::ResponseTimeout);
                return None;
            }
            next = next.min(until);
        }
        Some(next)
    }

    fn check_idle(&self, stream: &Rc<Stream>, now: Time) -> Option<Time> {
        let limits = self.server.limits.borrow().clone();
        let waits_for_head = self.has(flag::PARTIAL) || self.requests.get() == 0;
        if !waits_for_head && stream.pending() > 0 {
            // The output has its own deadlines, and says when it is gone.
            return Some(Time::MAX);
        }
        let until = self.since.get() + nanos(if waits_for_head { limits.header } else { limits.keep_alive });
        if now < until {
            return Some(until);
        }
        if self.has(flag::PARTIAL) {
            self.server.client_error(&ClientError { fault: None, status: 408, peer: stream.peer() });
            self.refuse(stream, 408, CloseReason::HeaderTimeout);
        } else {
            let reason = if waits_for_head { CloseReason::HeaderTimeout } else { CloseReason::IdleTimeout };
            stream.destroy(reason);
        }
        None
    }
}

/// Chunks below this are appended to the output in one go with their head.
const COPIED: usize = 16 * 1024;

fn too_slow(bytes: u64, rate: u32, over: Time) -> bool {
    rate > 0 && u128::from(bytes) * 1_000_000_000 < u128::from(rate) * u128::from(over)
}

impl Protocol for H1 {
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        self.set(flag::READING);
        let consumed = self.read(stream, bytes);
        self.clear(flag::READING);
        consumed
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        self.settle(stream);
        self.check_eof(stream);
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        // A body that was paused behind its last byte: its end needs no further ones.
        if stream.held() == 0 {
            self.clone().data(stream, &mut []);
        }
        self.settle(stream);
        let current = self.current();
        if let Some(exchange) = current
            && exchange.complete.get()
            && !exchange.listeners.is_empty()
        {
            exchange.request_over(&stream.cx().lp);
            self.settle(stream);
        }
        self.check_eof(stream);
    }

    fn sent(self: Rc<Self>, stream: &Rc<Stream>, pending: usize) {
        let (now, written) = (stream.cx().lp.now(), stream.bytes_written());
        self.watch(|watch| watch.progress = (now, written));
        self.finish_sent(stream);
        let current = self.current();
        if pending == 0
            && let Some(exchange) = current
            && exchange.full.replace(false)
            && exchange.phase.get() != Phase::Ended
        {
            exchange.emit_response(&stream.cx().lp, On::Drain);
        }
        if pending == 0 && self.is_idle() {
            // Idle from now on, not from the end of a response that took its time to go.
            self.since.set(now);
            stream.need_due(now + nanos(self.server.limits.borrow().keep_alive));
        }
        if pending < self.server.pending_output.get() && self.has(flag::OUTPUT_HELD) {
            self.clear(flag::OUTPUT_HELD);
            stream.make_ready();
        }
        let unfinished = self.watch(|watch| !watch.finishing.is_empty());
        if unfinished {
            stream.tell_sent();
        }
        self.settle(stream);
        self.check_eof(stream);
    }

    fn blocked(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.now();
        let limits = self.server.limits.borrow();
        let written = stream.bytes_written();
        self.watch(|watch| {
            watch.send = Some((now, written));
            watch.progress = (now, written);
        });
        stream.need_due(now + nanos(limits.send_window.min(limits.write_stall)));
        // So that each progress is seen, and the end of it.
        stream.tell_sent();
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.now();
        let Some(output) = self.check_output(stream, now) else { return };
        if !stream.is_open() {
            return stream.need_due(output);
        }
        let current = self.current();
        let next = match current {
            Some(exchange) => self.check_request(stream, &exchange, now),
            None => self.check_idle(stream, now),
        };
        // Where that was the end, output may still be pending.
        let next = next.unwrap_or(Time::MAX).min(output);
        if next < Time::MAX {
            stream.need_due(next);
        }
        self.settle(stream);
    }

    fn close(self: Rc<Self>, stream: &Rc<Stream>, reason: CloseReason, _error: Option<&io::Error>) {
        self.finish_sent(stream);
        let lp = &stream.cx().lp;
        let unsent = self.watch(|watch| std::mem::take(&mut watch.finishing));
        for (_, _, exchange) in unsent {
            exchange.finish(lp, reason);
        }
        let current = self.current.borrow_mut().take();
        if let Some(exchange) = current {
            exchange.finish(lp, reason);
        }
        self.server.acceptor.connection_closed();
    }

    fn teardown(&self) {
        let current = self.current.borrow_mut().take();
        let unsent = self.watch(|watch| std::mem::take(&mut watch.finishing));
        for exchange in current.into_iter().chain(unsent.into_iter().map(|(_, _, exchange)| exchange)) {
            let link = exchange.link.borrow_mut().take();
            drop(link);
            exchange.closed.set(Some(CloseReason::LoopEnded));
            exchange.listeners.clear();
        }
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl Carrier for H1 {
    fn send(&self, exchange: &Exchange, chunk: Chunk<'_>, last: bool) -> Flow {
        let Some(stream) = self.stream.get().filter(|stream| stream.is_open()) else { return Flow::Closed };
        let flow = match exchange.phase.get() {
            Phase::Open => {
                let known = last.then_some(chunk.len() as u64);
                self.send_first(stream, exchange, chunk, known)
            }
            Phase::Streaming(body) => self.send_more(stream, exchange, body, chunk, last),
            Phase::Ended => Flow::Closed,
        };
        if flow.is_full() {
            exchange.full.set(true);
        }
        if exchange.phase.get() == Phase::Ended && !stream.is_corked() {
            stream.make_ready();
        }
        flow
    }

    fn send_head(&self, exchange: &Exchange) {
        if let Some(stream) = self.stream.get().filter(|stream| stream.is_open())
            && exchange.phase.get() == Phase::Open
        {
            self.send_first(stream, exchange, ().into(), None).ignore();
        }
    }

    fn inform(&self, status: u16, fields: &[(&str, &str)]) {
        if let Some(stream) = self.stream.get() {
            if status == 100 {
                self.restart_window(stream);
            }
            stream.encode(|out| {
                if let Err(error) = h1::encode_informational(out, status, fields) {
                    log::error!(target: "oneloop::http", "an informational response was not sent: {error}");
                }
            });
        }
    }

    fn wake(&self) {
        if let Some(stream) = self.stream.get() {
            self.restart_window(stream);
            if !self.has(flag::READING) {
                stream.make_ready();
            }
        }
    }

    fn cut(&self, reason: CloseReason) {
        let Some(stream) = self.stream.get() else { return };
        if reason == CloseReason::Destroyed {
            return stream.destroy(reason);
        }
        self.set(flag::CLOSE);
        stream.finish(reason, Some(self.server.limits.borrow().linger()));
        // Then the exchange ends.
        stream.tell_sent();
    }

    fn pending(&self) -> usize {
        self.stream.get().map_or(0, |stream| stream.pending())
    }

    fn peer(&self) -> Address {
        self.stream.get().map_or(Address::Unix(None), |stream| stream.peer())
    }

    fn lp(&self) -> &Rc<Loop> {
        &self.server.shared.cx.lp
    }
}
