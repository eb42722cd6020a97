//! One connection. This file holds what it is and its states; beside it stand the one read path, the one write path,
//! its turns and the one close path.

mod closing;
mod connecting;
mod peer;
mod reading;
mod turns;
mod writing;

use super::output::Output;
use super::protocol::{Nobody, Protocol};
use super::{CloseReason, Context, input::Input};
use crate::event_loop::driver::Io;
use crate::event_loop::{Address, Due, Time, Token};
use peer::Peer;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// Chunks from this size on are not copied.
pub(super) const LARGE: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    /// Closes when the output is gone; input is discarded.
    Finishing,
    /// Our FIN is sent; input is discarded until the peer's comes, so that it can read what we said last. Where that broke
    /// off and a FIN would make it whole: none is sent, and a reset follows.
    Lingering,
    Closed,
}

/// Half-states and reminders.
mod flag {
    /// The kernel may have input.
    pub const READABLE: u16 = 1;
    /// An event said that the peer has closed: read until the end shows.
    pub const FIN_HINT: u16 = 1 << 1;
    /// The end was read.
    pub const EOF: u16 = 1 << 2;
    pub const PAUSED: u16 = 1 << 3;
    /// On the ready list.
    pub const QUEUED: u16 = 1 << 4;
    /// The protocol asked for a turn.
    pub const RESUME: u16 = 1 << 5;
    /// The kernel refused output; a writable event will come.
    pub const BLOCKED: u16 = 1 << 6;
    /// The protocol wants to know when output went out.
    pub const TELL: u16 = 1 << 7;
    /// Our FIN follows the output.
    pub const END: u16 = 1 << 8;
    /// Our FIN is sent.
    pub const SHUT: u16 = 1 << 9;
    pub const UNREF: u16 = 1 << 10;
    /// A write failed within a call of the user's: told in phase 1.
    pub const BROKEN: u16 = 1 << 11;
    /// There was a connection.
    pub const MADE: u16 = 1 << 12;
    /// Another protocol has taken over, perhaps within a call of the old one.
    pub const REPLACED: u16 = 1 << 13;
    /// Its close would be a reset.
    pub const RESETS: u16 = 1 << 14;
    /// It sends a message that ends with the connection, and a part of that is still to be written.
    pub const PARTIAL: u16 = 1 << 15;
}

/// Limits of a lingering close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    pub between_reads: Time,
    pub total: Time,
    pub bytes: usize,
}

/// What is known of the end.
struct Ending {
    reason: CloseReason,
    error: Option<io::Error>,
    linger: Option<Linger>,
    began: Time,
    last_read: Time,
    discarded: usize,
}

/// One connection, for its whole life. See the [module's docs](super).
pub(crate) struct Stream {
    cx: Rc<Context>,
    /// `None` before there is one and after the end.
    io: RefCell<Option<Io>>,
    protocol: RefCell<Rc<dyn Protocol>>,
    token: Cell<Token>,
    input: Input,
    /// `None` while nothing is left over.
    output: Cell<Option<Box<Output>>>,
    ending: Cell<Option<Box<Ending>>>,
    peer: Cell<Peer>,
    read: Cell<u64>,
    written: Cell<u64>,
    /// A copy of the deadline in the registry.
    due: Cell<Due>,
    flags: Cell<u16>,
    state: Cell<State>,
}

impl Stream {
    /// A connection that is there. It is registered, and counted as one that keeps the loop alive.
    pub fn accepted(cx: &Rc<Context>, mut io: Io, peer: Address, protocol: Rc<dyn Protocol>) -> io::Result<Rc<Stream>> {
        let stream = Stream::new(cx, peer, protocol, State::Open);
        stream.set(flag::MADE);
        let registered = cx.lp.driver().register(&mut io, stream.token.get().number());
        *stream.io.borrow_mut() = Some(io);
        if let Err(error) = registered {
            stream.unmake();
            return Err(error);
        }
        Ok(stream)
    }

    /// A connection that is to be made: [`Stream::connected`] follows, or its close.
    pub fn connecting(cx: &Rc<Context>, protocol: Rc<dyn Protocol>) -> Rc<Stream> {
        Stream::new(cx, Address::Unix(None), protocol, State::Connecting)
    }

    fn new(cx: &Rc<Context>, peer: Address, protocol: Rc<dyn Protocol>, state: State) -> Rc<Stream> {
        let stream = Rc::new(Stream {
            cx: cx.clone(),
            io: RefCell::new(None),
            protocol: RefCell::new(protocol),
            token: Cell::new(Token::NONE),
            input: Input::default(),
            output: Cell::new(None),
            ending: Cell::new(None),
            peer: Cell::new(Peer::from(&peer)),
            read: Cell::new(0),
            written: Cell::new(0),
            due: Cell::new(Due::NEVER),
            flags: Cell::new(0),
            state: Cell::new(state),
        });
        stream.token.set(cx.lp.insert(stream.clone()));
        cx.lp.hold();
        cx.lp.driver().descriptors().connection_opened();
        stream
    }

