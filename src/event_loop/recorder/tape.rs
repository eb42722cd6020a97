//! The ring buffers of one recording: how the loop writes them, and how they are read.

use super::records::{CallRecord, Iteration, Queues, Recording, RecordingSize, Slice, SourceKind, TurnRecord};
use super::ring::{Label, Labels, Ring};
use crate::callback::Site;
use crate::event_loop::{Phase, Time, Token};
use std::fmt::Display;

/// How many connections are remembered as serving an observer. A page has a few; with more, the oldest is forgotten.
const OWN: usize = 64;

/// The loop's running totals. The difference of two readings is what a turn or an iteration has done.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub ticks: u64,
    pub read: u64,
    pub written: u64,
}

#[derive(Clone, Copy)]
struct IterationEntry {
    /// When each phase began; the last element is when the last phase ended.
    marks: [Time; 6],
    waited: Time,
    events: u32,
    first_turn: u64,
    turns: u32,
    counted: Totals,
    queues: Queues,
    prelude: bool,
}

#[derive(Clone, Copy)]
struct TurnEntry {
    began: Time,
    took: Time,
    ticks_took: Time,
    site: Site,
    label: Label,
    route: Option<Label>,
    counted: Totals,
    first_call: u64,
    calls: u32,
    callbacks: u32,
    phase: Phase,
    kind: SourceKind,
    own: bool,
}

#[derive(Clone, Copy)]
struct CallEntry {
    began: Time,
    took: Time,
    site: Site,
    what: Label,
}

/// The turn that is running.
#[derive(Clone, Copy)]
struct OpenTurn {
    kind: SourceKind,
    token: Token,
    before: Totals,
    ticks_took: Time,
    first_call: u64,
    route: Option<Label>,
    own: bool,
}

/// The data that the loop passes to the tape at the end of a turn.
pub(super) struct Ended<'a> {
    pub phase: Phase,
    pub began: Time,
    pub took: Time,
    pub callbacks: u32,
    pub site: Site,
    pub label: &'a [u8],
}

pub(super) struct Tape {
    iterations: Ring<IterationEntry>,
    turns: Ring<TurnEntry>,
    calls: Ring<CallEntry>,
    labels: Labels,
    iteration: Option<IterationEntry>,
    turn: Option<OpenTurn>,
    /// Totals at the end of the last iteration.
    before: Totals,
    /// Connections that serve an observer.
    own: Vec<Token>,
    /// The serial number of the first iteration of this tape.
    first: u64,
}

impl Tape {
    pub fn new(size: &RecordingSize, first: u64, totals: Totals) -> Tape {
        Tape {
            iterations: Ring::new(size.iterations),
            turns: Ring::new(size.turns),
            calls: Ring::new(size.callbacks),
            labels: Labels::new(size.label_bytes),
            iteration: None,
            turn: None,
            before: totals,
            own: Vec::with_capacity(OWN),
            first,
        }
    }

    /// The serial number of the next iteration.
    pub fn next(&self) -> u64 {
        self.first + self.iterations.next()
    }

    // ---- Written by the loop

    pub fn begin_iteration(&mut self, now: Time, queues: Queues, prelude: bool) {
        self.turn = None;
        self.iteration = Some(IterationEntry {
            marks: [now; 6],
            waited: Time::ZERO,
            events: 0,
            first_turn: self.turns.next(),
            turns: 0,
            counted: Totals::default(),
            queues,
            prelude,
        });
    }

    /// Records the end of a phase, which is also the beginning of the next one.
    #[inline]
    pub fn end_phase(&mut self, phase: Phase, now: Time) {
        if let Some(iteration) = &mut self.iteration
            && let Some(mark) = iteration.marks.get_mut(phase.number() + 1)
        {
            *mark = now;
        }
    }

    /// Records the end of the wait. The pending phase ended when the wait began.
    pub fn end_wait(&mut self, began: Time, now: Time, events: usize) {
        self.end_phase(Phase::Pending, began);
        if let Some(iteration) = &mut self.iteration {
            iteration.waited = now - began;
            iteration.events = short(events);
        }
    }

    pub fn end_iteration(&mut self, now: Time, totals: Totals) {
        self.end_phase(Phase::Timers, now);
        let Some(mut iteration) = self.iteration.take() else { return };
        iteration.turns = short(self.turns.next() - iteration.first_turn);
        if iteration.prelude && iteration.turns == 0 {
            return;
        }
        // A phase that had nothing to do, or that a panic skipped, has set no mark of its own: its end is the same as its
        // beginning.
        let mut latest = Time::ZERO;
        for mark in &mut iteration.marks {
            latest = latest.max(*mark);
            *mark = latest;
        }
        iteration.counted = totals.since(self.before);
        self.before = totals;
        self.iterations.push(iteration);
    }

    #[inline]
    pub fn begin_turn(&mut self, kind: SourceKind, token: Token, totals: Totals) {
        if self.iteration.is_some() {
            let first_call = self.calls.next();
            let (ticks_took, route) = (Time::ZERO, None);
            self.turn = Some(OpenTurn { kind, token, before: totals, ticks_took, first_call, route, own: false });
        }
    }

    #[inline]
    pub fn end_turn(&mut self, ended: &Ended<'_>, totals: Totals) {
        let Some(turn) = self.turn.take() else { return };
        let own = self.is_own(&turn, ended);
        self.turns.push(TurnEntry {
            began: ended.began,
            took: ended.took,
            ticks_took: turn.ticks_took,
            site: ended.site,
            label: self.labels.put(ended.label),
            route: turn.route,
            counted: totals.since(turn.before),
            first_call: turn.first_call,
            calls: short(self.calls.next() - turn.first_call),
            callbacks: ended.callbacks,
            phase: ended.phase,
            kind: turn.kind,
            own,
        });
    }

