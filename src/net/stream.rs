use super::chunk::{Chunk, Flow};
use super::output::Output;
use super::protocol::{Nobody, Protocol};
use super::transport::{self, Received};
use super::{CloseReason, Context, input::Input};
use crate::event_loop::driver::{Io, Ready};
use crate::event_loop::{Address, Due, Kind, Loop, Source, Time, Token};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Chunks from this size on are not copied.
pub(super) const LARGE: usize = 16 * 1024;
/// A cork that has grown to this is written at once.
const CORK: usize = 64 * 1024;
/// Bytes that one turn reads before the others have theirs.
const READ_BUDGET: usize = 256 * 1024;
/// Bytes that one turn writes before it stops asking for more.
const WRITE_BUDGET: usize = 1024 * 1024;
/// Times that one turn tells its protocol that output went out, however little that was.
const ROUNDS: u32 = 64;
/// epoll and kqueue tell of what comes after a short read; elsewhere only `WouldBlock` ends reading.
const SHORT_READ_ENDS: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
));

/// Open connections of this process, over all its loops.
static OPEN: AtomicUsize = AtomicUsize::new(0);

pub(super) fn open_connections() -> usize {
    OPEN.load(Ordering::Relaxed)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    /// Closes when the output is gone; input is discarded.
    Finishing,
    /// Our FIN is sent; input is discarded until the peer's comes, so that it can read what we said last.
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
}

/// A peer's address in 24 bytes, which every connection pays for.
#[derive(Clone, Copy)]
enum Peer {
    V4(Ipv4Addr, u16),
    V6(Ipv6Addr, u16, u32),
    /// Not kept: the kernel knows it while the socket is open.
    Unix,
}

impl From<&Address> for Peer {
    fn from(address: &Address) -> Peer {
        match address {
            Address::Ip(SocketAddr::V4(v4)) => Peer::V4(*v4.ip(), v4.port()),
            Address::Ip(SocketAddr::V6(v6)) => Peer::V6(*v6.ip(), v6.port(), v6.scope_id()),
            Address::Unix(_) => Peer::Unix,
        }
    }
}

