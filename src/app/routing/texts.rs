//! The segments of a path as numbers, and how the children of a node are found by them.
//!
//! The children of a node that are texts stand next to each other in a *block*: each in the place that its hash names, or in one of
//! the next ones. A block is filled when the program starts, with texts of the program alone, and it is known then how far from its
//! place a child stands at most: no distance at all in nearly every block. So a peer cannot make a look-up slow.

/// What is left of a path, read eight bytes at a time. Behind its end there are slashes.
#[derive(Clone, Copy)]
pub struct Left<'p> {
    bytes: &'p [u8],
    /// The last eight bytes of the path. If it has fewer, they are the upper ones.
    last: u64,
}

/// A segment.
#[derive(Clone, Copy)]
pub struct Read {
    /// Its length.
    pub len: u32,
    /// Two segments of up to eight bytes with the same length and the same hash are the same.
    pub hash: u64,
}

/// Odd, and its bits look random (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
const EACH: u64 = u64::MAX / 255;
const SLASHES: u64 = EACH * b'/' as u64;
const HIGHEST: u64 = EACH << 7;

/// The highest bit of each byte that is a slash. All bytes are ASCII, so no difference borrows from the next byte.
#[inline]
fn slashes(word: u64) -> u64 {
    HIGHEST.wrapping_sub(word ^ SLASHES) & HIGHEST
}

/// Fewer than eight bytes as a number, of which they are the upper ones.
#[cold]
fn few(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |word, &byte| (word >> 8) | (u64::from(byte) << 56))
}

#[inline]
fn mix(mixed: u64, more: u64) -> u64 {
    (mixed ^ more).wrapping_mul(SPREAD)
}

impl<'p> Left<'p> {
    #[inline]
    pub fn all(path: &'p [u8]) -> Left<'p> {
        let last = path.last_chunk::<8>().map_or_else(|| few(path), |eight| u64::from_le_bytes(*eight));
        Left { bytes: path, last }
    }

    #[inline]
    pub fn bytes(self) -> &'p [u8] {
        self.bytes
    }

    /// What is left behind so many bytes.
    #[inline]
    pub fn behind(self, count: usize) -> Option<Left<'p>> {
        Some(Left { bytes: self.bytes.get(count..)?, ..self })
    }

    /// What is left behind the slash at the beginning, if that is anything.
    #[inline]
    pub fn tail(self) -> Option<Left<'p>> {
        match self.bytes {
            [_, bytes @ ..] if !bytes.is_empty() => Some(Left { bytes, ..self }),
            _ => None,
        }
    }

    /// The last of the bytes that are left, fewer than eight of them, with slashes behind them.
    #[inline]
    fn last(self, bytes: &[u8]) -> u64 {
        let bits = 8 * (bytes.len() as u32 & 7);
        (self.last >> (56 - bits) >> 8) | (SLASHES << bits)
    }

    /// The length of the segment that begins here.
    #[inline]
    pub fn segment_len(self) -> usize {
        let mut left = self.bytes;
        let mut len = 0;
        while let Some((eight, behind)) = left.split_first_chunk::<8>() {
            let slashes = slashes(u64::from_le_bytes(*eight));
            if slashes != 0 {
                return len + (slashes.trailing_zeros() / 8) as usize;
            }
            left = behind;
            len += 8;
        }
        len + (slashes(self.last(left)).trailing_zeros() / 8) as usize
    }

    /// The segment that begins here.
    #[inline]
    pub fn segment(self) -> Read {
        let (mut left, mut len, mut mixed) = (self.bytes, 0, 0);
        let (word, slashes) = loop {
            let Some((eight, behind)) = left.split_first_chunk::<8>() else {
                let word = self.last(left);
                break (word, slashes(word));
            };
            let word = u64::from_le_bytes(*eight);
            let slashes = slashes(word);
            if slashes != 0 {
                break (word, slashes);
            }
            (left, len, mixed) = (behind, len + 8, mix(mixed, word).rotate_left(29));
        };
        // All bits below the first slash.
        let mask = (slashes ^ (slashes - 1)) >> 8;
        Read { len: len + slashes.trailing_zeros() / 8, hash: mix(mixed, word & mask) }
    }
}

impl Read {
    /// Returns whether its length and its hash alone say which text it is.
    #[inline]
    pub fn is_short(self) -> bool {
        self.len <= 8
    }

    /// What is read of a text.
    pub fn of(text: &str) -> Read {
        Left::all(text.as_bytes()).segment()
    }
}

/// Where the children of a node stand that are texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    /// The number of the first place.
    base: u32,
    /// The number of places, a power of two, less one.
    mask: u32,
    /// The lowest of the bits of a hash that name a place.
    shift: u8,
    /// In how many places a text can stand: in the one that its hash names, and in those behind it. 0 if there are no texts.
    reach: u16,
}

/// How many groups of bits are tried.
const TRIES: u32 = 24;

impl Block {
    /// No children.
    pub const NONE: Block = Block { base: 0, mask: 0, shift: 0, reach: 0 };

    /// The best block for children with these hashes, from the place `base` on, and the place of each.
    pub fn of(base: u32, hashes: &[u64]) -> (Block, Vec<u32>) {
        if hashes.is_empty() {
            return (Block::NONE, Vec::new());
        }
        let least = hashes.len().next_power_of_two();
        let blocks = |places: usize| {
            let top = (64 - places.trailing_zeros()).min(63);
            let block = move |shift: u32| Block { base, mask: (places - 1) as u32, shift: shift as u8, reach: 0 };
            (top.saturating_sub(TRIES)..=top).rev().map(block)
        };
        // Mostly there are bits that differ for all children.
        let mut exact = [least, 2 * least, 4 * least].into_iter().flat_map(blocks);
        if let Some(found) = exact.find_map(|block| block.filled(hashes, 1)) {
            return found;
        }
        let loose = blocks(2 * least).filter_map(|block| block.filled(hashes, u16::MAX));
        loose.min_by_key(|(block, _)| block.reach).unwrap_or_default()
    }

    /// The block with these children in it, none of which is out of reach.
    fn filled(mut self, hashes: &[u64], reach: u16) -> Option<(Block, Vec<u32>)> {
        let base = self.base;
        let mut is_taken = vec![false; self.mask as usize + 1];
        let mut places = Vec::with_capacity(hashes.len());
        for &hash in hashes {
            let mut free =
                (1..=reach).zip(self.places(hash)).skip_while(|(_, place)| is_taken[(place - base) as usize]);
            let (tries, place) = free.next()?;
            is_taken[(place - base) as usize] = true;
            self.reach = self.reach.max(tries);
            places.push(place);
        }
        Some((self, places))
    }

    /// The places in which a text with this hash may stand, as far as the block reaches.
    #[inline]
    fn places(self, hash: u64) -> impl Iterator<Item = u32> {
        let first = (hash >> self.shift) as u32;
        (0..).map(move |tries| self.base + (first.wrapping_add(tries) & self.mask))
    }

    /// The place that a hash names.
    #[inline]
    pub fn place(self, hash: u64) -> u32 {
        self.base + ((hash >> self.shift) as u32 & self.mask)
    }

    /// The other places in which a text with this hash may stand.
    pub fn others(self, hash: u64) -> impl Iterator<Item = u32> {
        self.places(hash).take(usize::from(self.reach)).skip(1)
    }

    /// Returns whether a text may stand in another place than the one that its hash names.
    #[inline]
    pub fn has_others(self) -> bool {
        self.reach > 1
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.reach == 0
    }

    /// How many places there are.
    pub fn len(self) -> u32 {
        if self.is_empty() { 0 } else { self.mask + 1 }
    }
}
