//! One connection to a server: the protocol of its stream. It carries one call at a time, and is idle in between.
//!
//! ```text
//!   connecting ──► free ──start(call)──► the request is written ──► the head of the response is awaited, informational ones skipped
//!                   ▲                                                     └──► the body ──► both are over
//!                   └──────────── nothing is left over, and both sides persist ◄───────────────┘ └──► else: closed
//! ```
//! A free connection is the pool's. Whatever comes on it closes it in the same turn: it can be no response to a request of ours. What
//! may come next is kept by the table of [`proto::h1::connection`](crate::proto::h1::connection).

mod deadlines;
mod reading;
mod writing;

use super::call::{Call, End};
#[cfg(feature = "tls")]
use super::dialing::begin_handshake;
use super::error::RequestErrorKind;
use super::limits::AgentLimits;
use super::place::Place;
use super::tunnel::NoTunnel;
use crate::event_loop::Time;
use crate::net::{CloseReason, Context, Protocol, SendWatch, Stream};
use crate::proto::h1::connection::{self as table, Action, Event, Reading, Role};
use crate::proto::h1::{BodyDecoder, BodyEncoder, Framing, IncomingResponse, ResponseParser};
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::{Rc, Weak};

/// How long what the kernel has answered may be taken for its answer of now. A callback that takes longer has given the server time to
/// close the connection.
const MOMENT: Time = Time::from_millis(1);

/// The owner of connections: the pool.
pub(super) trait Owner {
    /// The connection is made, or its exchange is over: it can carry a call.
    fn free(&self, connection: &Rc<Connection>);
    /// The connection must not be used any more. It is not closed yet, or belongs to another protocol from now on.
    fn unusable(&self, connection: &Rc<Connection>);
    /// The connection has closed, or belongs to another protocol.
    fn gone(&self, connection: &Rc<Connection>, left: Left);
    fn limits(&self) -> Rc<AgentLimits>;
    /// Whom to trust; `None`: the roots of the system.
    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<crate::secure::Client>;
}

/// What a connection that is gone leaves behind.
pub(super) enum Left {
    Nothing,
    /// The call that it carried, which was not over.
    Call(Rc<Call>, Loss),
    /// The connection could not be made: a call that waits for it learns why.
    NotMade(End),
}

/// The end of a connection that closed before the response to its call was whole.
pub(super) struct Loss {
    pub end: End,
    /// True if bytes came from the server after the request was begun.
    pub answered: bool,
}

pub(super) struct Connection {
    me: Weak<Connection>,
    owner: Weak<dyn Owner>,
    pub place: Rc<Place>,
    limits: RefCell<Rc<AgentLimits>>,
    stream: OnceCell<Rc<Stream>>,
    born: Time,
    made: Cell<bool>,
    state: Cell<table::Connection>,
    call: RefCell<Option<Rc<Call>>>,
    /// How many calls it has carried, the present one included.
    calls: Cell<u64>,
    /// The slot of the pool is free again.
    pub released: Cell<bool>,
    /// Since when it is free, and until when it may be.
    pub since: Cell<Time>,
    pub until: Cell<Time>,
    /// How long the server keeps it, as it said last. `None`: it must not be kept.
    keep: Cell<Option<Time>>,
    /// Bytes that were written and read when the present call began.
    before: Cell<(u64, u64)>,
    writing: Writing,
    reading: Progress,
    watch: RefCell<SendWatch>,
}

/// The request that is being written.
struct Writing {
    encoder: Cell<BodyEncoder>,
    /// Until when the body waits for `100 Continue`.
    waits: Cell<Option<Time>>,
    /// When the request was written, so that its response is due.
    ended: Cell<Time>,
}

/// The response that is being read.
struct Progress {
    parser: Cell<ResponseParser>,
    head: RefCell<IncomingResponse>,
    informational: Cell<usize>,
    decoder: Cell<BodyDecoder>,
    /// When a part of the body came last, or when the program began to wait for one.
    last: Cell<Time>,
    /// How many bytes had come when some were given to this protocol last.
    seen: Cell<u64>,
    /// The bytes that are being read have just come, and the kernel had no more.
    emptied: Cell<bool>,
    /// Bytes are being read. After each callback in it this looks again at what the program wants.
    busy: Cell<bool>,
    /// Since when the rest of the body is discarded, and how many bytes were.
    discarding: Cell<Option<(Time, u64)>>,
}

