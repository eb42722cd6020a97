//! Which steps apply to a path: a trie of segments.
//!
//! ```text
//!  root ── under: [0]                        under: for the path of this node, and for all below it
//!   ├ "admin" ── under: [1]                  exact: for the path of this node only
//!   └ "users" ── exact: [4]                  rest:  for what is below this node, if it is not empty
//!       ├ "me" ── exact: [2]
//!       └ :    ── exact: [3]
//! ```
//! A path is walked segment by segment, with all nodes that match so far. From each of them lead a text, the plain parameter,
//! and shapes such as `:name.:ext`. Each node has one parent, so a walk comes to each node at most once, whatever the path is;
//! it ends as soon as no node matches. There is no backtracking.

use super::cursors::{Cursors, OVER, Place};
use super::pattern::{Pattern, Segment};
use super::shape::Shape;
use super::texts::{Text, Texts};
use std::collections::BTreeMap;
use std::mem;

const ROOT: u32 = 0;

#[derive(Debug)]
pub struct Trie {
    nodes: Vec<Node>,
    /// The children that are texts.
    texts: Texts,
    /// The texts that are longer than eight bytes.
    long: Vec<u8>,
    shapes: Vec<(Shape, u32)>,
    /// The lists of step numbers, each with [`OVER`] behind it. The first number is `OVER`.
    numbers: Vec<u32>,
}

/// A line of the processor's cache holds one.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Node {
    parent: u32,
    /// Its text, if it is one: see [`Text`].
    len: u32,
    word: u64,
    /// Where a long text stands.
    long: u32,
    /// The child that is a plain parameter. No child is the root, so that means none.
    parameter: u32,
    /// A part of `shapes`.
    shapes: (u32, u32),
    under: Place,
    /// For the path of this node as it is, and with a slash behind it.
    exact: Place,
    slashed: Place,
    rest: Place,
}

impl Node {
    /// The steps for a path that is over here, but perhaps for a slash.
    #[inline]
    fn at_end(&self, left: &[u8]) -> Place {
        if left.is_empty() { self.exact } else { self.slashed }
    }
}

impl Trie {
    /// Finds the steps that apply to a canonical path.
    pub fn walk(&self, path: &str, cursors: &mut Cursors) {
        cursors.clear();
        let mut number = ROOT;
        let Some(mut node) = self.enter(number, cursors) else { return };
        let mut left = path.as_bytes();
        // Mostly one node leads to one other. What leads to more is left to `spread`.
        while let Some(tail) = left.get(1..).filter(|tail| !tail.is_empty()) {
            let text = Text::first(tail);
            let child = self.texts.child(number, text, |child| self.is_text(child, number, text, tail));
            let parameter = if text.len == 0 { ROOT } else { node.parameter };
            if node.shapes.0 != node.shapes.1 || (child.is_some() && parameter != ROOT) {
                cursors.here.push(number);
                return self.spread(path, path.len() - left.len(), cursors);
            }
            number = child.unwrap_or(parameter);
            cursors.lists.add(node.rest);
            if number == ROOT {
                return;
            }
            let Some(next) = self.enter(number, cursors) else { return };
            node = next;
            left = tail.get(text.len as usize..).unwrap_or_default();
        }
        cursors.lists.add(node.at_end(left));
    }

    /// Walks on from the nodes in `cursors.here`, to which the first `at` bytes of the path lead.
    #[inline(never)]
    fn spread(&self, path: &str, at: usize, cursors: &mut Cursors) {
        let mut left = path.get(at..).unwrap_or_default();
        while let Some(tail) = left.get(1..).filter(|tail| !tail.is_empty()) {
            let text = Text::first(tail.as_bytes());
            let Some((segment, behind)) = tail.split_at_checked(text.len as usize) else { return };
            left = behind;
            mem::swap(&mut cursors.here, &mut cursors.above);
            cursors.here.clear();
            let mut index = 0;
            while let Some((number, node)) = cursors.above.at(index).and_then(|number| self.numbered(number)) {
                index += 1;
                cursors.lists.add(node.rest);
                let is_it = |child| self.is_text(child, number, text, tail.as_bytes());
                let child = self.texts.child(number, text, is_it);
                let parameter = Some(node.parameter).filter(|&child| child != ROOT && !segment.is_empty());
                let fitting = self.shapes(node).iter().filter(|(shape, _)| !segment.is_empty() && shape.fits(segment));
                for child in child.into_iter().chain(parameter).chain(fitting.map(|(_, child)| *child)) {
                    self.enter(child, cursors);
                    cursors.here.push(child);
                }
            }
        }
        let mut index = 0;
        while let Some((_, node)) = cursors.here.at(index).and_then(|number| self.numbered(number)) {
            index += 1;
            cursors.lists.add(node.at_end(left.as_bytes()));
        }
    }

    #[inline]
    fn enter(&self, number: u32, cursors: &mut Cursors) -> Option<&Node> {
        #[cfg(test)]
        {
            cursors.visited += 1;
        }
        let node = self.nodes.get(number as usize)?;
        cursors.lists.add(node.under);
        Some(node)
    }

    fn numbered(&self, number: u32) -> Option<(u32, &Node)> {
        Some((number, self.nodes.get(number as usize)?))
    }

    fn shapes(&self, node: &Node) -> &[(Shape, u32)] {
        let (from, to) = node.shapes;
        self.shapes.get(from as usize..to as usize).unwrap_or_default()
    }

