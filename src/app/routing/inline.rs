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

    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.inside.iter().take(self.len).chain(&self.more).copied()
    }

    #[inline]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.inside.iter_mut().take(self.len).chain(&mut self.more)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
