//! Points in a row with the same outcome, in one sentence.

use super::contest::{Contest, Ending};
use super::figure::Figure;
use super::shown;
use crate::results::Point;

/// What came out of a workload by one figure, over its points.
#[derive(Debug)]
pub struct Line {
    /// The workload.
    pub workload: String,
    /// By what.
    pub figure: Figure,
    /// The outcomes, in the order of the points.
    pub spans: Vec<Span>,
}

/// Neighbouring points with the same leaders.
#[derive(Debug)]
pub struct Span {
    /// The contests, in the order of the points.
    pub contests: Vec<Contest>,
}

/// Puts contests together. Those where fewer than two designs were measured are left out.
pub fn lines(contests: &[Contest]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for contest in contests.iter().filter(|contest| contest.ending != Ending::Alone) {
        let there = lines.iter().position(|line| line.workload == contest.workload && line.figure == contest.figure);
        let at = there.unwrap_or_else(|| {
            lines.push(Line { workload: contest.workload.clone(), figure: contest.figure, spans: Vec::new() });
            lines.len() - 1
        });
        match lines[at].spans.last_mut() {
            Some(span) if span.goes_on_with(contest) => span.contests.push(contest.clone()),
            _ => lines[at].spans.push(Span { contests: vec![contest.clone()] }),
        }
    }
    lines
}

impl Span {
    fn goes_on_with(&self, contest: &Contest) -> bool {
        let Some(last) = self.contests.last() else { return true };
        let same = match (&last.ending, &contest.ending) {
            (Ending::Leaders { designs: a, .. }, Ending::Leaders { designs: b, .. }) => {
                a.len() == b.len() && a.iter().all(|design| b.contains(design))
            }
            (Ending::Only { designs: a }, Ending::Only { designs: b }) => {
                a.len() == b.len() && a.iter().all(|design| b.contains(design))
            }
            (a, b) => a == b,
        };
        same && last.point.name == contest.point.name
    }

    /// Where it is: `1 to 1,000 connections`.
    pub fn place(&self) -> String {
        match self.contests.as_slice() {
            [] => String::new(),
            [one] => place(&one.point),
            [first, .., last] => match place(&last.point).split_once(&amount(&last.point)) {
                Some((_, rest)) => format!("{} to {}{rest}", amount(&first.point), amount(&last.point)),
                None => format!("{} to {}", place(&first.point), place(&last.point)),
            },
        }
    }

    /// What came out: `loop, 12 to 40 % more than the next (thread-each)`.
    pub fn outcome(&self) -> String {
        let Some(first) = self.contests.first() else { return String::new() };
        match &first.ending {
            Ending::Leaders { designs, .. } => {
                let who = designs.iter().map(|design| self.stood_for(design)).collect::<Vec<_>>().join(", ");
                let who = if designs.len() > 1 { format!("tie of {who}") } else { who };
                format!("{who}: {} than {}", self.by(first.figure), self.nexts())
            }
            Ending::Only { designs } => {
                let who = designs.iter().map(|design| self.stood_for(design)).collect::<Vec<_>>().join(", ");
                let tied = if designs.len() > 1 { ", a tie between them" } else { "" };
                format!("only {who} answered over 99 % of the requests rightly{tied}")
            }
            Ending::AllTied(tie) if tie.is_silent() => format!("no verdict ({tie})"),
            Ending::AllTied(tie) => format!("tie of all ({tie})"),
            Ending::AllFail => "no verdict (all left over 1 % of the requests without a right answer)".to_string(),
            Ending::Alone => String::new(),
        }
    }

    /// A leader with its variants over these points.
    fn stood_for(&self, design: &str) -> String {
        let mut variants: Vec<&str> = Vec::new();
        for standing in self.contests.iter().flat_map(|contest| &contest.standings) {
            if standing.design == design
                && !standing.variant.is_empty()
                && !variants.contains(&standing.variant.as_str())
            {
                variants.push(&standing.variant);
            }
        }
        match variants.as_slice() {
            [] => design.to_string(),
            [one] => format!("{design} ({one})"),
            several => format!("{design} ({} variants)", several.len()),
        }
    }

    fn by(&self, figure: Figure) -> String {
        let bys = self.contests.iter().filter_map(|contest| match contest.ending {
            Ending::Leaders { by, .. } => Some(by),
            _ => None,
        });
        let (least, most) = bys.fold((f64::INFINITY, 0.0_f64), |(least, most), by| (least.min(by), most.max(by)));
        let (least, most) = (figure.ahead(least), figure.ahead(most));
        let number = |text: &str| text.rsplit_once(' ').map_or(text.to_string(), |(number, _)| number.to_string());
        match (number(&least), number(&most)) {
            (a, b) if a == b => most,
            (a, b) if a.ends_with('%') && b.ends_with('%') => format!("{} to {most}", a.trim_end_matches(" %")),
            (a, _) => format!("{a} to {most}"),
        }
    }

    fn nexts(&self) -> String {
        let mut nexts: Vec<&str> = Vec::new();
        for contest in &self.contests {
            if let Ending::Leaders { next, .. } = &contest.ending
                && !nexts.contains(&next.as_str())
            {
                nexts.push(next);
            }
        }
        match nexts.as_slice() {
            [one] => format!("{one}, the next"),
            several => format!("the next ({})", several.join(", ")),
        }
    }

    /// Designs that were measured and left out because they fail, with where.
    pub fn failing(&self) -> Vec<&str> {
        let mut failing = Vec::new();
        for standing in self.contests.iter().flat_map(|contest| &contest.standings) {
            if standing.fails && !failing.contains(&standing.design.as_str()) {
                failing.push(&standing.design);
            }
        }
        failing
    }
}

/// The value of a point with its unit: `10 ms`, `1,000`, `1 MiB`.
pub fn amount(point: &Point) -> String {
    match point.unit.as_str() {
        "" => shown::count(point.value),
        "B" => shown::bytes(point.value),
        "x capacity" => format!("{}×", shown::short(point.value)),
        unit => format!("{} {unit}", shown::count(point.value)),
    }
}

/// A point in words: `1,000 connections`, `10 ms handler`, `1.5× capacity`.
pub fn place(point: &Point) -> String {
    if point.unit == "x capacity" {
        return format!("{} capacity", amount(point));
    }
    let name = point.name.replace('_', " ").replace("cpu", "CPU");
    let name =
        if point.unit.is_empty() { &name } else { name.strip_suffix(&format!(" {}", point.unit)).unwrap_or(&name) };
    // Counts have a plural for their name.
    let name = if point.value == 1.0 && point.unit.is_empty() { name.strip_suffix('s').unwrap_or(name) } else { name };
    format!("{} {name}", amount(point))
}
