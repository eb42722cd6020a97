//! Tunnels: connections that a proxy makes in the place of a client, and whose bytes it passes on unseen (RFC 9110, 9.3.6).
//!
//! ```text
//!   the proxy is reached ──► CONNECT host:port ──2xx──► the protocol that wanted the tunnel: as if its connection was made just now
//!                                   ├── any other answer, or none that is valid ──► the stream closes, with `NoTunnel`
//!                                   └── no answer in time ──► the stream closes, with `ConnectTimeout`
//! ```
//! A [`Tunneling`] is the protocol of the stream until then. Whoever wants a tunnel puts one in front of its own protocol, and connects
//! to the proxy.

use crate::event_loop::Time;
use crate::net::{CloseReason, Protocol, Stream, Target};
use crate::proto::h1::{
    ConnectionField, Encoding, FieldError, Framing, HeadLimits, IncomingResponse, OutgoingRequest, Parsed,
    ResponseParser, reason,
};
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

/// A proxy and the server that is reached through it. Two connections with equal tunnels lead to the same server by the same proxy, so
/// the pool may use the one in place of the other.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tunnel {
    /// Host, in lower case and without brackets, and port of the proxy.
    pub(super) proxy: (String, u16),
    /// What the proxy gets as Proxy-Authorization. The server never sees it.
    pub(super) authorization: Option<String>,
    /// Host and port of the server.
    pub(super) to: (String, u16),
}

impl Tunnel {
    /// The host of the server, at the other end.
    #[cfg(feature = "tls")]
    pub fn host(&self) -> &str {
        &self.to.0
    }

    /// Where to connect to.
    pub fn target(&self) -> Target {
        Target::from((self.proxy.0.as_str(), self.proxy.1))
    }

    /// The CONNECT request that asks the proxy for this tunnel.
    fn request(&self) -> Result<Vec<u8>, FieldError> {
        let mut head = OutgoingRequest::new();
        let to = Authority(&self.to).to_string();
        head.set_line("CONNECT", &to)?;
        head.set_host(&to)?;
        if let Some(value) = &self.authorization {
            head.set("Proxy-Authorization", value)?;
        }
        let mut out = Vec::new();
        head.encode(&mut out, &Encoding { framing: Framing::None, date: None, connection: ConnectionField::None });
        Ok(out)
    }
}

/// Host and port in text, with brackets around an IPv6 address.
pub(super) struct Authority<'a>(pub &'a (String, u16));

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = self.0;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// It says nothing of the credentials.
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tunnel({} by {})", Authority(&self.to), Authority(&self.proxy))
    }
}

/// The error of a proxy that has not made the tunnel.
#[derive(Debug)]
pub(crate) struct NoTunnel {
    words: String,
    /// The status of the proxy's answer; `None` if none came, or none that is valid.
    pub status: Option<u16>,
}

impl NoTunnel {
    /// Returns the `NoTunnel` that an I/O error holds, if it holds one.
    pub fn of(error: &io::Error) -> Option<&NoTunnel> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for NoTunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Error for NoTunnel {}

/// The limits of the answer of a proxy.
pub(crate) struct AnswerLimits {
    pub head: HeadLimits,
    pub informational: usize,
    /// When the answer must have come, and how long that is in all, look-up and connection included.
    pub until: Time,
    pub within: Duration,
}

/// The protocol of a stream to a proxy, until there is a tunnel.
pub(crate) struct Tunneling {
    way: Tunnel,
    limits: AnswerLimits,
    /// Whose tunnel it is.
    next: Rc<dyn Protocol>,
    answer: RefCell<Answer>,
    /// The proxy has agreed. The next protocol takes over in a turn of its own, since bytes are lent to this one meanwhile.
    made: Cell<bool>,
}

#[derive(Default)]
struct Answer {
    parser: ResponseParser,
    head: IncomingResponse,
    informational: usize,
}

/// What the bytes of the proxy's answer mean. The number says how many of them were read.
enum Read {
    Partial(usize),
    Made(usize),
    No(NoTunnel),
}

impl Tunneling {
    pub fn new(way: Tunnel, limits: AnswerLimits, next: Rc<dyn Protocol>) -> Rc<Tunneling> {
        Rc::new(Tunneling { way, limits, next, answer: RefCell::default(), made: Cell::new(false) })
    }

