//! A client's handshake: the protocol of its stream until the server has answered.
//!
//! ```text
//!   dial ──connected──► the request is sent ──101 that answers it──► the stream has a new protocol: Connection, which gets what
//!     │                        │                                     stands behind the head
//!     └── no connection        └── anything else, or no answer in time ──► the connection closes: on_error, on_close
//! ```

use super::connection::{Agreed, Connection, Opened, State};
use crate::event_loop::Time;
use crate::net::{CloseReason, Protocol, Stream};
use crate::proto::h1::{HeadLimits, IncomingResponse, Parsed, ResponseParser, reason};
use crate::proto::ws::{PermessageDeflate, Question, Refusal};
use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

pub(super) struct Opening {
    pub connection: Rc<Connection>,
    /// For error messages: the URL without its query, which may hold a secret.
    pub place: String,
    pub request: Vec<u8>,
    pub offer: Offer,
    pub timeout: Duration,
    /// The TLS session that begins when the connection was made; `None` for `ws:`.
    #[cfg(feature = "tls")]
    pub secure: std::cell::Cell<Option<crate::secure::NewSession>>,
    /// When the opening must be over.
    pub until: Time,
    pub answer: RefCell<(ResponseParser, IncomingResponse)>,
}

/// The parts of the request to which the answer has to fit.
pub(super) struct Offer {
    pub key: String,
    pub protocols: Vec<String>,
    /// Whether compression was offered.
    pub compression: bool,
}

/// What has come of the answer.
enum Answer {
    /// No whole one yet; so many bytes were skipped.
    Partial(usize),
    /// A whole one, of so many bytes, with the subprotocol that was chosen, and the compression.
    Opens(usize, Option<Box<str>>, Option<PermessageDeflate>),
    Fails(CloseReason, ErrorKind, String),
}

impl Opening {
    fn fail(&self, stream: &Stream, why: CloseReason, kind: ErrorKind, words: impl Display) {
        stream.destroy_with(why, io::Error::new(kind, format!("cannot open {}: {words}", self.place)));
    }

    /// Reads the head of the answer. Informational ones before it are skipped (RFC 9110, 15.2).
    fn read(&self, bytes: &[u8]) -> Answer {
        let mut answer = self.answer.borrow_mut();
        let (parser, head) = &mut *answer;
        let mut at = 0;
        loop {
            match parser.parse(bytes.get(at..).unwrap_or_default(), &HeadLimits::default(), head) {
                Ok(Parsed::Complete { len }) => at += len,
                Ok(Parsed::Partial) => return Answer::Partial(at),
                Err(fault) => {
                    return Answer::Fails(CloseReason::BadMessage, ErrorKind::InvalidData, fault.text().to_owned());
                }
            }
            if !head.is_informational() || head.status() == 101 {
                break;
            }
            *parser = ResponseParser::default();
        }
        let question = Question {
            authority: "",
            target: "",
            key: &self.offer.key,
            protocols: &self.offer.protocols,
            compression: self.offer.compression,
        };
        match question.check(head) {
            Ok(agreed) => Answer::Opens(at, agreed.protocol.map(Into::into), agreed.deflate),
            Err(refusal @ Refusal::Status(status)) => {
                let words = format!("{refusal} {}", reason(status));
                Answer::Fails(CloseReason::ConnectFailed, ErrorKind::ConnectionRefused, words.trim_end().to_owned())
            }
            Err(refusal) => Answer::Fails(CloseReason::BadMessage, ErrorKind::InvalidData, refusal.to_string()),
        }
    }

    fn opens(&self, stream: &Rc<Stream>, protocol: Option<Box<str>>, deflate: Option<PermessageDeflate>) {
        let connection = &self.connection;
        #[cfg(feature = "deflate")]
        if let Some(deflate) = deflate {
            connection.agree(deflate.client_window());
        }
        #[cfg(not(feature = "deflate"))]
        debug_assert!(deflate.is_none(), "it was not offered");
        if let Some(name) = protocol {
            let _ = connection.protocol.set(Box::new(Agreed(name)));
        }
        connection.state.set(State::Open);
        connection.opened.set(Some(Box::new(Opened::ByAnswer)));
        connection.heard.set(stream.cx().lp.now());
        stream.need_due(connection.ping_at(&connection.endpoint.limits()));
        stream.set_protocol(connection.clone());
        if connection.paused.get() {
            stream.pause();
        }
        stream.ask_for_turn();
    }
}

impl Protocol for Opening {
    fn connected(self: Rc<Self>, stream: &Rc<Stream>) {
        // The answer is wanted at once. Without this it comes as well.
        let _ = stream.with_io(|io| io.set_no_delay(true));
        #[cfg(feature = "tls")]
        if let Some(session) = self.secure.take()
            && let Err(error) = stream.secure(session, crate::secure::HANDSHAKE, crate::net::Unsent::Encrypted, b"")
        {
            return self.fail(stream, CloseReason::TlsFailed, error.kind(), error);
        }
        stream.encode(|out| out.extend_from_slice(&self.request));
        stream.need_due(self.until);
    }

    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        match self.read(bytes) {
            Answer::Partial(skipped) => skipped,
            Answer::Opens(length, protocol, deflate) => {
                self.opens(stream, protocol, deflate);
                length
            }
            Answer::Fails(why, kind, words) => {
                self.fail(stream, why, kind, words);
                bytes.len()
            }
        }
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        let words = "the server has ended the connection before its answer was whole";
        self.fail(stream, CloseReason::Truncated, ErrorKind::UnexpectedEof, words);
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        if stream.cx().lp.seen_until() < self.until {
            return stream.need_due(self.until);
        }
        let words = format!("no answer to the handshake within {:?}", self.timeout);
        self.fail(stream, CloseReason::ConnectTimeout, ErrorKind::TimedOut, words);
    }

    fn close(self: Rc<Self>, stream: &Rc<Stream>, why: CloseReason, error: Option<&io::Error>) {
        self.connection.clone().close(stream, why, error);
    }

    fn teardown(&self) {
        self.connection.teardown();
    }
}
