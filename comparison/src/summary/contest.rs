//! One workload at one point, one figure, all designs.

use super::compare::Contradiction;
use super::designs::{self, DESIGNS, Family, MISTAKE};
use super::figure::Figure;
use super::grid::{Entry, Place, places};
use super::verdict::{Tie, Verdict, judge};
use crate::results::{Point, Run};

/// Which variant stands for a design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lineup {
    /// The best at this point by this figure.
    Best,
    /// The common default.
    Defaults,
}

/// A design in a contest.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name.
    pub design: String,
    /// The variant that stands for it.
    pub variant: String,
    /// The median over the rounds; NaN for one that fails without a single answer.
    pub median: f64,
    /// It left too many requests without a right answer in a round.
    pub fails: bool,
    /// In every round.
    pub fails_throughout: bool,
}

/// The contest and how it ended.
#[derive(Clone, Debug)]
pub struct Contest {
    /// Where.
    pub workload: String,
    #[allow(missing_docs)]
    pub point: Point,
    /// By what.
    pub figure: Figure,
    /// Everyone, the best median first; those who fail last.
    pub standings: Vec<Standing>,
    /// How it ended.
    pub ending: Ending,
}

/// How a contest ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Nobody beats these; there is somebody whom they beat. One is a winner; several are tied.
    Leaders {
        /// Their names, the best median first.
        designs: Vec<String>,
        /// The best of the others.
        next: String,
        /// How many times better the first leader is than that one.
        by: f64,
    },
    /// Only these answered over 99 % of the requests rightly, and they are tied if there are several. The others failed in
    /// every round. By the figure it is no win, since there is nothing to compare with.
    Only {
        /// Their names, the best median first.
        designs: Vec<String>,
    },
    /// Nobody beats anybody, mainly for this reason.
    AllTied(Tie),
    /// Everyone left too many requests without a right answer.
    AllFail,
    /// Fewer than two designs were measured.
    Alone,
}

/// The pairs of a place that are judged, with what came out.
pub struct Pair<'p, 'a> {
    /// By what.
    pub figure: Figure,
    /// The one who is first in the list of designs.
    pub first: &'p Entry<'a>,
    /// The other.
    pub second: &'p Entry<'a>,
    /// Who wins.
    pub verdict: Verdict,
}

/// Who stands for each design here: nobody, where one that answers does not tell the figure in each of its rounds. It may be
/// the best: CPU time is not told where it was too little.
pub fn lineup<'p, 'a>(place: &'p Place<'a>, figure: Figure, lineup: Lineup) -> Vec<&'p Entry<'a>> {
    let mut judged = DESIGNS.iter().flat_map(|design| place.measured(design.name));
    if judged.any(|entry| entry.variant != MISTAKE && !entry.fails() && !entry.tells(figure)) {
        return Vec::new();
    }
    let entry = |design: &designs::Design| match lineup {
        Lineup::Best => place.best(design.name, figure).or_else(|| place.failing(design.name)),
        Lineup::Defaults => {
            let variants: Vec<&str> = place.measured(design.name).map(|entry| entry.variant).collect();
            let common = design.common(&variants)?;
            place.measured(design.name).find(|entry| entry.variant == common)
        }
    };
    let known = |entry: &Entry<'_>| entry.rounds(figure).median().is_some();
    let all: Vec<&Entry<'_>> = DESIGNS.iter().filter_map(entry).collect();
    // Who answers nothing has no latency, and yet took part; but where nobody has the figure there is nothing to judge.
    let judged = all.iter().any(|entry| known(entry));
    all.into_iter().filter(|entry| known(entry) || judged && entry.fails()).collect()
}

/// Judges everyone against everyone.
pub fn pairs<'p, 'a>(place: &'p Place<'a>, figure: Figure, by: Lineup) -> Vec<Pair<'p, 'a>> {
    let entries = lineup(place, figure, by);
    let mut pairs = Vec::new();
    for (at, first) in entries.iter().enumerate() {
        for second in &entries[at + 1..] {
            if let Some(verdict) = judge(figure, first, second) {
                pairs.push(Pair { figure, first, second, verdict });
            }
        }
    }
    pairs
}

/// By what a place is judged. At a fixed rate the answers per second are that rate, and say nothing of a server.
pub fn judged(place: &Place<'_>) -> impl Iterator<Item = Figure> {
    let open = place.is_open();
    Figure::ALL.into_iter().filter(move |figure| !open || *figure != Figure::Throughput)
}

/// All contests of a run, with these wins taken away.
pub fn contests(run: &Run, by: Lineup, contradictions: &[Contradiction]) -> Vec<Contest> {
    let mut contests = Vec::new();
    for place in places(run) {
        for figure in judged(&place) {
            contests.push(contest(&place, figure, by, contradictions));
        }
    }
    contests
}

fn contest(place: &Place<'_>, figure: Figure, by: Lineup, contradictions: &[Contradiction]) -> Contest {
    let mut standings: Vec<Standing> =
        lineup(place, figure, by).into_iter().map(|entry| stand(entry, figure)).collect();
    standings.sort_by(|a, b| {
        let by_figure = a.median.total_cmp(&b.median);
        a.fails.cmp(&b.fails).then(if figure.more_is_better() { by_figure.reverse() } else { by_figure })
    });
    let verdicts: Vec<(&str, &str, Verdict)> = pairs(place, figure, by)
        .into_iter()
        .map(|pair| {
            let taken = contradictions.iter().any(|one| one.is_of(place, &pair));
            let verdict = if taken { Verdict::Tie(Tie::Contradicted) } else { pair.verdict };
            (pair.first.design, pair.second.design, verdict)
        })
        .collect();
    let ending = end(&standings, &verdicts, figure);
    Contest { workload: place.workload.to_string(), point: place.point.clone(), figure, standings, ending }
}

