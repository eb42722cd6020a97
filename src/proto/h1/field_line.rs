//! The grammar of field lines (RFC 9112, 5), one byte at a time: of heads that come in pieces, and of trailer sections.

use super::{
    fault::Fault,
    octet::{self, TOKEN, VALUE},
};

/// Where in a section of fields the next byte stands.
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

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The first byte of a name.
    NameStart,
    /// A further byte of a name.
    Name,
    /// The colon behind a name.
    Colon,
    /// A byte of a value, or a blank around it.
    Value,
    /// The CR behind a value.
    ValueEnd,
    /// Another byte of a line end.
    LineEnd,
    /// The last byte of the section.
    End,
}

impl FieldLine {
    /// Moves on by one byte, and says what it is; or which rule it breaks.
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

/// The LF that must follow a CR (RFC 9112, 2.2).
pub(super) fn expect_lf(byte: u8) -> Result<(), Fault> {
    if byte == b'\n' { Ok(()) } else { Err(Fault::BareCr) }
}
