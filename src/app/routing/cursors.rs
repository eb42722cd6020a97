//! Several sorted lists of step numbers, read as one.

use super::inline::Inline;

/// A part of the trie's array of step numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct List {
    pub from: u32,
    pub to: u32,
}

/// The steps that apply to one path, as far as they have not been taken. Kept from request to request, so that a look-up
/// allocates nothing.
#[derive(Debug, Default)]
pub struct Cursors {
    lists: Inline<Cursor>,
    /// What a walk through the trie works with.
    pub(super) walk: Walk,
    /// How many nodes the last walk came to.
    #[cfg(test)]
    pub(super) visited: usize,
}

/// The nodes of two levels of the trie.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub here: Inline<u32>,
    pub below: Inline<u32>,
}

/// The place in one list.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// The number there.
    step: u32,
    /// Where the next number stands, and where the list ends.
    next: u32,
    end: u32,
}

/// The number in a cursor whose list is over.
const OVER: u32 = u32::MAX;

impl Cursor {
    #[inline]
    fn move_on(&mut self, numbers: &[u32]) {
        self.step = OVER;
        if self.next < self.end {
            self.step = numbers.get(self.next as usize).copied().unwrap_or(OVER);
            self.next += 1;
        }
    }
}

impl Cursors {
    #[cfg(test)]
    pub fn visited(&self) -> usize {
        self.visited
    }

    pub(super) fn clear(&mut self) {
        self.lists.clear();
    }

    #[inline]
    pub(super) fn add(&mut self, list: List, numbers: &[u32]) {
        if list.from < list.to {
            let mut cursor = Cursor { step: OVER, next: list.from, end: list.to };
            cursor.move_on(numbers);
            self.lists.push(cursor);
        }
    }

    /// The least number that has not been taken. A number that is in several lists comes once.
    #[inline]
    pub(super) fn next(&mut self, numbers: &[u32]) -> Option<u32> {
        let least = self.lists.iter().map(|cursor| cursor.step).min().filter(|&least| least != OVER)?;
        for cursor in self.lists.iter_mut().filter(|cursor| cursor.step == least) {
            cursor.move_on(numbers);
        }
        Some(least)
    }

    /// Leaves out the numbers below `step`.
    pub(super) fn skip_to(&mut self, step: u32, numbers: &[u32]) {
        for cursor in self.lists.iter_mut() {
            while cursor.step < step {
                cursor.move_on(numbers);
            }
        }
    }
}
