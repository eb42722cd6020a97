//! The grammar of field lines (RFC 9112, 5), one byte at a time. It is used for heads that come in pieces and for trailer
//! sections.

use super::fault::Fault;
use crate::proto::octet::{self, TOKEN, VALUE};

/// The position of the next byte in a section of fields.
///
/// ```text
///                  tchar           ':'            CR            LF
///   LineStart ──────────► Name ────────► Value ───────► LineCr ─────► LineStart
///       │ CR         LF
///       └────► EndCr ───► the section has ended
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FieldLine {
    #[default]
    LineStart,
    Name,
    Value,
    LineCr,
    EndCr,
}

/// The meaning of one byte in a section of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The first byte of a name.
    NameStart,
    /// A further byte of a name.
    Name,
    /// The colon after a name.
    Colon,
    /// A byte of a value, or a blank around it.
    Value,
    /// The CR after a value.
    ValueEnd,
    /// Any other byte of a line end, except the last byte of the section.
    LineEnd,
    /// The last byte of the section.
    End,
}

impl FieldLine {
    /// Reads one byte. Returns what it means, or which rule it breaks.
    pub(super) fn step(&mut self, byte: u8) -> Result<Part, Fault> {
        let (next, part) = match (*self, byte) {
            (FieldLine::LineStart, b'\r') => (FieldLine::EndCr, Part::LineEnd),
            (FieldLine::LineStart, b'\n') => return Err(Fault::BareLf),
            (FieldLine::LineStart, b' ' | b'\t') => return Err(Fault::Folded),
            (FieldLine::LineStart, _) if octet::is(byte, TOKEN) => (FieldLine::Name, Part::NameStart),
            (FieldLine::Name, b':') => (FieldLine::Value, Part::Colon),
            (FieldLine::Name, b' ' | b'\t') => return Err(Fault::SpaceBeforeColon),
            (FieldLine::Name, _) if octet::is(byte, TOKEN) => (FieldLine::Name, Part::Name),
            (FieldLine::LineStart | FieldLine::Name, _) => return Err(Fault::FieldName),
            (FieldLine::Value, b'\r') => (FieldLine::LineCr, Part::ValueEnd),
            (FieldLine::Value, b'\n') => return Err(Fault::BareLf),
            (FieldLine::Value, _) if octet::is(byte, VALUE) => (FieldLine::Value, Part::Value),
            (FieldLine::Value, _) => return Err(Fault::FieldValue),
            (FieldLine::LineCr, _) => {
                expect_lf(byte)?;
                (FieldLine::LineStart, Part::LineEnd)
            }
            (FieldLine::EndCr, _) => {
                expect_lf(byte)?;
                (FieldLine::EndCr, Part::End)
            }
        };
        *self = next;
        Ok(part)
    }
}

/// Checks that `byte`, which follows a CR, is the LF that must stand there (RFC 9112, 2.2).
pub(super) fn expect_lf(byte: u8) -> Result<(), Fault> {
    if byte == b'\n' { Ok(()) } else { Err(Fault::BareCr) }
}