fn stand(entry: &Entry<'_>, figure: Figure) -> Standing {
    Standing {
        design: entry.design.to_string(),
        variant: entry.variant.to_string(),
        median: entry.rounds(figure).median().unwrap_or(f64::NAN),
        fails: entry.fails(),
        fails_throughout: entry.fails_throughout(),
    }
}

fn end(standings: &[Standing], verdicts: &[(&str, &str, Verdict)], figure: Figure) -> Ending {
    if standings.len() < 2 {
        return Ending::Alone;
    }
    if standings.iter().all(|standing| standing.fails) {
        return Ending::AllFail;
    }
    let beaten = |design: &str| {
        verdicts.iter().any(|(first, second, verdict)| match verdict {
            Verdict::First(_) => *second == design,
            Verdict::Second(_) => *first == design,
            Verdict::Tie(_) => false,
        })
    };
    // Who fails has figures of a smaller load: it neither wins nor shares a tie with those who do not.
    let leads = |standing: &&Standing| !standing.fails && !beaten(&standing.design);
    let designs: Vec<String> = standings.iter().filter(leads).map(|standing| standing.design.clone()).collect();
    let first = standings.iter().find(leads);
    let next = standings.iter().find(|standing| !standing.fails && beaten(&standing.design));
    match (first, next) {
        (Some(first), Some(next)) => {
            let direct = verdicts.iter().find_map(|(one, two, verdict)| match verdict {
                Verdict::First(by) if *one == first.design && *two == next.design => Some(*by),
                Verdict::Second(by) if *two == first.design && *one == next.design => Some(*by),
                _ => None,
            });
            let by = direct.unwrap_or_else(|| figure.advantage(first.median, next.median));
            Ending::Leaders { designs, next: next.design.clone(), by }
        }
        _ => {
            let others = || standings.iter().filter(|standing| standing.fails);
            let reason = main_reason(verdicts.iter().filter(|(one, two, _)| {
                let stays = |name: &str| others().all(|other| other.design != name);
                stays(one) && stays(two)
            }));
            match reason {
                Some(tie) if tie.is_silent() => {}
                _ if others().next().is_none() => {}
                _ if others().all(|other| other.fails_throughout) => return Ending::Only { designs },
                None => return Ending::AllTied(if few_rounds(verdicts) { Tie::FewRounds } else { Tie::Faults }),
                _ => {}
            }
            Ending::AllTied(reason.unwrap_or(Tie::FewRounds))
        }
    }
}

fn few_rounds(verdicts: &[(&str, &str, Verdict)]) -> bool {
    verdicts.iter().all(|(.., verdict)| *verdict == Verdict::Tie(Tie::FewRounds))
}

/// The reason of most ties; the graver one where there are as many.
fn main_reason<'v>(verdicts: impl Iterator<Item = &'v (&'v str, &'v str, Verdict)>) -> Option<Tie> {
    let reasons: Vec<Tie> =
        verdicts.filter_map(|(.., verdict)| if let Verdict::Tie(tie) = verdict { Some(*tie) } else { None }).collect();
    let count = |tie: Tie| reasons.iter().filter(|other| **other == tie).count();
    reasons.iter().copied().max_by_key(|tie| (count(*tie), *tie))
}

impl Ending {
    /// Returns whether anything was judged.
    pub fn is_verdict(&self) -> bool {
        match self {
            Ending::Alone | Ending::AllFail => false,
            Ending::AllTied(tie) => !tie.is_silent(),
            Ending::Leaders { .. } | Ending::Only { .. } => true,
        }
    }
}

/// Which kind of design is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// All leaders are of this kind.
    One(Family),
    /// Both kinds are among the leaders.
    Both,
    /// All of the other kind failed.
    Only(Family),
    /// There is nothing to say: not both kinds were measured, or all fail, or nobody could be judged.
    Unknown,
}

impl Contest {
    /// Which kind of design is ahead.
    pub fn ahead(&self) -> Ahead {
        let families = |names: &mut dyn Iterator<Item = &String>| {
            let mut found: Vec<Family> = Vec::new();
            for family in names.filter_map(|name| designs::design(name)).map(|design| design.family) {
                if !found.contains(&family) {
                    found.push(family);
                }
            }
            found
        };
        let both = families(&mut self.standings.iter().map(|standing| &standing.design)).len() == 2;
        match &self.ending {
            Ending::Leaders { designs, .. } if both => match families(&mut designs.iter()).as_slice() {
                [one] => Ahead::One(*one),
                _ => Ahead::Both,
            },
            Ending::Only { designs } if both => match families(&mut designs.iter()).as_slice() {
                [one] => Ahead::Only(*one),
                _ => Ahead::Both,
            },
            Ending::AllTied(tie) if both && !tie.is_silent() => Ahead::Both,
            _ => Ahead::Unknown,
        }
    }
}
