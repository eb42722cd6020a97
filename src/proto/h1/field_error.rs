//! The mistakes that our own side can make with a head, and the checks that make it impossible to smuggle one message into
//! another.

use std::fmt;

use crate::proto::octet::{self, TOKEN, VALUE};

/// The reason why a field, a status, a method or a target cannot be sent. The call that returned it changed nothing. The text of the error says what
/// to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is not a token (RFC 9110, 5.1).
    Name,
    /// The value has a control character (CR, LF and NUL among them; RFC 9110, 5.5), or is not ASCII in a field that determines
    /// how the message is read.
    Value,
    /// The list of fields would not fit into 4 GiB.
    TooLong,
    /// The status code is out of its range (RFC 9110, 15).
    Status,
    /// The reason phrase has a control character or is not ASCII (RFC 9112, 4).
    Reason,
    /// Content-Length is not a decimal number below 2^64, or was given twice (RFC 9110, 8.6).
    ContentLength,
    /// Transfer-Encoding is not `chunked`, or was given twice (RFC 9112, 6.1).
    TransferEncoding,
    /// Content-Length and Transfer-Encoding were both set (RFC 9112, 6.2).
    LengthAndCoding,
    /// The content that was given has another length than the Content-Length that was set (RFC 9110, 8.6).
    LengthMismatch,
    /// The method is not a token of 1 to 32 bytes (RFC 9110, 9.1).
    Method,
    /// The request-target has a byte that must be percent-encoded, or a form that does not suit the method (RFC 9112, 3.2).
    Target,
    /// The Host is not `host` or `host:port`, or was given twice (RFC 9110, 7.2).
    Host,
    /// Content for CONNECT or TRACE, whose requests have none (RFC 9110, 9.3.6 and 9.3.8).
    NoContent,
    /// The field is not allowed in an informational response or a trailer section (RFC 9112, 6.1; RFC 9110, 6.5.1).
    Forbidden,
}

impl fmt::Display for FieldError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            FieldError::Name => "a field name must be one or more letters, digits or any of !#$%&'*+-.^_`|~",
            FieldError::Value => "a field value must be in one line, without control characters",
            FieldError::TooLong => "the fields are too long",
            FieldError::Status => "a status code is 100 to 999; informational responses take 100 and 102 to 199",
            FieldError::Reason => "a reason phrase must be printable ASCII in one line",
            FieldError::ContentLength => "Content-Length must be one decimal number",
            FieldError::TransferEncoding => {
                "only `Transfer-Encoding: chunked` can be sent: leave it out, it is chosen where it is needed"
            }
            FieldError::LengthAndCoding => "Content-Length and Transfer-Encoding exclude each other: remove one",
            FieldError::LengthMismatch => {
                "the content is not as long as Content-Length says: leave that field out, it is computed"
            }
            FieldError::Method => "a method must be 1 to 32 letters, digits or any of !#$%&'*+-.^_`|~",
            FieldError::Target => {
                "a request-target must be `/path?query` in ASCII without blanks and `#`: percent-encode them; `host:port` for CONNECT"
            }
            FieldError::Host => "Host must be one host, with a port or without",
            FieldError::NoContent => "a request with CONNECT or TRACE has no content",
            FieldError::Forbidden => "this field is not allowed in an informational response or after the content",
        })
    }
}

impl std::error::Error for FieldError {}

/// Checks a field that we are to send and returns its value without the blanks around it.
#[inline]
pub(super) fn checked<'a>(name: &str, value: &'a [u8]) -> Result<&'a [u8], FieldError> {
    if name.is_empty() || !octet::all(name.as_bytes(), TOKEN) {
        return Err(FieldError::Name);
    }
    if !octet::all(value, VALUE) {
        return Err(FieldError::Value);
    }
    Ok(trimmed(value))
}

/// Returns the value without blanks at both ends, which are not part of a value (RFC 9110, 5.5). Most values have no such blanks.
#[inline]
pub(super) fn trimmed(value: &[u8]) -> &[u8] {
    match value {
        // A value contains no whitespace other than blank and tab.
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => value.trim_ascii(),
        _ => value,
    }
}