impl Peer {
    fn address(self) -> Option<Address> {
        Some(Address::Ip(match self {
            Peer::V4(ip, port) => SocketAddr::from((ip, port)),
            Peer::V6(ip, port, scope) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)),
            Peer::Unix => return None,
        }))
    }
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

    /// A connection that is to be made, with [`Stream::try_connect`].
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
        OPEN.fetch_add(1, Ordering::Relaxed);
        stream
    }

    /// Takes back what was never announced.
    fn unmake(&self) {
        self.state.set(State::Closed);
        *self.io.borrow_mut() = None;
        *self.protocol.borrow_mut() = Rc::new(Nobody);
        self.cx.lp.remove(self.token.get());
        self.cx.lp.release();
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }

    /// Starts to connect to `to`, in place of an attempt that failed.
    pub fn try_connect(&self, to: &Address) -> io::Result<()> {
        self.clear(flag::BLOCKED | flag::READABLE | flag::FIN_HINT);
        self.peer.set(Peer::from(to));
        let mut io = self.cx.lp.driver().connect(to)?;
        self.cx.lp.driver().register(&mut io, self.token.get().number())?;
        *self.io.borrow_mut() = Some(io);
        Ok(())
    }

    // ---- What it is

    pub fn cx(&self) -> &Rc<Context> {
        &self.cx
    }

    pub fn is_closed(&self) -> bool {
        self.state.get() == State::Closed
    }

    pub fn is_connecting(&self) -> bool {
        self.state.get() == State::Connecting
    }

    /// Was there ever a connection?
    pub fn is_made(&self) -> bool {
        self.has(flag::MADE)
    }

    /// Is it neither closed nor about to be?
    pub fn is_open(&self) -> bool {
        matches!(self.state.get(), State::Open | State::Connecting)
    }

    /// Was the peer's end of input read?
    pub fn is_eof(&self) -> bool {
        self.has(flag::EOF)
    }

    /// Has a write failed? What was to be sent is lost; it closes in phase 1.
    pub fn is_broken(&self) -> bool {
        self.has(flag::BROKEN)
    }

    pub fn is_ended(&self) -> bool {
        self.has(flag::END)
    }

    /// Have both sides ended?
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
            self.due.set(due);
            self.cx.lp.set_due(self.token.get(), due);
        }
    }

    // ---- Reading

    pub fn pause(&self) {
        self.set(flag::PAUSED);
    }

    pub fn resume_reading(&self) {
        if self.has(flag::PAUSED) {
            self.clear(flag::PAUSED);
            self.make_ready();
        }
    }

    pub fn is_paused(&self) -> bool {
        self.has(flag::PAUSED)
    }

    fn wants_input(&self) -> bool {
        self.has(flag::READABLE)
            && !self.has(flag::EOF)
            && match self.state.get() {
                State::Open => {
                    !self.has(flag::PAUSED) && (self.input.is_empty() || self.input.len() < self.protocol().held())
                }
                State::Finishing | State::Lingering => true,
                State::Connecting | State::Closed => false,
            }
    }

    /// The one read path.
    fn receive(self: &Rc<Self>) {
        let mut budget = READ_BUDGET;
        while self.wants_input() {
            if budget == 0 {
                self.queue();
                return;
            }
            let mut landing = self.cx.take_landing();
            // Behind what is held there is only room for the rest of what may be.
            let room = match self.input.len() {
                0 => landing.len(),
                held => self.protocol().held().saturating_sub(held).clamp(1, landing.len()),
            };
            let received = match (&*self.io.borrow(), landing.get_mut(..room)) {
                (Some(io), Some(landing)) => transport::receive(io, landing),
                _ => Received::Nothing,
            };
            match received {
                Received::Bytes(count) => {
                    if SHORT_READ_ENDS && count < room && !self.has(flag::FIN_HINT) {
                        self.clear(flag::READABLE);
                    }
                    budget = budget.saturating_sub(count);
                    self.read.set(self.read.get() + count as u64);
                    if let Some(bytes) = landing.get_mut(..count) {
                        self.deliver(bytes);
                    }
                }
                Received::End => {
                    self.clear(flag::READABLE);
                    // A write that failed has taken the error off the socket; what is left looks like an end.
                    if !self.has(flag::BROKEN) {
                        self.ended();
                    }
                }
                Received::Nothing => self.clear(flag::READABLE),
                Received::Failed(error) => self.fail(error),
            }
            self.cx.put_landing(landing);
        }
    }

    fn deliver(self: &Rc<Self>, bytes: &mut [u8]) {
        if self.state.get() != State::Open {
            self.discard(bytes.len());
        } else if self.input.is_empty() {
            let consumed = self.give(bytes);
            if consumed < bytes.len() && self.state.get() == State::Open {
                self.input.append(bytes.get(consumed..).unwrap_or_default());
            }
        } else {
            self.input.append(bytes);
            self.give_held();
        }
    }

    /// Gives bytes to the protocol, and what it leaves to the one that has replaced it.
    fn give(self: &Rc<Self>, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        loop {
            let protocol = self.protocol();
            at += protocol.clone().data(self, bytes.get_mut(at..).unwrap_or_default());
            let same = std::ptr::addr_eq(Rc::as_ptr(&protocol), Rc::as_ptr(&self.protocol.borrow()));
            if same || at >= bytes.len() || self.state.get() != State::Open {
                return at;
            }
        }
    }

    fn give_held(self: &Rc<Self>) {
        self.input.consume(|bytes| self.give(bytes));
        if self.state.get() != State::Open {
            self.input.take();
        }
    }

    fn ended(self: &Rc<Self>) {
        self.set(flag::EOF);
        match self.state.get() {
            State::Lingering => self.close_with_ending(),
            State::Open => self.protocol().eof(self),
            _ => {}
        }
    }

    fn discard(self: &Rc<Self>, count: usize) {
        let Some(mut ending) = self.ending.take() else { return };
        ending.discarded += count;
        ending.last_read = self.cx.lp.now();
        let too_much = ending.linger.is_none_or(|linger| ending.discarded > linger.bytes);
        self.ending.set(Some(ending));
        if too_much {
            match self.state.get() {
                State::Lingering => self.close_with_ending(),
                // The output still goes out; what comes in stays with the kernel.
                _ => self.clear(flag::READABLE),
            }
        }
    }

    // ---- Writing

    /// Is this its own turn? Then what it writes goes out at the end of it.
    #[inline]
    pub fn is_corked(&self) -> bool {
        self.cx.corked.get() == self.token.get()
    }

    /// Bytes that the kernel has not taken.
    pub fn pending(&self) -> usize {
        let cork = if self.is_corked() { self.cx.cork.borrow().len() } else { 0 };
        cork + self.output_len()
    }

    fn output_len(&self) -> usize {
        let output = self.output.take();
        let len = output.as_ref().map_or(0, |output| output.len());
        self.output.set(output);
        len
    }

    fn has_output(&self) -> bool {
        let output = self.output.take();
        let has = output.is_some();
        self.output.set(output);
        has
    }

    fn can_write(&self) -> bool {
        matches!(self.state.get(), State::Open | State::Connecting) && !self.has(flag::END | flag::BROKEN)
    }

    /// Lets `f` append small things (heads, chunk sizes) to the output.
    #[inline]
    pub fn encode(&self, f: impl FnOnce(&mut Vec<u8>)) {
        if !self.can_write() {
            return;
        }
        if self.is_corked() && !self.has_output() {
            let mut cork = self.cx.cork.borrow_mut();
            f(&mut cork);
            if cork.len() >= CORK {
                drop(cork);
                self.flush_cork();
            }
        } else {
            self.with_output(|output| output.edit(f));
        }
    }

    fn with_output(&self, f: impl FnOnce(&mut Output)) {
        let mut output = self.output.take().unwrap_or_default();
        f(&mut output);
        if output.len() > 0 {
            self.output.set(Some(output));
            if !self.has(flag::BLOCKED) && !self.is_connecting() {
                self.queue();
            }
        }
    }

    /// The one way for bodies and for sockets' data. `limit`: pending bytes from which on it says `Full`.
    pub fn write(&self, chunk: Chunk<'_>, limit: usize) -> Flow {
        if !self.can_write() {
            return Flow::Closed;
        }
        if chunk.len() < LARGE {
            self.encode(|buffer| buffer.extend_from_slice(chunk.as_bytes()));
        } else if self.is_corked() && !self.has_output() && self.state.get() == State::Open {
            self.write_through(chunk);
        } else {
            self.with_output(|output| output.push(chunk, 0));
        }
        if self.pending() >= limit {
            self.set(flag::TELL);
            return Flow::Full;
        }
        Flow::Ready
    }

    /// The cork and a large chunk, without copying it.
    fn write_through(&self, chunk: Chunk<'_>) {
        let mut cork = self.cx.cork.borrow_mut();
        let sent = match &*self.io.borrow() {
            Some(io) => transport::send_vectored(io, &[IoSlice::new(&cork), IoSlice::new(chunk.as_bytes())]),
            None => Ok(0),
        };
        let taken = self.count_sent(sent);
        let corked = cork.len();
        if taken < corked + chunk.len() {
            let mut output = Box::<Output>::default();
            output.append(cork.get(taken..).unwrap_or_default());
            output.push(chunk, taken.saturating_sub(corked));
            self.output.set(Some(output));
        }
        cork.clear();
        drop(cork);
        self.flush_output();
    }

    /// The one send at the end of a turn.
    fn flush_cork(&self) {
        let mut cork = self.cx.cork.borrow_mut();
        let mut at = 0;
        while at < cork.len() && !self.has(flag::BROKEN | flag::BLOCKED) {
            let sent = match &*self.io.borrow() {
                Some(io) => transport::send(io, cork.get(at..).unwrap_or_default()),
                None => break,
            };
            at += self.count_sent(sent);
        }
        if let Some(rest @ [_, ..]) = cork.get(at..)
            && !self.has(flag::BROKEN)
            && !self.is_closed()
        {
            let mut output = self.output.take().unwrap_or_default();
            output.append(rest);
            self.output.set(Some(output));
        }
        cork.clear();
    }

    fn flush_output(&self) {
        let Some(mut output) = self.output.take() else { return };
        let mut budget = WRITE_BUDGET;
        while output.len() > 0 && !self.has(flag::BROKEN | flag::BLOCKED) {
            if budget == 0 {
                self.queue();
                break;
            }
            let taken = {
                let mut slices = Output::no_slices();
                let count = output.slices(&mut slices);
                let sent = match (&*self.io.borrow(), slices.get(..count)) {
                    (Some(io), Some([one])) => transport::send(io, one),
                    (Some(io), Some(slices)) => transport::send_vectored(io, slices),
                    _ => Ok(0),
                };
                self.count_sent(sent)
            };
            output.advance(taken);
            budget = budget.saturating_sub(taken);
        }
        if output.len() > 0 && !self.has(flag::BROKEN) {
            self.output.set(Some(output));
        }
    }

    /// Settles what one send did: bytes counted, a refusal remembered, an error kept for phase 1.
    fn count_sent(&self, sent: io::Result<usize>) -> usize {
        match sent {
            Ok(0) => {
                self.set(flag::BLOCKED);
                0
            }
            Ok(count) => {
                self.written.set(self.written.get() + count as u64);
                count
            }
            Err(error) => {
                log::debug!(target: "oneloop::net", "writing to {} failed: {error}", self.peer());
                let ending = self.ending.take();
                let mut ending = ending.unwrap_or_else(|| Box::new(self.new_ending(CloseReason::Reset, None)));
                ending.error = Some(error);
                self.ending.set(Some(ending));
                self.set(flag::BROKEN);
                self.queue();
                0
            }
        }
    }

    /// Asks for `Protocol::sent` when pending output went out, until all of it has.
    pub fn tell_sent(&self) {
        self.set(flag::TELL);
    }

    /// Ends our side once the output is gone; the peer's may go on.
    pub fn end(&self) {
        if self.can_write() {
            self.set(flag::END);
            self.queue_unless_corked();
        }
    }

    // ---- Turns

    /// Runs a turn with the cork, and writes what it left there.
    fn corked(self: &Rc<Self>, turn: impl FnOnce()) {
        self.cx.corked.set(self.token.get());
        let before = self.written.get();
        let was_blocked = self.has(flag::BLOCKED);
        let mut rounds = 0;
        turn();
        loop {
            self.flush_cork();
            let waits = self.has(flag::TELL | flag::END) || self.state.get() == State::Finishing;
            if !waits || self.has(flag::BROKEN) {
                break;
            }
            if self.written.get() - before > WRITE_BUDGET as u64 || rounds == ROUNDS {
                self.queue();
                break;
            }
            rounds += 1;
            if !self.after_flush(before) {
                break;
            }
        }
        self.cx.corked.set(Token::NONE);
        if !was_blocked && self.has(flag::BLOCKED) && !self.is_closed() {
            self.protocol().blocked(self);
        }
    }

    /// What waits for output to go. Says whether the protocol was called, and may have written more.
    fn after_flush(self: &Rc<Self>, before: u64) -> bool {
        let pending = self.output_len();
        match self.state.get() {
            State::Finishing if pending == 0 => self.linger(),
            State::Open if pending == 0 && self.has(flag::END) && !self.has(flag::SHUT) => self.shut(),
            _ => {}
        }
        let progress = self.written.get() != before || pending == 0;
        if self.has(flag::TELL) && progress && !self.is_closed() {
            if pending == 0 {
                self.clear(flag::TELL);
            }
            self.protocol().sent(self, pending);
            return pending == 0;
        }
        false
    }

    fn shut(&self) {
        self.set(flag::SHUT);
        self.with_io(|io| io.shutdown_write());
        // What is held back is for the protocol, which closes when it has taken it.
        if self.has(flag::EOF) && self.input.is_empty() {
            self.destroy(CloseReason::Finished);
        }
    }

    fn finish_connect(self: &Rc<Self>) {
        let outcome = match &*self.io.borrow() {
            Some(io) => io.take_error().and_then(|error| match error {
                Some(error) => Err(error),
                // Writable without a peer: a spurious event.
                None => match io.peer_addr() {
                    Ok(_) => Ok(true),
                    Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
                    Err(error) => Err(error),
                },
            }),
            None => Ok(false),
        };
        match outcome {
            Ok(true) => {
                self.state.set(State::Open);
                self.set(flag::MADE);
                self.protocol().connected(self);
                self.flush_output();
            }
            Ok(false) => {}
            Err(error) => {
                *self.io.borrow_mut() = None;
                self.connect_failed(error);
            }
        }
    }

    /// An attempt to connect has failed; the protocol may try another address.
    fn connect_failed(self: &Rc<Self>, error: io::Error) {
        self.ending.set(Some(Box::new(self.new_ending(CloseReason::ConnectFailed, Some(error)))));
        self.protocol().connected(self);
    }

    /// Why the last attempt to connect failed, for `Protocol::connected`.
    pub fn take_connect_error(&self) -> Option<io::Error> {
        self.ending.take().and_then(|ending| ending.error)
    }

    // ---- The end

    fn new_ending(&self, reason: CloseReason, error: Option<io::Error>) -> Ending {
        let now = self.cx.lp.now();
        Ending { reason, error, linger: None, began: now, last_read: now, discarded: 0 }
    }

    /// Closes it when the output is gone; with `linger`, our FIN goes first, and what the peer still sends is read and
    /// discarded for a while, since closing a socket with unread input would take our last words from the peer.
    pub fn finish(self: &Rc<Self>, reason: CloseReason, linger: Option<Linger>) {
        if !self.is_open() {
            return;
        }
        if self.is_connecting() {
            return self.destroy(reason);
        }
        let linger = linger.filter(|_| !self.is_eof());
        self.ending.set(Some(Box::new(Ending { linger, ..self.new_ending(reason, None) })));
        self.state.set(State::Finishing);
        self.clear(flag::PAUSED);
        self.input.take();
        self.queue_unless_corked();
    }

    fn linger(self: &Rc<Self>) {
        let Some(mut ending) = self.ending.take() else { return self.destroy(CloseReason::Finished) };
        // Its time begins now, with our FIN, however long the output took.
        ending.began = self.cx.lp.now();
        ending.last_read = ending.began;
        let linger = ending.linger.filter(|linger| !self.is_eof() && ending.discarded <= linger.bytes);
        self.ending.set(Some(ending));
        let Some(linger) = linger else { return self.close_with_ending() };
        self.state.set(State::Lingering);
        self.with_io(|io| io.shutdown_write());
        self.need_due(self.cx.lp.now() + linger.between_reads.min(linger.total));
        if self.has(flag::READABLE) {
            self.queue();
        }
    }

    fn linger_due(&self) {
        let Some(mut ending) = self.ending.take() else { return };
        let now = self.cx.lp.now();
        let until = ending
            .linger
            .map_or(0, |linger| (ending.began + linger.total).min(ending.last_read + linger.between_reads));
        if now >= until {
            ending.linger = None;
            self.ending.set(Some(ending));
            self.close_with_ending();
        } else {
            self.ending.set(Some(ending));
            self.need_due(until);
        }
    }

    fn close_with_ending(&self) {
        let (reason, error) = match self.ending.take() {
            Some(ending) => (ending.reason, ending.error),
            None => (CloseReason::Finished, None),
        };
        self.close(reason, error);
    }

    /// Closes it at once; output that the kernel has not taken is lost.
    pub fn destroy(&self, reason: CloseReason) {
        self.close(reason, None);
    }

    pub fn destroy_with(&self, reason: CloseReason, error: io::Error) {
        self.close(reason, Some(error));
    }

    fn fail(&self, error: io::Error) {
        if self.state.get() == State::Lingering {
            // All was said; that the peer goes without a goodbye changes nothing.
            return self.close_with_ending();
        }
        let reason = match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => CloseReason::Reset,
            _ => CloseReason::Failed,
        };
        self.close(reason, Some(error));
    }

    /// The one close path: the file descriptor is closed here and now, the rest happens in the closing phase.
    fn close(&self, reason: CloseReason, error: Option<io::Error>) {
        if self.is_closed() {
            return;
        }
        self.state.set(State::Closed);
        log::debug!(target: "oneloop::net", "{} closed: {reason}", self.peer());
        if self.is_corked() {
            self.cx.cork.borrow_mut().clear();
        }
        self.ending.set(Some(Box::new(self.new_ending(reason, error))));
        let io = self.io.borrow_mut().take();
        drop(io);
        self.input.take();
        self.output.take();
        self.cx.lp.count_close(reason.as_str());
        self.cx.lp.make_closing(self.token.get());
        if !self.has(flag::UNREF) {
            self.cx.lp.release();
        }
        OPEN.fetch_sub(1, Ordering::Relaxed);
        self.cx.has_room();
    }
}

