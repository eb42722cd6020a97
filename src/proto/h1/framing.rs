//! Where the content of a message ends (RFC 9112, 6). A request in which this is ambiguous is refused.

use super::{fault::Fault, version::Version};
use crate::proto::octet;

/// Where the content of a message ends (RFC 9112, 6.3), for received and for sent messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// There is no content, and no field about its length: a request without content, or a response with status 1xx, 204 or 304.
    #[default]
    None,
    /// This many bytes of content follow the head: `Content-Length`.
    Length(u64),
    /// Chunks follow the head: `Transfer-Encoding: chunked`.
    Chunked,
    /// The content ends where the connection does. Only a response can have this framing: to an HTTP/1.0 client, or from an
    /// HTTP/1.0 server.
    UntilClose,
}

/// Reads the value of a Content-Length: only decimal digits, and a number below 2^64 (RFC 9110, 8.6). A sign, a list or a blank
/// inside gives `None`.
pub(super) fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Checks the codings of all Transfer-Encoding fields of a message: they must be `chunked`, once, and nothing else.
pub(super) fn codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<(), Fault> {
    let mut chunked = false;
    let mut unknown = false;
    for coding in values.flat_map(octet::list) {
        // The parameters of an unknown coding are not read.
        let parameters = coding.iter().position(|&byte| byte == b';');
        let name = coding.get(..parameters.unwrap_or(coding.len())).unwrap_or(coding).trim_ascii_end();
        if chunked || name.is_empty() || !octet::all(name, octet::TOKEN) {
            return Err(Fault::CodingInvalid);
        }
        if !name.eq_ignore_ascii_case(b"chunked") {
            unknown = true;
        } else if parameters.is_some() {
            // `chunked` has no parameters; if some are present, that is an error (RFC 9112, 7.1).
            return Err(Fault::CodingInvalid);
        } else {
            chunked = true;
        }
    }
    match (unknown, chunked) {
        (true, _) => Err(Fault::CodingUnknown),
        (false, true) => Ok(()),
        (false, false) => Err(Fault::CodingInvalid),
    }
}

/// The framing of a request, by the rules that combine the two fields (RFC 9112, 6.1 and 6.3). `length_value` is the value of the
/// only Content-Length field; `coded` is the result of [`codings`], if there is a Transfer-Encoding field.
#[inline]
pub(super) fn of_request(
    version: Version,
    length_value: Option<&[u8]>,
    coded: Option<Result<(), Fault>>,
) -> Result<Framing, Fault> {
    match (length_value, coded) {
        (None, None) => Ok(Framing::None),
        (Some(value), None) => length(value).map(Framing::Length).ok_or(Fault::LengthInvalid),
        (_, Some(_)) if version == Version::Http10 => Err(Fault::CodingInHttp10),
        (Some(_), Some(_)) => Err(Fault::LengthAndCoding),
        (None, Some(checked)) => checked.map(|()| Framing::Chunked),
    }
}

/// The framing of a response that can have content. The rules are those for requests, except that without both fields the content
/// ends with the connection (RFC 9112, 6.3).
pub(super) fn of_response(
    version: Version,
    length_value: Option<&[u8]>,
    coded: Option<Result<(), Fault>>,
) -> Result<Framing, Fault> {
    match (length_value, coded) {
        (None, None) => Ok(Framing::UntilClose),
        _ => of_request(version, length_value, coded),
    }
}
