//! HTTP/1 on a stream. This file has the data of a connection and the implementation of `Protocol`; the other files have
//! reading, writing, the ends of exchanges, and the deadlines.
//!
//! [`connection`](crate::proto::h1::connection) alone decides what may happen next. This folder tells it what has happened,
//! always through [`H1::on`], and does what it asks for. Only mechanism is kept here: the current exchange, the codec's
//! state in an unfinished message, deadlines, the budget of a turn.
//!
//! A call of the user (`Response::end`) moves the state and writes, but ends nothing, since no callback may run within it.
//! The stream's next turn does the rest: [`H1::release_if_over`] releases an exchange that is over, and [`H1::advance`] looks at
//! everything that may have changed. Every turn ends with `advance`, except those that only bring bytes. Both may be called
//! at any time, any number of times.
//!
//! Between two requests the kernel evicts the instruction cache, so the cost of a request grows with the amount of code
//! that it runs. Code that not every request needs is therefore in `#[cold]` functions, here and in
//! [`net`](crate::net), away from the code that every request runs.

mod deadlines;
mod ending;
mod facts;
mod reading;
mod switching;
mod writing;

use super::exchange::Exchange;
use super::server_connection::{ConnectionState, ServerConnection};
use super::server_core::ServerCore;
use crate::event_loop::Time;
use crate::net::{CloseReason, Protocol, SendWatch, Stream};
use crate::proto::h1::connection::{Action, Connection, Event, Persistence, Reading, Role};
use crate::proto::h1::{BodyDecoder, BodyEncoder, Framing, RequestParser};
use facts::Facts;
use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

/// How long a server that closes its idle connections waits for requests that are still on their way. For a used
/// connection, this is how long the server reads after its FIN; for a new one without a request, how long it stays open
/// after it was accepted. This is longer than a round trip, and short enough for a shutdown.
const CROSSING: Time = Time::from_secs(1);

/// An HTTP/1 connection: the protocol of a stream, and the carrier of one exchange after the other.
pub(super) struct H1 {
    stream: OnceCell<Rc<Stream>>,
    server: Rc<ServerCore>,
    /// The exchange whose request is being read or whose response is being written. [`H1::release_if_over`] releases it when both are
    /// over.
    current: Cell<Option<Rc<Exchange>>>,
    unfinished: Cell<Unfinished>,
    /// When the present wait for a head began: when the connection was accepted or became idle, or when the first bytes of a
    /// later head came.
    since: Cell<Time>,
    watch: Cell<Option<Box<Watch>>>,
    state: Cell<Connection>,
    /// The number of requests so far.
    requests: Cell<u32>,
    /// The turn whose requests `dispatched` counts: the low bits of its number, to save room. If another turn has the same bits,
    /// the budget may seem to be used up. Then the connection goes on in the next iteration.
    turn: Cell<u16>,
    dispatched: Cell<u8>,
    facts: Facts,
}

/// The state of the codec in a message that was read or written in part. Only one is needed at a time: a response is over
/// before the next head is read. (The decoder of a body is in the [`Watch`], which exists anyway while a body is awaited.)
#[derive(Clone, Copy)]
enum Unfinished {
    /// For a head that has come in part. Used while the state is [`Reading::Head`].
    Head(RequestParser),
    /// For content that is sent in parts. Used while the state is
    /// [`Writing::Body`](crate::proto::h1::connection::Writing::Body).
    Content(BodyEncoder),
}

/// Data that is only needed while something is awaited from the peer; allocated then.
struct Watch {
    /// The decoder of the body that is awaited.
    decoder: BodyDecoder,
    /// How many bytes of that body were discarded.
    discarded: usize,
    /// When the present window of the receive rate began, and how many bytes had been read until then.
    receive: Option<(Time, u64)>,
    /// How many bytes had been read before the body that is awaited. Used while `receive` is `Some`.
    before_body: u64,
    /// After the peer has ended its side: when it last took output or had input read, and how many bytes were sent and read until
    /// then.
    half_open: Option<(Time, u64)>,
    /// The deadlines of output that the kernel has refused.
    send: SendWatch,
    /// Exchanges that are over, but whose output has not all been sent. Each has the reason of its end, and a number of bytes:
    /// when the connection has sent that many in all, the exchange is finished.
    finishing: VecDeque<(u64, CloseReason, Rc<Exchange>)>,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch {
            decoder: BodyDecoder::new(Framing::None),
            discarded: 0,
            receive: None,
            before_body: 0,
            half_open: None,
            send: SendWatch::default(),
            finishing: VecDeque::new(),
        }
    }
}

