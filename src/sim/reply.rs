use super::Line;
use crate::proto::h1::{BodyDecoder, BodyEvent, BodyLimits, Fields, Framing};
use std::fmt;

/// How many fields of a head are read. No server in a test sends this many.
const MAX_FIELDS: usize = 256;
/// How many characters of a body `Debug` shows.
const SHOWN: usize = 2_000;
/// No limits: the peer is part of a test.
const LIMITS: BodyLimits = BodyLimits { extensions: u64::MAX, trailers: usize::MAX, trailer_fields: usize::MAX };

/// The whole answer to a [request](super::Sim::request), decoded.
///
/// Its `Debug` output has the status, the fields, the text of the body and what the library has logged since the request
/// was sent, so the message of a failed assertion tells the cause of a 500.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    status: u16,
    reason: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
    log: Vec<Line>,
}

impl Reply {
    /// The status code, such as 200. Interim answers (1xx) are skipped, except 101 (Switching Protocols), which is a whole
    /// answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The text after the status code, such as `OK`. It may be empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The value of the first field with this name whose value is UTF-8. The name may be in upper or lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().filter(|(other, _)| other.eq_ignore_ascii_case(name)).find_map(|(_, value)| text(value))
    }

    /// The values of all fields with this name, in order. Values that are not UTF-8 are left out: see
    /// [`headers`](Reply::headers).
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.filter_map(|(_, value)| text(value))
    }

    /// All fields in their order, with names in the case in which they were sent, and values as bytes.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The body, without the chunked coding. Empty for an answer to HEAD, a 204 or a 304.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text, with U+FFFD in place of bytes that are not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The fields that followed a chunked body.
    pub fn trailers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.trailers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The lines that the library has logged since the request was sent: see [`Sim::log`](super::Sim::log).
    pub fn log(&self) -> &[Line] {
        &self.log
    }

    /// Returns the answer if its status is this one.
    ///
    /// # Panics
    /// If it has another status. The message has the whole answer and what was logged meanwhile, which says more than an
    /// `assert_eq!` of two numbers.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        self.check_status(status);
        self
    }

    #[track_caller]
    pub(super) fn check_status(&self, status: u16) {
        assert!(self.status == status, "oneloop: {status} was expected, not\n{self:?}");
    }

    /// Returns the answer if a field with this name has this value.
    ///
    /// # Panics
    /// If none has. The message is that of [`expect`](Reply::expect).
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| {
    ///     res.set_status(201).set_header("Location", "/plants/1").end(());
    /// });
    /// server.listen(80, ()).unwrap();
    /// sim.request("POST", "/plants").send().expect(201).expect_header("Location", "/plants/1");
    /// ```
    #[track_caller]
    pub fn expect_header(self, name: &str, value: &str) -> Reply {
        let has = self.header_all(name).any(|other| other == value);
        assert!(has, "oneloop: `{name}: {value}` was expected, not\n{self:?}");
        self
    }

    /// Returns the answer if its body is this text.
    ///
    /// # Panics
    /// If it is another one. The message is that of [`expect`](Reply::expect).
    ///
    /// ```
    /// use oneloop::{http, sim::Sim};
    ///
    /// let sim = Sim::new();
    /// let server = http::create_server(|_req, res| res.end("hello\n"));
    /// server.listen(80, ()).unwrap();
    /// sim.request("GET", "/").send().expect(200).expect_text("hello\n");
    /// ```
    #[track_caller]
    pub fn expect_text(self, text: &str) -> Reply {
        assert!(self.body == text.as_bytes(), "oneloop: the text {text:?} was expected, not\n{self:?}");
        self
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.status, self.reason)?;
        for (name, value) in self.headers() {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value))?;
        }
        let text = self.text();
        write!(f, "\n{text:.SHOWN$}")?;
        if text.chars().nth(SHOWN).is_some() {
            write!(f, "… ({} bytes)", self.body.len())?;
        }
        for (name, value) in self.trailers() {
            write!(f, "\n{name}: {value}")?;
        }
        f.write_str(if self.log.is_empty() { "\n(nothing was logged)" } else { "\nlogged meanwhile:" })?;
        self.log.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// An answer while it is being read, in pieces of any size.
pub(super) struct Reading {
    method: String,
    /// Bytes that were received and not parsed yet: a part of a head or of a chunk's frame.
    rest: Vec<u8>,
    reply: Reply,
    stage: Stage,
}

enum Stage {
    Head,
    Framed(BodyDecoder, Fields),
    /// The body ends when the connection does.
    UntilClose,
    Whole,
}