impl Source for Stream {
    fn turn(self: Rc<Self>, _lp: &Rc<Loop>, ready: Ready) {
        if self.is_closed() {
            return;
        }
        self.corked(|| {
            if self.is_connecting() {
                if ready.has(Ready::WRITE.with(Ready::ERROR)) {
                    self.finish_connect();
                }
                if !self.is_open() || self.is_connecting() {
                    return;
                }
            }
            if ready.has(Ready::READ.with(Ready::READ_CLOSED)) {
                self.set(flag::READABLE);
                if ready.has(Ready::READ_CLOSED) {
                    self.set(flag::FIN_HINT);
                }
            }
            if ready.has(Ready::WRITE) {
                self.clear(flag::BLOCKED);
                self.flush_output();
            }
            self.receive();
            // Reading ends with the error, where anybody reads.
            if ready.has(Ready::ERROR) && !self.is_closed() && !self.has(flag::BROKEN) && !self.wants_input() {
                let error = self.with_io(|io| io.take_error().ok().flatten()).flatten();
                self.fail(error.unwrap_or_else(|| ErrorKind::ConnectionReset.into()));
            }
        });
    }

    fn resume(self: Rc<Self>, _lp: &Rc<Loop>) {
        self.clear(flag::QUEUED);
        if self.is_closed() {
            return;
        }
        if self.has(flag::BROKEN) {
            let error = self.ending.take().and_then(|ending| ending.error);
            return self.fail(error.unwrap_or_else(|| ErrorKind::BrokenPipe.into()));
        }
        // Its output waits for the connection; a send now would take the outcome of the attempt off the socket.
        if self.is_connecting() {
            return;
        }
        self.corked(|| {
            self.flush_output();
            if self.has(flag::RESUME) && self.state.get() == State::Open {
                self.clear(flag::RESUME);
                self.give_held();
                if !self.is_closed() {
                    self.protocol().resume(&self);
                }
            }
            self.receive();
        });
    }

    fn due(self: Rc<Self>, _lp: &Rc<Loop>) {
        self.due.set(Due::NEVER);
        match self.state.get() {
            State::Closed => {}
            State::Lingering => self.linger_due(),
            _ => self.corked(|| self.protocol().due(&self)),
        }
    }

    fn closed(self: Rc<Self>, _lp: &Rc<Loop>) {
        let protocol = self.protocol.replace(Rc::new(Nobody));
        let (reason, error) = match self.ending.take() {
            Some(ending) => (ending.reason, ending.error),
            None => (CloseReason::Destroyed, None),
        };
        protocol.close(&self, reason, error.as_ref());
    }

    fn teardown(&self) {
        if !self.is_closed() {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
        self.state.set(State::Closed);
        let io = self.io.borrow_mut().take();
        drop(io);
        self.input.take();
        self.output.take();
        let protocol = self.protocol.replace(Rc::new(Nobody));
        protocol.teardown();
    }

    fn kind(&self) -> Kind {
        Kind::Connection
    }

    fn buffered(&self) -> usize {
        self.input.len() + self.output_len()
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
