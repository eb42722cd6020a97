//! Which design for which work: computed from the raw figures, and from nothing else.
//!
//! ```text
//!  Run ── grid       cells by workload and point; a design with a variant is an entry, over its rounds
//!          └─ verdict     two entries, one figure: a win, or a tie and why
//!              └─ contest     a workload at a point, one figure, all designs: who is beaten by nobody
//!                  └─ spans       points in a row with the same outcome: one sentence
//!  compare ── which wins of one run another contradicts: those are ties
//! ```
//!
//! # The rules
//!
//! The four figures are answers per second, the 99th percentile of latency, CPU time per request (user and system) and
//! resident memory. Each is judged alone; nothing adds them up.
//!
//! 1. Only designs on this library's codec take part. Outside references differ in more than their concurrency.
//! 2. A design stands for itself at its best: by the variant with the best median of the figure, at each point anew. (Where
//!    a pool is swept over sizes this favours it: its size is chosen after the exam.) The same is computed for common
//!    defaults. A variant with faults stands only where all of them have some.
//! 3. A **win** needs all of: three rounds that both have; a difference of medians greater than the spread (most − least)
//!    of each of both; the same side ahead in every round; at least [`verdict::LEAST`] between the medians; and, where
//!    answers are counted, more than was under way at the ends of the window. Everything else is a **tie**. By how much is
//!    the median of the ratios within rounds, because machines drift over minutes.
//! 4. Who left over [`verdict::MOST_FAULTS`] of the requests without a right answer (errors, time-outs, refusals) wins
//!    nothing, since the figures are of the others; where the generator was the limit there is neither winner nor loser in
//!    answers per second and latency, since they are the generator's.
//! 5. Leaders are those whom nobody beats. One leader has won; several are tied. Where all but some failed by rule 4 in every
//!    round, and those left are tied, that is said, and is not a win by the figure.
//! 6. What was not measured takes no part; nor does a loop whose handler blocks, which is measured to show the mistake. A
//!    figure that one of those who answer does not tell is not judged at that point: it may be the best. At a fixed rate
//!    answers per second are not judged: they are the rate.
//! 7. A win that another run contradicts ([`compare`]) is a tie.

pub mod compare;
pub mod contest;
pub mod designs;
pub mod figure;
pub mod grid;
pub mod rounds;
pub mod shown;
pub mod spans;
pub mod verdict;

use crate::results::Run;
use compare::Contradiction;
use contest::{Contest, Lineup};

/// What a run says.
#[derive(Debug)]
pub struct Summary {
    /// Each design by its best variant.
    pub best: Vec<Contest>,
    /// Each design by its common default.
    pub defaults: Vec<Contest>,
    /// Wins that the other run contradicted: they count as ties above.
    pub contradicted: Vec<Contradiction>,
    /// True if there was another run.
    pub with_another: bool,
}

impl Summary {
    /// Computes it; wins that the other run contradicts become ties.
    pub fn of(run: &Run, other: Option<&Run>) -> Summary {
        let mut contradicted = Vec::new();
        let mut of = |lineup| {
            let contradictions = other.map_or_else(Vec::new, |other| compare::contradictions(run, other, lineup));
            let contests = contest::contests(run, lineup, &contradictions);
            contradicted.extend(contradictions);
            contests
        };
        let best = of(Lineup::Best);
        let defaults = of(Lineup::Defaults);
        Summary { best, defaults, contradicted, with_another: other.is_some() }
    }
}
