//! A router as one would write it first: each step's pattern is compared with the path, in order. The trie has to agree with it.

use crate::app::routing::{Methods, Pattern, Reach, Role, Step};
use proptest::prelude::*;
use std::panic::Location;

#[derive(Clone, Debug)]
pub enum Piece {
    Text(&'static str),
    Parameter,
}

#[derive(Clone, Debug)]
pub struct Route {
    pub segments: Vec<Vec<Piece>>,
    /// A segment that may be absent.
    pub optional: Option<usize>,
    pub rest: bool,
    pub slash: bool,
    pub prefix: bool,
    pub strict: bool,
    pub role: Role,
    pub methods: &'static [&'static str],
}

impl Route {
    /// Returns whether the route applies to a canonical path.
    pub fn applies(&self, path: &str) -> bool {
        let absent = |absent: Option<usize>| {
            let mut left: Vec<&str> = path[1..].split('/').collect();
            for (number, pieces) in self.segments.iter().enumerate() {
                if Some(number) != absent && (left.is_empty() || !fits(pieces, &units(left.remove(0)))) {
                    return false;
                }
            }
            let over = left.is_empty();
            let slash = left == [""];
            match self {
                Route { rest: true, .. } => !over && !slash,
                Route { prefix: true, .. } => true,
                Route { strict: true, .. } => slash == (self.slash || self.forms_nothing(absent)) && (over || slash),
                _ => over || slash,
            }
        };
        absent(None) || (self.optional.is_some() && absent(self.optional))
    }

    /// Returns whether the form without the absent segment is `/`, whose slash stands in front.
    fn forms_nothing(&self, absent: Option<usize>) -> bool {
        (0..self.segments.len()).all(|number| Some(number) == absent)
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for (number, pieces) in self.segments.iter().enumerate() {
            let segment = pieces.iter().enumerate().map(|(piece, what)| match what {
                Piece::Text(literal) => (*literal).to_owned(),
                Piece::Parameter => format!(":\"{number}.{piece}\""),
            });
            let segment = segment.collect::<String>();
            text += &if self.optional == Some(number) { format!("{{/{segment}}}") } else { format!("/{segment}") };
        }
        text + if self.rest {
            "/*rest"
        } else if self.slash || text_is_empty(self) {
            "/"
        } else {
            ""
        }
    }

    pub fn step(&self) -> Step {
        let text = self.text();
        Step {
            patterns: Pattern::parse(&text).expect("a pattern"),
            text,
            reach: if self.prefix { Reach::Prefix } else { Reach::Exact },
            strict: self.strict,
            methods: if self.methods.is_empty() { Methods::any() } else { Methods::of(self.methods) },
            role: self.role,
            site: Location::caller(),
        }
    }
}

fn text_is_empty(route: &Route) -> bool {
    route.segments.is_empty()
}

/// The letters of a canonical text: bytes, or `%` with two digits.
fn units(text: &str) -> Vec<&str> {
    let mut units = Vec::new();
    let mut left = text;
    while !left.is_empty() {
        let (unit, behind) = left.split_at(if left.starts_with('%') { 3 } else { 1 });
        units.push(unit);
        left = behind;
    }
    units
}

/// Tries every way to divide a segment.
fn fits(pieces: &[Piece], segment: &[&str]) -> bool {
    match pieces {
        [] => segment.is_empty(),
        [Piece::Text(text), rest @ ..] => {
            let text = units(text);
            segment.strip_prefix(&text[..]).is_some_and(|segment| fits(rest, segment))
        }
        [Piece::Parameter, rest @ ..] => (1..=segment.len()).any(|taken| fits(rest, &segment[taken..])),
    }
}

/// Texts that meet each other, those that stand in the digits of an encoded byte, and those that are as long as a word of the
/// processor, and longer.
const TEXTS: [&str; 10] = ["a", "b", "ab", "aa", "-", "2", "0", "%20", "abcdefgh", "abcdefghi"];

pub fn segment() -> impl Strategy<Value = Vec<Piece>> {
    let text = || prop::sample::select(&TEXTS[..]).prop_map(Piece::Text);
    let between = || text().prop_map(|text| vec![text]);
    let maybe = || prop_oneof![Just(Vec::new()), between()];
    prop_oneof![
        4 => between(),
        3 => Just(vec![Piece::Parameter]),
        1 => (maybe(), maybe()).prop_map(|(before, after)| [before, vec![Piece::Parameter], after].concat()),
        1 => (maybe(), between(), maybe()).prop_map(|(before, between, after)| {
            [before, vec![Piece::Parameter], between, vec![Piece::Parameter], after].concat()
        }),
    ]
}

pub fn route() -> impl Strategy<Value = Route> {
    let methods = prop::sample::select(vec![&[][..], &["GET"], &["POST"], &["HEAD"], &["GET", "REPORT"], &["REPORT"]]);
    let role = prop::sample::select(vec![Role::Handler, Role::Handler, Role::Middleware, Role::OnError]);
    let flags = (prop::bool::weighted(0.2), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    (prop::collection::vec(segment(), 0..4), prop::option::weighted(0.2, 0_usize..3), flags, role, methods).prop_map(
        |(segments, optional, (rest, slash, prefix, strict), role, methods)| Route {
            optional: optional.filter(|&number| number < segments.len()),
            segments,
            rest,
            slash,
            prefix,
            strict,
            role,
            methods,
        },
    )
}

/// A canonical path, made of what the routes are made of.
pub fn path() -> impl Strategy<Value = String> {
    let segment = prop::collection::vec(prop::sample::select(&TEXTS[..]), 0..4).prop_map(|parts| parts.concat());
    (prop::collection::vec(segment, 0..5), any::<bool>())
        .prop_map(|(segments, slash)| {
            segments.iter().map(|segment| format!("/{segment}")).collect::<String>() + if slash { "/" } else { "" }
        })
        .prop_map(|path| if path.is_empty() { "/".to_owned() } else { path })
}
