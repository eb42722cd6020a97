//! Reads a complete section of fields (RFC 9112, 5). httparse finds the fields. This file also checks the line ends, because
//! httparse accepts LF alone.

use super::{
    fault::Fault,
    fields::{Fields, Line},
    limits::HeadLimits,
};

/// A section that was read: the fields, and the text of the whole head, in which they stand.
pub(super) struct Section<'a, 's> {
    pub(super) found: &'s [httparse::Header<'a>],
    pub(super) text: &'a [u8],
}

/// Reads the section of fields behind the first `line_len` bytes of `head`, the start line, and fills `into` with the head's text
/// and its fields. `skipped` is the number of bytes before the start line; the limit of the head counts them too.
///
/// `None` if the section is incomplete, malformed or beyond a limit; `Err` if it has more fields than `slots`.
#[inline]
pub(super) fn read<'a, 's>(
    head: &'a [u8],
    line_len: usize,
    skipped: usize,
    limits: &HeadLimits,
    slots: &'s mut [httparse::Header<'a>],
    into: &mut Fields,
) -> Option<Result<Section<'a, 's>, Fault>> {
    let (len, found) = match httparse::parse_headers(head.get(line_len..)?, slots) {
        Ok(httparse::Status::Complete(parts)) => parts,
        Err(httparse::Error::TooManyHeaders) => return Some(Err(Fault::TooManyFields)),
        _ => return None,
    };
    let text = head.get(..line_len + len)?;
    if skipped + text.len() > limits.bytes.min(u32::MAX as usize) || found.len() > limits.fields {
        return None;
    }
    into.load(text);
    mark(found, text, into).then_some(Ok(Section { found, text }))
}

/// Adds the fields that were found to `into`, as positions in `text`, the whole head. Returns whether all lines end with CR LF:
/// httparse accepts LF alone too.
#[inline(never)]
fn mark(found: &[httparse::Header<'_>], text: &[u8], into: &mut Fields) -> bool {
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
