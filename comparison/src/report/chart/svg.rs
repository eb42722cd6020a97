//! The picture.

use super::labels::apart;
use super::marks::{self, Mark, mark};
use super::scale::{Scale, tick};
use super::{Chart, Dot, Line};
use crate::report::escape;
use crate::summary::shown;
use std::fmt::Write;

/// For which screens. Lengths in the SVG's own units, which are CSS pixels where it is not scaled.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    class: &'static str,
    width: f64,
    height: f64,
    /// Room for the ticks' texts on the left.
    left: f64,
    /// Room for the names on the right.
    right: f64,
    /// Between the base lines of two names.
    gap: f64,
    /// About so many ticks.
    ticks: (usize, usize),
    /// Of markers.
    radius: f64,
    /// Between the bars of neighbouring lines, which would hide each other.
    dodge: f64,
}

/// Above the plot: the vertical axis' label.
const TOP: f64 = 26.0;
/// Below the plot: the ticks' texts and the horizontal axis' label.
const BOTTOM: f64 = 42.0;

/// For desktops and tablets.
pub const WIDE: Size = Size {
    class: "wide",
    width: 760.0,
    height: 400.0,
    left: 62.0,
    right: 158.0,
    gap: 17.0,
    ticks: (8, 7),
    radius: 3.6,
    dodge: 2.0,
};
/// For phones.
pub const NARROW: Size = Size {
    class: "narrow",
    width: 336.0,
    height: 330.0,
    left: 50.0,
    right: 116.0,
    gap: 14.0,
    ticks: (4, 6),
    radius: 3.0,
    dodge: 0.8,
};

struct Frame<'c> {
    chart: &'c Chart,
    size: Size,
    x: Scale,
    y: Scale,
}

/// Draws it.
pub fn draw(chart: &Chart, size: Size) -> String {
    let dots = || chart.lines.iter().flat_map(|line| &line.dots);
    let heights = dots().flat_map(|dot| {
        let (low, high) = dot.range.unwrap_or((dot.y, dot.y));
        [low, dot.y, high]
    });
    let x = Scale::over(chart.x.shape, dots().map(|dot| dot.x));
    let y = Scale::over(chart.y.shape, heights);
    let frame = Frame { chart, size, x, y };
    let mut svg = String::new();
    let Size { class, width, height, .. } = size;
    let title = escape(&chart.title);
    let _ = write!(
        svg,
        r#"<svg class="{class}" viewBox="0 0 {width} {height}" role="img"><title>{title}</title><desc>{}</desc>"#,
        escape(&format!("{} over {}. The figures are in the table of raw figures.", chart.y.label, chart.x.label))
    );
    frame.axes(&mut svg);
    for (at, line) in chart.lines.iter().enumerate() {
        frame.line(&mut svg, line, (at as f64 - (chart.lines.len() as f64 - 1.0) / 2.0) * size.dodge);
    }
    frame.names(&mut svg);
    svg.push_str("</svg>");
    svg
}

