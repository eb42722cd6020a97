//! Reads the head of a request or of a response: at once if the head has arrived whole, and otherwise when the scan has found its
//! end.

use super::{
    fault::Fault,
    limits::{HeadLimits, MAX_FIELDS},
    scan::{Scan, StartLine},
};

/// Nearly all heads have at most this many fields, even behind a proxy. The table for them stands on the stack, 32 bytes for each
/// field, and is initialized before each head. A head with more fields is read again with a larger table.
pub(super) const USUAL_FIELDS: usize = 32;

/// The result of reading a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The head has not ended: keep the bytes, append those that arrive, and call again.
    Partial,
    /// The head has ended.
    Complete {
        /// The bytes of the head, its permitted leading line end and its last line end included. Content, or the next message,
        /// begins after them.
        len: usize,
    },
}

/// A head that can be read from bytes.
pub(super) trait Incoming {
    /// The grammar of its first line.
    type Line: StartLine;

    /// Reads the head at the start of `bytes`, and returns its length. `slots` is a table in which httparse notes the fields.
    ///
    /// `None` if the head is incomplete, if the [`Scan`] would refuse it, or if its minor version is above 1: the scan then finds
    /// out which of these is the case. `Err` if there are more fields than `slots`, or if the head is well-formed but is refused
    /// for what it means.
    fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: &HeadLimits,
        slots: &mut [httparse::Header<'a>],
    ) -> Option<Result<usize, Fault>>;

    /// Returns the position of the digit of the minor version, in a head that the scan found complete.
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

/// Reads a head that the scan found complete but for which [`Incoming::read`] returned `None`: its minor version is above 1. It
/// is processed as HTTP/1.1 (RFC 9110, 2.5). Nobody sends such a version, so the cost of the copy does not matter.
fn read_as_http11<I: Incoming>(head: &[u8], limits: &HeadLimits, into: &mut I) -> Result<usize, Fault> {
    let mut head = head.to_vec();
    let at = I::minor_version_at(&head);
    if let Some(minor) = head.get_mut(at) {
        *minor = b'1';
    }
    read_long(&head, limits, into).unwrap_or(Err(Fault::Version))
}

/// Reads a head with any number of fields. With more than [`USUAL_FIELDS`] it takes longer.
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
