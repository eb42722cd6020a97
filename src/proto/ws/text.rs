use super::Fault;

/// A text that comes in pieces, each of which may end within a character. A piece with a byte that cannot be part of UTF-8 text
/// is refused at once, not only at the end of the text (RFC 6455, 8.1).
#[derive(Debug, Default)]
pub(super) struct IncomingText {
    text: String,
    /// The first bytes of a character whose other bytes have not come yet, and how many there are.
    begun: ([u8; 4], u8),
}

impl IncomingText {
    pub fn len(&self) -> usize {
        self.text.len() + usize::from(self.begun.1)
    }

    /// Makes room for `count` bytes in all.
    pub fn reserve(&mut self, count: usize) {
        self.text.reserve_exact(count.saturating_sub(self.text.len()));
    }

    pub fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Moves the text into an empty buffer, and returns the one that it was in.
    pub fn move_to(&mut self, buffer: Vec<u8>) -> Vec<u8> {
        // Nothing is no bad text.
        let mut text = String::from_utf8(buffer).unwrap_or_default();
        text.push_str(&self.text);
        std::mem::replace(&mut self.text, text).into_bytes()
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// Appends a piece.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), Fault> {
        while self.begun.1 > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            self.push_byte(byte)?;
        }
        match std::str::from_utf8(piece) {
            Ok(text) => self.text.push_str(text),
            Err(error) => {
                let (valid, rest) = piece.split_at(error.valid_up_to());
                if error.error_len().is_some() {
                    return Err(Fault::Utf8);
                }
                self.text.push_str(std::str::from_utf8(valid).map_err(|_| Fault::Utf8)?);
                for &byte in rest {
                    self.push_byte(byte)?;
                }
            }
        }
        Ok(())
    }

    /// Appends a byte to the character that has begun.
    fn push_byte(&mut self, byte: u8) -> Result<(), Fault> {
        let (bytes, count) = &mut self.begun;
        *bytes.get_mut(usize::from(*count)).ok_or(Fault::Utf8)? = byte;
        *count += 1;
        match std::str::from_utf8(bytes.get(..usize::from(*count)).unwrap_or_default()) {
            Ok(character) => {
                self.text.push_str(character);
                *count = 0;
            }
            Err(error) if error.error_len().is_some() => return Err(Fault::Utf8),
            Err(_) => {}
        }
        Ok(())
    }

    /// The whole text, if it does not end within a character.
    pub fn finish(&self) -> Result<&str, Fault> {
        if self.begun.1 > 0 { Err(Fault::Utf8) } else { Ok(&self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::IncomingText;

    /// How many bytes are taken before the fault, if there is one; else the text.
    fn read(bytes: &[u8], pieces: usize) -> Result<String, usize> {
        let mut text = IncomingText::default();
        for (number, piece) in bytes.chunks(pieces).enumerate() {
            text.push(piece).map_err(|_| number * pieces)?;
        }
        text.finish().map(str::to_owned).map_err(|_| bytes.len())
    }

    #[test]
    fn a_text_in_pieces_is_the_text_that_it_is_as_a_whole() {
        let texts: [&[u8]; 12] = [
            b"",
            b"plain",
            "κόσμε, 🌱 and \u{ffff}\u{10ffff}\u{0}".as_bytes(),
            b"\xc0\x80",
            b"ab\xff",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xe2\x82",
            b"\xf0\x9f\x8c",
            b"\xe2\x28\xa1",
            b"\x80",
            b"\xf8\x88\x80\x80\x80",
        ];
        for bytes in texts {
            let whole = std::str::from_utf8(bytes).ok().map(str::to_owned);
            for pieces in 1..=bytes.len().max(1) {
                assert_eq!(read(bytes, pieces).ok(), whole, "{bytes:?} by {pieces}");
            }
        }
    }

    #[test]
    fn a_byte_that_fits_no_text_is_refused_at_once() {
        assert_eq!(read(b"ab\xffcd", 1), Err(2));
        assert_eq!(read(b"\xed\xa0\x80", 1), Err(1), "a surrogate is known by its second byte");
        assert_eq!(read(b"\xf4\x90\x80\x80", 1), Err(1), "so is what lies above U+10FFFF");
        assert_eq!(read(b"\xe2\x28\xa1", 1), Err(1));
        assert_eq!(read(b"x\xe2\x82", 1), Err(3), "the end within a character");
    }
}
