//! Steps that no request can come to, because handlers before them take all their paths.
//!
//! It is enough to ask for few paths. Write a NUL, which no path and no pattern has, for each parameter of a pattern. If an
//! earlier pattern matches that path, each NUL stands in one of *its* parameters, where any other text could stand as well: so
//! it matches everything that the later pattern matches. For a wildcard, `/` and a NUL stand: the empty segment there fits no
//! parameter, so only an earlier wildcard or prefix matches. The argument holds for several earlier patterns together, too: the
//! one that matches this path matches them all.
//!
//! So the search is a walk through the trie for each step, and a look at the earlier steps that apply to the same path: of the 0.1
//! seconds of a processor that an app with 10,000 routes takes to start, a fiftieth. The rest is the reading of patterns.

use super::cursors::Cursors;
use super::methods::Methods;
use super::pattern::{Pattern, Segment};
use super::step::{Reach, Role, Span, Step};
use super::trie::Trie;
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::panic::Location;

/// Stands for any value of a parameter.
const ANY: &str = "\0";

/// A step that can never run.
#[derive(Debug)]
pub struct Conflict {
    /// Its [name](Step::name).
    pub step: String,
    /// Where it was registered.
    pub site: &'static Location<'static>,
    /// The handlers that take its requests.
    pub takers: Vec<(String, &'static Location<'static>)>,
}

impl Display for Conflict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let takers = self.takers.iter().map(|(step, site)| format!("`{step}` ({site})")).collect::<Vec<_>>();
        write!(f, "`{}` ({}) can never run: {} before it", self.step, self.site, takers.join(" and "))?;
        f.write_str(if takers.len() == 1 { " takes all its requests" } else { " take all its requests" })
    }
}

pub fn find(steps: &[Step], spans: &[Span], trie: &Trie) -> Vec<Conflict> {
    let search = Search { steps, exits: exits(steps, spans), trie };
    let mut cursors = Cursors::default();
    let numbered = steps.iter().zip(0..).filter(|(step, _)| step.role != Role::OnError);
    numbered.filter_map(|(step, number)| search.conflict(step, number, &mut cursors)).collect()
}

struct Search<'a> {
    steps: &'a [Step],
    exits: Vec<u32>,
    trie: &'a Trie,
}

impl Search<'_> {
    /// Returns the conflict of a step, if the handlers before it leave it nothing. A step whose pattern is malformed is told as that.
    fn conflict(&self, step: &Step, number: u32, cursors: &mut Cursors) -> Option<Conflict> {
        if step.patterns.is_empty() {
            return None;
        }
        let mut takers = BTreeSet::new();
        for path in step.patterns.iter().flat_map(|pattern| paths(pattern, step)) {
            let mut taken = Methods::default();
            self.trie.walk(path.as_bytes(), cursors);
            while !step.methods.are_in(&taken) {
                let earlier = self.trie.next(cursors).filter(|&earlier| earlier < number)? as usize;
                let by = self.steps.get(earlier)?;
                let is_certain = self.exits.get(earlier).is_some_and(|&exit| number < exit);
                if matches!(by.role, Role::Handler | Role::NotFound) && is_certain && by.methods.meet(&step.methods) {
                    taken.add(&by.methods);
                    takers.insert(earlier);
                }
            }
        }
        let named = |step: &Step| (step.name(), step.site);
        let (name, site) = named(step);
        let takers = takers.into_iter().filter_map(|by| self.steps.get(by)).map(named).collect();
        Some(Conflict { step: name, site, takers })
    }
}

/// Paths that stand for all that a pattern matches.
fn paths(pattern: &Pattern, step: &Step) -> Vec<String> {
    let mut path = String::new();
    for segment in &pattern.segments {
        path.push('/');
        match segment {
            Segment::Text(text) => path.push_str(text),
            Segment::Shape(shape) => {
                path.push_str(&shape.before);
                shape.parameters.iter().for_each(|parameter| path.extend([ANY, &parameter.after]));
            }
        }
    }
    let slashed = format!("{path}/");
    let below = format!("{path}//{ANY}");
    let mut paths = match (&pattern.rest, step.reach) {
        (Some(_), _) => vec![below],
        (None, Reach::Prefix) => vec![path, slashed, below],
        (None, Reach::Exact) if !step.strict => vec![path, slashed],
        (None, Reach::Exact) if pattern.slash => vec![slashed],
        (None, Reach::Exact) => vec![path],
    };
    // That of the root has a slash.
    paths.retain(|path| !path.is_empty());
    paths
}

/// For each step the nearest one at which a request may go on that was led past the step. A handler takes nothing from the steps
/// from there on.
fn exits(steps: &[Step], spans: &[Span]) -> Vec<u32> {
    let mut exits = vec![u32::MAX; steps.len()];
    for span in spans {
        let mut is_left = span.conditional;
        let inside = steps.iter().zip(&mut exits).take(span.to as usize).skip(span.from as usize);
        for (step, exit) in inside {
            if is_left {
                *exit = (*exit).min(span.to);
            }
            is_left |= step.role == Role::Middleware;
        }
    }
    exits
}
