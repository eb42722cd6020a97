//! Two entries, one figure: who wins, or why nobody does.

use super::figure::Figure;
use super::grid::Entry;
use oneloop_benches::figures::median;
use std::fmt;

/// Rounds that a win needs: in two, the same side is ahead by chance half of the time.
pub const ROUNDS: usize = 3;
/// The least difference of medians, as a share: where code and data happen to lie in memory makes about as much.
pub const LEAST: f64 = 0.05;
/// The largest share of requests without a right answer: above it the figures are those of a smaller load.
pub const MOST_FAULTS: f64 = 0.01;

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The first is better, so many times.
    First(f64),
    /// The second is.
    Second(f64),
    /// Neither, because of this.
    Tie(Tie),
}

/// Why nobody wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// The difference is smaller than the spread of one of them.
    Spread,
    /// The difference is below [`LEAST`].
    Small,
    /// Not the same side is ahead in every round.
    Rounds,
    /// The window is too short: what is under way at its two ends is as much as the difference.
    Window,
    /// There are fewer than [`ROUNDS`] rounds that both have.
    FewRounds,
    /// Who is ahead left over [`MOST_FAULTS`] of the requests without a right answer.
    Faults,
    /// The generator was the limit of one of them.
    Generator,
    /// Another run contradicts it.
    Contradicted,
}

impl Tie {
    /// Returns whether it says that the two are alike, rather than that nothing can be said.
    pub fn is_measured(self) -> bool {
        matches!(self, Tie::Spread | Tie::Small | Tie::Rounds)
    }

    /// Returns whether it says that nobody could be judged, rather than that somebody was not judged.
    pub fn is_silent(self) -> bool {
        matches!(self, Tie::Window | Tie::FewRounds | Tie::Generator)
    }
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tie::Spread => "the difference is within the spread",
            Tie::Small => "the difference is below 5 %",
            Tie::Rounds => "the rounds disagree",
            Tie::Window => "the window is too short for it",
            Tie::FewRounds => "fewer than three rounds",
            Tie::Faults => "over 1 % of the requests got no right answer",
            Tie::Generator => "the generator was the limit",
            Tie::Contradicted => "another run contradicts it",
        })
    }
}

/// Judges. `None` where the figure of one of them is not known.
pub fn judge(figure: Figure, first: &Entry<'_>, second: &Entry<'_>) -> Option<Verdict> {
    let (of_first, of_second) = (first.rounds(figure), second.rounds(figure));
    of_first.median()?;
    of_second.median()?;
    let (of_first, of_second) = (of_first.shared(&of_second), of_second.shared(&of_first));
    let (Some(one), Some(two)) = (of_first.median(), of_second.median()) else {
        return Some(Verdict::Tie(Tie::FewRounds));
    };
    if figure.is_of_the_generator() && (first.is_generator_limited() || second.is_generator_limited()) {
        return Some(Verdict::Tie(Tie::Generator));
    }
    if of_first.count() < ROUNDS {
        return Some(Verdict::Tie(Tie::FewRounds));
    }
    let difference = (one - two).abs();
    if difference <= of_first.spread() || difference <= of_second.spread() {
        return Some(Verdict::Tie(Tie::Spread));
    }
    if difference < LEAST * one.abs().max(two.abs()) {
        return Some(Verdict::Tie(Tie::Small));
    }
    if figure.is_of_a_window() && difference <= first.under_way().max(second.under_way()) * one.max(two) {
        return Some(Verdict::Tie(Tie::Window));
    }
    let advantage = figure.advantage(one, two);
    let ratios = of_first.ratios(&of_second);
    let advantages: Vec<f64> = ratios.iter().map(|ratio| figure.advantage(*ratio, 1.0)).collect();
    if advantages.iter().any(|other| (*other > 1.0) != (advantage > 1.0) || *other == 1.0) {
        return Some(Verdict::Tie(Tie::Rounds));
    }
    let ahead = if advantage > 1.0 { first } else { second };
    if ahead.fails() {
        return Some(Verdict::Tie(Tie::Faults));
    }
    let by = median(advantages);
    Some(if advantage > 1.0 { Verdict::First(by) } else { Verdict::Second(1.0 / by) })
}
