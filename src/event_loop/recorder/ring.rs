//! Memory that is allocated once and then overwritten from its oldest end.

use crate::event_loop::turn::LABEL;
use std::fmt::{self, Display, Write};

/// The last items of a sequence. The number of an item is its place in the whole sequence, counted from 0.
pub(super) struct Ring<T> {
    items: Vec<T>,
    capacity: usize,
    /// The index in `items` that the next item will take.
    at: usize,
    /// The number of the next item.
    next: u64,
}

impl<T> Ring<T> {
    /// A ring for `capacity` items, at least one.
    pub fn new(capacity: usize) -> Ring<T> {
        let capacity = capacity.max(1);
        Ring { items: Vec::with_capacity(capacity), capacity, at: 0, next: 0 }
    }

    #[inline]
    pub fn push(&mut self, item: T) {
        match self.items.get_mut(self.at) {
            Some(oldest) => *oldest = item,
            None => self.items.push(item),
        }
        self.at = if self.at + 1 == self.capacity { 0 } else { self.at + 1 };
        self.next += 1;
    }

    #[inline]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The number of the oldest item that has not been overwritten.
    pub fn oldest(&self) -> u64 {
        self.next - self.items.len() as u64
    }

    pub fn get(&self, number: u64) -> Option<&T> {
        if number >= self.next {
            return None;
        }
        self.items.get((number % self.capacity as u64) as usize).filter(|_| number >= self.oldest())
    }

    /// Returns those of the `count` items from the number `from` on that have not been overwritten.
    pub fn range(&self, from: u64, count: u32) -> impl Iterator<Item = &T> {
        (from.max(self.oldest())..from + u64::from(count)).filter_map(|number| self.get(number))
    }
}

/// The smallest size of a ring of labels, in bytes, so that it holds a few labels of full length.
const LEAST: usize = 1024;

/// A label's place in the ring of labels.
#[derive(Clone, Copy)]
pub(super) struct Label {
    /// How many bytes had been written to the ring before this label.
    start: u64,
    len: u8,
}

/// The bytes of the last labels, one label after another.
pub(super) struct Labels {
    bytes: Box<[u8]>,
    at: usize,
    written: u64,
}

impl Labels {
    pub fn new(capacity: usize) -> Labels {
        Labels { bytes: vec![0; capacity.max(LEAST)].into(), at: 0, written: 0 }
    }

    #[inline]
    pub fn put(&mut self, label: &[u8]) -> Label {
        let label = label.get(..LABEL).unwrap_or(label);
        let start = self.written;
        self.append(label);
        Label { start, len: label.len() as u8 }
    }

    /// As [`put`](Labels::put), for a label that is yet to be formatted.
    pub fn format(&mut self, label: &dyn Display) -> Label {
        let start = self.written;
        let mut room = Room { labels: self, left: LABEL };
        // Formatting fails when the label is full. The label is then cut, and nothing else is lost.
        let _ = write!(room, "{label}");
        let len = LABEL - room.left;
        Label { start, len: len as u8 }
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(self.bytes.len() - self.at));
        self.copy(first);
        if !rest.is_empty() {
            self.copy(rest);
        }
    }

    /// Copies bytes to the place after the last copy. They have to fit before the end of the ring.
    #[inline]
    fn copy(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if let Some(into) = self.bytes.get_mut(self.at..end) {
            into.copy_from_slice(bytes);
        }
        self.at = if end == self.bytes.len() { 0 } else { end };
        self.written += bytes.len() as u64;
    }

    /// The text of a label; empty if it has been overwritten. Labels hold bytes of peers, which need not be UTF-8.
    pub fn get(&self, label: Label) -> String {
        if self.written - label.start > self.bytes.len() as u64 {
            return String::new();
        }
        let at = (label.start % self.bytes.len() as u64) as usize;
        let end = at + usize::from(label.len);
        match self.bytes.get(at..end) {
            Some(whole) => String::from_utf8_lossy(whole).into_owned(),
            None => {
                let first = self.bytes.get(at..).unwrap_or_default();
                let rest = self.bytes.get(..end - self.bytes.len()).unwrap_or_default();
                String::from_utf8_lossy(&[first, rest].concat()).into_owned()
            }
        }
    }
}

struct Room<'a> {
    labels: &'a mut Labels,
    left: usize,
}

impl Write for Room<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.len().min(self.left);
        self.labels.append(text.as_bytes().get(..fits).unwrap_or_default());
        self.left -= fits;
        if fits < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_the_last_items_under_their_numbers() {
        let mut ring = Ring::new(3);
        assert_eq!((ring.oldest(), ring.next(), ring.get(0)), (0, 0, None));
        for number in 0..1000_u64 {
            ring.push(number);
            assert_eq!((ring.next(), ring.oldest()), (number + 1, (number + 1).saturating_sub(3)));
            for asked in 0..=number + 1 {
                let there = asked >= ring.oldest() && asked <= number;
                assert_eq!(ring.get(asked).copied(), there.then_some(asked), "{asked} of {number}");
            }
        }
        assert_eq!(ring.range(995, 4).copied().collect::<Vec<_>>(), [997, 998]);
        assert_eq!(ring.range(998, 9).copied().collect::<Vec<_>>(), [998, 999]);
        let mut least = Ring::new(0);
        (0..5).for_each(|number| least.push(number));
        assert_eq!(least.get(4), Some(&4), "one at least");
    }

    #[test]
    fn a_label_is_there_whole_or_not_at_all() {
        let mut labels = Labels::new(0);
        let mut put = Vec::new();
        for number in 0..500_usize {
            let text = format!("{number}:{}", "x".repeat(number % 190));
            let label = if number % 2 == 0 { labels.put(text.as_bytes()) } else { labels.format(&text) };
            put.push((text, label));
            let mut kept = 0;
            for (text, label) in &put {
                let found = labels.get(*label);
                assert!(found.is_empty() || found == *text, "{found:?} for {text:?}");
                kept += found.len();
            }
            let all: usize = put.iter().map(|(text, _)| text.len()).sum();
            assert!(kept + LABEL > all.min(LEAST), "only {kept} bytes of labels are left after {number}");
        }
    }

    #[test]
    fn a_label_has_a_largest_size_and_need_not_be_text() {
        let mut labels = Labels::new(4096);
        let long = "ä".repeat(300);
        let (copied, formatted) = (labels.put(long.as_bytes()), labels.format(&long));
        assert_eq!((labels.get(copied), labels.get(formatted)), ("ä".repeat(100), "ä".repeat(100)));
        let raw = labels.put(b"GET /\xff");
        assert_eq!(labels.get(raw), "GET /\u{fffd}");
    }
}