impl H1 {
    pub fn new(server: &Rc<ServerCore>, now: Time) -> Rc<H1> {
        Rc::new(H1 {
            stream: OnceCell::new(),
            server: server.clone(),
            current: Cell::new(None),
            unfinished: Cell::new(Unfinished::Head(RequestParser::default())),
            since: Cell::new(now),
            watch: Cell::new(None),
            state: Cell::new(Connection::new(Role::Server)),
            requests: Cell::new(0),
            turn: Cell::new(0),
            dispatched: Cell::new(0),
            facts: Facts::default(),
        })
    }

    /// Connects this protocol with its stream, and sets the deadline of the first request.
    pub fn start(&self, stream: &Rc<Stream>) {
        let _ = self.stream.set(stream.clone());
        stream.need_due(self.since.get() + Time::from(self.server.limits.all().header));
    }

    /// Tells the state machine what has happened, and returns what has to be done. Nothing else changes the state. An event that
    /// does not fit the state is a bug of this folder, and changes nothing.
    #[inline(always)]
    fn on(&self, event: Event) -> Action {
        let mut state = self.state.get();
        let action = state.on(event);
        debug_assert!(action.is_ok(), "{event:?} in {state:?}");
        self.state.set(state);
        action.unwrap_or(Action::Nothing)
    }

    fn reading(&self) -> Reading {
        self.state.get().reading()
    }

    /// Returns whether the connection ends after the present exchange. Requests that the client has sent after this one never
    /// reach a handler: they are ignored, or are answered with a refusal (see `Persistence::Spent`).
    fn is_last(&self) -> bool {
        self.state.get().persistence() != Persistence::Persists
    }

    fn current(&self) -> Option<Rc<Exchange>> {
        let current = self.current.take();
        let clone = current.clone();
        self.current.set(current);
        clone
    }

    /// Returns whether there is no request, and none is coming in or held.
    fn is_idle(&self) -> bool {
        let nothing_held = self.stream.get().is_none_or(|stream| stream.held() == 0);
        self.state.get().is_idle() && self.current().is_none() && nothing_held && !self.facts.is_in_data()
    }

    /// Returns whether the connection is new and has had no request: its first one may be on its way. If the connection ends
    /// without an answer, a client sends that request again by itself only if the method is idempotent (RFC 9110, 9.2.2).
    fn awaits_first_request(&self, stream: &Stream) -> bool {
        self.requests.get() == 0 && stream.cx().lp.seen_until() < self.since.get() + CROSSING
    }

    /// Writes something into the watch, which is allocated if there is none.
    #[cold]
    fn watch<R>(&self, f: impl FnOnce(&mut Watch) -> R) -> R {
        let watch = self.watch.take().unwrap_or_default();
        self.use_watch(watch, f)
    }

    /// Reads the watch, or takes something out of it. If there is none, nothing is awaited: the result is the default, and
    /// nothing is allocated.
    #[cold]
    fn watched<R: Default>(&self, f: impl FnOnce(&mut Watch) -> R) -> R {
        match self.watch.take() {
            Some(watch) => self.use_watch(watch, f),
            None => R::default(),
        }
    }

    /// Calls `f` with the watch, and then puts the watch back, unless it is no longer needed.
    fn use_watch<R>(&self, mut watch: Box<Watch>, f: impl FnOnce(&mut Watch) -> R) -> R {
        let result = f(&mut watch);
        let needed = self.server.observing.is_on()
            || self.reading() == Reading::Body
            || watch.receive.is_some()
            || watch.send.is_on()
            || watch.half_open.is_some()
            || !watch.finishing.is_empty();
        self.watch.set(needed.then_some(watch));
        result
    }
}

impl ServerConnection for H1 {
    /// A request that its handler has already answered is still being received until its body ends.
    fn state(&self, stream: &Stream) -> ConnectionState {
        if !stream.is_in_use() {
            return ConnectionState::Closing;
        }
        match self.current() {
            Some(exchange) if exchange.incoming().is_complete() => ConnectionState::Answering,
            Some(_) => ConnectionState::Receiving,
            None if stream.pending() > 0 => ConnectionState::Sending,
            None if self.is_idle() => ConnectionState::Idle,
            None => ConnectionState::Receiving,
        }
    }

    /// A new connection is closed only after `CROSSING`. Pending output is sent before the FIN. After the FIN, the connection is
    /// read for a while: a request that the peer sent before it saw the FIN would otherwise cause a reset, and that would discard
    /// an answer that the peer has not read yet.
    fn close_if_idle(&self, stream: &Rc<Stream>) {
        if !self.is_idle() || !stream.is_in_use() {
            return;
        }
        if self.awaits_first_request(stream) {
            self.facts.leave();
            return stream.need_due(self.since.get() + CROSSING);
        }
        if self.requests.get() == 0 {
            return stream.destroy(CloseReason::ServerClosed);
        }
        let mut linger = self.server.limits.all().linger();
        if stream.pending() == 0 {
            linger.between_reads = linger.between_reads.min(CROSSING);
        }
        self.on(Event::Last);
        stream.finish(CloseReason::ServerClosed, Some(linger));
    }

