//! Decisions that a fuzzer makes: the bytes before those that are tested.

use super::latin1::characters;

/// Gives out bytes from the front, zeros when there are none left.
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices(bytes)
    }

    /// The first `count` bytes for decisions, and what follows them.
    pub fn split(bytes: &'a [u8], count: usize) -> (Choices<'a>, &'a [u8]) {
        let (first, rest) = bytes.split_at(count.min(bytes.len()));
        (Choices(first), rest)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub fn chance(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Up to 255 bytes, as many as the next one says.
    pub fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }

    /// The same, a character for each byte.
    pub fn characters(&mut self) -> String {
        characters(self.bytes())
    }

    /// The same as text; what is not UTF-8 is replaced.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// Up to four ends of pieces of `len` bytes, in order, from one byte.
pub fn cuts(seed: u8, len: usize) -> Vec<usize> {
    let mut state = u32::from(seed).wrapping_mul(0x9E37_79B9) | 1;
    let mut ends: Vec<usize> = (0..seed & 3)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize % (len + 1)
        })
        .chain([usize::from(seed >> 2).min(len)])
        .collect();
    ends.sort_unstable();
    ends
}
