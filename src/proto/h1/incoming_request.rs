//! The head of a request that was received, and what it means.

use super::{
    fields::Fields,
    framing::Framing,
    persistence::{self, ConnectionOption},
    target::TargetForm,
    version::Version,
};

/// The head of one request. It has one buffer, which is reused for the next head.
///
/// [`RequestParser::parse`](super::RequestParser::parse) fills it. Use its contents only after that call has returned `Complete`.
#[derive(Clone, Debug, Default)]
pub struct IncomingRequest {
    /// The text of this list is the head, from the first byte of the method to the last CRLF.
    pub(super) fields: Fields,
    pub(super) line: RequestLine,
    pub(super) framing: Framing,
    pub(super) version: Version,
    pub(super) option: ConnectionOption,
    pub(super) flags: u8,
}

/// The positions of the parts of the request line in the text of the head, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestLine {
    pub(super) method_end: u32,
    pub(super) target_end: u32,
    pub(super) path: (u32, u32),
    /// Where the query begins. 0 if there is none, since no query can begin there.
    pub(super) query: u32,
    pub(super) host: (u32, u32),
    pub(super) form: TargetForm,
}

/// The Expect field has `100-continue`.
pub(super) const CONTINUE: u8 = 1;
/// There is an Expect field.
pub(super) const EXPECT: u8 = 2;
/// The Connection field has `upgrade`, and there is an Upgrade field.
pub(super) const UPGRADE: u8 = 4;
/// There is a host, in the target or in the Host field; it may be empty.
pub(super) const HOST: u8 = 8;

impl IncomingRequest {
    /// An empty head, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The method; its case matters (RFC 9110, 9.1).
    pub fn method(&self) -> &str {
        self.fields.ascii(0, self.line.method_end)
    }

    /// The bytes of the method. They need not be checked to be text.
    pub fn method_bytes(&self) -> &[u8] {
        self.fields.bytes(0, self.line.method_end)
    }

    /// Returns whether the method is HEAD: the response has no content (RFC 9110, 9.3.2).
    pub fn is_head(&self) -> bool {
        self.method_bytes() == b"HEAD"
    }

    /// Returns whether the method is CONNECT: a 2xx response turns the connection into a tunnel (RFC 9110, 9.3.6).
    pub fn is_connect(&self) -> bool {
        // Only CONNECT may use the authority form, and it may use no other (RFC 9112, 3.2.3).
        self.line.form == TargetForm::Authority
    }

    /// The request-target as received (RFC 9112, 3.2).
    pub fn target(&self) -> &str {
        let target = self.fields.ascii(self.line.method_end, self.line.target_end);
        target.get(1..).unwrap_or_default()
    }

    /// Method and target with the blank between them, as received. They are bytes, because a log may never need them as text.
    pub fn method_and_target(&self) -> &[u8] {
        self.fields.bytes(0, self.line.target_end)
    }

    /// The form of the target.
    pub fn form(&self) -> TargetForm {
        self.line.form
    }

    /// The path of the target, up to its `?`, as received: nothing is decoded, and a `%` that two digits do not follow is kept:
    /// whoever decodes the path must deal with it. `/` for an absolute target that has none; `*` for the asterisk form;
    /// `host:port` for CONNECT.
    pub fn path(&self) -> &str {
        match self.fields.ascii(self.line.path.0, self.line.path.1) {
            "" if self.line.form == TargetForm::Absolute => "/",
            path => path,
        }
    }

    /// The bytes of the [path](Self::path). They need not be checked to be text.
    pub fn path_bytes(&self) -> &[u8] {
        match self.fields.bytes(self.line.path.0, self.line.path.1) {
            b"" if self.line.form == TargetForm::Absolute => b"/",
            path => path,
        }
    }

    /// The part of the target after its first `?`, as received. It may be empty; `None` if there is no `?`.
    pub fn query(&self) -> Option<&str> {
        let start = self.line.query;
        (start > 0).then(|| self.fields.ascii(start, self.line.target_end))
    }

    /// The version of the request.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The host and port that the request is for: from the target if it has an authority (which overrides the field, RFC 9112,
    /// 3.2.2 and 3.3), else from the Host field. `None` only if both are missing; the text may be empty.
    pub fn host(&self) -> Option<&str> {
        (self.flags & HOST != 0).then(|| self.fields.ascii(self.line.host.0, self.line.host.1))
    }

    /// All fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// All fields whose values are text: see [`Fields::iter`].
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter()
    }

    /// The value of the first field of that name, if it is text: see [`Fields::get`].
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// The values of all fields of that name that are text: see [`Fields::get_all`].
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.get_all(name)
    }

    /// The value of the first field of that name: see [`Fields::get_bytes`].
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.get_bytes(name)
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Where the content of the request ends (RFC 9112, 6.3).
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Returns whether the peer allows another request on this connection (RFC 9112, 9.3).
    pub fn persistent(&self) -> bool {
        persistence::persistent(self.version, self.option)
    }

    /// Returns whether there is an Expect field. It may have `100-continue` or other expectations; 417 is meant for the others.
    pub fn expects(&self) -> bool {
        self.flags & EXPECT != 0
    }

    /// Returns whether the peer waits for `100 (Continue)` before it sends its content. Always false in HTTP/1.0 (RFC 9110,
    /// 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11 && self.flags & CONTINUE != 0
    }

    /// The first expectation that is not `100-continue`. The status 417 is meant for such a request (RFC 9110, 10.1.1 and
    /// 15.5.18).
    pub fn expectation(&self) -> Option<&str> {
        if self.expects() { self.first_expectation() } else { None }
    }

    #[cold]
    fn first_expectation(&self) -> Option<&str> {
        self.fields
            .elements("expect")
            .find(|element| !element.eq_ignore_ascii_case(b"100-continue"))
            .and_then(|element| std::str::from_utf8(element).ok())
    }

    /// Returns whether the peer offers another protocol: Connection has the option `upgrade`, and there is an Upgrade field.
    /// Always false in HTTP/1.0 (RFC 9110, 7.8).
    pub fn wants_upgrade(&self) -> bool {
        self.version == Version::Http11 && self.flags & UPGRADE != 0
    }

    /// Returns whether the peer offers this protocol, such as `websocket`. Upper and lower case are the same (RFC 9110, 7.8).
    /// Always false where [`wants_upgrade`](IncomingRequest::wants_upgrade) is.
    pub fn offers(&self, protocol: &str) -> bool {
        let mut offered = self.fields.elements("upgrade");
        self.wants_upgrade() && offered.any(|offered| offered.eq_ignore_ascii_case(protocol.as_bytes()))
    }

    /// Forgets the request and keeps the memory.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = IncomingRequest { fields, ..Self::default() };
    }

    /// How many bytes of memory the buffers hold.
    pub fn capacity(&self) -> usize {
        self.fields.capacity()
    }

    /// Gives back the memory that the present head does not need; all of it after [`clear`](Self::clear).
    pub fn shrink(&mut self) {
        self.fields.shrink();
    }
}
