//! Which steps apply to a path: a trie of segments.
//!
//! ```text
//!  root ── under: [0]                           under: for the path of this node, and for all below it
//!   ├ "admin" ── under: [0, 1]                  exact: for the path of this node only
//!   └ "users" ── under: [0]     exact: [4]      below: for what is below this node and comes to no child
//!       ├ "me" ── under: [0]    exact: [2]
//!       └ :    ── under: [0]    exact: [3]
//! ```
//! A node has in `under` and `below` what it inherits from those above it, so only the node where a path ends, or leaves the trie,
//! says which steps apply. A node that adds nothing has the list of the node above it, not a copy.
//!
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
    /// The children that are shapes, of each node that has some. The first list is empty.
    shapes: Vec<Vec<(Shape, u32)>>,
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
    /// Whether it has children that are texts.
    has_texts: bool,
    /// The child that is a plain parameter. No child is the root, so that means none.
    parameter: u32,
    /// Where its children that are shapes stand.
    shapes: u32,
    under: Place,
    /// For the path of this node as it is, and with a slash behind it.
    exact: Place,
    slashed: Place,
    below: Place,
}

impl Trie {
    /// Finds the steps that apply to a canonical path.
    pub fn walk(&self, path: &[u8], cursors: &mut Cursors) {
        cursors.clear();
        let mut number = ROOT;
        let Some(mut node) = self.enter(number, cursors) else { return };
        let mut left = path;
        // Mostly one node leads to one other. What leads to more is left to `spread`.
        while let Some(tail) = left.get(1..).filter(|tail| !tail.is_empty()) {
            let text = Text::first(tail);
            let child = self.text(number, node, text, tail);
            let parameter = if text.len == 0 { ROOT } else { node.parameter };
            if node.shapes != 0 || (child != ROOT && parameter != ROOT) {
                cursors.here.push(number);
                return self.spread(left, cursors);
            }
            number = child | parameter;
            if number == ROOT {
                return cursors.lists.add(node.below);
            }
            let Some(next) = self.enter(number, cursors) else { return };
            node = next;
            left = tail.get(text.len as usize..).unwrap_or_default();
        }
        self.end(node, left, cursors);
    }

    /// Walks on from the nodes in `cursors.here`, with what is left of the path behind them.
    #[inline(never)]
    fn spread(&self, left: &[u8], cursors: &mut Cursors) {
        // A canonical path is ASCII.
        let Ok(mut left) = str::from_utf8(left) else { return };
        while let Some(tail) = left.get(1..).filter(|tail| !tail.is_empty()) {
            let text = Text::first(tail.as_bytes());
            let Some((segment, behind)) = tail.split_at_checked(text.len as usize) else { return };
            left = behind;
            mem::swap(&mut cursors.here, &mut cursors.above);
            cursors.here.clear();
            let mut index = 0;
            while let Some((number, node)) = cursors.above.get(index).and_then(|&number| self.numbered(number)) {
                index += 1;
                let child = self.text(number, node, text, tail.as_bytes());
                let parameter = if segment.is_empty() { ROOT } else { node.parameter };
                let fitting = self.shapes(node).iter().filter(|(shape, _)| !segment.is_empty() && shape.fits(segment));
                let before = cursors.here.len();
                for child in [child, parameter].into_iter().chain(fitting.map(|(_, child)| *child)) {
                    if child != ROOT {
                        self.enter(child, cursors);
                        cursors.here.push(child);
                    }
                }
                if cursors.here.len() == before {
                    cursors.lists.add(node.below);
                }
            }
        }
        let mut index = 0;
        while let Some((_, node)) = cursors.here.get(index).and_then(|&number| self.numbered(number)) {
            index += 1;
            self.end(node, left.as_bytes(), cursors);
        }
    }

    #[inline]
    fn enter(&self, number: u32, cursors: &mut Cursors) -> Option<&Node> {
        cursors.visit();
        self.nodes.get(number as usize)
    }

    /// Adds the steps for a path that is over at this node, but perhaps for a slash.
    #[inline]
    fn end(&self, node: &Node, left: &[u8], cursors: &mut Cursors) {
        cursors.lists.add(node.under);
        cursors.lists.add(if left.is_empty() { node.exact } else { node.slashed });
    }

    fn numbered(&self, number: u32) -> Option<(u32, &Node)> {
        Some((number, self.nodes.get(number as usize)?))
    }

    fn shapes(&self, node: &Node) -> &[(Shape, u32)] {
        self.shapes.get(node.shapes as usize).map(|shapes| &**shapes).unwrap_or_default()
    }

    /// The child that is the first text of `tail`, else [`ROOT`].
    #[inline]
    fn text(&self, number: u32, node: &Node, text: Text, tail: &[u8]) -> u32 {
        if !node.has_texts {
            return ROOT;
        }
        self.texts.child(number, text, |child| self.is_text(child, number, text, tail)).unwrap_or(ROOT)
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
    parent: u32,
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
            self.nodes.push(Growing { parent, ..Growing::default() });
        }
        child
    }

    pub fn finish(self) -> Trie {
        let texts = self.nodes.iter().map(|node| node.texts.len()).sum();
        let mut trie = Trie {
            nodes: self.nodes.iter().map(|_| Node::default()).collect(),
            texts: Texts::with_capacity(texts),
            long: Vec::new(),
            shapes: vec![Vec::new()],
            numbers: vec![OVER],
        };
        // A node stands behind its parent.
        for (number, growing) in self.nodes.into_iter().enumerate() {
            for (text, child) in &growing.texts {
                trie.name(*child, number as u32, text);
            }
            let mut node =
                Node { has_texts: !growing.texts.is_empty(), parameter: growing.parameter, ..Node::default() };
            if !growing.shapes.is_empty() {
                node.shapes = trie.shapes.len() as u32;
                trie.shapes.push(growing.shapes);
            }
            let above = trie.nodes.get(growing.parent as usize).map_or(Place::NOWHERE, |parent| parent.below);
            node.under = trie.inherit(above, growing.under);
            node.below = trie.inherit(node.under, growing.rest);
            node.exact = trie.list(growing.exact);
            node.slashed = trie.list(growing.slashed);
            if let Some(place) = trie.nodes.get_mut(number) {
                let Node { parent, len, word, long, .. } = *place;
                *place = Node { parent, len, word, long, ..node };
            }
        }
        trie
    }
}

impl Trie {
    /// Stores a list of step numbers.
    fn list(&mut self, steps: Vec<u32>) -> Place {
        let Some((&step, more)) = steps.split_first() else { return Place::NOWHERE };
        if more.is_empty() {
            return Place { step, next: 0 };
        }
        let next = self.numbers.len() as u32;
        self.numbers.extend(more);
        self.numbers.push(OVER);
        Place { step, next }
    }

    /// Stores what a list has, and these steps.
    fn inherit(&mut self, mut above: Place, own: Vec<u32>) -> Place {
        if own.is_empty() {
            return above;
        }
        let mut steps = own;
        while above.step != OVER {
            steps.push(above.step);
            above.advance(&self.numbers);
        }
        steps.sort_unstable();
        // Two patterns of one step may meet here.
        steps.dedup();
        self.list(steps)
    }

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
