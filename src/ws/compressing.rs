//! Compression of messages (RFC 7692), without context takeover: each message is compressed for itself. So the sockets of a loop
//! share what compresses and inflates, a socket takes no memory for it, and a published message is compressed once for all.
//!
//! ```text
//!   Endpoint::compress ─► offered? ─► `Sec-WebSocket-Extensions` in the answer ─► Connection::deflates
//!   send ─► long enough, not too long, not `uncompressed`? ─► Deflater ─► shorter? ─► a frame with RSV1; else as it is
//!   a frame with RSV1 ─► Decoder ─► Event::Compressed ─► Inflater, as far as Limits::message ─► on_message
//!                                                          └─ Portions: what is too much for this iteration waits
//! ```

use super::connection::{Connection, Endpoint, State};
use super::deflate::{Coders, Deflate};
use super::frame::Frame;
use super::inflating::{Inflating, Turn};
use super::payload::Payload;
use crate::event_loop::Portions;
use crate::http::Request;
use crate::net::{Chunk, Flow, Stream};
use crate::proto::ws::{Compressed, Decoder, Fault, PermessageDeflate, Window};
use std::rc::Rc;

/// For each so many bytes that were inflated, one more frame counts for `Limits::frames`.
const FRAME: usize = 1024;

impl Endpoint {
    /// Turns on compression (permessage-deflate, RFC 7692) for sockets whose client offers it, as all browsers do; off by default. For the
    /// others, and those that are open already, nothing changes.
    ///
    /// Each message is compressed for itself, in both directions, so that a socket takes no memory for it. A published message is
    /// compressed once, whatever the number of its subscribers. (Twice, if there are clients that ask for a small window.) Received
    /// messages are inflated as far as [`Limits::message`](super::Limits::message), and no further: a larger one closes its socket with
    /// the code 1009. Each KiB that came out counts as a frame for [`Limits::frames`](super::Limits::frames).
    ///
    /// One iteration inflates 16 KiB of what was received, of all sockets together, in portions of 4 KB that they have in turn. So a large
    /// message, or one that is made to take long (up to 150 ms of work for each MiB that is sent), holds up the loop for no more than
    /// some 2 ms at a time. While a message of a socket is inflated, what is behind it waits, and no deadline for receiving runs; it is
    /// not told if the program closes the socket meanwhile. An unfinished message takes 50 KiB beside what came and what has come out.
    ///
    /// The length of a compressed message tells something of its content. So never compress a secret together with text that somebody else
    /// may choose (BREACH): send such a message [`uncompressed`](Payload::uncompressed).
    ///
    /// ```
    /// use oneloop::{http, ws};
    ///
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// let prices = ws::mount(&server, "/prices");
    /// prices.compress(ws::Deflate::new());
    /// ```
    pub fn compress(&self, how: Deflate) -> &Self {
        self.0.deflate.set(Some(how));
        self
    }

    /// The answer to the offers of a request.
    pub(super) fn agree_on_deflate(&self, req: &Request) -> Option<PermessageDeflate> {
        self.0.deflate.get()?;
        PermessageDeflate::accept(req.header_all_bytes("sec-websocket-extensions"))
    }
}

impl Connection {
    /// Compression was agreed. `window`: that of this side, if it can compress at all.
    pub fn agree(&self, window: Option<Window>) {
        self.deflates.set(Some(window));
        self.decoder.set(Some(Decoder::with_compression(self.role)));
    }

    /// Whether a message of this length is compressed for this socket, and how.
    fn compresses(&self, length: usize) -> Option<(u32, Window)> {
        let window = self.deflates.get().flatten()?;
        let how = self.endpoint.deflate.get()?;
        how.takes(length).then_some((how.level, window))
    }

    /// Sends a message compressed. `None` if it was not sent, since it is to be sent as it is.
    pub fn write_deflated(&self, stream: &Rc<Stream>, message: &Payload<'_>) -> Option<Flow> {
        let (level, window) = self.compresses(message.as_bytes().len()).filter(|_| message.may_compress())?;
        Coders::of(&stream.cx().lp).deflate(level, window, message.as_bytes(), |content| {
            self.write_content(stream, message.opcode(), true, content.into())
        })
    }

