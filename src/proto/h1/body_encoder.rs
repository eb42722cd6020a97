//! Puts the content of a message that is sent into its framing, piece by piece: length, chunks (RFC 9112, 7.1), trailers. What is
//! received, with the extensions of chunks, is read by [`BodyDecoder`](super::BodyDecoder).

use super::{fields::Fields, framing::Framing, trailer};
use std::fmt;

/// Puts the content of one message into its framing, in whatever pieces it is given: the counterpart of
/// [`BodyDecoder`](super::BodyDecoder).
///
/// [`take`](BodyEncoder::take) counts a piece and returns how it is sent. Then the caller writes the piece and the framing around
/// it, so that a large piece need not be copied. [`encode`](BodyEncoder::encode) does all of this for a piece that may be copied.
///
/// ```
/// use oneloop::proto::h1::{BodyEncoder, Fields, Framing, LengthMismatch};
///
/// let mut out = Vec::new();
/// let mut encoder = BodyEncoder::new(Framing::Chunked);
/// encoder.encode(&mut out, b"basil", false, &Fields::new())?;
/// encoder.encode(&mut out, b"", true, &Fields::new())?;
/// assert_eq!(out, b"5\r\nbasil\r\n0\r\n\r\n");
///
/// let mut encoder = BodyEncoder::new(Framing::Length(3));
/// assert_eq!(encoder.take(5, false), Err(LengthMismatch::TooLong));
/// # Ok::<(), LengthMismatch>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyEncoder {
    /// If this is a length, it is the number of bytes that are still to be given.
    framing: Framing,
}

/// How a piece of content is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The piece is not sent: the message has no content, even if some was given (a response to HEAD, or with status 204 or 304).
    Dropped,
    /// The piece is sent as it is.
    Plain,
    /// The piece is sent as a chunk: with [`chunk`](super::chunk()), or between [`chunk_start`](super::chunk_start) and
    /// [`CHUNK_END`](super::CHUNK_END). After the last piece, [`last_chunk`](super::last_chunk) ends the content.
    Chunk,
}

/// The content that was given is not as long as the Content-Length that was announced (RFC 9110, 8.6). The message cannot be
/// completed, and the connection must be closed so that the peer does not take the next message for content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LengthMismatch {
    /// More was given than was announced.
    TooLong,
    /// The last piece was given, and all pieces together are shorter than was announced.
    TooShort,
}

impl fmt::Display for LengthMismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            LengthMismatch::TooLong => "the content is longer than its Content-Length",
            LengthMismatch::TooShort => "the content is shorter than its Content-Length",
        })
    }
}

impl std::error::Error for LengthMismatch {}

impl BodyEncoder {
    /// An encoder for the content that a head announces: for a response, [`BodyPlan::content`](super::BodyPlan::content).
    pub const fn new(framing: Framing) -> Self {
        BodyEncoder { framing }
    }

    /// Returns whether content is sent at all.
    pub fn sends_content(&self) -> bool {
        self.framing != Framing::None
    }

    /// Returns whether the content ends with the connection, which must close after it.
    pub fn is_until_close(&self) -> bool {
        self.framing == Framing::UntilClose
    }

    /// Counts a piece of `len` bytes and returns how it is sent. `last`: this is the last piece. A piece may be empty.
    ///
    /// # Errors
    /// If the piece, or the end after it, contradicts the length that was announced. Then nothing was counted.
    #[inline]
    pub fn take(&mut self, len: usize, last: bool) -> Result<Piece, LengthMismatch> {
        match &mut self.framing {
            Framing::None => Ok(Piece::Dropped),
            Framing::UntilClose => Ok(Piece::Plain),
            Framing::Chunked => Ok(Piece::Chunk),
            Framing::Length(left) => {
                let rest = left.checked_sub(len as u64).ok_or(LengthMismatch::TooLong)?;
                if last && rest > 0 {
                    return Err(LengthMismatch::TooShort);
                }
                *left = rest;
                Ok(Piece::Plain)
            }
        }
    }

    /// Writes a piece in its framing and, after the `last` one, the end of the content. The trailers are sent only in
    /// chunked content.
    ///
    /// # Errors
    /// As [`take`](BodyEncoder::take); then nothing was written.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        data: &[u8],
        last: bool,
        trailers: &Fields,
    ) -> Result<(), LengthMismatch> {
        match self.take(data.len(), last)? {
            Piece::Dropped => {}
            Piece::Plain => out.extend_from_slice(data),
            Piece::Chunk => {
                chunk(out, data);
                if last {
                    last_chunk(out, trailers);
                }
            }
        }
        Ok(())
    }
}

/// The bytes that follow the data of every chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Writes the line that precedes the `len` bytes of a chunk; [`CHUNK_END`] must follow these bytes. `len` must not be 0, because
/// an empty chunk would end the content: for empty data send nothing, not even [`CHUNK_END`].
pub fn chunk_start(out: &mut Vec<u8>, len: usize) {
    debug_assert!(len > 0, "an empty chunk would end the content");
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const MOST: usize = size_of::<usize>() * 2;
    let mut line = [0; MOST + 2];
    let mut at = MOST;
    let mut left = len;
    while left > 0 {
        at -= 1;
        line[at] = DIGITS[left & 15];
        left >>= 4;
    }
    line[MOST..].copy_from_slice(CHUNK_END);
    out.extend_from_slice(&line[at..]);
}

/// Writes one whole chunk, or nothing for empty data.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        chunk_start(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(CHUNK_END);
    }
}

/// Writes the last chunk and the trailer section. Fields that are not allowed in a trailer section
/// ([`is_allowed_trailer`](super::is_allowed_trailer)) are left out.
pub fn last_chunk(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.iter_bytes().filter(|(name, _)| trailer::is_allowed(name)) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_belies_the_length_changes_nothing() {
        let mut encoder = BodyEncoder::new(Framing::Length(5));
        assert_eq!(encoder.take(6, true), Err(LengthMismatch::TooLong));
        assert_eq!(encoder.take(4, true), Err(LengthMismatch::TooShort));
        assert_eq!(encoder.take(4, false), Ok(Piece::Plain));
        assert_eq!(encoder.take(0, true), Err(LengthMismatch::TooShort));
        assert_eq!(encoder.take(2, false), Err(LengthMismatch::TooLong));
        assert_eq!(encoder.take(1, true), Ok(Piece::Plain));
        assert_eq!(encoder.take(0, true), Ok(Piece::Plain));
        assert_eq!(encoder.take(1, false), Err(LengthMismatch::TooLong));
    }

    #[test]
    fn a_message_without_content_drops_what_is_given() {
        let mut encoder = BodyEncoder::new(Framing::None);
        let mut out = Vec::new();
        encoder.encode(&mut out, b"x", true, &Fields::new()).unwrap();
        assert!(out.is_empty() && !encoder.sends_content() && !encoder.is_until_close());
    }
}
