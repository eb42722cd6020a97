//! Which charts a run gives.

use super::chart::{Axis, Chart, Dot, Line, Shape, Unit};
use crate::results::{Measured, workload_title};
use crate::summary::designs::{DESIGNS, MISTAKE, design};
use crate::summary::figure::Figure;
use crate::summary::grid::{Entry, Place};
use crate::summary::spans::place as place_in_words;
use oneloop_benches::figures::median;

/// Above this ratio of the greatest to the least, small values on a linear axis lie on the ground.
const LOG_FROM: f64 = 20.0;
/// How markers are read.
const BARS: &str = "Bars: least and most of the rounds. Hollow markers: over 1 % of the requests got no right answer.";
/// How latencies of an overload are read.
const LATE: &str =
    "Latency counts from the time a request was meant to be sent; of what is refused or timed out there is none.";
/// More lines than this and their names do not fit beside a chart on a phone.
const MOST_LINES: usize = 12;

/// What stands for a design in a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The designs that are compared, each by its best variant at each point.
    Best,
    /// The same by their common defaults, and outside references.
    Usual,
}

/// All charts: the five main ones of a run first, then the others.
#[derive(Debug)]
pub struct Gallery {
    /// Shown.
    pub main: Vec<Chart>,
    /// Folded away.
    pub more: Vec<Chart>,
}

/// Makes them; a chart for which there are not two points is left out.
pub fn gallery(places: &[Place<'_>]) -> Gallery {
    let mut main = Vec::new();
    let mut more = Vec::new();
    let hello = Figure::ALL.map(|figure| over_points(places, "W1", "connections", figure, Who::Best));
    let [throughput, p99, cpu, memory] = hello;
    main.extend(throughput);
    main.extend(over_points(places, "W1", "connections", Figure::Throughput, Who::Usual));
    main.extend(spectra(places));
    main.extend(overload(places, Figure::P99));
    main.extend(overload(places, Figure::Throughput));
    main.extend(memory);
    main.extend(cpu);
    more.extend(p99);
    more.extend(sweeps(places));
    for (workload, axis) in axes(places) {
        if workload == "W10" {
            continue;
        }
        for figure in [Figure::Throughput, Figure::P99, Figure::Cpu] {
            if workload != "W1" {
                more.extend(over_points(places, workload, axis, figure, Who::Best));
            }
        }
    }
    Gallery { main, more }
}

/// What each workload is varied by.
fn axes<'p>(places: &'p [Place<'_>]) -> Vec<(&'p str, &'p str)> {
    let mut axes = Vec::new();
    for place in places {
        let axis = (place.workload, place.point.name.as_str());
        if !axes.contains(&axis) {
            axes.push(axis);
        }
    }
    axes
}

fn over_points(places: &[Place<'_>], work: &str, axis: &str, figure: Figure, who: Who) -> Option<Chart> {
    let here: Vec<&Place<'_>> =
        places.iter().filter(|place| place.workload == work && place.point.name == axis).collect();
    let unit = here.first()?.point.unit.clone();
    let lines = lines(&here, figure, who);
    let xs = || lines.iter().flat_map(|line| &line.dots).map(|dot| dot.x);
    let (least, most) = xs().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| (least.min(x), most.max(x)));
    if least >= most {
        return None;
    }
    let whose = match who {
        Who::Best => "Each design by its best variant at each point.",
        Who::Usual => {
            "Designs by their common defaults; grey: outside references, which differ in more than their design."
        }
    };
    let name = axis.replace('_', " ");
    let name = if unit.is_empty() { name } else { format!("{} ({unit})", name.trim_end_matches(&format!(" {unit}"))) };
    let log = least > 0.0 && most / least >= LOG_FROM;
    let suffix = if who == Who::Usual { ": defaults and references" } else { "" };
    Some(Chart {
        title: format!("{work} {}: {} over {}{suffix}", workload_title(work), title_of(figure), axis.replace('_', " ")),
        note: format!("{whose} {BARS}"),
        x: Axis {
            label: if log { format!("{name}, log scale") } else { name },
            shape: if log { Shape::Log } else { Shape::Linear },
            unit: Unit::Count,
        },
        y: vertical(figure, &lines),
        lines,
    })
}

fn title_of(figure: Figure) -> &'static str {
    match figure {
        Figure::Throughput => "throughput",
        Figure::P99 => "99th percentile of latency",
        Figure::Cpu => "CPU time per request",
        Figure::Memory => "resident memory",
    }
}

