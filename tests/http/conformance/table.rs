//! What a row of the table says, and the words that it is written in.

use std::time::Duration;

/// How much a requirement binds (RFC 2119); `Ours` where the RFCs leave a choice and this crate has made it: what is
/// ambiguous is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Must,
    MustNot,
    Should,
    May,
    Ours,
}

/// A requirement, bytes that put it to the test, and what has to come of them.
pub struct Row {
    /// The RFC and its section: `9112 3.2`.
    pub section: &'static str,
    pub level: Level,
    pub says: &'static str,
    pub wire: Vec<u8>,
    /// The peer half-closes behind the bytes.
    pub fin: bool,
    /// So much virtual time passes behind the bytes. Such a row is not replayed over a real socket.
    pub wait: Duration,
    pub expected: Expected,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    NotCalled,
    /// It was called, and the content never was whole.
    Called,
    /// It had all of the request.
    Whole,
}

/// What comes of a row's bytes.
pub struct Expected {
    pub handler: Handler,
    /// Informational responses before the final one.
    pub informed: Vec<u16>,
    /// `None`: not one byte of a final response.
    pub status: Option<u16>,
    /// The request as the handler saw it: see `told` in the runner.
    pub saw: Option<&'static str>,
    /// Fields that the response has, with this value, or must not have.
    pub fields: Vec<(&'static str, Option<&'static str>)>,
    pub content: Option<&'static str>,
    pub trailers: Option<&'static str>,
    /// A refusal follows: the bytes behind the request were no request.
    pub then: Option<u16>,
    pub closes: bool,
    /// The response says so.
    pub announced: bool,
    /// The message is not whole: what follows would be a part of it.
    pub unfinished: bool,
}

fn row(section: &'static str, level: Level, says: &'static str, wire: impl AsRef<[u8]>) -> Row {
    let expected = Expected {
        handler: Handler::Whole,
        informed: Vec::new(),
        status: Some(200),
        saw: None,
        fields: Vec::new(),
        content: None,
        trailers: None,
        then: None,
        closes: false,
        announced: true,
        unfinished: false,
    };
    let wire = wire.as_ref().to_vec();
    Row { section, level, says, wire, fin: false, wait: Duration::ZERO, expected }
}

pub fn must(section: &'static str, says: &'static str, wire: impl AsRef<[u8]>) -> Row {
    row(section, Level::Must, says, wire)
}

pub fn must_not(section: &'static str, says: &'static str, wire: impl AsRef<[u8]>) -> Row {
    row(section, Level::MustNot, says, wire)
}

pub fn should(section: &'static str, says: &'static str, wire: impl AsRef<[u8]>) -> Row {
    row(section, Level::Should, says, wire)
}

pub fn may(section: &'static str, says: &'static str, wire: impl AsRef<[u8]>) -> Row {
    row(section, Level::May, says, wire)
}

pub fn ours(section: &'static str, says: &'static str, wire: impl AsRef<[u8]>) -> Row {
    row(section, Level::Ours, says, wire)
}

impl Row {
    // ---- What the peer does

    /// The peer half-closes behind these bytes.
    pub fn then_fin(mut self) -> Row {
        self.fin = true;
        self
    }

    /// The peer sends nothing more for so long.
    pub fn then_silence(mut self, seconds: u64) -> Row {
        self.wait = Duration::from_secs(seconds);
        self.expected.unfinished = true;
        self
    }

    // ---- What comes of it

    /// The handler sees this request, it is answered, and the connection goes on.
    pub fn sees(mut self, saw: &'static str) -> Row {
        self.expected.saw = Some(saw);
        self
    }

    /// The handler sees this request, it is answered, and the connection closes.
    pub fn sees_last(self, saw: &'static str) -> Row {
        self.sees(saw).closes()
    }

    /// The connection closes behind the response, which says so.
    pub fn closes(mut self) -> Row {
        self.expected.closes = true;
        self
    }

    /// The connection closes for what comes behind a response that had gone.
    pub fn closes_unannounced(mut self) -> Row {
        self.expected.announced = false;
        self.closes()
    }

    /// No handler sees it; it is answered with this status, and the connection closes.
    pub fn refused(mut self, status: u16) -> Row {
        self.expected.handler = Handler::NotCalled;
        self.expected.status = Some(status);
        self.closes()
    }

    /// A handler saw its head, but its content is bad: it is answered with this status, and the connection closes.
    pub fn broken_off(mut self, status: u16) -> Row {
        self.expected.handler = Handler::Called;
        self.expected.status = Some(status);
        self.closes()
    }

    /// A handler saw its head only; it is answered with this status, and the connection goes on.
    pub fn cut_short(mut self, status: u16) -> Row {
        self.expected.handler = Handler::Called;
        self.expected.status = Some(status);
        self
    }

    /// No handler sees it, not one byte answers it, and the connection closes.
    pub fn silently_closed(mut self) -> Row {
        self.expected.handler = Handler::NotCalled;
        self.expected.status = None;
        self.expected.unfinished = true;
        self.closes()
    }

    /// A handler saw its head, but its content never ends: not one byte answers it, and the connection closes.
    pub fn silently_broken_off(self) -> Row {
        let mut row = self.silently_closed();
        row.expected.handler = Handler::Called;
        row
    }

    /// The status of the response.
    pub fn status(mut self, status: u16) -> Row {
        self.expected.status = Some(status);
        self
    }

    /// An informational response comes before the final one.
    pub fn informed(mut self, status: u16) -> Row {
        self.expected.informed.push(status);
        self
    }

    /// What follows the request in the same bytes is refused.
    pub fn then_refused(mut self, status: u16) -> Row {
        self.expected.then = Some(status);
        self.closes()
    }

    /// The response has this field.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Row {
        self.expected.fields.push((name, Some(value)));
        self
    }

    /// The response does not have this field.
    pub fn without(mut self, name: &'static str) -> Row {
        self.expected.fields.push((name, None));
        self
    }

    /// The content of the response.
    pub fn content(mut self, content: &'static str) -> Row {
        self.expected.content = Some(content);
        self
    }

    /// The trailers of the response.
    pub fn trailers(mut self, trailers: &'static str) -> Row {
        self.expected.trailers = Some(trailers);
        self
    }

    // ---- What follows from the bytes

    fn line(&self) -> &[u8] {
        self.wire.strip_prefix(b"\r\n").unwrap_or(&self.wire)
    }

    pub fn is_head(&self) -> bool {
        self.line().starts_with(b"HEAD ")
    }

    pub fn is_http10(&self) -> bool {
        let line = self.line().split(|&byte| byte == b'\r').next().unwrap_or_default();
        line.ends_with(b"HTTP/1.0")
    }
}

/// A GET with a Host field and these lines.
pub fn get_with(lines: &str) -> Vec<u8> {
    format!("GET /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n").into_bytes()
}

/// A POST with a Host field, these lines, and what follows the head.
pub fn post_with(lines: &str, content: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n{content}").into_bytes()
}