    /// Takes back what was never announced.
    fn unmake(&self) {
        self.state.set(State::Closed);
        *self.io.borrow_mut() = None;
        *self.protocol.borrow_mut() = Rc::new(Nobody);
        self.cx.lp.remove(self.token.get());
        self.cx.lp.release();
        self.cx.lp.driver().descriptors().connection_closed();
    }

    // ---- What it is

    pub fn cx(&self) -> &Rc<Context> {
        &self.cx
    }

    pub fn token(&self) -> Token {
        self.token.get()
    }

    pub fn is_closed(&self) -> bool {
        self.state.get() == State::Closed
    }

    pub fn is_connecting(&self) -> bool {
        self.state.get() == State::Connecting
    }

    /// Returns whether the connection was ever established.
    pub fn is_made(&self) -> bool {
        self.has(flag::MADE)
    }

    /// Returns whether the stream is neither closed nor closing.
    pub fn is_open(&self) -> bool {
        matches!(self.state.get(), State::Open | State::Connecting)
    }

    /// Returns whether the peer's end of input was read.
    pub fn is_eof(&self) -> bool {
        self.has(flag::EOF)
    }

    /// Returns whether an event said that the peer has ended its side, read or not.
    pub fn has_fin_hint(&self) -> bool {
        self.has(flag::FIN_HINT)
    }

    /// Returns whether the kernel has refused output and has not asked for more since.
    pub fn is_blocked(&self) -> bool {
        self.has(flag::BLOCKED)
    }

    /// Returns whether a write has failed: what was to be sent is lost, and the stream closes in phase 1.
    pub fn is_broken(&self) -> bool {
        self.has(flag::BROKEN)
    }

    pub fn is_ended(&self) -> bool {
        self.has(flag::END)
    }

    /// Returns whether both sides have ended.
    pub fn is_over(&self) -> bool {
        self.has(flag::EOF) && self.has(flag::SHUT)
    }

    /// The peer's address; of a connection that was not made, the one tried last.
    pub fn peer(&self) -> Address {
        self.peer
            .get()
            .address()
            .unwrap_or_else(|| self.with_io(|io| io.peer_addr().ok()).flatten().unwrap_or(Address::Unix(None)))
    }

    pub fn local(&self) -> Option<Address> {
        self.io.borrow().as_ref().and_then(|io| io.local_addr().ok())
    }

    pub fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    /// Bytes that the kernel took.
    pub fn bytes_written(&self) -> u64 {
        self.written.get()
    }

    /// Bytes held back for the protocol.
    pub fn held(&self) -> usize {
        self.input.len()
    }

    pub fn with_io<R>(&self, f: impl FnOnce(&Io) -> R) -> Option<R> {
        self.io.borrow().as_ref().map(f)
    }

    pub fn set_referenced(&self, on: bool) {
        if self.is_closed() || self.has(flag::UNREF) != on {
            return;
        }
        if on {
            self.clear(flag::UNREF);
            self.cx.lp.hold();
        } else {
            self.set(flag::UNREF);
            self.cx.lp.release();
        }
    }

    pub fn is_referenced(&self) -> bool {
        !self.has(flag::UNREF)
    }

    #[inline]
    fn has(&self, flags: u16) -> bool {
        self.flags.get() & flags != 0
    }

    #[inline]
    fn set(&self, flags: u16) {
        self.flags.set(self.flags.get() | flags);
    }

    #[inline]
    fn clear(&self, flags: u16) {
        self.flags.set(self.flags.get() & !flags);
    }

    // ---- The protocol

    #[inline]
    pub fn protocol(&self) -> Rc<dyn Protocol> {
        self.protocol.borrow().clone()
    }

    /// Another protocol takes over (an upgrade). The old one hears nothing more.
    pub fn set_protocol(&self, protocol: Rc<dyn Protocol>) {
        let old = self.protocol.replace(protocol);
        self.clear(flag::TELL);
        self.set(flag::REPLACED);
        drop(old);
    }

    /// Asks for a turn in the next pending phase, in which what is held back is given again.
    pub fn make_ready(&self) {
        self.set(flag::RESUME);
        self.queue();
    }

    fn queue(&self) {
        if !self.has(flag::QUEUED) && !self.is_closed() {
            self.set(flag::QUEUED);
            self.cx.lp.make_ready(self.token.get());
        }
    }

    /// The end of its own turn sees to it anyway.
    fn queue_unless_corked(&self) {
        if !self.is_corked() {
            self.queue();
        }
    }

    /// Asks for `Protocol::due` at `time` at the latest.
    pub fn need_due(&self, time: Time) {
        let due = Due::at(time);
        if due < self.due.get() {
            self.set_due(due);
        }
    }

    #[cold]
    fn set_due(&self, due: Due) {
        self.due.set(due);
        self.cx.lp.set_due(self.token.get(), due);
    }
}
