//! One line of a router's ordered list.

use super::methods::Methods;
use super::pattern::{Pattern, first_segment};
use super::trie::Extent;
use std::panic::Location;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ends the chain.
    Handler,
    /// Ends the chain where no handler has.
    NotFound,
    /// May let the chain go on.
    Middleware,
    /// Runs only after an error, or where no step has answered.
    OnError,
}

/// For which paths a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The paths that the pattern matches.
    Exact,
    /// And those below them.
    Prefix,
}

/// One line of the ordered list. Its number is its index there.
#[derive(Debug)]
pub struct Step {
    /// The whole pattern as it was written, with those of the routers above.
    pub text: String,
    /// The same text, parsed.
    pub patterns: Vec<Pattern>,
    /// Whether it is for what is below the pattern as well.
    pub reach: Reach,
    /// Whether a slash at the end of a path matters. Not for prefixes.
    pub strict: bool,
    /// The methods that it takes.
    pub methods: Methods,
    /// What this step is for, which decides when a chain calls it.
    pub role: Role,
    /// Where it was registered.
    pub site: &'static Location<'static>,
}

/// Steps next to each other that can be jumped over: a router, or the steps of one route.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first step.
    pub from: u32,
    /// The first step behind it.
    pub to: u32,
    /// Whether it is jumped over for some requests even if no middleware in it says so (another host's).
    pub conditional: bool,
}

impl Step {
    /// The name of the step in a message: what the program has called to register it, as far as that can be told.
    pub fn name(&self) -> String {
        match (self.role, &*self.text) {
            (Role::NotFound, "/") => "not_found".to_owned(),
            (Role::NotFound, prefix) => format!("not_found below {prefix}"),
            (Role::Middleware, pattern) if self.methods.is_any() => format!("with {pattern}"),
            (_, pattern) => format!("{} {pattern}", self.methods),
        }
    }

    pub(super) fn extent(&self) -> Extent {
        match (self.reach, self.strict) {
            (Reach::Prefix, _) => Extent::Prefix,
            (Reach::Exact, true) => Extent::Strict,
            (Reach::Exact, false) => Extent::Loose,
        }
    }

    /// The names of the parameters, in the order of the pattern, those that may be absent included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().take(1).flat_map(Pattern::names)
    }

    /// The value that a parameter has in a canonical path. It is still encoded.
    pub fn capture<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        let is_prefix = self.reach == Reach::Prefix;
        self.patterns.iter().find_map(|pattern| {
            let mut found = None;
            let matches = pattern.read(path, is_prefix, |known, value| {
                if known == name {
                    found = Some(value);
                }
            });
            matches.then_some(found)
        })?
    }

    /// The names and values of all parameters that are there, in the order of the pattern. Empty if the path does not match.
    pub fn captures<'s>(&'s self, path: &'s str) -> impl Iterator<Item = (&'s str, &'s str)> {
        self.names().filter_map(move |name| Some((name, self.capture(path, name)?)))
    }
}

/// What is left of a path behind so many segments: empty, or it begins with a slash.
pub fn behind(path: &str, segments: usize) -> &str {
    (0..segments).fold(path, |left, _| first_segment(left).map_or("", |(_, behind)| behind))
}