    fn no(&self, status: Option<u16>, why: impl fmt::Display) -> NoTunnel {
        let (proxy, to) = (Authority(&self.way.proxy), Authority(&self.way.to));
        NoTunnel { words: format!("the proxy {proxy} makes no tunnel to {to}: {why}"), status }
    }

    fn fail(&self, stream: &Stream, why: CloseReason, kind: ErrorKind, no: NoTunnel) {
        stream.destroy_with(why, io::Error::new(kind, no));
    }

    fn read(&self, bytes: &[u8]) -> Read {
        let mut answer = self.answer.borrow_mut();
        let Answer { parser, head, informational } = &mut *answer;
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match parser.parse(rest, &self.limits.head, head) {
                Ok(Parsed::Complete { len }) => at += len,
                Ok(Parsed::Partial) => return Read::Partial(at),
                Err(fault) => {
                    return Read::No(self.no(None, format_args!("its answer is not valid: {}", fault.text())));
                }
            }
            *parser = ResponseParser::default();
            match head.status() {
                // Fields that frame content mean nothing here (RFC 9110, 9.3.6).
                200..=299 => return Read::Made(at),
                status @ (101 | 200..) => {
                    let words = format!("{status} {}", reason(status));
                    return Read::No(self.no(Some(status), words.trim_end()));
                }
                _ => {}
            }
            *informational += 1;
            let most = self.limits.informational;
            if *informational > most {
                return Read::No(self.no(None, format_args!("it sends more than {most} informational responses")));
            }
        }
    }
}

impl Protocol for Tunneling {
    fn connected(self: Rc<Self>, stream: &Rc<Stream>) {
        // The answer is wanted at once. Without this it comes as well.
        let _ = stream.with_io(|io| io.set_no_delay(true));
        match self.way.request() {
            Ok(request) => stream.encode(|out| out.extend_from_slice(&request)),
            Err(error) => {
                return self.fail(stream, CloseReason::ConnectFailed, ErrorKind::InvalidInput, self.no(None, error));
            }
        }
        stream.need_due(self.limits.until);
    }

    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        if self.made.get() {
            return 0;
        }
        match self.read(bytes) {
            Read::Partial(read) => read,
            Read::Made(read) => {
                self.made.set(true);
                stream.ask_for_turn();
                read
            }
            Read::No(no) => {
                let (why, kind) = match no.status {
                    Some(_) => (CloseReason::ConnectFailed, ErrorKind::ConnectionRefused),
                    None => (CloseReason::BadMessage, ErrorKind::InvalidData),
                };
                self.fail(stream, why, kind, no);
                bytes.len()
            }
        }
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        if self.made.get() {
            stream.set_protocol(self.next.clone());
            self.next.clone().connected(stream);
            // The stream keeps what has come behind the answer: it is for the next protocol, or for its TLS.
            stream.ask_for_turn();
        }
    }

    fn held_limit(&self) -> usize {
        // A head that is still allowed must fit.
        self.limits.head.bytes.saturating_add(1024)
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        let no = self.no(None, "it has closed the connection");
        self.fail(stream, CloseReason::Truncated, ErrorKind::UnexpectedEof, no);
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        if stream.cx().lp.seen_until() < self.limits.until {
            return stream.need_due(self.limits.until);
        }
        let no = self.no(None, format_args!("no answer within {:?}", self.limits.within));
        self.fail(stream, CloseReason::ConnectTimeout, ErrorKind::TimedOut, no);
    }

    fn close(self: Rc<Self>, stream: &Rc<Stream>, reason: CloseReason, error: Option<&io::Error>) {
        self.next.clone().close(stream, reason, error);
    }

    fn teardown(&self) {
        self.next.teardown();
    }
}
