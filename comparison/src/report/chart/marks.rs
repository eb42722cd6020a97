//! How each design looks, in every chart the same: by colour, by dash and by shape, so that any one of them is enough.
//!
//! The colours are those of Okabe and Ito, a little darker on white and a little lighter on black (see `style.css`).

use crate::summary::designs::MISTAKE;
use std::fmt::Write;

/// The look of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The class that gives it its colour.
    pub class: &'static str,
    /// The lengths of dashes and gaps; empty for a whole line.
    pub dash: &'static str,
    /// The marker.
    pub shape: Marker,
}

/// Shapes of markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    #[allow(missing_docs)]
    Circle,
    #[allow(missing_docs)]
    Square,
    #[allow(missing_docs)]
    Diamond,
    #[allow(missing_docs)]
    Up,
    #[allow(missing_docs)]
    Down,
    #[allow(missing_docs)]
    Cross,
}

const OWN: [(&str, Mark); 6] = [
    ("loop", Mark { class: "c-loop", dash: "", shape: Marker::Circle }),
    ("loops", Mark { class: "c-loops", dash: "7 3", shape: Marker::Square }),
    ("loop-workers", Mark { class: "c-loop-workers", dash: "2 3", shape: Marker::Diamond }),
    ("pool-connection", Mark { class: "c-pool-connection", dash: "", shape: Marker::Up }),
    ("pool-request", Mark { class: "c-pool-request", dash: "7 3", shape: Marker::Down }),
    ("thread-each", Mark { class: "c-thread-each", dash: "2 3", shape: Marker::Cross }),
];

const OUTSIDE: [(&str, Mark); 7] = [
    ("nginx", Mark { class: "c-outside", dash: "", shape: Marker::Circle }),
    ("node", Mark { class: "c-outside", dash: "7 3", shape: Marker::Square }),
    ("hyper", Mark { class: "c-outside", dash: "2 3", shape: Marker::Diamond }),
    ("apache-event", Mark { class: "c-outside", dash: "", shape: Marker::Up }),
    ("apache-worker", Mark { class: "c-outside", dash: "7 3", shape: Marker::Down }),
    ("apache-prefork", Mark { class: "c-outside", dash: "2 3", shape: Marker::Cross }),
    ("tiny_http", Mark { class: "c-outside", dash: "10 3 2 3", shape: Marker::Square }),
];

/// A loop whose handler blocks: the loop's colour, and otherwise unlike it.
const MISTAKEN: Mark = Mark { class: "c-loop", dash: "1 3", shape: Marker::Cross };

/// The look of a design; what is not known looks like an outside reference.
pub fn mark(design: &str) -> Mark {
    if design == MISTAKE {
        return MISTAKEN;
    }
    let known = OWN.iter().chain(&OUTSIDE).find(|(name, _)| *name == design);
    known.map_or(Mark { class: "c-outside", dash: "1 3", shape: Marker::Circle }, |(_, mark)| *mark)
}

/// Draws a marker of this radius.
pub fn draw(svg: &mut String, shape: Marker, x: f64, y: f64, r: f64) {
    let mut polygon = |corners: &[(f64, f64)]| {
        let corners: Vec<String> =
            corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx * r, y + dy * r)).collect();
        let _ = write!(svg, r#"<polygon class="m" points="{}"/>"#, corners.join(" "));
    };
    match shape {
        Marker::Square => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Marker::Diamond => polygon(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
        Marker::Up => polygon(&[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)]),
        Marker::Down => polygon(&[(0.0, 1.2), (1.15, -0.9), (-1.15, -0.9)]),
        Marker::Circle => _ = write!(svg, r#"<circle class="m" cx="{x:.1}" cy="{y:.1}" r="{r:.1}"/>"#),
        Marker::Cross => {
            let (l, t, w, h) = (x - r, y - r, 2.0 * r, 2.0 * r);
            let _ = write!(svg, r#"<path class="x" d="M{l:.1} {t:.1}l{w:.1} {h:.1}m0 -{h:.1}l-{w:.1} {h:.1}"/>"#);
        }
    }
}
