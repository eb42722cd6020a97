//! HTTP/1 on a stream. This file holds a connection's state and the protocol seam; beside it stand reading, writing, the
//! ends of exchanges, and the deadlines.
//!
//! Between two requests the kernel evicts the instruction cache, so a request costs as much as the code that it runs through.
//! What not every request needs therefore stands in `#[cold]` functions, here and in [`net`](crate::net), out of the way of the
//! code that every request runs.

mod deadlines;
mod ending;
mod reading;
mod writing;

use super::connection_states::ConnectionState;
use super::exchange::{Exchange, Phase};
use super::limits::nanos;
use super::server_core::ServerCore;
use crate::event_loop::Time;
use crate::net::{CloseReason, Protocol, Stream};
use crate::proto::h1::HeadParser;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

/// Grace for a request that crosses our close of an idle connection, and for the first request of a new connection, in
/// nanoseconds: above a round trip, and short enough for a shutdown.
const CROSSING: Time = 1_000_000_000;

/// What holds of the connection beside its exchange.
mod flag {
    /// No further request: the connection closes after the response that is being sent.
    pub const CLOSE: u8 = 1;
    /// A part of a head is here.
    pub const PARTIAL: u8 = 2;
    /// Dispatching waits for output to go.
    pub const OUTPUT_HELD: u8 = 4;
    /// `set_max_requests_per_socket` is reached: a further request is dropped.
    pub const SPENT: u8 = 8;
    /// Within `data`, which sees for itself what has changed.
    pub const READING: u8 = 16;
    /// Another protocol has taken over.
    pub const UPGRADED: u8 = 32;
    /// What is here of a head is of a HEAD request: a refusal has no content.
    pub const HEAD: u8 = 64;
    /// Closes when the grace for its first request is over, unless that has come.
    pub const LEAVING: u8 = 128;
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
    pub(super) server: Rc<ServerCore>,
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
    /// The bytes read before the body that is awaited; counts while `receive` is there.
    before_body: u64,
    /// Since the peer has ended its side: when it last took part in the exchange, and a mark that changes when it does.
    half_open: Option<(Time, u64)>,
    /// The same for what was sent.
    send: Option<(Time, u64)>,
    /// When output last made progress, and the bytes sent until then.
    progress: (Time, u64),
    /// Exchanges that are over but for their output: each with the count of sent bytes at which it is finished, and the reason.
    finishing: VecDeque<(u64, CloseReason, Rc<Exchange>)>,
}

