//! The segment of a path as a number, and the table in which a node's child is found by it.
//!
//! The table is filled when the program starts, with texts of the program alone. So a peer cannot make it slow: the longest row
//! of occupied slots is as long as chance makes it.

/// The first segment of what follows a slash.
#[derive(Clone, Copy)]
pub struct Text {
    pub len: u32,
    /// Its last bytes, those behind the last whole eight: all of a text that is no longer than that.
    pub word: u64,
    /// The bytes before these, mixed.
    mixed: u64,
}

/// Odd, and its bits look random (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
const EACH: u64 = u64::MAX / 255;
const SLASHES: u64 = EACH * b'/' as u64;

#[inline]
fn mix(mixed: u64, more: u64) -> u64 {
    (mixed ^ more).wrapping_mul(SPREAD).rotate_left(29)
}

impl Text {
    /// Reads up to the next slash or the end, eight bytes at a time.
    #[inline]
    pub fn first(bytes: &[u8]) -> Text {
        let mut text = Text { len: 0, word: 0, mixed: 0 };
        let mut left = bytes;
        loop {
            let (word, there, behind) = match left.split_first_chunk::<8>() {
                Some((eight, behind)) => (u64::from_le_bytes(*eight), 8, behind),
                None => (few(left), left.len() as u32, &[][..]),
            };
            // The lowest bit that is set belongs to the first byte that is a slash.
            let differ = word ^ SLASHES;
            let slashes = differ.wrapping_sub(EACH) & !differ & (EACH << 7);
            let taken = if slashes == 0 { there } else { slashes.trailing_zeros() / 8 };
            text.len += taken;
            if taken < 8 {
                text.word = word & !(u64::MAX << (8 * taken));
                return text;
            }
            if behind.is_empty() || behind[0] == b'/' {
                text.word = word;
                return text;
            }
            text.mixed = mix(text.mixed, word);
            left = behind;
        }
    }

    /// Returns whether `word` and `len` alone say which text it is.
    #[inline]
    pub fn is_short(&self) -> bool {
        self.len <= 8
    }

    #[inline]
    fn key(&self, parent: u32) -> u64 {
        let ends = (u64::from(self.len) << 32) | u64::from(parent);
        mix(mix(self.mixed, self.word), ends)
    }
}

/// Fewer than eight bytes as a number, the first one lowest.
#[inline]
fn few(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two overlap, and agree where they do.
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | (u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4)))
        }
        _ => bytes.iter().rev().fold(0, |word, &byte| (word << 8) | u64::from(byte)),
    }
}

/// Which nodes may be children with a text: open addressing, by parent and text.
#[derive(Debug)]
pub struct Texts {
    /// A power of two, of which at most the half is occupied. The upper half of a key, and a node; the root is no child, so 0
    /// means free.
    slots: Vec<(u32, u32)>,
}

impl Texts {
    /// A table for so many children.
    pub fn with_capacity(children: usize) -> Texts {
        Texts { slots: vec![(0, 0); (2 * children).next_power_of_two()] }
    }

    pub fn insert(&mut self, parent: u32, text: Text, node: u32) {
        let key = text.key(parent);
        let mask = self.slots.len() - 1;
        let mut at = key as usize & mask;
        while self.slots[at].1 != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = ((key >> 32) as u32, node);
    }

    /// The child with this text, among the nodes of which `is_it` has to say whether they are.
    #[inline]
    pub fn child(&self, parent: u32, text: Text, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let key = text.key(parent);
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = key as usize;
        loop {
            // At least half of the slots are free, so this ends.
            let &(upper, node) = self.slots.get(at & mask)?;
            if node == 0 {
                return None;
            }
            if upper == (key >> 32) as u32 && is_it(node) {
                return Some(node);
            }
            at = at.wrapping_add(1);
        }
    }
}
