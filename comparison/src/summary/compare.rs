//! Which wins of a run another contradicts.
//!
//! A **win** is a pair of designs at one workload, point and figure where [`judge`](super::verdict::judge) says that one is
//! better, each standing by its best variant (or by its common default) in that run.
//!
//! Another run **contradicts** it where that run has both designs at the same workload and point, and says either of
//!
//! * the other way: by the same rules the loser wins;
//! * alike: it is a tie that was measured (three rounds, faults and generator in order), and the winner is not even
//!   [`LEAST`] ahead by the medians. A tie in which the winner is ahead by more has only a greater spread: that is weaker
//!   evidence, and no contradiction.
//!
//! Where the other run does not have the pair, or has too few rounds, faults in the winner or a generator at its limit, it
//! says nothing of the win: it is counted as not checked. A contradicted win is a tie, in the leaders and everywhere else.

use super::contest::{Contest, Ending, Lineup, Pair, contests, judged, lineup, pairs};
use super::figure::Figure;
use super::grid::{Entry, Place, places};
use super::spans::place as place_in_words;
use super::verdict::{LEAST, Verdict, judge};
use crate::results::{Point, Run};
use std::fmt::Write;

/// One design better than another.
#[derive(Clone, Debug, PartialEq)]
pub struct Win {
    /// Where.
    pub workload: String,
    #[allow(missing_docs)]
    pub point: Point,
    /// By what.
    pub figure: Figure,
    /// Who is better.
    pub winner: String,
    #[allow(missing_docs)]
    pub loser: String,
    /// How many times.
    pub by: f64,
}

/// A win that the other run contradicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Contradiction {
    /// What the one says.
    pub win: Win,
    /// How many times better the winner is in the other: below 1 where it is worse.
    pub other: f64,
    /// True if the loser wins there.
    pub reversed: bool,
}

impl Contradiction {
    /// Returns whether it is about this pair.
    pub fn is_of(&self, place: &Place<'_>, pair: &Pair<'_, '_>) -> bool {
        let designs = [pair.first.design, pair.second.design];
        self.win.workload == place.workload
            && self.win.point == *place.point
            && self.win.figure == pair.figure
            && designs.contains(&self.win.winner.as_str())
            && designs.contains(&self.win.loser.as_str())
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let Win { workload, point, figure, winner, loser, by } = &self.win;
        let other = match self.reversed {
            true => format!("{loser} has {}", figure.ahead(1.0 / self.other)),
            false => "alike".to_string(),
        };
        let (at, name, ahead) = (place_in_words(point), figure.name(), figure.ahead(*by));
        format!("{workload}, {at}, {name}: {winner} {ahead} than {loser}; the other run: {other}")
    }
}

/// What another run says of a win.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    Confirmed,
    Silent,
    Contradicted(Contradiction),
}

/// All wins of a run.
pub fn wins(run: &Run, by: Lineup) -> Vec<Win> {
    let mut wins = Vec::new();
    for place in places(run) {
        for figure in judged(&place) {
            wins.extend(pairs(&place, figure, by).iter().filter_map(|pair| win(&place, pair)));
        }
    }
    wins
}

fn win(place: &Place<'_>, pair: &Pair<'_, '_>) -> Option<Win> {
    let (winner, loser, by) = match pair.verdict {
        Verdict::First(by) => (pair.first, pair.second, by),
        Verdict::Second(by) => (pair.second, pair.first, by),
        Verdict::Tie(_) => return None,
    };
    Some(Win {
        workload: place.workload.to_string(),
        point: place.point.clone(),
        figure: pair.figure,
        winner: winner.design.to_string(),
        loser: loser.design.to_string(),
        by,
    })
}

/// The wins of the first that the second contradicts.
pub fn contradictions(run: &Run, other: &Run, by: Lineup) -> Vec<Contradiction> {
    let there = places(other);
    let contradicted = |win| if let Word::Contradicted(one) = word(win, &there, by) { Some(one) } else { None };
    wins(run, by).into_iter().filter_map(contradicted).collect()
}

