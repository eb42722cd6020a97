use super::deflate::Coders;
use crate::event_loop::{Loop, PORTION, Portions};
use crate::proto::ws::{Fault, Inflater};
use std::rc::Rc;

/// A message that is inflated in portions.
pub(super) struct Inflating {
    pub text: bool,
    /// What was received, if it waits: until then the message is where it was read.
    pub content: Vec<u8>,
    /// How many bytes of the content were taken.
    taken: usize,
    /// `None` until the first portion.
    pub inflater: Option<Box<Inflater>>,
    pub turn: Turn,
}

/// Whether a message waits in the loop's queue of portions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It does not, and has to ask.
    Asks,
    Waits,
    /// It has waited long enough: the next portion is counted already.
    May,
}

impl Inflating {
    pub fn new(text: bool) -> Inflating {
        Inflating { text, content: Vec::new(), taken: 0, inflater: None, turn: Turn::Asks }
    }

    /// What is inflated next.
    fn next<'a>(&self, content: &'a [u8]) -> &'a [u8] {
        let left = content.get(self.taken..).unwrap_or_default();
        left.get(..PORTION).unwrap_or(left)
    }

    /// How many bytes the next portion has.
    pub fn counts(&self, content: &[u8]) -> usize {
        self.next(content).len()
    }

    /// Inflates as much as it may now. Returns whether that is all.
    pub fn go_on(&mut self, lp: &Rc<Loop>, content: &[u8], limit: usize) -> Result<bool, Fault> {
        let portions = Portions::of(lp);
        loop {
            let next = self.next(content);
            let may = std::mem::replace(&mut self.turn, Turn::Asks) == Turn::May;
            if !may && !portions.take(lp, self.counts(content)) {
                return Ok(false);
            }
            let inflater = self.inflater.get_or_insert_with(|| {
                let mut inflater = Coders::of(lp).inflater.take().unwrap_or_default();
                inflater.begin(content.len(), limit);
                inflater
            });
            let made = inflater.made();
            self.taken += inflater.portion(next, limit)?;
            portions.add_made(inflater.made() - made);
            if self.taken >= content.len() && !inflater.has_more() {
                return Ok(true);
            }
        }
    }
}
