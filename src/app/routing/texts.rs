//! The children of the trie's nodes that are texts, in one table: open addressing, found by node and text.
//!
//! The table is filled when the program starts, with texts of the program alone. So a peer cannot make it slow: the longest row
//! of occupied slots is known by then, and it is as long as chance makes it.

/// The child of one node that is one text.
#[derive(Clone, Debug)]
struct Child {
    /// The node and the text, mixed.
    key: u64,
    parent: u32,
    node: u32,
    /// Where the text stands.
    from: u32,
    to: u32,
}

#[derive(Debug, Default)]
pub struct Texts {
    /// A power of two, of which at most the half is occupied.
    slots: Vec<Option<Child>>,
    all: String,
}

/// What a text contributes to the key: it is mixed once, and asked for with each node of a level.
#[derive(Clone, Copy)]
pub struct Mixed(u64);

/// Odd, and its bits look random (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

#[inline]
pub fn mixed(text: &str) -> Mixed {
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let mix = |sum: u64, more: u64| (sum ^ more).wrapping_mul(SPREAD).rotate_left(29);
    let sum = eights.iter().fold(text.len() as u64, |sum, eight| mix(sum, u64::from_le_bytes(*eight)));
    Mixed(mix(sum, rest.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte))))
}

#[inline]
fn key(parent: u32, text: Mixed) -> u64 {
    let mixed = (text.0 ^ u64::from(parent)).wrapping_mul(SPREAD);
    mixed ^ (mixed >> 32)
}

impl Texts {
    /// A table of children: parent, text and node.
    pub fn of<'t>(children: impl ExactSizeIterator<Item = (u32, &'t str, u32)>) -> Texts {
        let mut texts = Texts { slots: vec![None; (2 * children.len()).next_power_of_two()], all: String::new() };
        for (parent, text, node) in children {
            let key = key(parent, mixed(text));
            let from = texts.all.len() as u32;
            texts.all.push_str(text);
            let child = Child { key, parent, node, from, to: texts.all.len() as u32 };
            let mask = texts.slots.len() - 1;
            let free = (0..).map(|more| (key as usize).wrapping_add(more) & mask).find(|&at| texts.slots[at].is_none());
            if let Some(at) = free {
                texts.slots[at] = Some(child);
            }
        }
        texts
    }

    #[inline]
    pub fn child(&self, parent: u32, text: &str, mixed: Mixed) -> Option<u32> {
        let key = key(parent, mixed);
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = key as usize;
        loop {
            // At least half of the slots are free, so this ends.
            let child = self.slots.get(at & mask)?.as_ref()?;
            let stands = || self.all.as_bytes().get(child.from as usize..child.to as usize) == Some(text.as_bytes());
            if child.key == key && child.parent == parent && stands() {
                return Some(child.node);
            }
            at = at.wrapping_add(1);
        }
    }
}