impl Connection {
    pub fn new(cx: &Context, owner: Weak<dyn Owner>, place: &Rc<Place>, limits: Rc<AgentLimits>) -> Rc<Connection> {
        Rc::new_cyclic(|me| Connection {
            me: me.clone(),
            owner,
            place: place.clone(),
            limits: RefCell::new(limits),
            stream: OnceCell::new(),
            born: cx.lp.now(),
            made: Cell::new(false),
            state: Cell::new(table::Connection::new(Role::Client)),
            call: RefCell::new(None),
            calls: Cell::new(0),
            released: Cell::new(false),
            since: Cell::new(Time::ZERO),
            until: Cell::new(Time::ZERO),
            keep: Cell::new(None),
            before: Cell::new((0, 0)),
            writing: Writing {
                encoder: Cell::new(BodyEncoder::new(Framing::None)),
                waits: Cell::new(None),
                ended: Cell::new(Time::ZERO),
            },
            reading: Progress {
                parser: Cell::new(ResponseParser::default()),
                head: RefCell::default(),
                informational: Cell::new(0),
                decoder: Cell::new(BodyDecoder::new(Framing::None)),
                last: Cell::new(Time::ZERO),
                seen: Cell::new(0),
                emptied: Cell::new(false),
                busy: Cell::new(false),
                discarding: Cell::new(None),
            },
            watch: RefCell::default(),
        })
    }

    pub fn set_stream(&self, stream: Rc<Stream>) {
        let _ = self.stream.set(stream);
    }

    pub fn stream(&self) -> Option<&Rc<Stream>> {
        self.stream.get()
    }

    /// Returns whether the connection was made.
    pub fn is_made(&self) -> bool {
        self.made.get()
    }

    /// Returns whether it has carried calls before.
    pub fn is_used(&self) -> bool {
        self.calls.get() > 0
    }

    pub fn is_free(&self) -> bool {
        self.made.get() && self.call.borrow().is_none() && self.state.get().is_idle()
    }

    /// Returns whether this free connection can carry another call: it is not too old, and [silent](Connection::is_silent). If the answer
    /// is no, the connection is closed.
    pub fn is_clean(&self, now: Time) -> bool {
        let Some(stream) = self.stream() else { return false };
        if !stream.is_in_use() || stream.has_write_failed() {
            return false;
        }
        let too_old = now >= self.until.get() || now >= self.oldest();
        let reason = if too_old { CloseReason::IdleTimeout } else { CloseReason::Finished };
        if too_old || !self.is_silent() {
            stream.destroy(reason);
            return false;
        }
        true
    }

    /// Returns whether neither bytes nor the end of the server's side have come behind the last response. To know that, it asks the kernel,
    /// by a read that does not wait, unless the read of this moment has told it: a request that is made when a response ends, or has
    /// waited for that, takes its connection. If the answer is no, a byte may be lost, and the connection must be closed.
    pub fn is_silent(&self) -> bool {
        let Some(stream) = self.stream() else { return false };
        let heard = stream.is_eof() || stream.held() > 0 || !(self.has_just_looked(stream) || stream.is_quiet());
        // The question may have brought a part of a record. The rest could be a response to nobody.
        !heard && !stream.has_part_of_record()
    }

    /// Returns whether the kernel was asked in this turn, less than [`MOMENT`] ago, and had no more than what is being read.
    fn has_just_looked(&self, stream: &Stream) -> bool {
        let lp = &stream.cx().lp;
        self.reading.emptied.get() && Time::of_clock(lp.exact_now()) < lp.now() + MOMENT
    }

    /// The time from which the connection is too old to carry another call.
    fn oldest(&self) -> Time {
        self.born + self.limits.borrow().lifetime.into()
    }

    /// Closes the connection at once.
    pub fn destroy(&self, reason: CloseReason) {
        if let Some(stream) = self.stream() {
            stream.destroy(reason);
        }
    }

    /// Puts the connection to rest, in the pool, until a call needs it. Meanwhile it does not keep the loop running. It closes when its
    /// time is over.
    pub fn rest(&self, now: Time) {
        let Some(stream) = self.stream() else { return };
        stream.set_referenced(false);
        self.since.set(now);
        let until = (now + self.keep.get().unwrap_or(Time::ZERO)).min(self.oldest());
        self.until.set(until);
        stream.need_due(until);
    }

    /// Returns whether the pool may keep this connection for another call.
    pub fn may_rest(&self, now: Time) -> bool {
        self.keep.get().is_some() && now < self.oldest()
    }

    fn reading(&self) -> Reading {
        self.state.get().reading()
    }

    /// Changes the state. An event that does not fit is ignored: none that a peer can cause does not fit, since the state is looked
    /// at before.
    fn on(&self, event: Event) -> Action {
        let mut state = self.state.get();
        let action = state.on(event);
        debug_assert!(action.is_ok(), "{event:?} in {:?}", self.state.get());
        self.state.set(state);
        action.unwrap_or(Action::Nothing)
    }

    fn call(&self) -> Option<Rc<Call>> {
        self.call.borrow().clone()
    }

    fn carries(&self, call: &Call) -> bool {
        self.call.borrow().as_ref().is_some_and(|carried| std::ptr::eq(&**carried, call))
    }

    fn take_call(&self) -> Option<Rc<Call>> {
        self.call.borrow_mut().take()
    }

