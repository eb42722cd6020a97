//! How much of a recording a message has: a loop can make more iterations in a tenth of a second than anybody can look at.

use crate::event_loop::Iteration;
use std::cmp::Reverse;
use std::time::Duration;

/// One iteration, or several in a row that have nothing remarkable.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    One(&'a Iteration),
    Many(&'a [Iteration]),
}

/// How much is told one by one.
#[derive(Clone, Copy)]
pub(super) struct Detail {
    pub iterations: usize,
    pub turns: usize,
}

impl Detail {
    /// What is sent to an open page ten times a second: some 50 KiB at most.
    pub const PUSH: Detail = Detail { iterations: 150, turns: 600 };
    /// What is sent once, to a page that opens, of the time before: some 300 KiB.
    pub const HISTORY: Detail = Detail { iterations: 1_000, turns: 3_000 };

    /// The number of turns that are told of each iteration, 3 to 40: fewer, the more iterations there are.
    pub fn turns_each(self, iterations: usize) -> usize {
        (self.turns / iterations.max(1)).clamp(3, 40)
    }
}

/// What an iteration did beside waiting.
pub(super) fn work(iteration: &Iteration) -> Duration {
    iteration.took.saturating_sub(iteration.wait.took)
}

/// The iterations that worked longest one by one, and what lies between these in groups.
pub(super) fn merge(iterations: &[Iteration], most: usize) -> Vec<Piece<'_>> {
    if iterations.len() <= most {
        return iterations.iter().map(Piece::One).collect();
    }
    let mut order: Vec<usize> = (0..iterations.len()).collect();
    order.sort_by_key(|at| Reverse(iterations.get(*at).map(work)));
    let mut chosen: Vec<usize> = order.into_iter().take(most).collect();
    chosen.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for at in chosen {
        if let Some(between) = iterations.get(from..at).filter(|between| !between.is_empty()) {
            pieces.push(Piece::Many(between));
        }
        pieces.extend(iterations.get(at).map(Piece::One));
        from = at + 1;
    }
    if let Some(rest) = iterations.get(from..).filter(|rest| !rest.is_empty()) {
        pieces.push(Piece::Many(rest));
    }
    pieces
}
