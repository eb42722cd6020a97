//! The format of a message of the stream.
//!
//! A message is one JSON object. Times are microseconds on the loop's clock, with a decimal; those inside an iteration count
//! from its beginning. A value that is zero or empty may be left out.
//!
//! ```text
//!   boot        names this run of the server: another value means that the server was started anew
//!   at          when the recording was read
//!   from, next  the serial numbers of the iterations that the message covers: from ≤ n < next
//!   dropped     how many of these iterations were overwritten before they could be sent
//!   own         [number, time] of the turns in these iterations that served the page itself
//!   queues      lengths when the last iteration began: timers, ready (without connections of the page), immediates,
//!               ticks, closing, jobs
//!   iterations  each:
//!     n, c      serial number; how many are put together here (1 where left out)
//!     t, d      when it began, and how long it took (to the end of the last one)
//!     w         the wait: [began, took]; for several iterations, only the sum of the times
//!     p         the phases pending, poll (without the wait), check, closing, timers: each in the form of w
//!     e, k      events that the wait returned; ticks that ran
//!     r, s      bytes read and sent
//!     o         time of turns that served the page itself
//!     q         the largest length of each queue, if any is not zero
//!     u         its longest turns, as they ran; each: p phase, f kind, b began, d took, l label, rt route, a registered at,
//!               c callbacks, k ticks, kd their time, r, s bytes, o 1 if it served the page
//!     m         [number, time] of its other turns; for several iterations, of all their turns
//!     f         the time of the turns of m in the poll phase by source, without ticks: connection, listener, inbox, signals
//!     kt        the time of the ticks of these turns in each phase
//!   held        turns that held the loop: n, p, f, b (absolute), d, l, rt, a, o as above; found: sources that the next
//!               wait found ready at once; waited: the longest time that these can have waited
//!   numbers     see `numbers`; in every fifth message
//!   open        requests that are not answered yet, without the page's own; in every tenth message:
//!     count     how many there are
//!     oldest    twenty of them at most, the oldest first; each: m method, p path without the query, rt route, a age,
//!               r peer
//!   routes      [prefix, registered at] of each listener for requests, fifty at most; an empty prefix means a listener for
//!               requests that no prefix matches; in the same messages
//! ```

use super::held::Held;
use super::json::{self, Object};
use super::merge::{Detail, Piece, merge};
use crate::event_loop::{Iteration, Phase, Queues, Recording, Slice, SourceKind, TurnRecord};
use std::cmp::Reverse;
use std::time::Duration;

/// Writes everything except the numbers and the requests.
pub(super) fn write(all: &mut Object<'_>, boot: &str, recording: &Recording, held: &[Held], detail: Detail) {
    let iterations = &recording.iterations;
    let first = iterations.first().map_or(recording.next, |iteration| iteration.serial);
    all.string("boot", boot);
    all.micros("at", recording.at);
    all.number("from", first.saturating_sub(recording.dropped));
    all.number("next", recording.next);
    all.some("dropped", recording.dropped);
    let own = iterations.iter().flat_map(|iteration| &iteration.turns).filter(|turn| turn.own);
    let (turns, took) = own.fold((0, Duration::ZERO), |(turns, took), turn| (turns + 1, took + turn.took));
    pair(all.name("own"), turns, took);
    if let Some(last) = iterations.last() {
        queues(all.name("queues"), &Queues { ready: ready(last), ..last.queues });
    }
    let pieces = merge(iterations, detail.iterations);
    let turns = detail.turns_each(pieces.len());
    json::list(all.name("iterations"), pieces, |out, piece| match piece {
        Piece::One(iteration) => json::object(out, |all| one(all, iteration, turns)),
        Piece::Many(iterations) => json::object(out, |all| many(all, iterations)),
    });
    json::list(all.name("held"), held, |out, held| json::object(out, |all| write_held(all, held)));
}

fn pair(out: &mut String, number: u64, time: Duration) {
    out.push('[');
    json::number(out, number);
    out.push(',');
    json::micros(out, time);
    out.push(']');
}

fn slice(out: &mut String, slice: Slice, from: Duration) {
    out.push('[');
    json::micros(out, slice.began.saturating_sub(from));
    out.push(',');
    json::micros(out, slice.took);
    out.push(']');
}

