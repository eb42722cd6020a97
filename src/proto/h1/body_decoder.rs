//! Takes the content of a message out of its framing, as the bytes arrive.

use super::{
    fault::Fault,
    field_line::{FieldLine, Part, expect_lf},
    fields::{Fields, Line},
    framing::Framing,
    limits::BodyLimits,
    trailer,
};
use crate::proto::octet::{self, HEX, QUOTED, TEXT, TOKEN};

/// The result of a call of [`BodyDecoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// How many bytes of the input were processed and need not be kept.
    pub consumed: usize,
    /// What these bytes contain.
    pub event: BodyEvent<'a>,
}

/// A piece of content, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEvent<'a> {
    /// All input was consumed, and the content goes on.
    NeedMore,
    /// A piece of content, which is a part of the input; never empty.
    Data(&'a [u8]),
    /// The content and its trailers have ended. Bytes that were not consumed belong to the next message.
    End,
}

/// Takes the content of one message out of its framing, in whatever pieces the input arrives.
#[derive(Clone, Copy, Debug)]
pub struct BodyDecoder {
    /// How many bytes are still to come: of a content with a length, or of the present chunk.
    remaining: u64,
    /// Bytes of chunk extensions so far.
    extensions: u32,
    /// Bytes of trailers so far.
    trailers: u32,
    /// Where the name of the present trailer field begins in the text of the list of trailers.
    name: u32,
    /// Where the value of the present trailer field begins in the text of the list of trailers.
    value: u32,
    state: State,
    /// Digits of the present chunk size so far.
    digits: u8,
}

/// ```text
///  UntilClose ─────────────────────────── end of input ────────────────────────────────► Done
///
///  Fixed ──────────────────────────────────────────────────────────────────────────────► Done
///
///           hex            CR           LF, size > 0         all          CR LF
///  Size ───────► SizeMore ────► SizeCr ─────────────► Data ──────► DataCr ──────► Size
///                   │ ';' BWS      ▲ │
///                   ▼              │ │ LF, size = 0             the empty line at its end
///                extensions ───────┘ └─────────────► Trailers ─────────────────────────► Done
///                              CR                     (see `FieldLine`)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fixed,
    /// All further bytes are content.
    UntilClose,
    Size,
    SizeMore,
    /// Blanks after the size or after the value of an extension. Only a `;` can follow them.
    BeforeSemicolon,
    BeforeExtension,
    ExtensionName,
    AfterExtensionName,
    BeforeExtensionValue,
    ExtensionToken,
    ExtensionQuoted,
    ExtensionEscaped,
    AfterExtensionQuoted,
    SizeCr,
    Data,
    DataCr,
    DataLf,
    Trailers(FieldLine),
    Done,
}

/// The most hexadecimal digits of a chunk size: those of 64 bits. RFC 9112, 7.1 demands a bound.
const MAX_DIGITS: u8 = 16;

impl BodyDecoder {
    /// A decoder for the content that a head announced.
    pub fn new(framing: Framing) -> Self {
        let (state, remaining) = match framing {
            Framing::None | Framing::Length(0) => (State::Done, 0),
            Framing::Length(length) => (State::Fixed, length),
            Framing::Chunked => (State::Size, 0),
            Framing::UntilClose => (State::UntilClose, 0),
        };
        BodyDecoder { remaining, extensions: 0, trailers: 0, name: 0, value: 0, state, digits: 0 }
    }

    /// Returns whether the content has ended: no further byte belongs to this message.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Tells the decoder that the peer has ended its side properly. Returns whether the content is complete. Content that lasts
    /// until the close of the connection is complete now; content with a length or in chunks is complete only if it had ended
    /// before. Do not call this after a reset, which leaves the content incomplete (RFC 9112, 8).
    pub fn end_of_input(&mut self) -> bool {
        if self.state == State::UntilClose {
            self.state = State::Done;
        }
        self.is_done()
    }