fn word(win: Win, there: &[Place<'_>], by: Lineup) -> Word {
    let Some(place) = there.iter().find(|place| place.workload == win.workload && *place.point == win.point) else {
        return Word::Silent;
    };
    let entries = lineup(place, win.figure, by);
    let of = |name: &str| entries.iter().copied().find(|entry| entry.design == name);
    let (Some(winner), Some(loser)) = (of(&win.winner), of(&win.loser)) else { return Word::Silent };
    match judge(win.figure, winner, loser) {
        Some(Verdict::First(_)) => Word::Confirmed,
        Some(Verdict::Second(by)) => Word::Contradicted(Contradiction { win, other: 1.0 / by, reversed: true }),
        Some(Verdict::Tie(tie)) if tie.is_measured() => match medians(win.figure, winner, loser) {
            other if other > 1.0 / (1.0 - LEAST) => Word::Confirmed,
            other => Word::Contradicted(Contradiction { win, other, reversed: false }),
        },
        _ => Word::Silent,
    }
}

/// How many times better the first is by the medians.
fn medians(figure: Figure, first: &Entry<'_>, second: &Entry<'_>) -> f64 {
    let of = |entry: &Entry<'_>| entry.rounds(figure).median().unwrap_or(f64::NAN);
    figure.advantage(of(first), of(second))
}

/// Two runs side by side.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Wins of the first that the second confirms, or does not contradict.
    pub confirmed: usize,
    /// Wins of the first of which the second says nothing.
    pub silent: usize,
    /// Wins of the first that the second contradicts.
    pub contradicted: Vec<Contradiction>,
    /// Wins of the second that the first contradicts.
    pub backward: Vec<Contradiction>,
    /// What the summary of both still says although one of the runs contradicts it: should be empty.
    pub left: Vec<String>,
}

/// Compares them, by best variants and by defaults.
pub fn compare(one: &Run, two: &Run) -> Comparison {
    let mut comparison = Comparison::default();
    let there = places(two);
    for by in [Lineup::Best, Lineup::Defaults] {
        let mut contradicted = Vec::new();
        for win in wins(one, by) {
            match word(win, &there, by) {
                Word::Confirmed => comparison.confirmed += 1,
                Word::Silent => comparison.silent += 1,
                Word::Contradicted(contradiction) => contradicted.push(contradiction),
            }
        }
        comparison.left.extend(left(&contests(one, by, &contradicted), &there, by));
        contradicted.retain(|one| !comparison.contradicted.contains(one));
        comparison.contradicted.extend(contradicted);
        let mut backward = contradictions(two, one, by);
        backward.retain(|one| !comparison.backward.contains(one));
        comparison.backward.extend(backward);
    }
    comparison
}

/// Looks again, from the other end: leaders who won alone and whom the other run does not see ahead of the next.
fn left(contests: &[Contest], there: &[Place<'_>], by: Lineup) -> Vec<String> {
    let mut left = Vec::new();
    for contest in contests {
        let Ending::Leaders { designs, next, by: times } = &contest.ending else { continue };
        let [winner] = designs.as_slice() else { continue };
        let (workload, point, figure) = (contest.workload.clone(), contest.point.clone(), contest.figure);
        let win = Win { workload, point, figure, winner: winner.clone(), loser: next.clone(), by: *times };
        if let Word::Contradicted(contradiction) = word(win, there, by) {
            left.push(contradiction.sentence());
        }
    }
    left
}

impl Comparison {
    /// For the terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let all = self.confirmed + self.silent + self.contradicted.len();
        let (confirmed, silent, contradicted) = (self.confirmed, self.silent, self.contradicted.len());
        let _ = writeln!(text, "{all} wins of pairs in the first run (by best variants and by common defaults):");
        let _ =
            writeln!(text, "  {confirmed} hold in the second, {silent} not checked by it, {contradicted} contradicted");
        list(&mut text, "contradicted, so ties:", self.contradicted.iter().map(Contradiction::sentence));
        let backward = self.backward.iter().map(Contradiction::sentence);
        list(&mut text, "wins of the second that the first contradicts, so ties there:", backward);
        list(&mut text, "still in the summary of both, although contradicted:", self.left.iter().cloned());
        if self.left.is_empty() {
            text.push_str("no contradicted win is left in the summary of both\n");
        }
        text
    }
}

fn list(text: &mut String, head: &str, lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() > 0 {
        let _ = writeln!(text, "\n{head}");
        lines.for_each(|line| _ = writeln!(text, "  {line}"));
        text.push('\n');
    }
}