/// The name of each queue on the page, and its length, in the order in which a message has them.
const QUEUES: [(&str, fn(&Queues) -> u32); 6] = [
    ("timers", |queues| queues.timers),
    ("ready", |queues| queues.ready),
    ("immediates", |queues| queues.immediates),
    ("ticks", |queues| queues.ticks),
    ("closing", |queues| queues.closing),
    ("jobs", |queues| queues.jobs),
];

fn queues(out: &mut String, queues: &Queues) {
    json::list(out, QUEUES.map(|(_, length)| length(queues)), json::number);
}

/// The phases of an iteration, the poll phase without its wait.
fn phases(iteration: &Iteration) -> [Slice; 5] {
    let mut phases = iteration.phases;
    let poll = &mut phases[1];
    if !iteration.prelude {
        *poll = Slice { began: iteration.wait.ended(), took: poll.took.saturating_sub(iteration.wait.took) };
    }
    phases
}

/// The length of the ready list when an iteration began, without connections of the page: each message puts such connections on
/// the list, so it would never be shown as empty.
fn ready(iteration: &Iteration) -> u32 {
    let own = iteration.turns.iter().filter(|turn| turn.own && turn.phase == Phase::Pending).count();
    iteration.queues.ready.saturating_sub(u32::try_from(own).unwrap_or(u32::MAX))
}

fn own_time(iteration: &Iteration) -> Duration {
    iteration.turns.iter().filter(|turn| turn.own).map(|turn| turn.took).sum()
}

fn one(all: &mut Object<'_>, iteration: &Iteration, most: usize) {
    let from = iteration.began;
    all.number("n", iteration.serial);
    all.micros("t", from);
    all.micros("d", iteration.took);
    slice(all.name("w"), iteration.wait, if iteration.prelude { iteration.wait.began } else { from });
    json::list(all.name("p"), phases(iteration), |out, phase| {
        slice(out, phase, if phase.took.is_zero() { phase.began } else { from });
    });
    counts(all, std::slice::from_ref(iteration));
    let (turns, mut others) = longest(&iteration.turns, most);
    if !turns.is_empty() {
        json::list(all.name("u"), turns, |out, turn| json::object(out, |all| write_turn(all, turn, from)));
    }
    others.number += u64::from(iteration.turns_lost);
    others.write(all);
}

fn many(all: &mut Object<'_>, iterations: &[Iteration]) {
    let (Some(first), Some(last)) = (iterations.first(), iterations.last()) else { return };
    all.number("n", first.serial);
    all.number("c", iterations.len());
    all.micros("t", first.began);
    all.micros("d", (last.began + last.took).saturating_sub(first.began));
    all.micros("w", iterations.iter().map(|iteration| iteration.wait.took).sum());
    json::list(all.name("p"), 0..5, |out, at| {
        json::micros(
            out,
            iterations.iter().filter_map(|iteration| phases(iteration).get(at).map(|phase| phase.took)).sum(),
        );
    });
    counts(all, iterations);
    iterations.iter().flat_map(|iteration| &iteration.turns).collect::<Others>().write(all);
}

/// Writes the sums of counters over several iterations.
fn counts(all: &mut Object<'_>, iterations: &[Iteration]) {
    let sum = |of: fn(&Iteration) -> u64| iterations.iter().map(of).sum::<u64>();
    all.some("e", sum(|iteration| u64::from(iteration.events)));
    all.some("k", sum(|iteration| u64::from(iteration.ticks)));
    all.some("r", sum(|iteration| iteration.read));
    all.some("s", sum(|iteration| iteration.written));
    let own: Duration = iterations.iter().map(own_time).sum();
    if !own.is_zero() {
        all.micros("o", own);
    }
    let most = |of: fn(&Queues) -> u32| iterations.iter().map(|iteration| of(&iteration.queues)).max().unwrap_or(0);
    let peak = Queues {
        timers: most(|queues| queues.timers),
        ready: iterations.iter().map(ready).max().unwrap_or(0),
        immediates: most(|queues| queues.immediates),
        ticks: most(|queues| queues.ticks),
        closing: most(|queues| queues.closing),
        jobs: most(|queues| queues.jobs),
    };
    if peak != Queues::default() {
        queues(all.name("q"), &peak);
    }
}

