//! Shortens a recording for a message: a loop can make more iterations in a tenth of a second than anybody can look at.

use crate::event_loop::Iteration;
use std::cmp::Reverse;
use std::time::Duration;

/// One iteration, or several in a row that are shown as a sum.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    One(&'a Iteration),
    Many(&'a [Iteration]),
}

/// How many iterations, and about how many turns in all, one message to the page describes one by one. The others are put
/// together as sums.
#[derive(Clone, Copy)]
pub(super) struct Detail {
    pub iterations: usize,
    pub turns: usize,
}

impl Detail {
    /// The detail of the messages that open pages get ten times a second: about 50 KiB at most.
    pub const PUSH: Detail = Detail { iterations: 150, turns: 600 };
    /// The detail of the history that a page gets once, when it opens: about 300 KiB.
    pub const HISTORY: Detail = Detail { iterations: 1_000, turns: 3_000 };

    /// How many turns of each iteration are shown one by one: 3 to 40, fewer the more iterations there are.
    pub fn turns_each(self, iterations: usize) -> usize {
        (self.turns / iterations.max(1)).clamp(3, 40)
    }
}

/// The time that an iteration spent on anything but waiting.
pub(super) fn work(iteration: &Iteration) -> Duration {
    iteration.took.saturating_sub(iteration.wait.took)
}

/// Keeps the `most` iterations with the most work as they are, and joins the iterations between them into groups.
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
