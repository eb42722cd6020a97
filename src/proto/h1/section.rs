//! A section of fields that has come whole (RFC 9112, 5): httparse finds the fields, and what it lets pass is checked here.

use super::{
    fault::Fault,
    fields::{Fields, Line},
};

/// Finds the fields of the section at the start of `bytes`, and its length with the empty line at its end.
///
/// `None` where the bytes are no whole section; `Err` where there are more fields than `slots`.
#[inline]
pub(super) fn find<'a, 's>(
    bytes: &'a [u8],
    slots: &'s mut [httparse::Header<'a>],
) -> Option<Result<(usize, &'s [httparse::Header<'a>]), Fault>> {
    match httparse::parse_headers(bytes, slots) {
        Ok(httparse::Status::Complete(parts)) => Some(Ok(parts)),
        Err(httparse::Error::TooManyHeaders) => Some(Err(Fault::TooManyFields)),
        _ => None,
    }
}

/// Marks the fields in the text, which is that of the whole head. Returns whether all lines end with CR LF: httparse takes LF
/// alone for a line end too.
#[inline(never)]
pub(super) fn mark(found: &[httparse::Header<'_>], text: &[u8], into: &mut Fields) -> bool {
    let mut lines_end_well = text.ends_with(b"\r\n\r\n");
    into.mark_all(found.iter().map(|field| {
        let name = distance(text, field.name.as_bytes());
        let value = distance(text, field.value);
        lines_end_well &= text.get(name.wrapping_sub(2)) == Some(&b'\r');
        Line {
            name: name as u32,
            colon: (name + field.name.len()) as u32,
            value: value as u32,
            end: (value + field.value.len()) as u32,
        }
    }));
    lines_end_well
}

/// How many bytes `part`, a slice of `whole`, stands behind its start.
#[inline]
pub(super) fn distance(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize)
}