/// Sums over the turns that are not shown one by one.
#[derive(Default)]
struct Others {
    number: u64,
    took: Duration,
    sources: [Duration; SOURCES.len()],
    ticks: [Duration; 5],
}

/// The kinds of sources that have turns in the poll phase, in the order in which a message has them.
const SOURCES: [SourceKind; 4] = [SourceKind::Connection, SourceKind::Listener, SourceKind::Inbox, SourceKind::Signals];

impl<'a> FromIterator<&'a TurnRecord> for Others {
    fn from_iter<I: IntoIterator<Item = &'a TurnRecord>>(turns: I) -> Others {
        let mut all = Others::default();
        for turn in turns {
            all.number += 1;
            all.took += turn.took;
            let source = SOURCES.iter().position(|kind| turn.phase == Phase::Poll && *kind == turn.kind);
            if let Some(source) = source.and_then(|at| all.sources.get_mut(at)) {
                *source += turn.took.saturating_sub(turn.ticks_took);
            }
            if let Some(ticks) = all.ticks.get_mut(turn.phase.number()) {
                *ticks += turn.ticks_took;
            }
        }
        all
    }
}

impl Others {
    fn write(&self, all: &mut Object<'_>) {
        if self.number > 0 {
            pair(all.name("m"), self.number, self.took);
        }
        for (name, times) in [("f", &self.sources[..]), ("kt", &self.ticks)] {
            if times.iter().any(|time| !time.is_zero()) {
                json::list(all.name(name), times, |out, time| json::micros(out, *time));
            }
        }
    }
}

/// Returns the `most` longest turns, in the order in which they ran, and the sums over the other turns.
fn longest(turns: &[TurnRecord], most: usize) -> (Vec<&TurnRecord>, Others) {
    if turns.len() <= most {
        return (turns.iter().collect(), Others::default());
    }
    let mut order: Vec<(usize, &TurnRecord)> = turns.iter().enumerate().collect();
    order.sort_by_key(|(_, turn)| Reverse(turn.took));
    let others = order.split_off(most);
    order.sort_by_key(|(at, _)| *at);
    let others = others.into_iter().map(|(_, turn)| turn).collect();
    (order.into_iter().map(|(_, turn)| turn).collect(), others)
}

fn write_turn(all: &mut Object<'_>, turn: &TurnRecord, from: Duration) {
    all.number("p", turn.phase.number());
    all.string("f", turn.kind.name());
    all.micros("b", turn.began.saturating_sub(from));
    all.micros("d", turn.took);
    if !turn.label.is_empty() {
        all.string("l", &turn.label);
    }
    if !turn.route.is_empty() {
        all.string("rt", &turn.route);
    }
    if let Some(site) = turn.registered {
        json::string(all.name("a"), &site.to_string());
    }
    all.some("c", turn.callbacks.into());
    all.some("k", turn.ticks.into());
    if turn.ticks > 0 {
        all.micros("kd", turn.ticks_took);
    }
    all.some("r", turn.read);
    all.some("s", turn.written);
    all.some("o", turn.own.into());
}

fn write_held(all: &mut Object<'_>, held: &Held) {
    all.number("n", held.serial);
    all.number("p", held.phase.number());
    all.string("f", held.kind.name());
    all.micros("b", held.began);
    all.micros("d", held.took);
    all.string("l", &held.label);
    if !held.route.is_empty() {
        all.string("rt", &held.route);
    }
    all.string("a", &held.registered);
    all.some("o", held.own.into());
    all.number("found", held.found);
    all.micros("waited", held.waited_at_most);
}

#[cfg(test)]
mod tests {
    use super::{QUEUES, SOURCES};

    /// The page finds each number by its place in the list.
    #[test]
    fn the_page_knows_the_order_of_queues_and_sources_in_a_message() {
        let list = |names: &[&str]| format!("= [\"{}\"];", names.join("\", \""));
        let queues = format!("const QUEUES {}", list(&QUEUES.map(|(name, _)| name)));
        let sources = format!("const SOURCES {}", list(&SOURCES.map(|kind| kind.name())));
        assert!(include_str!("page/words.js").contains(&queues), "words.js lacks: {queues}");
        assert!(include_str!("page/parts.js").contains(&sources), "parts.js lacks: {sources}");
    }
}
