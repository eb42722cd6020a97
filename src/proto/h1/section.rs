//! Reads a complete section of fields (RFC 9112, 5). httparse finds the fields. This file also checks the line ends, because
//! httparse accepts LF alone.

use super::{
    fault::Fault,
    fields::{Fields, Line},
};

/// Finds the fields of the section at the start of `bytes`. Returns the length of the section, with the empty line at its end,
/// and the fields.
///
/// `None` if the section is incomplete or malformed; `Err` if it has more fields than `slots`.
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

/// Adds the fields that were found to `into`, as positions in `text`, the whole head. Returns whether all lines end with CR LF:
/// httparse accepts LF alone too.
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

/// Returns how many bytes of `whole` precede `part`, which is a slice of it.
#[inline]
pub(super) fn distance(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize)
}