    /// The form of a frame for this socket. It is made when it is first needed.
    pub fn form_of(&self, stream: &Stream, frame: &Frame) -> Chunk<'static> {
        let content = frame.as_bytes();
        let Some((level, window)) = self.compresses(content.len()) else { return frame.plain() };
        let deflated =
            frame.deflated(window, |encode| Coders::of(&stream.cx().lp).deflate(level, window, content, encode));
        deflated.unwrap_or_else(|| frame.plain())
    }

    /// Inflates a message, and tells it: now, or, as far as this iteration has done enough, in those that follow.
    pub fn inflate(self: &Rc<Self>, stream: &Rc<Stream>, message: Compressed<'_>, limit: usize) -> Result<(), Fault> {
        if self.state.get() != State::Open {
            return Ok(());
        }
        self.inflates.set(true);
        let mut inflating = Inflating::new(message.text);
        match inflating.go_on(&stream.cx().lp, message.content, limit) {
            Ok(true) => self.tell_inflated(stream, inflating, limit),
            Ok(false) => {
                inflating.content = stream.cx().large.copy(message.content);
                self.wait_to_inflate(stream, Box::new(inflating));
                Ok(())
            }
            Err(fault) => {
                self.end_inflating(stream, inflating);
                Err(fault)
            }
        }
    }

    /// Goes on with the message that is being inflated, if it may.
    pub fn resume_inflating(self: &Rc<Self>, stream: &Rc<Stream>) {
        // While its listeners are told, there is nothing to go on with.
        let Some(mut inflating) = self.if_rare(|rare| rare.inflating.take()).flatten() else { return };
        if self.state.get() != State::Open {
            // It is not told any more. What is behind it waits: the peer's close frame.
            self.end_inflating(stream, *inflating);
            return stream.ask_for_turn();
        }
        if self.paused.get() && inflating.turn == Turn::May {
            inflating.turn = Turn::Asks;
        }
        if self.paused.get() || inflating.turn == Turn::Waits {
            return self.keep_inflating(inflating);
        }
        let content = std::mem::take(&mut inflating.content);
        let limit = self.endpoint.limits().message;
        let result = inflating.go_on(&stream.cx().lp, &content, limit);
        inflating.content = content;
        let result = match result {
            Ok(false) => return self.wait_to_inflate(stream, inflating),
            Ok(true) => self.tell_inflated(stream, *inflating, limit),
            Err(fault) => {
                self.end_inflating(stream, *inflating);
                Err(fault)
            }
        };
        match result {
            // Nothing was taken from the peer meanwhile.
            Ok(()) => self.begin_anew(stream),
            Err(fault) => self.refuse(stream, fault),
        }
        // For what is behind.
        stream.ask_for_turn();
    }

    /// Has the loop give the stream a turn when another portion may be inflated.
    fn wait_to_inflate(self: &Rc<Self>, stream: &Rc<Stream>, mut inflating: Box<Inflating>) {
        inflating.turn = Turn::Waits;
        let (socket, lp) = (Rc::downgrade(self), &stream.cx().lp);
        Portions::of(lp).wait(lp, inflating.counts(&inflating.content), move || {
            let Some(socket) = socket.upgrade() else { return };
            let turn = socket.if_rare(|rare| rare.inflating.as_mut().map(|inflating| inflating.turn = Turn::May));
            if let (Some(Some(())), Some(stream)) = (turn, socket.stream.get()) {
                stream.ask_for_turn();
            }
        });
        self.keep_inflating(inflating);
    }

    fn keep_inflating(&self, inflating: Box<Inflating>) {
        self.with_rare(|rare| rare.inflating = Some(inflating));
    }

    /// Tells a message that was inflated.
    fn tell_inflated(self: &Rc<Self>, stream: &Stream, mut inflating: Inflating, limit: usize) -> Result<(), Fault> {
        let told = match inflating.inflater.as_mut().map(|inflater| inflater.end(inflating.text, limit)) {
            Some(Ok(message)) => {
                let more = u16::try_from(message.as_bytes().len() / FRAME).unwrap_or(u16::MAX);
                self.told.set(self.told.get().saturating_add(more));
                self.message(message);
                Ok(())
            }
            Some(Err(fault)) => Err(fault),
            None => Ok(()),
        };
        self.end_inflating(stream, inflating);
        told
    }

    /// Keeps the memory for other messages. Frames are read again.
    fn end_inflating(&self, stream: &Stream, inflating: Inflating) {
        self.inflates.set(false);
        stream.cx().large.give_back(inflating.content);
        if let Some(mut inflater) = inflating.inflater {
            inflater.give_back();
            Coders::of(&stream.cx().lp).inflater.set(Some(inflater));
        }
    }
}
