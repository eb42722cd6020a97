//! The value of a part's Content-Disposition, as browsers and programs write it (RFC 7578, 4.2).
//!
//! It is not quite the grammar of other fields. Browsers put the bytes of a name between quotes as they are, in UTF-8, with `%22`
//! for a quote and `%0D%0A` for a line end (the WHATWG's HTML standard, "multipart form data"); they do not double backslashes.
//! Other programs write `\"` and `\\`. So a backslash escapes these two characters alone, and `%22` is a quote. The other two
//! triplets stay as they are, so that no name has a line end in it.

use super::super::octet::{self, TOKEN};
use super::MultipartFault;

/// The names that a Content-Disposition has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    pub name: String,
    pub file_name: Option<String>,
}

/// Reads the value of a field, which has no control characters but HTAB.
pub(super) fn read(value: &[u8]) -> Result<Disposition, MultipartFault> {
    let (kind, mut rest) = token(value);
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return Err(MultipartFault::Disposition);
    }
    let (mut name, mut plain, mut extended) = (None, None, None);
    while let Some((parameter, value, after)) = next(rest)? {
        rest = after;
        let place = match () {
            () if parameter.eq_ignore_ascii_case(b"name") => &mut name,
            () if parameter.eq_ignore_ascii_case(b"filename") => &mut plain,
            () if parameter.eq_ignore_ascii_case(b"filename*") => &mut extended,
            () => continue,
        };
        if place.replace(value).is_some() {
            return Err(MultipartFault::Disposition);
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| MultipartFault::Name);
    let name = text(name.ok_or(MultipartFault::Disposition)?)?;
    // RFC 7578 forbids the extended form, but some programs send nothing else for a name that is not ASCII.
    let extended = extended.map(|value| decode_extended(&value)).transpose()?;
    let file_name = plain.or(extended).map(text).transpose()?;
    Ok(Disposition { name, file_name })
}

/// The parameter at the beginning of a text: its name, its value, and what follows it. `None` at the end.
fn next(text: &[u8]) -> Result<Option<(&[u8], Vec<u8>, &[u8])>, MultipartFault> {
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.strip_prefix(b";").ok_or(MultipartFault::Disposition)?.trim_ascii_start();
    if text.is_empty() {
        return Ok(None);
    }
    let (name, rest) = token(text);
    let rest = rest.strip_prefix(b"=").filter(|_| !name.is_empty()).ok_or(MultipartFault::Disposition)?;
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        let (value, rest) = token(rest);
        return if value.is_empty() {
            Err(MultipartFault::Disposition)
        } else {
            Ok(Some((name, value.to_vec(), rest)))
        };
    };
    let (value, rest) = unquote(quoted).ok_or(MultipartFault::Disposition)?;
    Ok(Some((name, value, rest)))
}

/// Reads up to the closing quote. Returns what is meant, and what follows the quote.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = text;
    loop {
        let (byte, after) = match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', byte @ (b'"' | b'\\'), after @ ..] => (*byte, after),
            [b'%', b'2', b'2', after @ ..] => (b'"', after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        value.push(byte);
        rest = after;
    }
}

/// The bytes of a value such as `UTF-8''n%C3%A4me` (RFC 8187, 3.2).
fn decode_extended(value: &[u8]) -> Result<Vec<u8>, MultipartFault> {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _language, coded) = (parts.next(), parts.next(), parts.next());
    let is_utf8 = charset.is_some_and(|charset| charset.eq_ignore_ascii_case(b"utf-8"));
    let mut rest = coded.filter(|_| is_utf8).ok_or(MultipartFault::Name)?;
    let mut bytes = Vec::new();
    while let [byte, after @ ..] = rest {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (digit(high), digit(low)) {
                // Two hexadecimal digits are at most 255.
                (Some(high), Some(low)) => ((high * 16 + low) as u8, after),
                _ => return Err(MultipartFault::Name),
            },
            (b'%', _) => return Err(MultipartFault::Name),
            (byte, after) => (*byte, after),
        };
        // Percent-coding must not bring a line end or another control character into the name.
        if byte.is_ascii_control() {
            return Err(MultipartFault::Name);
        }
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

/// Splits a text behind the token at its beginning, which may be empty.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|&&byte| octet::is(byte, TOKEN)).count();
    text.split_at_checked(length).unwrap_or((text, &[]))
}
