//! One connection. This file defines the stream; the other files hold its state, all its reading, all its writing, its
//! turns and all ways to close it.

mod closing;
mod connecting;
mod peer;
mod protocol;
mod reading;
#[cfg(feature = "tls")]
mod securing;
mod state;
mod turns;
mod writing;

use super::connections::Connections;
use super::output::Output;
use super::transport::Transport;
use super::{CloseReason, Context, input::Input};
use crate::event_loop::driver::Io;
use crate::event_loop::{Address, Due, Loop, Time, Token};
use peer::Peer;
use protocol::Nobody;
pub(crate) use protocol::Protocol;
#[cfg(feature = "tls")]
pub(crate) use securing::Unsent;
use state::{Event, State};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// Limits of a lingering close, which reads and discards input after our side has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    pub between_reads: Time,
    pub total: Time,
    pub bytes: usize,
}

/// How the stream ends, and the progress of lingering.
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
    /// The connections of the acceptor that has accepted this one: it counts among them until the end of its closing phase.
    among: Option<Rc<Connections>>,
    /// `None` before the connection is made and after the end.
    transport: RefCell<Option<Transport>>,
    /// `None` after the stream has ended: it is removed then, because the protocol and the stream own each other.
    protocol: Cell<Option<Rc<dyn Protocol>>>,
    token: Cell<Token>,
    input: Input,
    /// `None` while no output is pending.
    output: Cell<Option<Box<Output>>>,
    ending: Cell<Option<Box<Ending>>>,
    peer: Cell<Peer>,
    read: Cell<u64>,
    written: Cell<u64>,
    /// A copy of the stream's deadline in the loop's registry of sources.
    due: Cell<Due>,
    state: State,
}

impl Stream {
    /// Makes a stream of an accepted connection. It is registered, it keeps the loop alive, and counts `among` those of its acceptor.
    pub fn accepted(
        cx: &Rc<Context>,
        among: Option<&Rc<Connections>>,
        mut io: Io,
        peer: Address,
        protocol: Rc<dyn Protocol>,
    ) -> io::Result<Rc<Stream>> {
        let stream = Stream::new(cx, among, Peer::from(&peer), protocol, State::open());
        let registered = cx.lp.driver().register(&mut io, stream.token.get().number());
        *stream.transport.borrow_mut() = Some(Transport::new(io));
        if let Err(error) = registered {
            stream.unmake();
            return Err(error);
        }
        if let Some(among) = among {
            among.opened();
        }
        Ok(stream)
    }

    /// Makes a stream whose connection is yet to be made. Later [`Stream::connected`] is called, or the stream closes.
    pub fn connecting(cx: &Rc<Context>, protocol: Rc<dyn Protocol>) -> Rc<Stream> {
        Stream::new(cx, None, Peer::Nobody, protocol, State::connecting())
    }

    fn new(
        cx: &Rc<Context>,
        among: Option<&Rc<Connections>>,
        peer: Peer,
        protocol: Rc<dyn Protocol>,
        state: State,
    ) -> Rc<Stream> {
        let stream = Rc::new(Stream {
            cx: cx.clone(),
            among: among.cloned(),
            transport: RefCell::new(None),
            protocol: Cell::new(Some(protocol)),
            token: Cell::new(Token::NONE),
            input: Input::default(),
            output: Cell::new(None),
            ending: Cell::new(None),
            peer: Cell::new(peer),
            read: Cell::new(0),
            written: Cell::new(0),
            due: Cell::new(Due::NEVER),
            state,
        });
        stream.token.set(cx.lp.insert(stream.clone()));
        cx.lp.hold();
        cx.lp.driver().descriptors().connection_opened();
        stream
    }

    /// Removes a stream that could not be registered, and whose protocol was never called.
    fn unmake(&self) {
        self.state.on(Event::Close);
        *self.transport.borrow_mut() = None;
        self.protocol.take();
        self.cx.lp.remove(self.token.get());
        self.cx.lp.release();
        self.cx.lp.driver().descriptors().connection_closed();
    }

    /// The streams of a loop, in the order of their slots.
    pub fn all(lp: &Loop) -> impl Iterator<Item = Rc<Stream>> {
        lp.sources().into_iter().filter_map(|source| source.into_any().downcast::<Stream>().ok())
    }

    // ---- What it is

    pub fn cx(&self) -> &Rc<Context> {
        &self.cx
    }

    pub fn token(&self) -> Token {
        self.token.get()
    }

    pub fn is_closed(&self) -> bool {
        self.state.is_closed()
    }

    pub fn is_connecting(&self) -> bool {
        self.state.is_connecting()
    }

    /// Returns whether the stream is neither closed nor closing.
    pub fn is_in_use(&self) -> bool {
        self.state.is_in_use()
    }

    /// Returns whether the end of the peer's input was read.
    pub fn is_eof(&self) -> bool {
        self.state.has_input_ended()
    }

