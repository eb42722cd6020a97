//! Reads the head of a request from bytes: the request line, the fields, and what they mean together.

use super::{
    fault::Fault,
    incoming_request::{IncomingRequest, RequestLine},
    limits::HeadLimits,
    parse::{self, Incoming, Parsed},
    request_line::{self, RequestLineScan, Words},
    request_semantics::Seen,
    scan::Scan,
    section::{self, Section},
    target::{self, TargetForm},
};

/// The state of a search for the end of a request's head: only eight bytes, so that each idle connection can keep one.
///
/// A head that arrives whole is read at once by httparse. A head that arrives in pieces is first scanned, each byte once, and is
/// read when the scan has found its end. So the time is linear in the number of bytes, however they are split, and a byte that no
/// valid head can have at its place is refused as soon as it arrives. The fields as a whole (Host, framing) and the form of the
/// target are judged when the head has ended. The result is the same for any split of the same bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestParser {
    scan: Scan<RequestLineScan>,
}

impl RequestParser {
    /// Reads the head at the start of `bytes` into `into`.
    ///
    /// `bytes` always begins at the first byte of the message; after [`Parsed::Partial`] the next call must bring the same bytes
    /// and more, with the same limits. After [`Parsed::Complete`] the parser is ready for the next message. After a fault the
    /// same bytes give the same fault again. `into` is filled only if the result is `Complete`. After any other result it is
    /// empty, as after [`IncomingRequest::clear`].
    #[inline]
    pub fn parse(&mut self, bytes: &[u8], limits: &HeadLimits, into: &mut IncomingRequest) -> Result<Parsed, Fault> {
        parse::parse(&mut self.scan, bytes, limits, into)
    }
}

impl Incoming for IncomingRequest {
    type Line = RequestLineScan;

    /// Makes one pass over the request line, one over the fields (by httparse), and one over the fields that httparse found.
    fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: &HeadLimits,
        slots: &mut [httparse::Header<'a>],
    ) -> Option<Result<usize, Fault>> {
        #[cfg(test)]
        tests::READS.with(|reads| reads.set(reads.get() + 1));

        let own = if bytes.first() == Some(&b'\r') { without_line_end(bytes)? } else { bytes };
        let line = request_line::read(own, limits)?;
        let skipped = bytes.len() - own.len();
        let Section { found, text } = match section::read(own, line.len, skipped, limits, slots, &mut self.fields)? {
            Ok(section) => section,
            Err(fault) => return Some(Err(fault)),
        };
        // A loop of its own: one loop that marks and notes the fields would need more registers than the processor has.
        let mut seen = Seen::default();
        for field in found {
            seen.note(field.name.as_bytes(), field.value, section::distance(text, field.value) as u32);
        }
        self.version = line.version;
        self.line = match positions(&line) {
            Ok(positions) => positions,
            Err(fault) => return Some(Err(fault)),
        };
        Some(seen.judge(self, limits).map(|()| skipped + text.len()))
    }

    fn minor_version_at(head: &[u8]) -> usize {
        // Skips two bytes: the line end that may precede the request line, or else bytes of the method and its blank.
        head.iter().skip(2).position(|&byte| byte == b'\r').map_or(0, |at| at + 1)
    }

    fn clear(&mut self) {
        IncomingRequest::clear(self);
    }
}

/// Returns the bytes after the one line end that may precede the request line (RFC 9112, 2.2).
#[cold]
fn without_line_end(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"\r\n")
}

/// Returns where the words of the line and the parts of its target stand in the text.
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

/// As [`positions`], for a target in another form than the origin form.
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

#[cfg(test)]
mod tests {
    use super::super::{limits::MAX_FIELDS, parse::USUAL_FIELDS, scan};
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// How many times a head was read in full on this thread.
        pub(super) static READS: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn a_parser_is_eight_bytes() {
        assert_eq!(size_of::<RequestParser>(), 8);
    }

    /// A head with more fields than usual is read twice, the second time with a larger table. It is not scanned byte by
    /// byte.
    #[test]
    fn a_head_that_comes_whole_is_not_scanned() {
        for (fields, reads) in [(1, 1), (USUAL_FIELDS, 1), (USUAL_FIELDS + 1, 2), (MAX_FIELDS, 2)] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(fields - 1));
            let mut into = IncomingRequest::new();
            READS.with(|reads| reads.set(0));
            scan::tests::STEPS.with(|steps| steps.set(0));
            let parsed = RequestParser::default().parse(head.as_bytes(), &HeadLimits::default(), &mut into);
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
        let (mut parser, mut into) = (RequestParser::default(), IncomingRequest::new());
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