fn vertical(figure: Figure, lines: &[Line]) -> Axis {
    let heights = || lines.iter().flat_map(|line| &line.dots).map(|dot| dot.y).filter(|y| *y > 0.0);
    let (least, most) = heights().fold((f64::INFINITY, 0.0_f64), |(least, most), y| (least.min(y), most.max(y)));
    let (label, unit) = match figure {
        Figure::Throughput => ("right answers per second", Unit::Count),
        Figure::P99 => ("99th percentile of latency (µs, ms, s)", Unit::Time),
        Figure::Cpu => ("user and system CPU time per request (µs)", Unit::Time),
        Figure::Memory => ("resident memory of the server (bytes)", Unit::Bytes),
    };
    let log = most / least >= LOG_FROM;
    let label = if log { format!("{label}, log scale") } else { label.to_string() };
    Axis { label, shape: if log { Shape::Log } else { Shape::Linear }, unit }
}

fn lines(places: &[&Place<'_>], figure: Figure, who: Who) -> Vec<Line> {
    let mut names: Vec<&str> = DESIGNS.iter().map(|design| design.name).collect();
    for name in places.iter().flat_map(|place| place.designs()) {
        if who == Who::Usual && !names.contains(&name) {
            names.push(name);
        }
    }
    let line = |name: &&str| {
        let dots: Vec<Dot> = places
            .iter()
            .filter_map(|place| dot(place.point.value, chosen(place, name, figure, who)?, figure))
            .collect();
        (!dots.is_empty()).then(|| Line { name: name.to_string(), design: name.to_string(), dots })
    };
    let mut lines: Vec<Line> = names.iter().filter_map(line).take(MOST_LINES).collect();
    lines.extend(mistake(places, |place, entry| dot(place.point.value, entry, figure).into_iter().collect()));
    lines
}

/// The mistake of a loop, where it was made: what happens when its handler blocks.
fn mistake(places: &[&Place<'_>], dots: impl Fn(&Place<'_>, &Entry<'_>) -> Vec<Dot>) -> Option<Line> {
    let of = |place: &&Place<'_>| {
        let made = place.entries.iter().find(|entry| entry.variant == MISTAKE && !entry.measured.is_empty());
        made.map_or_else(Vec::new, |entry| dots(place, entry))
    };
    let dots: Vec<Dot> = places.iter().flat_map(of).collect();
    (!dots.is_empty()).then(|| Line { name: "loop, blocking".to_string(), design: MISTAKE.to_string(), dots })
}

fn chosen<'p, 'a>(place: &'p Place<'a>, name: &str, figure: Figure, who: Who) -> Option<&'p Entry<'a>> {
    match (who, design(name)) {
        (Who::Usual, Some(design)) => {
            let variants: Vec<&str> = place.measured(name).map(|entry| entry.variant).collect();
            let common = design.common(&variants)?;
            place.measured(name).find(|entry| entry.variant == common)
        }
        _ => place.best(name, figure),
    }
}

fn dot(x: f64, entry: &Entry<'_>, figure: Figure) -> Option<Dot> {
    let rounds = entry.rounds(figure);
    let range = (rounds.count() > 1).then(|| (rounds.least(), rounds.most()));
    Some(Dot { x, y: rounds.median()?, range, marked: true, fails: entry.fails() })
}

/// Throughput over the size of the pool, at the point of each workload where most sizes were tried.
fn sweeps(places: &[Place<'_>]) -> Vec<Chart> {
    let mut charts = Vec::new();
    for (work, _) in axes(places) {
        let here = places.iter().filter(|place| place.workload == work);
        let sizes = |place: &&Place<'_>| place.entries.iter().filter(|entry| threads(entry).is_some()).count();
        let Some(place) = here.rev().max_by_key(sizes).filter(|place| sizes(place) >= 3) else { continue };
        if charts.iter().any(|chart: &Chart| chart.title.starts_with(&format!("{work} "))) {
            continue;
        }
        let lines: Vec<Line> = DESIGNS
            .iter()
            .filter_map(|design| {
                let of = |entry: &Entry<'_>| dot(threads(entry)?, entry, Figure::Throughput);
                let mut dots: Vec<Dot> = place.measured(design.name).filter_map(of).collect();
                dots.sort_by(|a, b| a.x.total_cmp(&b.x));
                (dots.len() > 1).then(|| Line { name: design.name.to_string(), design: design.name.to_string(), dots })
            })
            .collect();
        if !lines.is_empty() {
            charts.push(Chart {
                title: format!(
                    "{work} {}: throughput over threads, {}",
                    workload_title(work),
                    place_in_words(place.point)
                ),
                note: format!("Where a pool has its best size, and what another size costs. {BARS}"),
                x: Axis { label: "threads, log scale".to_string(), shape: Shape::Log, unit: Unit::Count },
                y: vertical(Figure::Throughput, &lines),
                lines,
            });
        }
    }
    charts
}

/// 16 of `threads=16`.
fn threads(entry: &Entry<'_>) -> Option<f64> {
    entry.variant.split([',', ' ']).find_map(|part| part.strip_prefix("threads=")).and_then(|size| size.parse().ok())
}

/// p99 or answers over the offered load, where the load is given as a share of the capacity.
fn overload(places: &[Place<'_>], figure: Figure) -> Option<Chart> {
    let here: Vec<&Place<'_>> = places.iter().filter(|place| place.workload == "W10").collect();
    let mut lines = lines(&here, figure, Who::Usual);
    lines.extend(lines_of_rest(&here, figure, &lines));
    if lines.iter().all(|line| line.dots.len() < 2) {
        return None;
    }
    let title = if figure == Figure::P99 { "99th percentile of latency" } else { "right answers" };
    Some(Chart {
        title: format!("W10 open-loop overload: {title} over offered load"),
        note: format!(
            "At multiples of what each server could do in a closed loop. {} {BARS}",
            if figure == Figure::P99 { LATE } else { "" }
        ),
        x: Axis {
            label: "offered load (times each one's own capacity)".to_string(),
            shape: Shape::Linear,
            unit: Unit::Count,
        },
        y: vertical(figure, &lines),
        lines,
    })
}

/// Designs without a common default, by their best variant.
fn lines_of_rest(places: &[&Place<'_>], figure: Figure, there: &[Line]) -> Vec<Line> {
    let best = lines(places, figure, Who::Best);
    best.into_iter().filter(|line| there.iter().all(|other| other.design != line.design)).collect()
}

/// The distributions of latencies at each rate that was the same for all designs.
fn spectra(places: &[Place<'_>]) -> Vec<Chart> {
    places.iter().filter(|place| place.has_one_rate()).filter_map(spectrum).collect()
}

fn spectrum(place: &Place<'_>) -> Option<Chart> {
    let line = |design: &crate::summary::designs::Design| {
        let entry = place.best(design.name, Figure::P99)?;
        let dots = spectrum_of(entry);
        (dots.len() > 1).then(|| Line { name: design.name.to_string(), design: design.name.to_string(), dots })
    };
    let mut lines: Vec<Line> = DESIGNS.iter().filter_map(line).collect();
    lines.extend(mistake(&[place], |_, entry| spectrum_of(entry)));
    if lines.is_empty() {
        return None;
    }
    let offered =
        median(place.entries.iter().flat_map(|entry| &entry.measured).filter_map(|(_, measured)| measured.offered));
    let rate = Figure::Throughput.shown(offered);
    Some(Chart {
        title: format!(
            "{} {}: latency by percentile at a fixed rate, {}",
            place.workload,
            workload_title(place.workload),
            place_in_words(place.point)
        ),
        note: format!(
            "Open loop at about {rate}: latency counts from the time a request was meant to be sent. Bars: least and most of the rounds at \
             50, 90, 99 and 99.9 %."
        ),
        x: Axis {
            label: "percentile of requests, each nine as wide".to_string(),
            shape: Shape::Nines,
            unit: Unit::Quantile,
        },
        y: Axis { label: "latency at most (µs, ms, s), log scale".to_string(), shape: Shape::Log, unit: Unit::Time },
        lines,
    })
}

/// Quantiles where rounds are put together, besides the four with bars.
const QUANTILES: [f64; 14] = [0.1, 0.25, 0.4, 0.6, 0.7, 0.8, 0.85, 0.95, 0.97, 0.98, 0.995, 0.998, 0.9995, 0.9999];

/// A quantile, and where it is noted.
type Noted = (f64, fn(&Measured) -> f64);

fn spectrum_of(entry: &Entry<'_>) -> Vec<Dot> {
    let marked: [Noted; 4] = [
        (0.5, |measured| measured.latency.p50),
        (0.9, |measured| measured.latency.p90),
        (0.99, |measured| measured.latency.p99),
        (0.999, |measured| measured.latency.p999),
    ];
    let mut dots: Vec<Dot> = QUANTILES
        .iter()
        .filter_map(|quantile| {
            let rounds = entry.over(|measured| at_quantile(&measured.latency.spectrum, *quantile));
            Some(Dot { x: *quantile, y: rounds.median()?, range: None, marked: false, fails: false })
        })
        .collect();
    dots.extend(marked.iter().filter_map(|(quantile, of)| {
        let rounds = entry.over(|measured| Some(of(measured)).filter(|latency| *latency > 0.0));
        let range = (rounds.count() > 1).then(|| (rounds.least(), rounds.most()));
        Some(Dot { x: *quantile, y: rounds.median()?, range, marked: true, fails: entry.fails() })
    }));
    dots.retain(|dot| dot.y > 0.0);
    dots.sort_by(|a, b| a.x.total_cmp(&b.x));
    dots
}

/// The latency that this share of requests stayed at or below; `None` beyond the spectrum's last quantile below 1.
fn at_quantile(spectrum: &[(f64, f64)], quantile: f64) -> Option<f64> {
    spectrum.iter().find(|(at, _)| *at >= quantile && *at < 1.0).map(|(_, latency)| *latency)
}
