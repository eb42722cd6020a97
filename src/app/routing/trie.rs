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

use super::cursors::{Cursors, List};
use super::pattern::{Pattern, Segment, first_segment};
use super::shape::Shape;
use super::texts::{Texts, mixed};
use std::collections::HashMap;
use std::mem;

const ROOT: u32 = 0;

#[derive(Debug)]
pub struct Trie {
    nodes: Vec<Node>,
    texts: Texts,
    shapes: Vec<(Shape, u32)>,
    /// The lists of step numbers, one behind another.
    numbers: Vec<u32>,
}

#[derive(Debug, Default)]
struct Node {
    /// The child that is a plain parameter. No child is the root, so that means none.
    parameter: u32,
    /// A part of `shapes`.
    shapes: List,
    under: List,
    /// For the path of this node as it is, and with a slash behind it.
    exact: List,
    slashed: List,
    rest: List,
}

impl Trie {
    /// Finds the steps that apply to a canonical path.
    #[inline]
    pub fn walk(&self, path: &str, cursors: &mut Cursors) {
        cursors.clear();
        #[cfg(test)]
        {
            cursors.visited = 0;
        }
        let mut walk = mem::take(&mut cursors.walk);
        walk.here.clear();
        self.enter(ROOT, &mut walk.here, cursors);
        let mut left = path;
        while left.len() > 1 && !walk.here.is_empty() {
            let Some((segment, behind)) = first_segment(left) else { break };
            let mixed = mixed(segment);
            walk.below.clear();
            for number in walk.here.iter() {
                let Some(node) = self.nodes.get(number as usize) else { continue };
                cursors.add(node.rest, &self.numbers);
                if let Some(child) = self.texts.child(number, segment, mixed) {
                    self.enter(child, &mut walk.below, cursors);
                }
                if segment.is_empty() {
                    continue;
                }
                if node.parameter != ROOT {
                    self.enter(node.parameter, &mut walk.below, cursors);
                }
                let shapes = self.shapes.get(node.shapes.from as usize..node.shapes.to as usize).unwrap_or_default();
                for (_, child) in shapes.iter().filter(|(shape, _)| shape.fits(segment)) {
                    self.enter(*child, &mut walk.below, cursors);
                }
            }
            mem::swap(&mut walk.here, &mut walk.below);
            left = behind;
        }
        // With nodes left, the path is over, but perhaps for a slash.
        for number in walk.here.iter() {
            let Some(node) = self.nodes.get(number as usize) else { continue };
            cursors.add(if left.is_empty() { node.exact } else { node.slashed }, &self.numbers);
        }
        cursors.walk = walk;
    }

    #[inline]
    fn enter(&self, number: u32, nodes: &mut super::inline::Inline<u32>, cursors: &mut Cursors) {
        if let Some(node) = self.nodes.get(number as usize) {
            cursors.add(node.under, &self.numbers);
        }
        #[cfg(test)]
        {
            cursors.visited += 1;
        }
        nodes.push(number);
    }

    pub fn next(&self, cursors: &mut Cursors) -> Option<u32> {
        cursors.next(&self.numbers)
    }

    pub fn skip_to(&self, cursors: &mut Cursors, step: u32) {
        cursors.skip_to(step, &self.numbers);
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
    texts: HashMap<Box<str>, u32>,
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
        let children =
            self.nodes.iter().enumerate().flat_map(|(parent, node)| {
                node.texts.iter().map(move |(text, child)| (parent as u32, &**text, *child))
            });
        let texts = Texts::of(children.collect::<Vec<_>>().into_iter());
        let mut trie = Trie { nodes: Vec::new(), texts, shapes: Vec::new(), numbers: Vec::new() };
        for node in self.nodes {
            let mut list = |steps: Vec<u32>| append(&mut trie.numbers, steps);
            let node = Node {
                parameter: node.parameter,
                under: list(node.under),
                exact: list(node.exact),
                slashed: list(node.slashed),
                rest: list(node.rest),
                shapes: append(&mut trie.shapes, node.shapes),
            };
            trie.nodes.push(node);
        }
        trie
    }
}

fn append<T>(all: &mut Vec<T>, more: Vec<T>) -> List {
    let from = all.len() as u32;
    all.extend(more);
    List { from, to: all.len() as u32 }
}
