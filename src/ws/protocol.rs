//! A socket as the protocol of its stream: how it handles the events of the stream, above all received bytes.
//!
//! ```text
//!  what happens               while Open                              while Closing (our close frame was sent)
//!  ─────────────────────────  ──────────────────────────────────────  ─────────────────────────────────────────
//!  a message, a pong          the listeners are told                  nothing
//!  a ping                     a pong is sent                          nothing
//!  the peer's close frame     its code is sent back, then our FIN     our FIN
//!  a fault                    a close frame with its code, our FIN    our FIN
//!  too large a message        a close frame, and later our FIN        our FIN, later
//!  the end of the input       the connection is closed                the connection is closed
//!  a deadline                 see `deadlines.rs`                      the connection is closed
//! ```
//! The server ends its side first (RFC 6455, 7.1.1), and then reads and discards until the peer has ended too, so that the peer can
//! read the close frame: see `Stream::finish`. A client that has both close frames sends no FIN: it waits for the server's.
//!
//! A peer whose message is too large is still sending it. If a proxy such as nginx sees our FIN, it closes its connection to that peer at
//! once, and since there is unread input this is a reset, by which the peer loses the close frame. So our FIN waits until nothing has come
//! for a while (state `Refused`).

use super::connection::{Close, Connection, Ending, Listener, Opened, State};
use super::event::On;
use super::limits::Limits;
use crate::event_loop::Time;
use crate::net::{CloseReason, LargeBuffers, Linger, Protocol, Stream};
#[cfg(not(feature = "deflate"))]
use crate::proto::ws::Compressed;
use crate::proto::ws::{CloseFrame, Decoder, Event, Fault, Memory, Message, Opcode, Role, status};
use std::io;
use std::rc::Rc;

/// In the state `Refused` our FIN is sent when nothing has come from the peer for this time. It is longer than a round trip to most places,
/// so the peer has our close frame by then, and has stopped sending.
const SILENCE: Time = Time::from_millis(500);

impl Connection {
    /// Calls the listeners of `on_open`, if they were not called for this socket yet.
    #[inline]
    fn tell_open(self: &Rc<Self>) {
        if let Some(opened) = self.opened.take() {
            self.each(On::Open, |socket, listener| match (listener, &*opened) {
                (Listener::Open(f), Opened::By(request)) => f(socket, request),
                (Listener::Opened(f), _) => f(socket),
                _ => {}
            });
            self.listeners.remove(On::Open);
        }
    }

    /// Returns whether another frame may be passed to the listeners now. If it has to wait until the next iteration, asks for a
    /// turn in that iteration.
    fn may_tell(&self, stream: &Stream, limits: &Limits) -> bool {
        let wanted = match self.state.get() {
            State::Open => !self.paused.get(),
            State::Closing => true,
            State::Opening | State::Refused | State::Over | State::Closed => false,
        };
        if !wanted || self.is_inflating() || !stream.is_in_use() {
            return false;
        }
        let lp = &stream.cx().lp;
        let turn = lp.turn_serial() as u16;
        if self.turn.replace(turn) != turn {
            self.told.set(0);
            self.labelled.set(None);
        }
        if self.told.get() >= limits.frames.max(1) || lp.is_halted() {
            stream.ask_for_turn();
            return false;
        }
        true
    }

    /// Reads frames until it cannot go on. Returns how many bytes were consumed.
    fn read(self: &Rc<Self>, stream: &Rc<Stream>, decoder: &mut Decoder, bytes: &mut [u8]) -> usize {
        let (mut at, mut told, mut message, mut begun) = (0, false, false, false);
        let limits = self.endpoint.limits();
        let memory = &stream.cx().large;
        while self.may_tell(stream, &limits) {
            let event = match decoder.decode_with(bytes.get_mut(at..).unwrap_or_default(), limits.message, memory) {
                Ok(step) => {
                    at += step.consumed;
                    step.event
                }
                Err(fault) => {
                    self.refuse(stream, fault);
                    break;
                }
            };
            match event {
                Event::NeedMore => {
                    begun = at < bytes.len();
                    break;
                }
                Event::Message(content) => {
                    message = true;
                    self.message(content);
                }
                Event::Compressed(content) => {
                    message = true;
                    if let Err(fault) = self.inflate(stream, content, limits.message) {
                        self.refuse(stream, fault);
                        break;
                    }
                }
                Event::Ping(content) => self.ping(stream, content),
                Event::Pong(content) => self.pong(content),
                Event::Close(frame) => self.closed_by_peer(stream, frame),
            }
            told = true;
            self.told.set(self.told.get().saturating_add(1));
        }
        decoder.give_back_to(memory);
        if matches!(self.state.get(), State::Refused | State::Over | State::Closed) {
            return bytes.len();
        }
        // What waits because the socket is paused, or has had its turn, does not wait for the peer.
        self.note_part(stream, told, message, begun || decoder.is_within_frame(), decoder.is_within_message());
        at
    }

