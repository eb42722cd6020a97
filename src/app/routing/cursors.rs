//! Several sorted lists of step numbers, read as one.

/// A position in a list of step numbers. A list is represented by its first position.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The number at this position. It is kept here so that a list with one number, as most are, is read without access to the
    /// trie's array.
    pub step: u32,
    /// The index of the next number in the trie's array.
    pub next: u32,
}

/// The number that marks the end of a list. The trie's array begins with it, too.
pub const OVER: u32 = u32::MAX;

impl Place {
    /// The end of a list, or an empty list.
    pub const NOWHERE: Place = Place { step: OVER, next: 0 };

    /// Goes to the next number of the list.
    #[inline]
    pub fn advance(&mut self, numbers: &[u32]) {
        self.step = numbers.get(self.next as usize).copied().unwrap_or(OVER);
        self.next += 1;
    }

    /// Leaves out the numbers below `step`.
    #[inline]
    fn skip_to(&mut self, step: u32, numbers: &[u32]) {
        while self.step < step {
            self.advance(numbers);
        }
    }
}

impl Default for Place {
    fn default() -> Place {
        Place::NOWHERE
    }
}

/// The steps that apply to one path, as far as they have not been taken. Kept from request to request, so that in the long run a
/// look-up allocates nothing.
#[derive(Debug, Default)]
pub struct Cursors {
    pub(super) lists: Lists,
    /// For a walk through the trie that has come to several nodes: these, and those one segment above.
    pub(super) here: Vec<u32>,
    pub(super) above: Vec<u32>,
    /// How many nodes of the trie the last walk has visited.
    #[cfg(test)]
    visited: usize,
}

impl Cursors {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.lists.clear();
        self.here.clear();
        #[cfg(test)]
        {
            self.visited = 0;
        }
    }

    /// Notes that a walk comes to a node.
    #[inline]
    pub(super) fn visit(&mut self) {
        #[cfg(test)]
        {
            self.visited += 1;
        }
    }

    /// How many nodes of the trie the last walk has visited.
    #[cfg(test)]
    pub fn visited(&self) -> usize {
        self.visited
    }
}

/// A walk that has come to one node has two lists at most, for which there is a place of their own.
#[derive(Debug, Default)]
pub(super) struct Lists {
    first: Place,
    second: Place,
    more: Vec<Place>,
}

impl Lists {
    #[inline]
    fn clear(&mut self) {
        self.first = Place::NOWHERE;
        self.second = Place::NOWHERE;
        self.more.clear();
    }

    /// For a walk that has come to one node: all its lists.
    #[inline]
    pub fn set(&mut self, first: Place, second: Place) {
        (self.first, self.second) = (first, second);
    }

    pub fn add(&mut self, list: Place) {
        match () {
            _ if list.step == OVER => {}
            _ if self.first.step == OVER => self.first = list,
            _ if self.second.step == OVER => self.second = list,
            _ => self.more.push(list),
        }
    }

    /// The least number that has not been taken. A number that is in several lists comes once.
    #[inline]
    pub fn next(&mut self, numbers: &[u32]) -> Option<u32> {
        let mut least = self.first.step.min(self.second.step);
        if !self.more.is_empty() {
            least = self.least_of_more(least);
        }
        if least == OVER {
            return None;
        }
        // A list has a number once.
        if self.first.step == least {
            self.first.advance(numbers);
        }
        if self.second.step == least {
            self.second.advance(numbers);
        }
        if !self.more.is_empty() {
            self.skip_more_to(least + 1, numbers);
        }
        Some(least)
    }

    #[inline(never)]
    fn least_of_more(&self, least: u32) -> u32 {
        self.more.iter().fold(least, |least, place| least.min(place.step))
    }

    /// Leaves out the numbers below `step`.
    #[inline]
    pub fn skip_to(&mut self, step: u32, numbers: &[u32]) {
        self.first.skip_to(step, numbers);
        self.second.skip_to(step, numbers);
        if !self.more.is_empty() {
            self.skip_more_to(step, numbers);
        }
    }

    #[inline(never)]
    fn skip_more_to(&mut self, step: u32, numbers: &[u32]) {
        self.more.iter_mut().for_each(|place| place.skip_to(step, numbers));
    }
}
