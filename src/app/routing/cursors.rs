//! Several sorted lists of step numbers, read as one.

use super::inline::Inline;

/// A place in a list of step numbers. The first place stands for the list.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The number here, so that most lists, which have only one, are read without a look at the others.
    pub step: u32,
    /// Where the next number stands in the trie's array.
    pub next: u32,
}

/// The number behind the last one of a list. It is the first of the trie's array, too.
pub const OVER: u32 = u32::MAX;

impl Place {
    /// Where nothing is.
    pub const NOWHERE: Place = Place { step: OVER, next: 0 };
}

impl Default for Place {
    fn default() -> Place {
        Place::NOWHERE
    }
}

/// The steps that apply to one path, as far as they have not been taken. Kept from request to request, so that a look-up
/// allocates nothing.
#[derive(Debug, Default)]
pub struct Cursors {
    pub(super) lists: Lists,
    /// For a walk through the trie that has come to several nodes: these, and those one segment above.
    pub(super) here: Inline<u32>,
    pub(super) above: Inline<u32>,
    /// How many nodes the last walk came to.
    #[cfg(test)]
    pub(super) visited: usize,
}

impl Cursors {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.lists.0.clear();
        self.here.clear();
        #[cfg(test)]
        {
            self.visited = 0;
        }
    }

    /// How many nodes the last walk came to.
    #[cfg(test)]
    pub fn visited(&self) -> usize {
        self.visited
    }
}

#[derive(Debug, Default)]
pub(super) struct Lists(Inline<Place>);

impl Lists {
    #[inline]
    pub fn add(&mut self, list: Place) {
        if list.step != OVER {
            self.0.push(list);
        }
    }

    /// The least number that has not been taken. A number that is in several lists comes once.
    #[inline]
    pub fn next(&mut self, numbers: &[u32]) -> Option<u32> {
        let mut least = OVER;
        self.0.each(|place| least = least.min(place.step));
        if least == OVER {
            return None;
        }
        self.skip_to(least + 1, numbers);
        Some(least)
    }

    /// Leaves out the numbers below `step`.
    #[inline]
    pub fn skip_to(&mut self, step: u32, numbers: &[u32]) {
        self.0.each(|place| {
            while place.step < step {
                place.step = numbers.get(place.next as usize).copied().unwrap_or(OVER);
                place.next += 1;
            }
        });
    }
}
