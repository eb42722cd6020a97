//! Paths and patterns: a path has one spelling, a trie finds what the patterns say one by one, and what can never run never does.
//!
//! The input: a pattern on each line, a path on the last one.

// The library does not export its router: these are its files.
#[allow(unused_imports, reason = "the property needs a part of them")]
#[path = "../../../src/app/routing/mod.rs"]
mod router;

use percent_encoding::percent_decode_str;
use router::{Cursors, Methods, Pattern, Program, Reach, Role, Step, canonical, decoded};
use std::panic::Location;

/// More patterns would make each input slow.
const PATTERNS: usize = 16;

pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (patterns, path) = text.rsplit_once('\n').unwrap_or(("", &text));
    let Ok(path) = canonical(path).inspect(|spelled| {
        assert_eq!(canonical(spelled).as_deref(), Ok(&**spelled), "once more changes nothing");
        let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        assert_eq!(decode(path), decode(spelled), "it says the same");
    }) else {
        return;
    };
    let step = |text: &str, role: Role| {
        let patterns = Pattern::parse(text.trim_start_matches(['>', '='])).ok()?;
        Some(Step {
            text: text.to_owned(),
            patterns,
            reach: if text.starts_with('>') { Reach::Prefix } else { Reach::Exact },
            strict: text.starts_with('='),
            methods: Methods::any(),
            role,
            site: Location::caller(),
        })
    };
    let steps = |role| patterns.lines().take(PATTERNS).filter_map(|text| step(text, role)).collect::<Vec<_>>();

    // Middlewares take nothing from each other.
    let Ok(program) = Program::build(steps(Role::Middleware), &[]) else { panic!("a conflict of middlewares") };
    let found = chain(&program, &path);
    for (number, step) in (0..).zip(program.steps()) {
        let reads = |pattern: &Pattern| pattern.read(&path, step.reach == Reach::Prefix, |_, _| ());
        let is_read = step.patterns.iter().any(reads);
        // A strict one may mind a slash at the end.
        let is_found = found.contains(&number);
        assert!(if step.strict { is_read || !is_found } else { is_read == is_found }, "{} and {path}", step.text);
        for (name, value) in step.captures(&path).filter(|_| is_found) {
            assert!(!value.is_empty() && path.contains(value), "{name}");
            assert_eq!(
                decoded(value).as_bytes(),
                percent_decode_str(value).collect::<Vec<u8>>(),
                "{name} is not cut in two"
            );
        }
    }

    // What is said never to run is not the first to run, and the first of all is never said to be that.
    let conflicts = Program::build(steps(Role::Handler), &[]).err().unwrap_or_default();
    let never = conflicts.iter().map(|conflict| &*conflict.step).collect::<Vec<_>>();
    if let Some(first) = found.first().and_then(|&number| program.step(number)) {
        let twins = program.steps().iter().filter(|step| step.text == first.text).count();
        assert!(twins > 1 || !never.contains(&&*format!("ALL {}", first.text)), "{} runs for {path}", first.text);
    }
}

fn chain(program: &Program, path: &str) -> Vec<u32> {
    let mut cursors = Cursors::default();
    program.look_up(path, &mut cursors);
    let steps = std::iter::from_fn(|| program.next(&mut cursors)).collect::<Vec<_>>();
    assert!(steps.is_sorted_by(|one, other| one < other), "in order, each once");
    steps
}
