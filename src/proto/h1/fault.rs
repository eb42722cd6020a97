//! The mistakes that a peer can make, and the status that answers each of them.

use std::fmt;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident = $status:literal, $text:literal;)+) => {
        /// The reason why a message is refused. After any of these faults the connection has no defined next message and
        /// must be closed once the answer is sent (RFC 9112, 2.2 and 6.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault { $($(#[doc = $doc])+ $name,)+ }

        impl Fault {
            /// Every fault there is, for tables and metrics.
            pub const ALL: &'static [Fault] = &[$(Fault::$name),+];

            /// The status code that answers this fault in a request (RFC 9110, 15.5 and 15.6). A gateway answers every fault of a
            /// response that it has received with 502.
            pub const fn status(self) -> u16 {
                match self { $(Fault::$name => $status,)+ }
            }

            /// A short description of the fault, for the log and for the peer. It repeats nothing of the message.
            pub const fn text(self) -> &'static str {
                match self { $(Fault::$name => $text,)+ }
            }
        }
    };
}

faults! {
    /// A byte that no method can contain, where a method was due: for example a second empty line, or a TLS hello (RFC 9112,
    /// 3.1).
    Method = 400, "a request must begin with a method";
    /// A method of more than 32 bytes: no registered method is as long as this (RFC 9110, 9.1 and 15.6.2).
    MethodTooLong = 501, "the method is longer than any that is implemented";
    /// A byte that no request-target can contain, or an empty target, or more than one blank (RFC 9112, 3.2). Of printable
    /// ASCII only `#` is such a byte: browsers send the others as they are.
    TargetByte = 400, "the request-target is empty or contains a byte that must be percent-encoded";
    /// A target that fits none of the four forms, or does not have the form that its method needs (RFC 9112, 3.2.1 to 3.2.4).
    TargetForm = 400, "the request-target has no form that suits the method";
    /// The target alone is longer than its limit (RFC 9110, 15.5.15).
    TargetTooLong = 414, "the request-target is too long";
    /// A request line without a version, as in HTTP/0.9 (RFC 9112, 3).
    VersionMissing = 400, "the request line has no HTTP version";
    /// The version is not `HTTP/` digit `.` digit, followed by a line end (RFC 9112, 2.3).
    Version = 400, "the HTTP version is malformed";
    /// A major version other than 1 (RFC 9110, 15.6.6).
    VersionUnsupported = 505, "only HTTP/1.0 and HTTP/1.1 are spoken here";
    /// A status line that is not version, blank, three digits, blank, phrase, in a response that was received (RFC 9112, 4).
    StatusLine = 502, "the status line is malformed";
    /// A status code that is not 100 to 599, in a response that was received (RFC 9110, 15).
    StatusCode = 502, "the status code is not a number from 100 to 599";
    /// A line that ends with LF alone (RFC 9112, 2.2 allows us to accept it, but attackers exploit that some parsers do and
    /// others do not).
    BareLf = 400, "a line ends with LF without CR";
    /// CR without LF (RFC 9112, 2.2).
    BareCr = 400, "a CR is not followed by LF";
    /// A byte that no field name can contain, or an empty name (RFC 9110, 5.1).
    FieldName = 400, "a field name contains a byte that is not allowed";
    /// Whitespace between a field name and its colon (RFC 9112, 5.1).
    SpaceBeforeColon = 400, "a field name is followed by whitespace";
    /// A line that begins with whitespace: obsolete folding, or a blank before the first field (RFC 9112, 5.2 and 2.2).
    Folded = 400, "a field line begins with whitespace";
    /// A control character in a field value (RFC 9110, 5.5).
    FieldValue = 400, "a field value contains a control character";
    /// A byte over 0x7F (obs-text of RFC 9110, 5.5) in Connection, Expect or Upgrade, which say how the message is read.
    /// In other fields it is opaque data.
    FieldValueNotAscii = 400, "Connection, Expect or Upgrade contains a byte that is not ASCII";
    /// The request line and the fields together are longer than their limit (RFC 6585, 5).
    HeadTooLarge = 431, "the head of the request is too large";
    /// More fields than the limit (RFC 6585, 5).
    TooManyFields = 431, "the request has too many fields";
    /// An HTTP/1.1 request without Host (RFC 9112, 3.2).
    HostMissing = 400, "the Host field is missing";
    /// More than one Host field (RFC 9112, 3.2).
    HostRepeated = 400, "the Host field is given more than once";
    /// A Host that is not `uri-host [ ":" port ]` (RFC 9110, 7.2).
    HostInvalid = 400, "the Host field is malformed";
    /// A Content-Length that is not one decimal number below 2^64 (RFC 9112, 6.3).
    LengthInvalid = 400, "the Content-Length is not a number";
    /// More than one Content-Length, even if all agree (RFC 9112, 6.3).
    LengthRepeated = 400, "the Content-Length is given more than once";
    /// Content-Length and Transfer-Encoding together (RFC 9112, 6.1 and 11.2).
    LengthAndCoding = 400, "Content-Length and Transfer-Encoding exclude each other";
    /// Transfer-Encoding in an HTTP/1.0 request (RFC 9112, 6.1).
    CodingInHttp10 = 400, "HTTP/1.0 has no Transfer-Encoding";
    /// A Transfer-Encoding that is empty, malformed, or does not end with one `chunked` (RFC 9112, 6.1 and 6.3).
    CodingInvalid = 400, "the Transfer-Encoding must end with chunked, once";
    /// A transfer coding that is not implemented (RFC 9112, 6.1).
    CodingUnknown = 501, "only the chunked transfer coding is implemented";
    /// CONNECT with content, which has no defined meaning (RFC 9110, 9.3.6).
    ConnectWithContent = 400, "CONNECT has no content";
    /// A chunk size that is not 1 to 16 hexadecimal digits (RFC 9112, 7.1).
    ChunkSize = 400, "a chunk size is malformed";
    /// A chunk extension against the grammar (RFC 9112, 7.1.1).
    ChunkExtension = 400, "a chunk extension is malformed";
    /// More bytes of chunk extensions than the limit (RFC 9112, 7.1.1; RFC 9110, 15.5.14).
    ChunkExtensionsTooLarge = 413, "the chunk extensions are too large";
    /// Chunk data that is not followed by CRLF (RFC 9112, 7.1).
    ChunkEnd = 400, "a chunk is longer than its size says";
    /// A field that is not allowed after the content: framing, routing, authentication (RFC 9110, 6.5.1).
    TrailerForbidden = 400, "a trailer field is not allowed there";
    /// More bytes of trailer fields than the limit (RFC 6585, 5).
    TrailersTooLarge = 431, "the trailer section is too large";
    /// More trailer fields than the limit (RFC 6585, 5).
    TooManyTrailers = 431, "the trailer section has too many fields";
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text())
    }
}

impl std::error::Error for Fault {}