    fn each_exchange(&self, f: &mut dyn FnMut(Rc<Exchange>)) {
        self.current().into_iter().for_each(f);
    }
}

/// Returns whether a stage of the response has more to send, and goes on.
fn more_waits(exchange: &Rc<Exchange>) -> bool {
    #[cfg(feature = "app")]
    if let Some(stages) = exchange.stages() {
        return exchange.stages_go_on(stages);
    }
    let _ = exchange;
    false
}

impl Protocol for H1 {
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        self.facts.data_begins();
        let consumed = self.consume(stream, bytes);
        self.facts.data_ends();
        consumed
    }

    fn held_limit(&self) -> usize {
        let limits = self.server.limits.all();
        limits.held_input.max(limits.head_bytes.saturating_add(1))
    }

    fn pending_limit(&self) -> usize {
        self.current().map_or(usize::MAX, |exchange| exchange.outgoing().pending_limit())
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        self.advance(stream);
    }

    fn fin_hinted(self: Rc<Self>, stream: &Rc<Stream>) {
        self.advance(stream);
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        // A body may have been paused after its last byte: its end needs no further bytes.
        if stream.held() == 0 {
            self.clone().data(stream, &mut []);
        }
        self.advance(stream);
    }

    fn sent(self: Rc<Self>, stream: &Rc<Stream>, pending: usize) {
        let now = stream.cx().lp.now();
        self.watched(|watch| watch.send.note(stream, now));
        self.finish_sent(stream);
        let current = self.current();
        if pending == 0
            && let Some(exchange) = current
            && !more_waits(&exchange)
            && exchange.outgoing().clear_full()
            && !exchange.has_ended()
        {
            exchange.emit_drain(&stream.cx().lp);
        }
        if pending == 0 && self.is_idle() {
            // The idle time begins now, not at the end of a response that took long to send.
            self.since.set(now);
            stream.need_due(now + self.server.limits.keep_alive());
        }
        if self.facts.holds_requests() && pending < self.server.limits.pending_output() {
            self.facts.let_requests_go();
            stream.ask_for_turn();
        }
        let unfinished = self.watched(|watch| !watch.finishing.is_empty());
        if unfinished {
            stream.tell_sent();
        }
        self.advance(stream);
    }

    fn blocked(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.now();
        let limits = self.server.limits.all().sending();
        self.watch(|watch| watch.send.start(stream, &limits, now));
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.seen_until();
        let Some(output) = self.check_output(stream, now) else { return };
        if !stream.is_in_use() {
            return stream.need_due(output);
        }
        let next = match self.current() {
            Some(exchange) => self.check_exchange(stream, &exchange, now),
            None => self.check_idle(stream, now),
        };
        // `None`: a deadline has passed, and the method has acted on it. Output may still be pending.
        let next = next.unwrap_or(Time::MAX).min(output);
        if next < Time::MAX {
            stream.need_due(next);
        }
        self.advance(stream);
    }

    fn idle_since(&self, stream: &Rc<Stream>) -> Option<Time> {
        (self.is_idle() && !self.awaits_first_request(stream)).then(|| self.since.get())
    }

    fn provide(self: Rc<Self>, wanted: &mut dyn Any) {
        if let Some(wanted) = wanted.downcast_mut::<Option<Rc<dyn ServerConnection>>>() {
            *wanted = Some(self);
        }
    }

    fn close(self: Rc<Self>, stream: &Rc<Stream>, reason: CloseReason, error: Option<&io::Error>) {
        self.finish_sent(stream);
        #[cfg(feature = "tls")]
        self.server.tls_failed(stream, reason, error);
        self.server.observing.count_bytes(stream);
        let unsent = self.watched(|watch| std::mem::take(&mut watch.finishing));
        if let (CloseReason::BadResponse, Some(error)) = (reason, error) {
            let broken = unsent.front().map(|(_, _, exchange)| exchange.clone()).or_else(|| self.current());
            broken.inspect(|exchange| exchange.file_broke_off(error));
        }
        for (_, _, exchange) in unsent {
            self.server.finish(stream, &exchange, reason);
        }
        let current = self.current.take();
        if let Some(exchange) = current {
            self.server.finish(stream, &exchange, reason);
        }
    }

    fn teardown(&self) {
        let current = self.current.take();
        let unsent = self.watched(|watch| std::mem::take(&mut watch.finishing));
        for exchange in current.into_iter().chain(unsent.into_iter().map(|(_, _, exchange)| exchange)) {
            exchange.teardown();
        }
    }
}
