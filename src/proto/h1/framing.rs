//! Where the content of a message ends (RFC 9112, 6). What is ambiguous in a request is refused.

use super::{fault::Fault, octet, version::Version};

/// Where the content of a message ends (RFC 9112, 6.3): of one that is received and of one that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// There is no content, and no field that says so: a request without one, or a response with status 1xx, 204 or 304.
    #[default]
    None,
    /// This many bytes of content follow the head: `Content-Length`.
    Length(u64),
    /// Chunks follow the head: `Transfer-Encoding: chunked`.
    Chunked,
    /// The content ends where the connection does. Only a response can be like this: to an HTTP/1.0 client, or from an
    /// HTTP/1.0 server.
    UntilClose,
}

/// A Content-Length: decimal digits, all of them, below 2^64 (RFC 9110, 8.6). No sign, no list, no blank inside.
pub(super) fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Checks the codings of all Transfer-Encoding fields of a message: `chunked`, once, and nothing else.
pub(super) fn codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<(), Fault> {
    let mut chunked = false;
    let mut unknown = false;
    for coding in values.flat_map(octet::list) {
        // Parameters of a coding that we do not know need no reading.
        let parameters = coding.iter().position(|&byte| byte == b';');
        let name = coding.get(..parameters.unwrap_or(coding.len())).unwrap_or(coding).trim_ascii_end();
        if chunked || name.is_empty() || !octet::all(name, octet::TOKEN) {
            return Err(Fault::CodingInvalid);
        }
        if !name.eq_ignore_ascii_case(b"chunked") {
            unknown = true;
        } else if parameters.is_some() {
            // `chunked` has none, and their presence is an error (RFC 9112, 7.1).
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
/// only Content-Length field; `coded` is what [`codings`] said about Transfer-Encoding, where there is one.
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

/// The framing of a response that can have content. The same rules, but without the fields the content ends with the connection
/// (RFC 9112, 6.3).
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
