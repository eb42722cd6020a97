//! A compiled router: an ordered list of steps, and the trie that says which of them apply to a path.

use super::conflicts::{self, Conflict};
use super::cursors::Cursors;
use super::step::{Span, Step};
use super::trie::{Builder, Trie};

/// The steps, compiled.
#[derive(Debug)]
pub struct Program {
    steps: Vec<Step>,
    trie: Trie,
}

impl Program {
    /// Compiles steps. A step that no request can come to is a conflict.
    pub fn build(steps: Vec<Step>, spans: &[Span]) -> Result<Program, Vec<Conflict>> {
        let mut trie = Builder::new();
        for (number, step) in steps.iter().enumerate() {
            step.patterns.iter().for_each(|pattern| trie.add(pattern, step.extent(), number as u32));
        }
        let trie = trie.finish();
        let conflicts = conflicts::find(&steps, spans, &trie);
        if conflicts.is_empty() { Ok(Program { steps, trie }) } else { Err(conflicts) }
    }

    /// Finds the steps that apply to a canonical path, whatever the method. Linear in the path, and in the nodes of the trie.
    #[inline]
    pub fn look_up(&self, path: &(impl AsRef<[u8]> + ?Sized), cursors: &mut Cursors) {
        self.trie.walk(path.as_ref(), cursors);
    }

    /// The number of the next step that applies.
    #[inline]
    pub fn next(&self, cursors: &mut Cursors) -> Option<u32> {
        self.trie.next(cursors)
    }

    /// Leaves out the steps before `step`.
    pub fn skip_to(&self, cursors: &mut Cursors, step: u32) {
        self.trie.skip_to(cursors, step);
    }

    /// The step with this number.
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get(number as usize)
    }

    /// All steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The number of nodes of the trie.
    #[cfg(test)]
    pub fn nodes(&self) -> usize {
        self.trie.nodes()
    }
}
