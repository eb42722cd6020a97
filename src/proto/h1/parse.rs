//! From bytes to a request head. httparse finds the fields, and what it lets pass is checked here; the request line, where it
//! lets most pass, is read [apart](super::request_line).

use super::{
    fault::Fault,
    fields::{Fields, Line},
    head::{RequestHead, RequestLine},
    limits::{HeadLimits, MAX_FIELDS},
    meaning::Seen,
    request_line::{self, Words},
    scan::Scan,
    target::{self, TargetForm},
};

/// So many fields have nearly all heads, behind a proxy too: their table stands on the stack, 32 bytes each, and is
/// filled before each head. Another is made where there are more.
const USUAL_FIELDS: usize = 32;

/// What became of the bytes of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head has not ended: keep the bytes, append what comes, and call again.
    Partial,
    /// The head has ended.
    Complete {
        /// The bytes of the head, its permitted leading line end and its last line end included. Content, or the next
        /// request, begins behind them.
        len: usize,
    },
}

/// The state of a search for the end of a head: eight bytes, so that an idle connection can keep one.
///
/// A head that comes whole is read at once by httparse. One that comes in pieces is scanned as it comes, each byte
/// once, and read when its end was found; so time is linear in the bytes however they are split, and what is wrong
/// shows at the first byte that no valid head could have there. What the fields mean together (Host, framing, the form
/// of the target) is judged when the head has ended. The result is the same for any split of the same bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadParser {
    scan: Scan,
}

impl HeadParser {
    /// Reads the head at the start of `bytes` into `into`.
    ///
    /// `bytes` always begins at the first byte of the message; after [`Parsed::Partial`] the next call must bring the same
    /// bytes and more, with the same limits. After [`Parsed::Complete`] the parser is ready for the next message. After
    /// a fault the same bytes give the same fault again. `into` is filled by `Complete` only; otherwise it is as after
    /// [`RequestHead::clear`], or untouched.
    #[inline]
    pub fn parse(&mut self, bytes: &[u8], limits: &HeadLimits, into: &mut RequestHead) -> Result<Parsed, Fault> {
        if self.scan.is_new()
            && let Some(Ok(len)) = read_usual(bytes, limits, into)
        {
            return Ok(Parsed::Complete { len });
        }
        self.parse_slowly(bytes, limits, into)
    }

    #[cold]
    fn parse_slowly(&mut self, bytes: &[u8], limits: &HeadLimits, into: &mut RequestHead) -> Result<Parsed, Fault> {
        into.clear();
        let mut scan = self.scan;
        let Some(len) = scan.advance(bytes, limits)? else {
            self.scan = scan;
            return Ok(Parsed::Partial);
        };
        let head = bytes.get(..len).unwrap_or(bytes);
        let outcome = match read_long(head, limits, into) {
            Some(outcome) => outcome,
            None => read_as_http11(head, limits, into),
        };
        match outcome {
            Ok(_) => {
                *self = Self::default();
                Ok(Parsed::Complete { len })
            }
            Err(fault) => {
                into.clear();
                Err(fault)
            }
        }
    }
}

/// Reads a head that the scan found whole and [`read`] refused: its minor version is above 1, and it is to be
/// processed as HTTP/1.1 (RFC 9110, 2.5). Nobody sends that, so the copy does not matter.
fn read_as_http11(head: &[u8], limits: &HeadLimits, into: &mut RequestHead) -> Result<usize, Fault> {
    let mut head = head.to_vec();
    let line_end = head.iter().skip(2).position(|&byte| byte == b'\r').map_or(0, |at| at + 2);
    if let Some(minor) = head.get_mut(line_end.saturating_sub(1)) {
        *minor = b'1';
    }
    read_long(&head, limits, into).unwrap_or(Err(Fault::Version))
}

/// Reads a head of any number of fields, the usual ones in less time.
#[inline]
fn read_usual(bytes: &[u8], limits: &HeadLimits, into: &mut RequestHead) -> Option<Result<usize, Fault>> {
    match read(bytes, limits, into, &mut [httparse::EMPTY_HEADER; USUAL_FIELDS]) {
        Some(Err(Fault::TooManyFields)) => read_long(bytes, limits, into),
        outcome => outcome,
    }
}

#[cold]
fn read_long(bytes: &[u8], limits: &HeadLimits, into: &mut RequestHead) -> Option<Result<usize, Fault>> {
    read(bytes, limits, into, &mut [httparse::EMPTY_HEADER; MAX_FIELDS])
}

