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
//! A path is walked segment by segment, with all nodes that match so far. The children of a node are texts (`users`), at most one
//! plain parameter (`:id`), and shapes (`:name.:ext`); a segment can match several of them. Each node has one parent, so a walk
//! visits each node at most once, whatever the path is; it ends as soon as no node matches. There is no backtracking.

use super::cursors::{Cursors, OVER, Place};
use super::pattern::{Pattern, Segment};
use super::shape::Shape;
use super::texts::{Block, Left, Read};
use std::collections::BTreeMap;
use std::mem;

const ROOT: u32 = 0;

#[derive(Debug)]
pub struct Trie {
    /// The first one is the root. Some are free places of a [`Block`].
    nodes: Vec<Node>,
    /// The texts that are longer than eight bytes.
    long: Vec<u8>,
    /// The children of the nodes that have shapes.
    shapes: Vec<Shapes>,
    /// The lists of step numbers, each with [`OVER`] behind it. The first number is `OVER`.
    numbers: Vec<u32>,
    /// The number of nodes.
    #[cfg(test)]
    count: usize,
}

/// A line of the processor's cache holds one.
#[derive(Debug)]
#[repr(align(64))]
struct Node {
    /// Its text, if it is one: see [`Read`].
    hash: u64,
    len: u32,
    /// Where a long text stands.
    long: u32,
    /// Its children that are texts.
    texts: Block,
    /// The child that is a plain parameter. No child is the root, so that means none. From [`SHAPES`] on it says where the children
    /// are that are no texts.
    parameter: u32,
    under: Place,
    /// For the path of this node as it is, and with a slash behind it.
    exact: Place,
    slashed: Place,
    below: Place,
}

/// There are fewer nodes.
const SHAPES: u32 = 1 << 31;

/// The children of a node that are no texts.
#[derive(Debug)]
struct Shapes {
    shapes: Vec<(Shape, u32)>,
    /// The plain parameter, or [`ROOT`].
    parameter: u32,
}

impl Node {
    /// A node that no text of a path leads to.
    const FREE: Node = Node {
        hash: 0,
        len: u32::MAX,
        long: 0,
        texts: Block::NONE,
        parameter: ROOT,
        under: Place::NOWHERE,
        exact: Place::NOWHERE,
        slashed: Place::NOWHERE,
        below: Place::NOWHERE,
    };

    /// The steps for the path of this node only. Of the path there is left a slash, or nothing.
    #[inline]
    fn own(&self, left: Left<'_>) -> Place {
        if left.bytes().is_empty() { self.exact } else { self.slashed }
    }
}

impl Trie {
    /// Finds the steps that apply to a canonical path.
    pub fn walk(&self, path: &[u8], cursors: &mut Cursors) {
        cursors.clear();
        let (mut number, mut left) = (ROOT, Left::all(path));
        // Mostly one node leads to one other. What leads to more is left to `spread`.
        while let Some(node) = self.enter(number, cursors) {
            let Some(tail) = left.tail() else {
                return cursors.lists.set(node.under, node.own(left));
            };
            let (child, len) = if node.texts.is_empty() {
                (ROOT, tail.segment_len())
            } else {
                let read = tail.segment();
                (self.text(node, read, tail.bytes()), read.len as usize)
            };
            number = match (child, node.parameter) {
                (ROOT, ROOT) => return cursors.lists.set(node.below, Place::NOWHERE),
                (child, ROOT) => child,
                // No parameter is empty.
                (ROOT, _) if len == 0 => return cursors.lists.set(node.below, Place::NOWHERE),
                (child, _) if len == 0 => child,
                (ROOT, parameter) if parameter < SHAPES => parameter,
                _ => {
                    cursors.here.push(number);
                    return self.spread(left, cursors);
                }
            };
            let Some(behind) = tail.behind(len) else { return };
            left = behind;
        }
    }