impl Frame<'_> {
    fn right(&self) -> f64 {
        self.size.width - self.size.right
    }

    fn floor(&self) -> f64 {
        self.size.height - BOTTOM
    }

    fn across(&self, value: f64) -> f64 {
        self.size.left + self.x.at(value).clamp(0.0, 1.0) * (self.right() - self.size.left)
    }

    fn up(&self, value: f64) -> f64 {
        self.floor() - self.y.at(value).clamp(0.0, 1.0) * (self.floor() - TOP)
    }

    fn axes(&self, svg: &mut String) {
        let (left, right, floor) = (self.size.left, self.right(), self.floor());
        for value in self.y.ticks(self.size.ticks.1, self.chart.y.unit) {
            let y = self.up(value);
            let text = escape(&tick(self.chart.y.unit, value));
            let _ = write!(svg, r#"<path class="grid" d="M{left} {y:.1}H{right}"/>"#);
            let _ = write!(
                svg,
                r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{text}</text>"#,
                left - 6.0,
                y + 4.0
            );
        }
        for value in self.x.ticks(self.size.ticks.0, self.chart.x.unit) {
            let x = self.across(value);
            let text = escape(&tick(self.chart.x.unit, value));
            let _ = write!(svg, r#"<path class="axis" d="M{x:.1} {floor}v5"/>"#);
            let _ = write!(
                svg,
                r#"<text class="tick" x="{x:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
                floor + 17.0
            );
        }
        let _ = write!(svg, r#"<path class="axis" d="M{left} {TOP}V{floor}H{right}"/>"#);
        let (x, y) = (escape(&self.chart.x.label), escape(&self.chart.y.label));
        let bottom = self.size.height - 6.0;
        let _ = write!(svg, r#"<text class="axis-label" x="{left}" y="{bottom}">{x}</text>"#);
        let _ = write!(svg, r#"<text class="axis-label" x="2" y="12">{y}</text>"#);
    }

    fn line(&self, svg: &mut String, line: &Line, dodge: f64) {
        let Mark { class, dash, shape } = mark(&line.design);
        let _ = write!(svg, r#"<g class="{class}">"#);
        let dodge_of = |dot: &Dot| if dot.marked { dodge } else { 0.0 };
        let steps: Vec<String> = line
            .dots
            .iter()
            .map(|dot| format!("{:.1} {:.1}", self.across(dot.x) + dodge_of(dot), self.up(dot.y)))
            .collect();
        if steps.len() > 1 {
            let _ = write!(svg, r#"<path class="l" stroke-dasharray="{dash}" d="M{}"/>"#, steps.join("L"));
        }
        for dot in line.dots.iter().filter(|dot| dot.marked) {
            let (x, y) = (self.across(dot.x) + dodge, self.up(dot.y));
            let hollow = if dot.fails { r#" class="hollow""# } else { "" };
            let _ = write!(svg, "<g{hollow}><title>{}</title>", escape(&self.tip(line, dot)));
            if let Some((low, high)) = dot.range {
                let (low, high) = (self.up(low), self.up(high));
                let _ = write!(
                    svg,
                    r#"<path class="bar" d="M{x:.1} {low:.1}V{high:.1}m-3 0h6M{:.1} {low:.1}h6"/>"#,
                    x - 3.0
                );
            }
            marks::draw(svg, shape, x, y, self.size.radius);
            svg.push_str("</g>");
        }
        svg.push_str("</g>");
    }

    fn tip(&self, line: &Line, dot: &Dot) -> String {
        let y = |value: f64| tick(self.chart.y.unit, value);
        let range = dot.range.map_or_else(String::new, |(low, high)| format!(" ({} to {})", y(low), y(high)));
        let x = match self.chart.x.unit {
            super::Unit::Count => shown::count(dot.x),
            unit => tick(unit, dot.x),
        };
        let fails = if dot.fails { ", over 1 % without a right answer" } else { "" };
        format!("{} at {x}: {}{range}{fails}", line.name, y(dot.y))
    }

    /// The names, with a thread from the end of each line.
    fn names(&self, svg: &mut String) {
        let ended: Vec<(&Line, &Dot)> =
            self.chart.lines.iter().filter_map(|line| Some((line, line.dots.last()?))).collect();
        let wishes: Vec<f64> = ended.iter().map(|(_, dot)| self.up(dot.y)).collect();
        let heights = apart(&wishes, self.size.gap, TOP, self.floor());
        let (right, r) = (self.right(), self.size.radius);
        for ((line, dot), y) in ended.into_iter().zip(heights) {
            let mark = mark(&line.design);
            let (from, end) = (self.across(dot.x), self.up(dot.y));
            let _ = write!(svg, r#"<g class="{}">"#, mark.class);
            let _ = write!(
                svg,
                r#"<path class="thread" d="M{from:.1} {end:.1}L{:.1} {end:.1}L{:.1} {y:.1}"/>"#,
                right + 2.0,
                right + 10.0
            );
            marks::draw(svg, mark.shape, right + 16.0, y, r);
            let _ = write!(
                svg,
                r#"<text class="name" x="{:.1}" y="{:.1}">{}</text></g>"#,
                right + 23.0,
                y + 4.0,
                escape(&line.name)
            );
        }
    }
}
