//! One figure of one entry, over the rounds.

use oneloop_benches::figures;

/// A figure by round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rounds(Vec<(u32, f64)>);

impl Rounds {
    /// Of the rounds where it is known.
    pub fn new(figures: impl IntoIterator<Item = (u32, Option<f64>)>) -> Rounds {
        let known = |(round, figure): (u32, Option<f64>)| Some((round, figure.filter(|figure| figure.is_finite())?));
        Rounds(figures.into_iter().filter_map(known).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The figures, in the order of the rounds as they came.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().map(|(_, figure)| *figure)
    }

    /// The middle one; `None` where there is none.
    pub fn median(&self) -> Option<f64> {
        Some(figures::median(self.values())).filter(|median| !median.is_nan())
    }

    /// The least; infinite where there is none.
    pub fn least(&self) -> f64 {
        self.values().fold(f64::INFINITY, f64::min)
    }

    /// The most; infinitely negative where there is none.
    pub fn most(&self) -> f64 {
        self.values().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The difference of the two, in the figure's unit.
    pub fn spread(&self) -> f64 {
        self.most() - self.least()
    }

    /// This over the other, within each round that both have.
    pub fn ratios(&self, other: &Rounds) -> Vec<f64> {
        let of = |round: u32| other.0.iter().find(|(at, _)| *at == round).map(|(_, figure)| *figure);
        self.0.iter().filter_map(|(round, figure)| Some(figure / of(*round)?)).filter(|ratio| !ratio.is_nan()).collect()
    }

    /// Only the rounds that the other has too.
    pub fn shared(&self, other: &Rounds) -> Rounds {
        Rounds(self.0.iter().filter(|(round, _)| other.0.iter().any(|(at, _)| at == round)).copied().collect())
    }
}
