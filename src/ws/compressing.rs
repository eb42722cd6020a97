//! Compression of messages (RFC 7692), without context takeover: each message is compressed for itself. So the sockets of a loop
//! share what compresses and inflates, a socket takes no memory for it, and a published message is compressed once for all.
//!
//! ```text
//!   Endpoint::compress ─► offered? ─► `Sec-WebSocket-Extensions` in the answer ─► Connection::deflates
//!   send ─► long enough, not too long, not `uncompressed`? ─► Deflater ─► shorter? ─► a frame with RSV1; else as it is
//!   a frame with RSV1 ─► Decoder ─► Event::Compressed ─► Inflater, as far as Limits::message ─► on_message
//! ```

use super::connection::{Connection, Endpoint, State};
use super::deflate::{Coders, Deflate};
use super::frame::Frame;
use super::payload::Payload;
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
    /// the code 1009. To inflate a message of 1 MiB holds up the loop for 1 to 4 ms; each KiB counts as a frame for
    /// [`Limits::frames`](super::Limits::frames). Who means harm can compress so that it takes far longer: up to some 100 ms for each MiB
    /// that is sent, and more on a busy machine, where each block of a few bytes brings a code of its own. For clients that are
    /// not trusted, keep `Limits::message` small.
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

    /// Inflates a message, and tells it.
    pub fn inflate(self: &Rc<Self>, stream: &Stream, content: Compressed<'_>, limit: usize) -> Result<(), Fault> {
        if self.state.get() != State::Open {
            return Ok(());
        }
        let coders = Coders::of(&stream.cx().lp);
        let mut inflater = coders.inflater.take().unwrap_or_default();
        let result = inflater.inflate(content, limit).map(|message| {
            let more = u16::try_from(message.as_bytes().len() / FRAME).unwrap_or(u16::MAX);
            self.told.set(self.told.get().saturating_add(more));
            self.message(message);
        });
        inflater.give_back();
        coders.inflater.set(Some(inflater));
        result
    }
}