impl H1 {
    pub fn new(server: &Rc<ServerCore>, now: Time) -> Rc<H1> {
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

    /// Gives it its stream, and the deadline of the first request.
    pub fn start(&self, stream: &Rc<Stream>) {
        let _ = self.stream.set(stream.clone());
        stream.need_due(self.since.get() + nanos(self.server.limits.all().header));
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

    /// Returns what the connection is doing. A request that its handler has already answered is still being received until its
    /// body ends.
    pub fn state(&self, stream: &Stream) -> ConnectionState {
        if !stream.is_open() {
            return ConnectionState::Closing;
        }
        match &*self.current.borrow() {
            Some(exchange) if exchange.complete.get() => ConnectionState::Answering,
            Some(_) => ConnectionState::Receiving,
            None if stream.pending() > 0 => ConnectionState::Sending,
            None if self.is_idle() => ConnectionState::Idle,
            None => ConnectionState::Receiving,
        }
    }

    /// Returns whether no request is here, none is coming in and none is held back.
    pub fn is_idle(&self) -> bool {
        let nothing_held = self.stream.get().is_none_or(|stream| stream.held() == 0);
        self.current.borrow().is_none() && nothing_held && !self.has(flag::PARTIAL | flag::READING)
    }

    /// Returns whether the connection is new and has had no request: its first one may be on its way. No client sends that
    /// again by itself where the connection ends without an answer, unless the method is idempotent (RFC 9110, 9.2.2).
    fn awaits_first_request(&self, stream: &Stream) -> bool {
        self.requests.get() == 0 && stream.cx().lp.seen_until() < self.since.get() + CROSSING
    }

    /// Closes it if it is idle, a new one when it has had its grace. An answer that is still going out goes out; one that the
    /// peer has yet to read is not lost by the reset that would answer a request which crosses our close.
    pub fn close_if_idle(&self, stream: &Rc<Stream>) {
        if !self.is_idle() || !stream.is_open() {
            return;
        }
        if self.awaits_first_request(stream) {
            self.set(flag::LEAVING);
            return stream.need_due(self.since.get() + CROSSING);
        }
        if self.requests.get() == 0 {
            return stream.destroy(CloseReason::ServerClosed);
        }
        let mut linger = self.server.limits.all().linger();
        if stream.pending() == 0 {
            linger.between_reads = linger.between_reads.min(CROSSING);
        }
        self.set(flag::CLOSE);
        stream.finish(CloseReason::ServerClosed, Some(linger));
    }

    /// Notes something in the watch, which is allocated where there is none.
    #[cold]
    fn watch<R>(&self, f: impl FnOnce(&mut Watch) -> R) -> R {
        let watch = self.watch.take().unwrap_or_default();
        self.use_watch(watch, f)
    }

    /// Looks at the watch, or takes something out of it. Where there is none, nothing is awaited: the result is the default,
    /// and nothing is allocated.
    #[cold]
    fn watched<R: Default>(&self, f: impl FnOnce(&mut Watch) -> R) -> R {
        match self.watch.take() {
            Some(watch) => self.use_watch(watch, f),
            None => R::default(),
        }
    }

    /// Puts the watch back afterwards, unless it is no longer needed.
    fn use_watch<R>(&self, mut watch: Box<Watch>, f: impl FnOnce(&mut Watch) -> R) -> R {
        let result = f(&mut watch);
        let needed = self.server.observing.is_on()
            || watch.receive.is_some()
            || watch.send.is_some()
            || watch.half_open.is_some()
            || !watch.finishing.is_empty();
        self.watch.set(needed.then_some(watch));
        result
    }
}

impl Protocol for H1 {
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        self.set(flag::READING);
        let consumed = self.read(stream, bytes);
        self.clear(flag::READING);
        consumed
    }

    fn held_limit(&self) -> usize {
        let limits = self.server.limits.all();
        limits.held_input.max(limits.head_bytes.saturating_add(1))
    }

    fn pending_limit(&self) -> usize {
        self.current.borrow().as_ref().map_or(usize::MAX, |exchange| exchange.pending_limit.get())
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        self.end_exchange_if_over(stream);
        self.check_eof(stream);
    }

    fn fin_hinted(self: Rc<Self>, stream: &Rc<Stream>) {
        self.check_eof(stream);
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        // A body that was paused behind its last byte: its end needs no further ones.
        if stream.held() == 0 {
            self.clone().data(stream, &mut []);
        }
        self.end_exchange_if_over(stream);
        let current = self.current();
        if let Some(exchange) = current
            && exchange.complete.get()
            && !exchange.listeners.is_empty()
        {
            exchange.request_over(&stream.cx().lp);
            self.end_exchange_if_over(stream);
        }
        self.check_eof(stream);
    }

    fn sent(self: Rc<Self>, stream: &Rc<Stream>, pending: usize) {
        let (now, written) = (stream.cx().lp.now(), stream.bytes_written());
        self.watched(|watch| watch.progress = (now, written));
        self.finish_sent(stream);
        let current = self.current();
        if pending == 0
            && let Some(exchange) = current
            && exchange.full.replace(false)
            && exchange.phase.get() != Phase::Ended
        {
            exchange.emit_drain(&stream.cx().lp);
        }
        if pending == 0 && self.is_idle() {
            // Idle from now on, not from the end of a response that took its time to go.
            self.since.set(now);
            stream.need_due(now + self.server.limits.keep_alive());
        }
        if pending < self.server.limits.pending_output() && self.has(flag::OUTPUT_HELD) {
            self.clear(flag::OUTPUT_HELD);
            stream.make_ready();
        }
        let unfinished = self.watched(|watch| !watch.finishing.is_empty());
        if unfinished {
            stream.tell_sent();
        }
        self.end_exchange_if_over(stream);
        self.check_eof(stream);
    }

    fn blocked(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.now();
        let limits = self.server.limits.all();
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
        let now = stream.cx().lp.seen_until();
        let Some(output) = self.check_output(stream, now) else { return };
        if !stream.is_open() {
            return stream.need_due(output);
        }
        let current = self.current();
        let next = match current {
            Some(exchange) => self.check_exchange(stream, &exchange, now),
            None => self.check_idle(stream, now),
        };
        // Where that was the end, output may still be pending.
        let next = next.unwrap_or(Time::MAX).min(output);
        if next < Time::MAX {
            stream.need_due(next);
        }
        self.end_exchange_if_over(stream);
    }

    fn idle_since(&self, stream: &Rc<Stream>) -> Option<Time> {
        (self.is_idle() && !self.awaits_first_request(stream)).then(|| self.since.get())
    }

    fn close(self: Rc<Self>, stream: &Rc<Stream>, reason: CloseReason, error: Option<&io::Error>) {
        self.finish_sent(stream);
        self.server.observing.count_bytes(stream);
        let unsent = self.watched(|watch| std::mem::take(&mut watch.finishing));
        if let (CloseReason::BadResponse, Some(error)) = (reason, error) {
            let broken = unsent.front().map(|(_, _, exchange)| exchange.clone()).or_else(|| self.current());
            broken.inspect(|exchange| exchange.file_broke_off(error));
        }
        for (_, _, exchange) in unsent {
            self.finish(stream, &exchange, reason);
        }
        let current = self.current.borrow_mut().take();
        if let Some(exchange) = current {
            self.finish(stream, &exchange, reason);
        }
    }

    fn teardown(&self) {
        let current = self.current.borrow_mut().take();
        let unsent = self.watched(|watch| std::mem::take(&mut watch.finishing));
        for exchange in current.into_iter().chain(unsent.into_iter().map(|(_, _, exchange)| exchange)) {
            let link = exchange.link.borrow_mut().take();
            drop(link);
            exchange.closed.set(Some(CloseReason::LoopEnded));
            exchange.listeners.clear();
        }
    }
}
