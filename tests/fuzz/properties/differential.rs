//! Our framing beside an independent parser's: never is a message accepted with one framing here and another there.
//!
//! The input: what a peer sends.

use super::message::{Ending, Framed, frame};
use super::oracle::{self, Oracle};
use std::cell::RefCell;

/// How two framings of the same bytes relate.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The same messages.
    Same,
    /// They accept more than we do.
    WeRefuse,
    /// We accept what they refuse: why they do.
    TheyRefuse(String),
    /// They read no further, where the connection goes on here.
    TheyClose,
    /// Both accept, and differ.
    Differ(String),
}

pub fn compare(ours: &Framed, theirs: &Framed) -> Verdict {
    let (us, them) = (ours.whole(), theirs.whole());
    for (number, (our, their)) in ours.messages.iter().zip(&theirs.messages).enumerate().take(us.min(them)) {
        let same = (&our.method, &our.target, &our.content) == (&their.method, &their.target, &their.content);
        let trailers = |fields: &[(String, String)]| -> Vec<(String, String)> {
            fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
        };
        if !same || trailers(&our.trailers) != trailers(&their.trailers) {
            return Verdict::Differ(format!("message {number}"));
        }
    }
    match (ours.ending, theirs.ending) {
        _ if us == them => Verdict::Same,
        (Ending::Refused | Ending::Closed, _) if us < them => Verdict::WeRefuse,
        (_, Ending::Refused) if us > them => Verdict::TheyRefuse(theirs.why.clone()),
        (_, Ending::Closed) if us > them => Verdict::TheyClose,
        _ => Verdict::Differ(format!("{us} messages here, {them} there")),
    }
}

thread_local! {
    static ORACLES: RefCell<Vec<Oracle>> = RefCell::new(oracle::all());
}

/// Asks all oracles that run here, and expects at least one.
pub fn holds(wire: &[u8]) {
    let ours = frame(wire);
    // What is refused at once here can have any framing elsewhere.
    if ours.messages.is_empty() && ours.ending == Ending::Refused {
        return;
    }
    ORACLES.with_borrow_mut(|oracles| {
        assert!(!oracles.is_empty(), "no oracle runs here");
        for oracle in oracles {
            let theirs = oracle.ask(&[wire.to_vec()]).remove(0);
            if let Verdict::Differ(what) = compare(&ours, &theirs) {
                panic!("{what}, for {}\nours: {ours:#?}\ntheirs: {theirs:#?}\n{}", oracle.name, wire.escape_ascii());
            }
        }
    });
}