    /// Without the feature `deflate` compression is never agreed.
    #[cfg(not(feature = "deflate"))]
    fn inflate(self: &Rc<Self>, _stream: &Rc<Stream>, _content: Compressed<'_>, _limit: usize) -> Result<(), Fault> {
        Err(Fault::ReservedBit)
    }

    pub fn message(self: &Rc<Self>, content: Message<'_>) {
        if self.state.get() != State::Open {
            return;
        }
        self.endpoint.received.set(self.endpoint.received.get() + 1);
        self.each(On::Message, |socket, listener| {
            if let Listener::Message(f) = listener {
                f(socket, content);
            }
        });
    }

    /// Answers a ping. If much output is pending, only the newest ping is answered, after some output has been sent (RFC 6455,
    /// 5.5.3). So pings can make only a bounded amount of output pending, although pongs do not count for the limits.
    fn ping(&self, stream: &Rc<Stream>, content: &[u8]) {
        if self.state.get() != State::Open {
            return;
        }
        if stream.pending() < self.endpoint.limits.borrow().pending_output {
            return self.write_control(stream, Opcode::Pong, content);
        }
        self.with_rare(|rare| rare.pong = Some(content.to_vec()));
        stream.tell_sent();
    }

    fn pong(self: &Rc<Self>, content: &[u8]) {
        if self.state.get() == State::Open {
            self.each(On::Pong, |socket, listener| {
                if let Listener::Pong(f) = listener {
                    f(socket, content);
                }
            });
        }
    }

    // ---- The end

    fn closed_by_peer(&self, stream: &Rc<Stream>, frame: CloseFrame<'_>) {
        let begun = self.if_rare(|rare| rare.ending.take()).flatten();
        let by_peer = begun.is_none();
        if by_peer {
            let code = frame.code.map(u16::to_be_bytes);
            self.write_control(stream, Opcode::Close, code.as_ref().map_or(&[], |code| code));
        }
        let why = begun.map_or(CloseReason::Finished, |begun| begun.why);
        let (code, reason) = (frame.code.unwrap_or(status::NONE), frame.reason.to_owned());
        let until = stream.cx().lp.now() + Time::from(self.endpoint.limits.borrow().close);
        self.set_ending(Ending { code, reason, clean: true, by_peer, why, until });
        match self.role {
            Role::Server => self.finish(stream, why),
            Role::Client => {
                self.end_state(State::Over);
                stream.need_due(until);
            }
        }
    }

    /// Why the socket ends, once both sides have sent a close frame.
    pub fn why(&self) -> CloseReason {
        let ending = self.if_rare(|rare| rare.ending.as_ref().map(|ending| ending.why)).flatten();
        ending.unwrap_or(CloseReason::Truncated)
    }

    pub fn refuse(&self, stream: &Rc<Stream>, fault: Fault) {
        log::debug!(target: "oneloop::ws", "{}: {fault}", stream.peer());
        if fault == Fault::TooLarge && !stream.is_eof() {
            let now = stream.cx().lp.now();
            let until = now + Time::from(self.endpoint.limits.borrow().close);
            self.tell_fault(stream, fault.close_code(), fault.text(), CloseReason::BadMessage, until);
            self.end_state(State::Refused);
            return stream.need_due(until.min(now + SILENCE));
        }
        self.fail(stream, fault.close_code(), fault.text(), CloseReason::BadMessage);
    }

    /// In the state `Refused`: ends our side if the peer is silent, and closes the connection of a peer that still sends when its time is
    /// over. Returns the time of the next check, if there is to be one.
    pub fn check_refused(&self, stream: &Rc<Stream>, now: Time) -> Option<Time> {
        let until = self.if_rare(|rare| rare.ending.as_ref().map(|ending| ending.until)).flatten()?;
        let silent = self.heard.get() + SILENCE;
        if now >= until {
            stream.destroy(self.why());
        } else if now >= silent {
            self.finish(stream, self.why());
        } else {
            return Some(until.min(silent));
        }
        None
    }

    /// Sends a close frame, unless one was sent, and closes the connection without waiting for the peer's close frame.
    /// `on_close` is told the words of the frame, since the reason of the close alone does not say what the peer has done.
    pub fn fail(&self, stream: &Rc<Stream>, code: u16, words: &str, why: CloseReason) {
        self.tell_fault(stream, code, words, why, Time::MAX);
        self.finish(stream, why);
    }

