//! A heap from which any item can be removed, not only the first. It holds the timers (`timers.rs`).

/// The key by which the items of a [`Heap`] are ordered: a time, and a number that orders the items of the same time.
pub(super) type Key = (super::Time, u64);

struct Entry<T> {
    key: Key,
    item: T,
}

/// A heap with the least key first. Positions are those of a list; the first item has position 0.
///
/// A node has four children instead of two: then a million items are ten levels deep, not twenty, and the children of a
/// node lie side by side in memory.
pub(super) struct Heap<T> {
    entries: Vec<Entry<T>>,
}

const CHILDREN: usize = 4;

impl<T> Heap<T> {
    pub const fn new() -> Heap<T> {
        Heap { entries: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The item with the least key, and that key.
    #[inline]
    pub fn first(&self) -> Option<(Key, &T)> {
        self.entries.first().map(|entry| (entry.key, &entry.item))
    }

    pub fn get(&self, position: usize) -> Option<&T> {
        self.entries.get(position).map(|entry| &entry.item)
    }

    pub fn push(&mut self, key: Key, item: T) {
        self.entries.push(Entry { key, item });
        self.move_up(self.entries.len() - 1);
    }

    /// Removes the item at this position. The last item takes its place, and then moves to where its key belongs.
    pub fn remove(&mut self, position: usize) -> Option<T> {
        if position >= self.entries.len() {
            return None;
        }
        let removed = self.entries.swap_remove(position);
        // The item that was last is now at this position. It may belong further up, since it comes from another branch,
        // or further down.
        if position < self.entries.len() {
            let position = self.move_up(position);
            self.move_down(position);
        }
        Some(removed.item)
    }

    /// Gives the first item a later key.
    pub fn put_off_first(&mut self, key: Key) {
        if let Some(first) = self.entries.first_mut() {
            first.key = key;
            self.move_down(0);
        }
    }

    pub fn into_items(self) -> impl Iterator<Item = T> {
        self.entries.into_iter().map(|entry| entry.item)
    }

    /// Moves an item towards the front until its parent's key is not greater. Returns its new position.
    fn move_up(&mut self, mut position: usize) -> usize {
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            if self.entries[parent].key <= self.entries[position].key {
                break;
            }
            self.entries.swap(parent, position);
            position = parent;
        }
        position
    }

    /// Moves an item away from the front until no child has a smaller key.
    fn move_down(&mut self, mut position: usize) {
        loop {
            let first = position * CHILDREN + 1;
            let children = self.entries.get(first..).unwrap_or_default().iter().take(CHILDREN);
            let Some((key, least)) = children.zip(first..).map(|(child, at)| (child.key, at)).min() else { break };
            if self.entries[position].key <= key {
                break;
            }
            self.entries.swap(position, least);
            position = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::Time;

    /// A generator of numbers that look random (Knuth's).
    fn random(state: &mut u64, end: u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % end
    }

    #[test]
    fn it_gives_what_a_sorted_list_gives_whatever_is_taken_out_and_put_off() {
        let (mut state, mut number) = (7, 0);
        for round in 0..200 {
            let (mut heap, mut list) = (Heap::<u64>::new(), Vec::<(Key, u64)>::new());
            // There are few different times, so that many keys have the same one.
            let times = 1 + random(&mut state, 50);
            for _ in 0..1_000 {
                number += 1;
                let key = (Time::from_nanos(random(&mut state, times)), number);
                match random(&mut state, 8) {
                    0 if !list.is_empty() => {
                        let at = usize::try_from(random(&mut state, list.len() as u64)).unwrap();
                        let item = *heap.get(at).unwrap();
                        assert_eq!(heap.remove(at), Some(item));
                        list.retain(|(_, other)| *other != item);
                    }
                    1 | 2 if !list.is_empty() => {
                        let (_, item) = list.remove(0);
                        assert_eq!(heap.remove(0), Some(item));
                    }
                    3 if !list.is_empty() => {
                        let later = (list[0].0.0 + key.0, number);
                        heap.put_off_first(later);
                        list[0].0 = later;
                    }
                    _ => {
                        heap.push(key, number);
                        list.push((key, number));
                    }
                }
                list.sort_by_key(|(key, _)| *key);
                let first = heap.first().map(|(key, item)| (key, *item));
                assert_eq!(first, list.first().copied(), "round {round}");
                assert_eq!(heap.len(), list.len());
            }
            assert!(heap.remove(heap.len()).is_none());
        }
    }
}