    fn owner(&self) -> Option<Rc<dyn Owner>> {
        self.owner.upgrade()
    }

    /// Closes the connection because of what the server does, or does not do.
    fn fail(&self, stream: &Stream, reason: CloseReason, words: impl Into<String>) {
        stream.destroy_with(reason, io::Error::new(io::ErrorKind::InvalidData, words.into()));
    }

    fn reused(&self) -> bool {
        self.calls.get() > 1
    }

    fn was_sent(&self, stream: &Stream) -> bool {
        stream.bytes_written() > self.before.get().0
    }
}

impl Connection {
    /// The connection is made, and its handshake is over if there is one: gives it to the pool.
    fn give_to_pool(self: &Rc<Self>, stream: &Stream) {
        self.made.set(true);
        self.keep.set(self.limits.borrow().keep(std::iter::empty()));
        match self.owner() {
            Some(owner) => owner.free(self),
            None => stream.destroy(CloseReason::Finished),
        }
    }
}

impl Protocol for Connection {
    fn connected(self: Rc<Self>, stream: &Rc<Stream>) {
        let _ = stream.with_io(|io| io.set_no_delay(true));
        #[cfg(feature = "tls")]
        match begin_handshake(stream, &self.place, self.owner().and_then(|owner| owner.tls())) {
            Ok(false) => {}
            Ok(true) => return,
            Err(error) => return stream.destroy_with(CloseReason::TlsFailed, error),
        }
        self.give_to_pool(stream);
    }

    #[cfg(feature = "tls")]
    fn secured(self: Rc<Self>, stream: &Rc<Stream>) {
        self.give_to_pool(stream);
    }

    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        let read = stream.bytes_read();
        // Bytes that were held in an earlier turn say nothing about the kernel.
        let fresh = self.reading.seen.replace(read) != read;
        self.reading.emptied.set(fresh && !stream.may_have_input());
        let consumed = self.read(stream, bytes);
        self.reading.emptied.set(false);
        consumed
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        self.ended(stream);
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        self.read(stream, &[]);
        if stream.is_eof() && stream.is_in_use() {
            self.ended(stream);
        }
    }

    fn held_limit(&self) -> usize {
        // A head that is still allowed must fit.
        self.limits.borrow().head_bytes.saturating_add(1024)
    }

    fn sent(self: Rc<Self>, stream: &Rc<Stream>, pending: usize) {
        self.watch.borrow_mut().note(stream, stream.cx().lp.now());
        if pending == 0
            && let Some(call) = self.call()
        {
            call.tell_drain();
        }
    }

    fn blocked(self: Rc<Self>, stream: &Rc<Stream>) {
        let limits = self.limits.borrow().sending();
        self.watch.borrow_mut().start(stream, &limits, stream.cx().lp.now());
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        // Before, its deadlines are those of others: of a tunnel, of a handshake.
        if self.made.get() {
            self.check(stream);
        }
    }

    fn idle_since(&self, _stream: &Rc<Stream>) -> Option<Time> {
        self.is_free().then(|| self.since.get())
    }

    fn close(self: Rc<Self>, stream: &Rc<Stream>, reason: CloseReason, error: Option<&io::Error>) {
        let words = || error.map_or_else(|| words(reason).to_owned(), ToString::to_string);
        let left = match self.take_call() {
            Some(call) => {
                let (_, read) = self.before.get();
                let end = End { reused: self.reused(), sent: self.was_sent(stream), ..End::new(reason, words()) };
                Left::Call(call, Loss { end, answered: stream.bytes_read() > read })
            }
            None if !self.made.get() => Left::NotMade(not_made(reason, words(), error)),
            None => Left::Nothing,
        };
        match (self.owner(), left) {
            (Some(owner), left) => owner.gone(&self, left),
            (None, Left::Call(call, loss)) => call.end(&loss.end),
            (None, _) => {}
        }
    }

    fn teardown(&self) {
        if let Some(call) = self.take_call() {
            call.teardown();
        }
    }
}

/// How a call ends for which no connection could be made.
fn not_made(reason: CloseReason, words: String, error: Option<&io::Error>) -> End {
    let end = End::new(reason, words);
    match error.and_then(NoTunnel::of) {
        Some(no) if end.kind != RequestErrorKind::ConnectTimeout => {
            End { kind: RequestErrorKind::Proxy, proxy_status: no.status, ..end }
        }
        _ => end,
    }
}

/// The text of an error whose connection has closed for this reason, if the close has no error of its own.
fn words(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Truncated => "the server has closed the connection before its response was whole",
        CloseReason::Reset => "the server has reset the connection",
        CloseReason::WriteStall => "the server takes nothing of the request",
        CloseReason::SlowSend => "the server takes the request too slowly",
        CloseReason::Destroyed => "the program has closed the connection",
        other => other.as_str(),
    }
}