impl Reading {
    pub fn new(method: &str) -> Reading {
        let reply = Reply {
            status: 0,
            reason: String::new(),
            fields: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
            log: Vec::new(),
        };
        Reading { method: method.to_owned(), rest: Vec::new(), reply, stage: Stage::Head }
    }

    /// Takes the next bytes. An error says what is wrong with the answer.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.rest.extend_from_slice(bytes);
        while matches!(self.stage, Stage::Head) {
            if !self.take_head()? {
                return Ok(());
            }
        }
        match &mut self.stage {
            Stage::Framed(decoder, trailers) => {
                let mut at = 0;
                let whole = loop {
                    let input = self.rest.get(at..).unwrap_or_default();
                    let step = decoder.decode(input, &LIMITS, trailers);
                    let step = step.map_err(|fault| format!("its body is not well formed: {fault}"))?;
                    at += step.consumed;
                    match step.event {
                        BodyEvent::Data(bytes) => self.reply.body.extend_from_slice(bytes),
                        BodyEvent::NeedMore => break false,
                        BodyEvent::End => break true,
                    }
                };
                self.rest.drain(..at);
                if whole {
                    let trailers = trailers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                    self.reply.trailers = trailers.collect();
                    self.stage = Stage::Whole;
                }
            }
            Stage::UntilClose => self.reply.body.append(&mut self.rest),
            Stage::Head | Stage::Whole => {}
        }
        Ok(())
    }

    /// If a whole head has come, parses it and removes it from `rest`. Returns whether there was one.
    fn take_head(&mut self) -> Result<bool, String> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.rest) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(error) => return Err(format!("its head is not well formed: {error}")),
        };
        let status = head.code.unwrap_or_default();
        if status >= 200 || status == 101 {
            self.reply.status = status;
            self.reply.reason = head.reason.unwrap_or_default().to_owned();
            self.reply.fields =
                head.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
            self.stage = self.body()?;
        }
        self.rest.drain(..length);
        Ok(true)
    }

    /// Determines where the body ends (RFC 9112, 6.3).
    fn body(&self) -> Result<Stage, String> {
        let reply = &self.reply;
        let tunnel = self.method == "CONNECT" && (200..300).contains(&reply.status);
        if self.method == "HEAD" || tunnel || matches!(reply.status, 101 | 204 | 304) {
            return Ok(Stage::Whole);
        }
        let framing = match (reply.header("Transfer-Encoding"), reply.header("Content-Length")) {
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
            (Some(coding), length) => {
                return Err(format!("Transfer-Encoding is {coding:?}, Content-Length {length:?}"));
            }
            (None, Some(length)) => {
                Framing::Length(length.parse().map_err(|_| format!("its Content-Length is {length:?}"))?)
            }
            (None, None) => return Ok(Stage::UntilClose),
        };
        Ok(Stage::Framed(BodyDecoder::new(framing), Fields::new()))
    }

    /// Called when the connection has ended without an error. A body that lasts until the close is whole then.
    pub fn end(&mut self) {
        if matches!(self.stage, Stage::UntilClose) {
            self.stage = Stage::Whole;
        }
    }

    pub fn has_head(&self) -> bool {
        !matches!(self.stage, Stage::Head)
    }

    pub fn is_whole(&self) -> bool {
        matches!(self.stage, Stage::Whole)
    }

    /// What has come. Before the head its status is 0.
    pub fn so_far(&self) -> &Reply {
        &self.reply
    }

    pub fn set_log(&mut self, log: Vec<Line>) {
        self.reply.log = log;
    }

    pub fn reply(self) -> Reply {
        self.reply
    }

    /// Describes how much of the answer has come, for the message of a test that waited for more.
    pub fn progress(&self) -> String {
        let (status, had) = (self.reply.status, self.reply.body.len());
        match &self.stage {
            Stage::Head if self.rest.is_empty() => "nothing of the answer has come".to_owned(),
            Stage::Head => format!("only this of its head has come: {:?}", String::from_utf8_lossy(&self.rest)),
            Stage::Framed(decoder, _) if self.reply.header("Content-Length").is_some() => {
                format!("{status}, and {had} bytes of the body have come; {} are missing", decoder.remaining())
            }
            Stage::Framed(..) => format!("{status}, and {had} bytes of the body have come; its last chunk is missing"),
            Stage::UntilClose => format!("{status}, and {had} bytes of a body that ends with the connection have come"),
            Stage::Whole => format!("{status}, whole"),
        }
    }
}