/// One pass over the request line, one of httparse over the fields, and one over what it found.
///
/// `None` where the bytes are no whole head, or not one that the scan would let pass: which of these, and why, is for
/// the scan to say. `Err` where there are more fields than `slots`, or the head is well-formed and means something that is
/// refused.
fn read<'a>(
    bytes: &'a [u8],
    limits: &HeadLimits,
    into: &mut RequestHead,
    slots: &mut [httparse::Header<'a>],
) -> Option<Result<usize, Fault>> {
    #[cfg(test)]
    tests::READS.with(|reads| reads.set(reads.get() + 1));

    let own = if bytes.first() == Some(&b'\r') { without_line_end(bytes)? } else { bytes };
    let line = request_line::read(own, limits)?;
    let (fields_len, found) = match httparse::parse_headers(own.get(line.len..)?, slots) {
        Ok(httparse::Status::Complete(parts)) => parts,
        Err(httparse::Error::TooManyHeaders) => return Some(Err(Fault::TooManyFields)),
        _ => return None,
    };
    // This head's text, without the leading line end.
    let text = own.get(..line.len + fields_len)?;
    let len = bytes.len() - own.len() + text.len();
    if len > limits.bytes.min(u32::MAX as usize) || found.len() > limits.fields {
        return None;
    }
    if !text.ends_with(b"\r\n\r\n") {
        return None;
    }
    into.fields.load(text);
    if !mark_fields(found, text, &mut into.fields) {
        return None;
    }
    // A loop of its own: marking and noting together need more registers than there are.
    let mut seen = Seen::default();
    for field in found {
        seen.note(field.name.as_bytes(), field.value, distance(text, field.value) as u32);
    }
    into.version = line.version;
    into.line = match positions(&line) {
        Ok(positions) => positions,
        Err(fault) => return Some(Err(fault)),
    };
    Some(seen.judge(into, limits).map(|()| len))
}

/// What follows the one line end that may precede the request line (RFC 9112, 2.2).
#[cold]
fn without_line_end(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"\r\n")
}

/// Where the words of the line and the parts of its target stand in the text.
#[inline]
fn positions(line: &Words<'_>) -> Result<RequestLine, Fault> {
    let method_end = line.method.len() as u32;
    let target_start = method_end + 1;
    let target_end = target_start + line.target.len() as u32;
    if target::is_origin(line.method, line.target) {
        let question = line.question.map(|at| target_start + at as u32);
        return Ok(RequestLine {
            method_end,
            target_end,
            path: (target_start, question.unwrap_or(target_end)),
            query: question.map_or(0, |at| at + 1),
            host: (0, 0),
            form: TargetForm::Origin,
        });
    }
    other_positions(line, target_start)
}

/// The same for a target in another form than the origin form.
#[cold]
fn other_positions(line: &Words<'_>, target_start: u32) -> Result<RequestLine, Fault> {
    let parts = target::read(line.method, line.target, line.question)?;
    let at = |(from, to): (usize, usize)| (target_start + from as u32, target_start + to as u32);
    Ok(RequestLine {
        method_end: line.method.len() as u32,
        target_end: target_start + line.target.len() as u32,
        path: at(parts.path),
        query: parts.query.map_or(0, |query| target_start + query as u32),
        host: at(parts.authority),
        form: parts.form,
    })
}

/// Marks the fields in the text. Returns whether all lines end with CR LF: httparse takes LF alone for a line end too.
#[inline(never)]
fn mark_fields(found: &[httparse::Header<'_>], text: &[u8], into: &mut Fields) -> bool {
    let mut lines_end_well = true;
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
fn distance(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// How often a head was read in full on this thread.
        pub(super) static READS: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn a_parser_is_eight_bytes() {
        assert_eq!(size_of::<HeadParser>(), 8);
    }

    /// More fields than usual cost one more reading, not a scan.
    #[test]
    fn a_head_that_comes_whole_is_not_scanned() {
        for (fields, reads) in [(1, 1), (USUAL_FIELDS, 1), (USUAL_FIELDS + 1, 2), (MAX_FIELDS, 2)] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(fields - 1));
            let mut into = RequestHead::new();
            READS.with(|reads| reads.set(0));
            scan::tests::STEPS.with(|steps| steps.set(0));
            let parsed = HeadParser::default().parse(head.as_bytes(), &HeadLimits::default(), &mut into);
            assert_eq!(parsed, Ok(Parsed::Complete { len: head.len() }));
            assert_eq!((into.fields().len(), READS.with(Cell::get)), (fields, reads));
            assert_eq!(scan::tests::STEPS.with(Cell::get), 0);
        }
    }

    /// Fed a byte at a time, a head of 16 KiB is read in full twice (at its first byte and at its end), and the scan
    /// looks at each byte once.
    #[test]
    fn a_slow_head_costs_linear_time() {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
        head.resize(16 * 1024 - 4, b'x');
        head.extend_from_slice(b"\r\n\r\n");
        let (mut parser, mut into) = (HeadParser::default(), RequestHead::new());
        READS.with(|reads| reads.set(0));
        scan::tests::STEPS.with(|steps| steps.set(0));
        for end in 1..head.len() {
            let parsed = parser.parse(&head[..end], &HeadLimits::default(), &mut into);
            assert_eq!(parsed, Ok(Parsed::Partial));
        }
        let parsed = parser.parse(&head, &HeadLimits::default(), &mut into);
        assert_eq!(parsed, Ok(Parsed::Complete { len: head.len() }));
        assert_eq!(READS.with(Cell::get), 2);
        assert_eq!(scan::tests::STEPS.with(Cell::get), head.len());
    }
}
