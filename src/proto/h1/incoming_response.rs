//! The head of a response that was received, and what it means.

use super::{
    fault::Fault,
    fields::Fields,
    framing::{self, Framing},
    limits::HeadLimits,
    parse::{self, Incoming, Parsed},
    persistence::{self, ConnectionOption},
    response_framing::RequestInfo,
    scan::Scan,
    section,
    status_line::{self, StatusLineScan},
    version::Version,
};
use crate::proto::octet;

/// The head of one response. It has one buffer, which is reused for the next head.
///
/// [`ResponseParser::parse`] fills it. Use its contents only after that call has returned `Complete`.
#[derive(Clone, Debug)]
pub struct IncomingResponse {
    /// The text of this list is the whole head.
    fields: Fields,
    version: Version,
    status: u16,
    /// Where the reason phrase stands in the text.
    reason: (u32, u32),
    option: ConnectionOption,
    /// The Connection field has `upgrade`.
    upgrade: bool,
    /// The framing that the fields announce, or the rule that they break. Used only if the response can have content.
    content: Result<Framing, Fault>,
}

impl Default for IncomingResponse {
    fn default() -> Self {
        IncomingResponse {
            fields: Fields::new(),
            version: Version::default(),
            status: 0,
            reason: (0, 0),
            option: ConnectionOption::default(),
            upgrade: false,
            content: Ok(Framing::None),
        }
    }
}

impl IncomingResponse {
    /// An empty head, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the response.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The status code, 100 to 599; 0 in an empty head.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns whether the status is 1xx: another response to the same request follows, unless it is 101 (RFC 9110, 15.2).
    pub fn is_informational(&self) -> bool {
        (100..=199).contains(&self.status)
    }

    /// The reason phrase as received. It has no meaning, and may be empty (RFC 9112, 4).
    pub fn reason(&self) -> &[u8] {
        self.fields.bytes(self.reason.0, self.reason.1)
    }

    /// All fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The value of the first field of that name, if it is text: see [`Fields::get`].
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// Returns where the content of this response to `request` ends, or which rule the fields break (RFC 9112, 6.3).
    ///
    /// | response | framing |
    /// |---|---|
    /// | to HEAD; 1xx, 204, 304; 2xx to CONNECT | none, whatever the fields say |
    /// | Transfer-Encoding | chunks; a fault in HTTP/1.0, together with Content-Length, or with another coding |
    /// | Content-Length, once | that length |
    /// | neither | until the close |
    pub fn framing(&self, request: &RequestInfo) -> Result<Framing, Fault> {
        match self.status {
            100..=199 | 204 | 304 => Ok(Framing::None),
            200..=299 if request.connect => Ok(Framing::None),
            _ if request.head => Ok(Framing::None),
            _ => self.content,
        }
    }

    /// Returns whether the version and the Connection field allow another request on this connection (RFC 9112, 9.3). Content
    /// that lasts until the close rules it out as well, but is not considered by this method.
    pub fn persistent(&self) -> bool {
        persistence::persistent(self.version, self.option)
    }

    /// Returns whether the server changes to another protocol: the status is 101, Connection has the option `upgrade`, and there
    /// is an Upgrade field (RFC 9110, 7.8 and 15.2.2).
    pub fn is_upgrade(&self) -> bool {
        self.status == 101 && self.upgrade && self.fields.get_bytes("upgrade").is_some()
    }

    /// Forgets the response and keeps the memory.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = IncomingResponse { fields, ..Self::default() };
    }

    /// How many bytes of memory the buffers hold.
    pub fn capacity(&self) -> usize {
        self.fields.capacity()
    }

    /// Gives back the memory that the present head does not need; all of it after [`clear`](Self::clear).
    pub fn shrink(&mut self) {
        self.fields.shrink();
    }

    /// Reads the framing, the persistence and the upgrade from the fields.
    fn judge(&mut self) -> Result<(), Fault> {
        let (mut asked, mut upgrade) = (ConnectionOption::None, false);
        let mut length = None;
        let (mut repeated, mut coded) = (false, false);
        for (name, value) in self.fields.iter_bytes() {
            match name.len() {
                10 if octet::same_name(name.as_bytes(), b"connection") => {
                    if !value.is_ascii() {
                        return Err(Fault::FieldValueNotAscii);
                    }
                    for option in octet::list(value) {
                        asked = asked.with(option);
                        upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                    }
                }
                14 if octet::same_name(name.as_bytes(), b"content-length") => {
                    repeated |= length.is_some();
                    length = Some(value);
                }
                17 if octet::same_name(name.as_bytes(), b"transfer-encoding") => coded = true,
                _ => {}
            }
        }
        let coded = coded.then(|| framing::codings(self.fields.get_all_bytes("transfer-encoding")));
        self.content =
            if repeated { Err(Fault::LengthRepeated) } else { framing::of_response(self.version, length, coded) };
        (self.option, self.upgrade) = (asked, upgrade);
        Ok(())
    }
}

/// The state of a search for the end of a response's head: see [`RequestParser`](super::RequestParser), which does the same for
/// requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseParser {
    scan: Scan<StatusLineScan>,
}

impl ResponseParser {
    /// Reads the head at the start of `bytes` into `into`, by the rules of [`RequestParser::parse`](super::RequestParser::parse).
    /// Only the limits [`HeadLimits::bytes`] and [`HeadLimits::fields`] apply.
    pub fn parse(&mut self, bytes: &[u8], limits: &HeadLimits, into: &mut IncomingResponse) -> Result<Parsed, Fault> {
        parse::parse(&mut self.scan, bytes, limits, into)
    }
}

impl Incoming for IncomingResponse {
    type Line = StatusLineScan;

    fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: &HeadLimits,
        slots: &mut [httparse::Header<'a>],
    ) -> Option<Result<usize, Fault>> {
        let line = status_line::read(bytes)?;
        let text = match section::read(bytes, line.len, 0, limits, slots, &mut self.fields)? {
            Ok(section) => section.text,
            Err(fault) => return Some(Err(fault)),
        };
        (self.version, self.status, self.reason) = (line.version, line.status, line.reason);
        Some(self.judge().map(|()| text.len()))
    }

    fn minor_version_at(_: &[u8]) -> usize {
        b"HTTP/1.".len()
    }

    fn clear(&mut self) {
        IncomingResponse::clear(self);
    }
}