    /// Walks on from the nodes in `cursors.here`.
    #[inline(never)]
    fn spread(&self, mut left: Left<'_>, cursors: &mut Cursors) {
        while let Some(tail) = left.tail() {
            let read = tail.segment();
            let len = read.len as usize;
            let Some((bytes, behind)) = tail.bytes().get(..len).zip(tail.behind(len)) else { return };
            left = behind;
            // A canonical path is ASCII.
            let Ok(segment) = str::from_utf8(bytes) else { return };
            mem::swap(&mut cursors.here, &mut cursors.above);
            cursors.here.clear();
            let mut index = 0;
            while let Some(node) = cursors.above.get(index).and_then(|&number| self.nodes.get(number as usize)) {
                index += 1;
                let child = self.text(node, read, bytes);
                let (parameter, shapes) = self.parameters(node);
                let parameter = if segment.is_empty() { ROOT } else { parameter };
                let fitting = shapes.iter().filter(|(shape, _)| !segment.is_empty() && shape.fits(segment));
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
        while let Some(node) = cursors.here.get(index).and_then(|&number| self.nodes.get(number as usize)) {
            index += 1;
            cursors.lists.add(node.under);
            cursors.lists.add(node.own(left));
        }
    }

    #[inline]
    fn enter(&self, number: u32, cursors: &mut Cursors) -> Option<&Node> {
        cursors.visit();
        self.nodes.get(number as usize)
    }

    /// The children of a node that are no texts: the plain parameter, and the shapes.
    fn parameters(&self, node: &Node) -> (u32, &[(Shape, u32)]) {
        let shapes = node.parameter.checked_sub(SHAPES).and_then(|at| self.shapes.get(at as usize));
        shapes.map_or((node.parameter, &[]), |children| (children.parameter, &children.shapes))
    }

    /// The child whose text is the first segment of `bytes`, else [`ROOT`].
    #[inline]
    fn text(&self, node: &Node, read: Read, bytes: &[u8]) -> u32 {
        let place = node.texts.place(read.hash);
        if self.is_text(place, read, bytes) {
            place
        } else if node.texts.has_others() {
            self.other_text(node, read, bytes)
        } else {
            ROOT
        }
    }

    #[cold]
    fn other_text(&self, node: &Node, read: Read, bytes: &[u8]) -> u32 {
        node.texts.others(read.hash).find(|&place| self.is_text(place, read, bytes)).unwrap_or(ROOT)
    }

    /// Returns whether the node with this number is a text, and that of a segment.
    #[inline]
    fn is_text(&self, number: u32, read: Read, bytes: &[u8]) -> bool {
        self.nodes.get(number as usize).is_some_and(|node| {
            let same = node.hash == read.hash && node.len == read.len;
            same && (read.is_short() || self.is_long_text(node, bytes))
        })
    }

    #[inline(never)]
    fn is_long_text(&self, node: &Node, bytes: &[u8]) -> bool {
        let text = self.long.get(node.long as usize..).and_then(|long| long.get(..node.len as usize));
        text.is_some_and(|text| bytes.starts_with(text))
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
        self.count
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
        let mut trie = Trie {
            nodes: vec![Node::FREE],
            long: Vec::new(),
            shapes: Vec::new(),
            numbers: vec![OVER],
            #[cfg(test)]
            count: self.nodes.len(),
        };
        // Where each node stands.
        let mut places = vec![ROOT; self.nodes.len()];
        // A node comes behind its parent.
        for (number, growing) in self.nodes.into_iter().enumerate() {
            let place = places[number] as usize;
            let above = trie.nodes[places[growing.parent as usize] as usize].below;
            let texts = trie.place_texts(&growing.texts, &mut places);
            let others = growing.shapes.iter().map(|(_, child)| *child).chain([growing.parameter]);
            for child in others.filter(|child| *child != ROOT) {
                places[child as usize] = trie.grow(1);
            }
            let mut parameter = places[growing.parameter as usize];
            if !growing.shapes.is_empty() {
                let shapes = growing.shapes.into_iter().map(|(shape, child)| (shape, places[child as usize]));
                trie.shapes.push(Shapes { shapes: shapes.collect(), parameter });
                parameter = SHAPES + trie.shapes.len() as u32 - 1;
            }
            let under = trie.inherit(above, growing.under);
            let below = trie.inherit(under, growing.rest);
            let (exact, slashed) = (trie.list(growing.exact), trie.list(growing.slashed));
            let Node { hash, len, long, .. } = trie.nodes[place];
            trie.nodes[place] = Node { hash, len, long, texts, parameter, under, exact, slashed, below };
        }
        trie
    }
}

impl Trie {
    /// Adds so many free places, and returns the number of the first one.
    fn grow(&mut self, count: u32) -> u32 {
        let first = self.nodes.len();
        self.nodes.resize_with(first + count as usize, || Node::FREE);
        first as u32
    }

    /// Gives children that are texts their places.
    fn place_texts(&mut self, texts: &BTreeMap<Box<str>, u32>, places: &mut [u32]) -> Block {
        let read = texts.keys().map(|text| Read::of(text)).collect::<Vec<_>>();
        let hashes = read.iter().map(|read| read.hash).collect::<Vec<_>>();
        let (block, found) = Block::of(self.nodes.len() as u32, &hashes);
        self.grow(block.len());
        for ((place, read), (text, &child)) in found.into_iter().zip(read).zip(texts) {
            places[child as usize] = place;
            let node = &mut self.nodes[place as usize];
            (node.hash, node.len, node.long) = (read.hash, read.len, self.long.len() as u32);
            if !read.is_short() {
                self.long.extend(text.as_bytes());
            }
        }
        block
    }

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
}