    /// Sends a close frame, unless one was sent, and notes how the socket ends.
    fn tell_fault(&self, stream: &Rc<Stream>, code: u16, words: &str, why: CloseReason, until: Time) {
        if self.state.get() == State::Open {
            self.write_close(stream, code, words);
        }
        let (clean, by_peer) = (false, false);
        self.set_ending(Ending { code: status::ABNORMAL, reason: words.to_owned(), clean, by_peer, why, until });
    }

    fn finish(&self, stream: &Rc<Stream>, why: CloseReason) {
        self.end_state(State::Over);
        let close = Time::from(self.endpoint.limits.borrow().close);
        stream.finish(why, Some(Linger { between_reads: close, total: close, bytes: usize::MAX }));
    }

    /// Closes the connection if the peer has ended its side, and everything that came before that was handled.
    fn check_end(&self, stream: &Rc<Stream>) {
        let holds = stream.held() > 0 && (self.paused.get() || !self.may_tell(stream, &self.endpoint.limits()));
        let waits = holds || self.is_inflating();
        if stream.is_eof() && !waits {
            match self.state.get() {
                State::Refused => self.finish(stream, self.why()),
                State::Over => stream.destroy(self.why()),
                _ => stream.destroy(CloseReason::Truncated),
            }
        }
    }

    /// Removes the socket from the list of its endpoint.
    fn leave(&self) {
        self.end_state(State::Closed);
        // The place may soon be that of another socket.
        let left = self.endpoint.sockets.borrow_mut().try_remove(self.place.replace(usize::MAX));
        drop(left);
    }
}

/// Messages that come in parts are in buffers of the loop.
impl Memory for LargeBuffers {
    fn take(&self, least: usize, most: usize) -> Option<Vec<u8>> {
        self.take(least, most)
    }

    fn give_back(&self, buffer: Vec<u8>) {
        self.give_back(buffer);
    }
}

impl Protocol for Connection {
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        self.heard.set(stream.cx().lp.now());
        self.tell_open();
        let Some(mut decoder) = self.decoder.take() else { return 0 };
        let consumed = self.read(stream, &mut decoder, bytes);
        self.decoder.set(Some(decoder));
        consumed
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        self.check_end(stream);
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        self.tell_open();
        #[cfg(feature = "deflate")]
        if self.is_inflating() {
            return self.resume_inflating(stream);
        }
        self.check_end(stream);
    }

    fn sent(self: Rc<Self>, stream: &Rc<Stream>, pending: usize) {
        let now = stream.cx().lp.now();
        let room = pending < self.endpoint.limits.borrow().pending_output;
        let pong = self.if_rare(|rare| {
            rare.watch.note(stream, now);
            if room { rare.pong.take() } else { None }
        });
        if let (Some(Some(content)), State::Open) = (pong, self.state.get()) {
            self.write_control(stream, Opcode::Pong, &content);
        }
        if pending > 0 {
            return;
        }
        self.largest.set(0);
        if self.full.replace(false) && self.state.get() == State::Open {
            self.each(On::Drain, |socket, listener| {
                if let Listener::Drain(f) = listener {
                    f(socket);
                }
            });
        }
    }

    fn blocked(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.now();
        let sending = self.endpoint.limits().sending();
        self.with_rare(|rare| rare.watch.start(stream, &sending, now));
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        self.check_deadlines(stream);
    }

    fn pending_limit(&self) -> usize {
        self.most_pending()
    }

    fn server_closing(self: Rc<Self>, _stream: &Rc<Stream>) {
        self.begin_close(status::GOING_AWAY, "", CloseReason::ServerClosed);
    }

    fn close(self: Rc<Self>, _stream: &Rc<Stream>, why: CloseReason, error: Option<&io::Error>) {
        self.tell_open();
        self.leave();
        if let Some(error) = error {
            self.each(On::Error, |socket, listener| {
                if let Listener::Error(f) = listener {
                    f(socket, error);
                }
            });
        }
        #[cfg(feature = "deflate")]
        self.if_rare(|rare| rare.inflating.take());
        let ending = self.if_rare(|rare| rare.ending.take()).flatten();
        let close = match &ending {
            Some(Ending { code, reason, clean, by_peer, .. }) => {
                Close { code: *code, reason, clean: *clean, by_peer: *by_peer, why }
            }
            None => Close { code: status::ABNORMAL, reason: "", clean: false, by_peer: false, why },
        };
        self.each(On::Close, |socket, listener| {
            if let Listener::Close(f) = listener {
                f(socket, &close);
            }
        });
        self.listeners.clear();
    }

    fn teardown(&self) {
        self.leave();
        self.listeners.clear();
    }
}
