//! From bytes to a head, of a request or of a response: at once where the head has come whole, and otherwise when the scan has
//! found its end.

use super::{
    fault::Fault,
    limits::{HeadLimits, MAX_FIELDS},
    scan::{Scan, StartLine},
};

/// Nearly all heads have at most this many fields, even behind a proxy. The table for them stands on the stack, 32 bytes for each
/// field, and is filled before each head. A head with more fields is read again with a larger table.
pub(super) const USUAL_FIELDS: usize = 32;

/// The result of reading a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head has not ended: keep the bytes, append what comes, and call again.
    Partial,
    /// The head has ended.
    Complete {
        /// The bytes of the head, its permitted leading line end and its last line end included. Content, or the next
        /// message, begins behind them.
        len: usize,
    },
}

/// A head that can be read from bytes.
pub(super) trait Incoming {
    /// The grammar of its first line.
    type Line: StartLine;

    /// Reads the head at the start of `bytes`, and returns its length. `slots` is where the fields are noted in between.
    ///
    /// `None` where the bytes are no whole head, or not one that the [`Scan`] would let pass: which of these, and why, is for
    /// the scan to say. `Err` where there are more fields than `slots`, or the head is well-formed and means something that is
    /// refused.
    fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: &HeadLimits,
        slots: &mut [httparse::Header<'a>],
    ) -> Option<Result<usize, Fault>>;

    /// Where the digit of the minor version stands in a head that the scan found whole.
    fn minor_version_at(head: &[u8]) -> usize;

    /// Forgets the head and keeps the memory.
    fn clear(&mut self);
}

/// Reads the head at the start of `bytes` into `into`: see [`RequestParser::parse`](super::RequestParser::parse).
#[inline]
pub(super) fn parse<I: Incoming>(
    scan: &mut Scan<I::Line>,
    bytes: &[u8],
    limits: &HeadLimits,
    into: &mut I,
) -> Result<Parsed, Fault> {
    if scan.is_new()
        && let Some(Ok(len)) = read_usual(bytes, limits, into)
    {
        return Ok(Parsed::Complete { len });
    }
    parse_slowly(scan, bytes, limits, into)
}

#[cold]
fn parse_slowly<I: Incoming>(
    scan: &mut Scan<I::Line>,
    bytes: &[u8],
    limits: &HeadLimits,
    into: &mut I,
) -> Result<Parsed, Fault> {
    into.clear();
    let mut ahead = *scan;
    let Some(len) = ahead.advance(bytes, limits)? else {
        *scan = ahead;
        return Ok(Parsed::Partial);
    };
    let head = bytes.get(..len).unwrap_or(bytes);
    let outcome = match read_long(head, limits, into) {
        Some(outcome) => outcome,
        None => read_as_http11(head, limits, into),
    };
    match outcome {
        Ok(_) => {
            *scan = Scan::default();
            Ok(Parsed::Complete { len })
        }
        Err(fault) => {
            into.clear();
            Err(fault)
        }
    }
}

/// Reads a head that the scan found whole and [`Incoming::read`] refused: its minor version is above 1, and it is to be
/// processed as HTTP/1.1 (RFC 9110, 2.5). Nobody sends that, so the copy does not matter.
fn read_as_http11<I: Incoming>(head: &[u8], limits: &HeadLimits, into: &mut I) -> Result<usize, Fault> {
    let mut head = head.to_vec();
    let at = I::minor_version_at(&head);
    if let Some(minor) = head.get_mut(at) {
        *minor = b'1';
    }
    read_long(&head, limits, into).unwrap_or(Err(Fault::Version))
}

/// Reads a head of any number of fields, the usual ones in less time.
#[inline]
fn read_usual<I: Incoming>(bytes: &[u8], limits: &HeadLimits, into: &mut I) -> Option<Result<usize, Fault>> {
    match into.read(bytes, limits, &mut [httparse::EMPTY_HEADER; USUAL_FIELDS]) {
        Some(Err(Fault::TooManyFields)) => read_long(bytes, limits, into),
        outcome => outcome,
    }
}

#[cold]
fn read_long<I: Incoming>(bytes: &[u8], limits: &HeadLimits, into: &mut I) -> Option<Result<usize, Fault>> {
    into.read(bytes, limits, &mut [httparse::EMPTY_HEADER; MAX_FIELDS])
}
