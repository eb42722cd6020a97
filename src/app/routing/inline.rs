//! A list that keeps its first eight elements in itself.

/// What a request needs more of is rare, and then the memory is kept for the next request.
const INSIDE: usize = 8;

#[derive(Debug, Default)]
pub struct Inline<T> {
    inside: [T; INSIDE],
    len: usize,
    /// The elements from the ninth.
    more: Vec<T>,
}

impl<T: Copy> Inline<T> {
    #[inline]
    pub fn push(&mut self, element: T) {
        match self.inside.get_mut(self.len) {
            Some(place) => *place = element,
            None => self.more.push(element),
        }
        self.len += 1;
    }

    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
        self.more.clear();
    }

    /// The element with this number.
    #[inline]
    pub fn at(&self, number: usize) -> Option<T> {
        if number >= self.len {
            return None;
        }
        self.inside.get(number).or_else(|| self.more.get(number.wrapping_sub(INSIDE))).copied()
    }

    /// Calls `f` with each element. (An iterator over both parts costs a third of a look-up.)
    #[inline]
    pub fn each(&mut self, mut f: impl FnMut(&mut T)) {
        let inside = self.len.min(INSIDE);
        self.inside[..inside].iter_mut().for_each(&mut f);
        if self.len > INSIDE {
            self.more.iter_mut().for_each(f);
        }
    }
}
