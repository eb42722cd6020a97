//! The cells of a run, by workload and point.

use super::designs::MISTAKE;
use super::figure::Figure;
use super::rounds::Rounds;
use super::verdict::{MOST_FAULTS, ROUNDS};
use crate::results::{Latency, Measured, Outcome, Point, Run};

/// A workload at a point, with everything that was tried there.
#[derive(Debug)]
pub struct Place<'a> {
    /// `W1` to `W10`.
    pub workload: &'a str,
    /// What is varied, and where this is.
    pub point: &'a Point,
    /// Designs with their variants, in the order of the run.
    pub entries: Vec<Entry<'a>>,
}

/// A design with a variant, over the rounds.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The design's name.
    pub design: &'a str,
    /// How it was set up.
    pub variant: &'a str,
    /// What was measured, by round.
    pub measured: Vec<(u32, &'a Measured)>,
    /// Why there is nothing, where there is nothing.
    pub without: Vec<&'a str>,
}

/// All places of a run: workloads by number, points by what they are and then by value.
pub fn places(run: &Run) -> Vec<Place<'_>> {
    let mut places: Vec<Place<'_>> = Vec::new();
    for cell in &run.cells {
        let there = places.iter().position(|place| place.workload == cell.workload && *place.point == cell.point);
        let place = there.unwrap_or_else(|| {
            places.push(Place { workload: &cell.workload, point: &cell.point, entries: Vec::new() });
            places.len() - 1
        });
        let entries = &mut places[place].entries;
        let there = entries.iter().position(|entry| entry.design == cell.design && entry.variant == cell.variant);
        let entry = there.unwrap_or_else(|| {
            let (measured, without) = (Vec::new(), Vec::new());
            entries.push(Entry { design: &cell.design, variant: &cell.variant, measured, without });
            entries.len() - 1
        });
        match &cell.outcome {
            Outcome::Measured(measured) => entries[entry].measured.push((cell.round, measured)),
            Outcome::Without(why) if entries[entry].without.contains(&why.as_str()) => {}
            Outcome::Without(why) => entries[entry].without.push(why),
        }
    }
    places.sort_by(|a, b| {
        let key = |place: &Place<'_>| (number(place.workload), place.point.name.clone());
        key(a).cmp(&key(b)).then(a.point.value.total_cmp(&b.point.value))
    });
    places
}

/// 3 for `W3`; what has no number comes last.
fn number(workload: &str) -> u32 {
    workload.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(u32::MAX)
}

impl<'a> Place<'a> {
    /// The variants of a design that were measured.
    pub fn measured(&self, design: &str) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(move |entry| entry.design == design && !entry.measured.is_empty())
    }

    /// The variant of a design with the best median. One with faults is the best only where all of them have some.
    pub fn best(&self, design: &str, figure: Figure) -> Option<&Entry<'a>> {
        let candidates = self.measured(design).filter(|entry| entry.variant != MISTAKE);
        let known = candidates.filter_map(|entry| Some((entry.rounds(figure).median()?, entry)));
        let better = |a: &(f64, &Entry<'_>), b: &(f64, &Entry<'_>)| {
            let by_figure = a.0.total_cmp(&b.0);
            let by_figure = if figure.more_is_better() { by_figure.reverse() } else { by_figure };
            (a.1.fails()).cmp(&b.1.fails()).then(by_figure)
        };
        known.min_by(better).map(|(_, entry)| entry)
    }

    /// A variant of a design that fails, where none has figures.
    pub fn failing(&self, design: &str) -> Option<&Entry<'a>> {
        self.measured(design).find(|entry| entry.variant != MISTAKE && entry.fails())
    }

    /// Returns whether all contenders had the same fixed rate of requests, within a percent.
    pub fn has_one_rate(&self) -> bool {
        let rates = self.entries.iter().flat_map(|entry| &entry.measured).map(|(_, measured)| measured.offered);
        let fold = |(least, most): (f64, f64), rate: f64| (least.min(rate), most.max(rate));
        let rates: Option<Vec<f64>> = rates.collect();
        let (least, most) = rates.unwrap_or_default().into_iter().fold((f64::INFINITY, 0.0), fold);
        least.is_finite() && least > 0.0 && most <= least * 1.01
    }

    /// Returns whether the load came at a fixed rate.
    pub fn is_open(&self) -> bool {
        self.entries.iter().flat_map(|entry| &entry.measured).any(|(_, measured)| measured.offered.is_some())
    }

    /// The designs, in the order of the run.
    pub fn designs(&self) -> Vec<&'a str> {
        let mut designs = Vec::new();
        for entry in &self.entries {
            if !designs.contains(&entry.design) {
                designs.push(entry.design);
            }
        }
        designs
    }
}

impl Entry<'_> {
    /// A figure over the rounds.
    pub fn rounds(&self, figure: Figure) -> Rounds {
        self.over(|measured| figure.of(measured))
    }

    /// Anything measured, over the rounds.
    pub fn over(&self, of: impl Fn(&Measured) -> Option<f64>) -> Rounds {
        Rounds::new(self.measured.iter().map(|(round, measured)| (*round, of(measured))))
    }

    /// The largest share of requests in a round that got no right answer.
    pub fn faults(&self) -> f64 {
        self.over(|measured| Some(faults(measured))).values().fold(0.0, f64::max)
    }

    /// Returns whether too many requests failed.
    pub fn fails(&self) -> bool {
        self.faults() > MOST_FAULTS
    }

    /// Returns whether too many failed in every one of at least three rounds.
    pub fn fails_throughout(&self) -> bool {
        let least = self.over(|measured| Some(faults(measured))).least();
        self.measured.len() >= ROUNDS && least > MOST_FAULTS
    }

    /// The largest share of a round's answers that were under way when its window began, and as many when it ended: the
    /// mean latency over the window's length, by Little's law. Closer than that no window tells two rates apart.
    pub fn under_way(&self) -> f64 {
        self.over(|measured| Some(mean(&measured.latency) / (1e6 * measured.seconds))).values().fold(0.0, f64::max)
    }

    /// Returns whether it has the figure in every round.
    pub fn tells(&self, figure: Figure) -> bool {
        self.rounds(figure).count() == self.measured.len()
    }

    /// Returns whether the generator was the limit in a round.
    pub fn is_generator_limited(&self) -> bool {
        self.measured.iter().any(|(_, measured)| measured.generator_limited)
    }

    /// The name, with the variant where there is one.
    pub fn label(&self) -> String {
        label(self.design, self.variant)
    }
}

/// A design and its variant in one.
pub fn label(design: &str, variant: &str) -> String {
    if variant.is_empty() { design.to_string() } else { format!("{design} ({variant})") }
}

/// The mean of a distribution, in microseconds, by its spectrum; by its median where it has none.
fn mean(latency: &Latency) -> f64 {
    let area = |pair: &[(f64, f64)]| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0;
    let first = latency.spectrum.first().map(|(quantile, value)| quantile * value);
    first.map_or(latency.p50, |first| first + latency.spectrum.windows(2).map(area).sum::<f64>())
}

/// The share of requests that got no right answer: 1 where nothing was answered at all.
pub fn faults(measured: &Measured) -> f64 {
    let faults = (measured.errors + measured.timeouts + measured.refusals) as f64;
    let all = faults + measured.answers as f64;
    if all == 0.0 { 1.0 } else { faults / all }
}