    /// Returns whether a child that is a text is this child.
    #[inline]
    fn is_text(&self, number: u32, parent: u32, text: Text, tail: &[u8]) -> bool {
        self.nodes.get(number as usize).is_some_and(|node| {
            let same = node.parent == parent && node.len == text.len && node.word == text.word;
            same && (text.is_short() || tail.starts_with(self.long_text(node)))
        })
    }

    fn long_text(&self, node: &Node) -> &[u8] {
        self.long.get(node.long as usize..).and_then(|long| long.get(..node.len as usize)).unwrap_or_default()
    }

    #[inline]
    pub fn next(&self, cursors: &mut Cursors) -> Option<u32> {
        cursors.lists.next(&self.numbers)
    }

    pub fn skip_to(&self, cursors: &mut Cursors, step: u32) {
        cursors.lists.skip_to(step, &self.numbers);
    }

    #[cfg(test)]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }
}

/// A trie that grows.
#[derive(Default)]
pub struct Builder {
    nodes: Vec<Growing>,
}

#[derive(Default)]
struct Growing {
    texts: BTreeMap<Box<str>, u32>,
    parameter: u32,
    shapes: Vec<(Shape, u32)>,
    under: Vec<u32>,
    exact: Vec<u32>,
    slashed: Vec<u32>,
    rest: Vec<u32>,
}

/// Which of the paths around a pattern it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The path, with or without a slash at its end.
    Loose,
    /// The path as it is.
    Strict,
    /// The path and all below it.
    Prefix,
}

impl Builder {
    pub fn new() -> Builder {
        Builder { nodes: vec![Growing::default()] }
    }

    /// Adds a step. Steps come in the order of their numbers.
    pub fn add(&mut self, pattern: &Pattern, extent: Extent, step: u32) {
        let end = pattern.segments.iter().fold(ROOT, |node, segment| self.child(node, segment));
        let Some(node) = self.nodes.get_mut(end as usize) else { return };
        let mut lists: Vec<&mut Vec<u32>> = Vec::new();
        match (extent, &pattern.rest) {
            (_, Some(_)) => lists.push(&mut node.rest),
            (Extent::Prefix, None) => lists.push(&mut node.under),
            (Extent::Loose, None) => lists.extend([&mut node.exact, &mut node.slashed]),
            (Extent::Strict, None) if pattern.slash => lists.push(&mut node.slashed),
            (Extent::Strict, None) => lists.push(&mut node.exact),
        }
        for list in lists {
            // Two patterns of one step may be the same.
            if list.last() != Some(&step) {
                list.push(step);
            }
        }
    }

    fn child(&mut self, parent: u32, segment: &Segment) -> u32 {
        let fresh = self.nodes.len() as u32;
        let Some(node) = self.nodes.get_mut(parent as usize) else { return ROOT };
        let child = match segment {
            Segment::Text(text) => *node.texts.entry(text.clone()).or_insert(fresh),
            Segment::Shape(shape) if shape.is_plain() => {
                if node.parameter == ROOT {
                    node.parameter = fresh;
                }
                node.parameter
            }
            Segment::Shape(shape) => match node.shapes.iter().find(|(known, _)| known.equals(shape)) {
                Some((_, child)) => *child,
                None => {
                    node.shapes.push((shape.clone(), fresh));
                    fresh
                }
            },
        };
        if child == fresh {
            self.nodes.push(Growing::default());
        }
        child
    }

    pub fn finish(self) -> Trie {
        let texts = self.nodes.iter().map(|node| node.texts.len()).sum();
        let mut trie = Trie {
            nodes: self.nodes.iter().map(|_| Node::default()).collect(),
            texts: Texts::with_capacity(texts),
            long: Vec::new(),
            shapes: Vec::new(),
            numbers: vec![OVER],
        };
        for (number, growing) in self.nodes.into_iter().enumerate() {
            for (text, child) in &growing.texts {
                trie.name(*child, number as u32, text);
            }
            let from = trie.shapes.len() as u32;
            trie.shapes.extend(growing.shapes);
            let to = trie.shapes.len() as u32;
            let mut list = |steps: Vec<u32>| {
                let Some((&step, more)) = steps.split_first() else { return Place::NOWHERE };
                if more.is_empty() {
                    return Place { step, next: 0 };
                }
                let next = trie.numbers.len() as u32;
                trie.numbers.extend(more);
                trie.numbers.push(OVER);
                Place { step, next }
            };
            let (under, exact) = (list(growing.under), list(growing.exact));
            let (slashed, rest) = (list(growing.slashed), list(growing.rest));
            let parameter = growing.parameter;
            if let Some(node) = trie.nodes.get_mut(number) {
                *node = Node { parameter, shapes: (from, to), under, exact, slashed, rest, ..mem::take(node) };
            }
        }
        trie
    }
}

impl Trie {
    /// Makes a node the child of `parent` with this text.
    fn name(&mut self, child: u32, parent: u32, text: &str) {
        let read = Text::first(text.as_bytes());
        if let Some(node) = self.nodes.get_mut(child as usize) {
            (node.parent, node.len, node.word, node.long) = (parent, read.len, read.word, self.long.len() as u32);
        }
        if !read.is_short() {
            self.long.extend(text.as_bytes());
        }
        self.texts.insert(parent, read, child);
    }
}
