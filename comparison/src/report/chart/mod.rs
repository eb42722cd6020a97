//! Charts as inline SVG: lines with markers and error bars, and their names at their right ends.
//!
//! ```text
//!  Chart ── scale    where a value is, where the ticks are
//!    │      labels   where the names stand, so that none lies on another
//!    │      marks    the colour, dash and shape of each design
//!    └───── svg      the picture, once for wide screens and once for narrow ones
//! ```
//!
//! Every chart is drawn twice, because a picture that is scaled down to a phone has letters of half the size.

pub mod labels;
pub mod marks;
pub mod scale;
pub mod svg;

/// A chart, before it is drawn.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows, in a line.
    pub title: String,
    /// What to know when reading it.
    pub note: String,
    /// Left to right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it is, with the unit.
    pub label: String,
    /// How values become lengths.
    pub shape: Shape,
    /// How ticks are written.
    pub unit: Unit,
}

/// How values become lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// From zero.
    Linear,
    /// Each factor of ten has the same length.
    Log,
    /// Quantiles: each nine has the same length.
    Nines,
}

/// How ticks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain count.
    Count,
    /// Microseconds.
    Time,
    /// Bytes.
    Bytes,
    /// A quantile, as a percentage.
    Quantile,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// What decides how it looks.
    pub design: String,
    /// Where it goes, from left to right.
    pub dots: Vec<Dot>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// Where.
    pub x: f64,
    /// The median of the rounds.
    pub y: f64,
    /// The least and the most of the rounds; `None` where there is no bar.
    pub range: Option<(f64, f64)>,
    /// Drawn with a marker: those of a spectrum are too many.
    pub marked: bool,
    /// Too many requests got no right answer: the marker is hollow.
    pub fails: bool,
}