    /// Returns whether the peer is known to have ended its side. The end itself need not have been read yet.
    pub fn has_fin_hint(&self) -> bool {
        self.state.has_peer_closed()
    }

    /// Returns whether the kernel may have input. If not, the last read has found that it has none, or less than was asked for.
    pub fn may_have_input(&self) -> bool {
        self.state.is_readable()
    }

    /// Returns whether the kernel has refused output and has not reported since then that it takes more.
    pub fn is_blocked(&self) -> bool {
        self.state.is_blocked()
    }

    /// Returns whether a write has failed: the pending output is lost, and the stream closes in the next pending phase.
    pub fn has_write_failed(&self) -> bool {
        self.state.has_write_failed()
    }

    /// Returns whether our side has ended, or will end when all output was sent.
    pub fn is_ended(&self) -> bool {
        self.state.ends_output()
    }

    /// Returns whether both sides have ended.
    pub fn is_over(&self) -> bool {
        self.is_eof() && self.state.has_sent_fin()
    }

    /// Returns whether this stream counts among these connections of an acceptor.
    pub fn is_of(&self, connections: &Rc<Connections>) -> bool {
        self.among.as_ref().is_some_and(|among| Rc::ptr_eq(among, connections))
    }

    /// Returns whether there is or was a connection.
    pub fn has_peer(&self) -> bool {
        !matches!(self.peer.get(), Peer::Nobody)
    }

    /// The peer's address. For a Unix socket, the address is known only while the socket is open; afterwards this returns
    /// an unnamed one.
    pub fn peer(&self) -> Address {
        let address = self.peer.get().address();
        address.or_else(|| self.with_io(|io| io.peer_addr().ok()).flatten()).unwrap_or(Address::Unix(None))
    }

    pub fn local(&self) -> Option<Address> {
        self.with_io(|io| io.local_addr().ok()).flatten()
    }

    pub fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    /// How many bytes the kernel has taken.
    pub fn bytes_written(&self) -> u64 {
        self.written.get()
    }

    /// How many bytes were read and not yet consumed by the protocol.
    pub fn held(&self) -> usize {
        self.input.len()
    }

    pub fn with_io<R>(&self, f: impl FnOnce(&Io) -> R) -> Option<R> {
        self.transport.borrow().as_ref().map(|transport| f(transport.io()))
    }

    pub fn set_referenced(&self, on: bool) {
        if self.state.on(if on { Event::Ref } else { Event::Unref }) {
            if on { self.cx.lp.hold() } else { self.cx.lp.release() }
        }
    }

    pub fn is_referenced(&self) -> bool {
        self.state.is_referenced()
    }

    // ---- The protocol

    #[inline(always)]
    pub fn protocol(&self) -> Rc<dyn Protocol> {
        let Some(protocol) = self.protocol.take() else { return nobody() };
        self.protocol.set(Some(protocol.clone()));
        protocol
    }

    /// Replaces the protocol (an upgrade). The old one is not called again. The new one gets the bytes that the old one has not
    /// consumed: after the present call of `Protocol::data`, or else in a turn that [`ask_for_turn`](Stream::ask_for_turn) asks
    /// for. The deadline that was asked for last comes to the new one: so the new protocol can check pending output, although
    /// `blocked` was not called for it.
    pub fn set_protocol(&self, protocol: Rc<dyn Protocol>) {
        let old = self.protocol.replace(Some(protocol));
        self.state.on(Event::ToldAll);
        drop(old);
    }

    /// Asks for a turn in the next pending phase, in which held bytes are given to the protocol again.
    pub fn ask_for_turn(&self) {
        self.state.on(Event::WantTurn);
        self.queue();
    }

    fn queue(&self) {
        if self.state.on(Event::Queue) {
            self.cx.lp.make_ready(self.token.get());
        }
    }

    /// Asks for a turn as soon as a step of a handshake may be taken.
    #[cfg(feature = "tls")]
    fn queue_heavy(&self) {
        if self.state.on(Event::Queue) {
            self.cx.lp.wait_for_heavy(self.token.get());
        }
    }

    /// Asks for a turn in the pending phase, but not within the stream's own turn, since the end of that turn does the same
    /// work.
    fn queue_unless_corked(&self) {
        if !self.is_corked() {
            self.queue();
        }
    }

    /// Asks for a call of `Protocol::due` when `time` has come, or for an earlier one if that was asked for already.
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

#[cold]
fn nobody() -> Rc<dyn Protocol> {
    Rc::new(Nobody)
}

#[cfg(test)]
mod tests {
    use super::{Io, Stream};

    #[test]
    fn a_stream_fits_in_the_memory_that_an_idle_connection_may_cost() {
        // With the two counts of its `Rc` (16 bytes) and its `Io` (16 bytes), a stream takes 152 bytes. A chunk of 160
        // bytes of the usual allocator holds just that. (With debug assertions, mio's sockets are larger.)
        assert!(size_of::<Stream>() - size_of::<Io>() <= 120);
    }
}