    /// How many more bytes of content are announced: the rest of a content with a length, or of the present chunk.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Consumes input up to and including the next piece of content, or the end.
    ///
    /// Drop the consumed bytes. Pass the bytes that were not consumed to the next call again, with or without more bytes after
    /// them. Pass the same `trailers`, empty at first, to all calls for one message; they are complete with [`BodyEvent::End`].
    /// Do not use the decoder after a fault.
    pub fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: &BodyLimits,
        trailers: &mut Fields,
    ) -> Result<Step<'a>, Fault> {
        let mut consumed = 0;
        loop {
            let rest = bytes.get(consumed..).unwrap_or_default();
            match (self.state, rest) {
                (State::Done, _) => return Ok(Step { consumed, event: BodyEvent::End }),
                (_, []) => return Ok(Step { consumed, event: BodyEvent::NeedMore }),
                (State::Fixed | State::Data, _) => {
                    let data = self.take_data(rest);
                    consumed += data.len();
                    return Ok(Step { consumed, event: BodyEvent::Data(data) });
                }
                (State::UntilClose, _) => {
                    return Ok(Step { consumed: bytes.len(), event: BodyEvent::Data(rest) });
                }
                (_, [byte, ..]) => {
                    self.step(*byte, limits, trailers)?;
                    consumed += 1;
                }
            }
        }
    }

    fn take_data<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let fits = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let data = rest.get(..fits).unwrap_or(rest);
        self.remaining -= data.len() as u64;
        if self.remaining == 0 {
            self.state = match self.state {
                State::Fixed => State::Done,
                _ => State::DataCr,
            };
        }
        data
    }

    /// Reads one byte of framing. `decode` calls this neither in a state in which content is due nor after the end of the
    /// content.
    fn step(&mut self, byte: u8, limits: &BodyLimits, trailers: &mut Fields) -> Result<(), Fault> {
        self.state = match self.state {
            State::Size | State::SizeMore => self.size(byte, limits)?,
            State::SizeCr => {
                expect_lf(byte)?;
                self.digits = 0;
                if self.remaining > 0 { State::Data } else { State::Trailers(FieldLine::LineStart) }
            }
            State::DataCr if byte == b'\r' => State::DataLf,
            State::DataLf if byte == b'\n' => State::Size,
            State::DataCr | State::DataLf => return Err(Fault::ChunkEnd),
            State::Trailers(line) => self.trailer(line, byte, limits, trailers)?,
            _ => self.extension(byte, limits)?,
        };
        Ok(())
    }

    fn size(&mut self, byte: u8, limits: &BodyLimits) -> Result<State, Fault> {
        match byte {
            _ if octet::is(byte, HEX) => {
                if self.digits == MAX_DIGITS {
                    return Err(Fault::ChunkSize);
                }
                self.digits += 1;
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.remaining = self.remaining * 16 + u64::from(digit);
                Ok(State::SizeMore)
            }
            _ if self.state == State::Size => Err(Fault::ChunkSize),
            b'\r' => Ok(State::SizeCr),
            b'\n' => Err(Fault::BareLf),
            b';' | b' ' | b'\t' => {
                self.state = State::BeforeSemicolon;
                self.extension(byte, limits)
            }
            _ => Err(Fault::ChunkSize),
        }
    }

    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112, 7.1.1).
    fn extension(&mut self, byte: u8, limits: &BodyLimits) -> Result<State, Fault> {
        let ends = matches!(self.state, State::ExtensionName | State::ExtensionToken | State::AfterExtensionQuoted);
        match byte {
            b'\r' if ends => return Ok(State::SizeCr),
            b'\r' => return Err(Fault::ChunkExtension),
            b'\n' => return Err(Fault::BareLf),
            _ => {}
        }
        self.extensions = self.extensions.saturating_add(1);
        if u64::from(self.extensions) > limits.extensions {
            return Err(Fault::ChunkExtensionsTooLarge);
        }
        let blank = byte == b' ' || byte == b'\t';
        let token = octet::is(byte, TOKEN);
        Ok(match self.state {
            State::BeforeExtension if blank => State::BeforeExtension,
            State::BeforeExtension | State::ExtensionName if token => State::ExtensionName,
            State::ExtensionName | State::AfterExtensionName if blank => State::AfterExtensionName,
            State::ExtensionName | State::AfterExtensionName if byte == b'=' => State::BeforeExtensionValue,
            State::BeforeExtensionValue if blank => State::BeforeExtensionValue,
            State::BeforeExtensionValue if byte == b'"' => State::ExtensionQuoted,
            State::BeforeExtensionValue | State::ExtensionToken if token => State::ExtensionToken,
            State::ExtensionQuoted if byte == b'"' => State::AfterExtensionQuoted,
            State::ExtensionQuoted if byte == b'\\' => State::ExtensionEscaped,
            State::ExtensionQuoted if octet::is(byte, QUOTED) => State::ExtensionQuoted,
            State::ExtensionEscaped if octet::is(byte, TEXT) => State::ExtensionQuoted,
            State::ExtensionToken | State::AfterExtensionQuoted | State::BeforeSemicolon if blank => {
                State::BeforeSemicolon
            }
            State::ExtensionName
            | State::AfterExtensionName
            | State::ExtensionToken
            | State::AfterExtensionQuoted
            | State::BeforeSemicolon
                if byte == b';' =>
            {
                State::BeforeExtension
            }
            _ => return Err(Fault::ChunkExtension),
        })
    }

    fn trailer(
        &mut self,
        mut line: FieldLine,
        byte: u8,
        limits: &BodyLimits,
        trailers: &mut Fields,
    ) -> Result<State, Fault> {
        self.trailers = self.trailers.saturating_add(1);
        match line.step(byte)? {
            Part::End => return Ok(State::Done),
            Part::LineEnd if line == FieldLine::EndCr => return Ok(State::Trailers(line)),
            Part::LineEnd => {}
            Part::NameStart => {
                if trailers.len() >= limits.trailer_fields {
                    return Err(Fault::TooManyTrailers);
                }
                self.name = trailers.text_mut().len() as u32;
                trailers.text_mut().push(byte);
            }
            Part::Name => trailers.text_mut().push(byte),
            Part::Colon => {
                self.value = trailers.text_mut().len() as u32;
                if !trailer::is_allowed(trailers.ascii(self.name, self.value)) {
                    return Err(Fault::TrailerForbidden);
                }
            }
            // Blanks before a value are not part of it.
            Part::Value if matches!(byte, b' ' | b'\t') && trailers.text_mut().len() as u32 == self.value => {}
            Part::Value => trailers.text_mut().push(byte),
            Part::ValueEnd => self.end_trailer(trailers),
        }
        if self.trailers as usize > limits.trailers {
            return Err(Fault::TrailersTooLarge);
        }
        Ok(State::Trailers(line))
    }

    /// Adds the field whose name and value stand at the end of the buffer. Blanks after the value are dropped.
    fn end_trailer(&mut self, trailers: &mut Fields) {
        let text = trailers.text_mut();
        // If the value is empty, the loop stops at the last byte of the name, which is never a blank.
        while matches!(text.last(), Some(b' ' | b'\t')) {
            text.pop();
        }
        let end = text.len();
        trailers.mark(Line { name: self.name, colon: self.value, value: self.value, end: end as u32 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_is_small() {
        assert!(size_of::<BodyDecoder>() <= 32);
    }
}