    pub fn end_call(&mut self, began: Time, took: Time, site: Site, what: &dyn Display) {
        if self.turn.is_some() {
            let what = self.labels.format(what);
            self.calls.push(CallEntry { began, took, site, what });
        }
    }

    pub fn add_ticks(&mut self, took: Time) {
        if let Some(turn) = &mut self.turn {
            turn.ticks_took += took;
        }
    }

    /// Notes the route that the turn's callbacks belong to. Of several it is the last one, as with the label.
    #[cfg(feature = "app")]
    pub fn name_route(&mut self, route: &str) {
        if let Some(turn) = &mut self.turn {
            turn.route = Some(self.labels.put(route.as_bytes()));
        }
    }

    pub fn mark_as_own(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.own = true;
        }
    }

    /// Returns whether a turn served an observer, such as the devtools page. The later turns of its connection count as the
    /// observer's, too, until one of them handles a request for the program, or the connection closes.
    #[inline]
    fn is_own(&mut self, turn: &OpenTurn, ended: &Ended<'_>) -> bool {
        if turn.token == Token::NONE || (!turn.own && self.own.is_empty()) {
            return turn.own;
        }
        let known = self.own.iter().position(|token| *token == turn.token);
        let own = turn.own || (known.is_some() && ended.label.is_empty());
        match known {
            Some(at) if !own || ended.phase == Phase::Closing => drop(self.own.remove(at)),
            None if own && ended.phase != Phase::Closing => {
                if self.own.len() == OWN {
                    self.own.remove(0);
                }
                self.own.push(turn.token);
            }
            _ => {}
        }
        own
    }

    // ---- Read

    /// Reads iterations from `since` on: at least one, and then as many as fit into `most` records.
    pub fn read(&self, since: u64, most: usize, at: Time) -> Recording {
        let oldest = self.first + self.iterations.oldest();
        let from = since.max(oldest);
        let numbers = (from - self.first)..self.iterations.next();
        let mut iterations = Vec::new();
        let mut left = most;
        for (number, entry) in numbers.filter_map(|number| Some((number, self.iterations.get(number)?))) {
            let fits = left.checked_sub(self.records(entry));
            if fits.is_none() && !iterations.is_empty() {
                break;
            }
            left = fits.unwrap_or(0);
            iterations.push(self.iteration(self.first + number, entry));
        }
        Recording {
            at: at.into(),
            dropped: oldest.saturating_sub(since.max(1)),
            next: iterations.last().map_or(self.next(), |last| last.serial + 1),
            iterations,
        }
    }

    /// The number of records that an iteration has: itself, its turns that are still kept, and their callbacks.
    fn records(&self, entry: &IterationEntry) -> usize {
        let turns = self.turns.range(entry.first_turn, entry.turns);
        1 + turns.map(|turn| 1 + turn.calls as usize).sum::<usize>()
    }

    fn iteration(&self, serial: u64, entry: &IterationEntry) -> Iteration {
        let mut phases = [Slice::default(); 5];
        for (phase, marks) in phases.iter_mut().zip(entry.marks.windows(2)) {
            if let [began, ended] = *marks {
                *phase = slice(began, ended - began);
            }
        }
        let [began, polled, .., ended] = entry.marks;
        let turns: Vec<TurnRecord> =
            self.turns.range(entry.first_turn, entry.turns).map(|turn| self.turn(turn)).collect();
        let all = slice(began, ended - began);
        Iteration {
            serial,
            began: all.began,
            took: all.took,
            wait: slice(polled, entry.waited),
            events: entry.events,
            phases,
            turns_lost: entry.turns - short(turns.len()),
            turns,
            ticks: short(entry.counted.ticks),
            read: entry.counted.read,
            written: entry.counted.written,
            queues: entry.queues,
            prelude: entry.prelude,
        }
    }

    fn turn(&self, entry: &TurnEntry) -> TurnRecord {
        let calls: Vec<CallRecord> =
            self.calls.range(entry.first_call, entry.calls).map(|call| self.call(call)).collect();
        TurnRecord {
            phase: entry.phase,
            kind: entry.kind,
            began: entry.began.into(),
            took: entry.took.into(),
            callbacks: entry.callbacks,
            ticks: short(entry.counted.ticks),
            ticks_took: entry.ticks_took.into(),
            registered: (entry.callbacks > 0).then_some(entry.site),
            label: self.labels.get(entry.label),
            route: entry.route.map(|route| self.labels.get(route)).unwrap_or_default(),
            read: entry.counted.read,
            written: entry.counted.written,
            own: entry.own,
            calls_lost: entry.calls - short(calls.len()),
            calls,
        }
    }

    fn call(&self, entry: &CallEntry) -> CallRecord {
        let Slice { began, took } = slice(entry.began, entry.took);
        CallRecord { began, took, registered: entry.site, what: self.labels.get(entry.what) }
    }
}

impl Totals {
    #[inline]
    fn since(self, before: Totals) -> Totals {
        Totals {
            ticks: self.ticks - before.ticks,
            read: self.read - before.read,
            written: self.written - before.written,
        }
    }
}

fn slice(began: Time, took: Time) -> Slice {
    Slice { began: began.into(), took: took.into() }
}

fn short(count: impl TryInto<u32>) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
