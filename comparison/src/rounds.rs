//! Carries the schedule out: rounds over positions over contenders, with an eye on the clock, and keeps what came out.

use crate::cross_check;
use crate::measure::Rig;
use crate::options::Options;
use crate::progress::Progress;
use crate::record;
use crate::results::{Cell, Outcome, Run};
use crate::workloads::schedule::{self, Place};
use crate::workloads::{Contender, Position, Workload, point_in_words};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why a point has no figures.
const CUT: &str = "cut for time";
/// How old the file may be while a run goes on: what is lost if the machine goes down.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Seconds of cells after which their real cost says more than the estimate.
const LEARNT: f64 = 5.0;
/// What the run says of itself until it is whole.
const PARTIAL: &str = "partial: the run was interrupted, and later rounds are missing";

/// A run under way.
pub struct Rounds<'a> {
    pub options: &'a Options,
    pub rig: &'a Rig,
    pub workloads: Vec<Workload>,
    /// Positions that are measured, in order.
    pub kept: Vec<Place>,
    pub run: Run,
    /// Set when the user wants to stop.
    pub stop: Arc<AtomicBool>,
    /// Seconds for all.
    pub budget: f64,
    pub begun: Instant,
    pub progress: Progress,
    /// What each contender of W10 can do, in requests a second.
    capacities: HashMap<String, f64>,
    /// What was not quite as it says, with the rounds in which it was so.
    missing: Vec<(String, Vec<String>)>,
    /// Seconds that cells were estimated at, and those they took.
    spent: (f64, f64),
    saved: Instant,
}

impl<'a> Rounds<'a> {
    pub fn new(options: &'a Options, rig: &'a Rig, workloads: Vec<Workload>, run: Run, budget: f64) -> Rounds<'a> {
        let only =
            |place: &Place| options.only.is_empty() || options.only.iter().any(|name| name == workloads[place.0].name);
        let kept = schedule::places(&workloads).into_iter().filter(only).collect();
        Rounds {
            options,
            rig,
            kept,
            workloads,
            run,
            stop: Arc::default(),
            budget,
            begun: Instant::now(),
            progress: Progress::default(),
            capacities: HashMap::new(),
            missing: Vec::new(),
            spent: (0.0, 0.0),
            saved: Instant::now(),
        }
    }

    fn position(&self, place: Place) -> &Position {
        &self.workloads[place.0].positions[place.1]
    }

    /// Seconds that a position still needs, with `rounds` to go.
    fn costs(&self, place: Place, rounds: u32) -> f64 {
        f64::from(rounds) * schedule::position_cost(self.position(place)) * self.slowness()
    }

    /// By how much cells take longer than estimated.
    fn slowness(&self) -> f64 {
        let (estimated, real) = self.spent;
        if estimated < LEARNT { 1.0 } else { real / estimated }
    }

    fn elapsed(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Cuts what does not fit before it begins, and notes who cannot be measured.
    pub fn fit(&mut self) {
        let rounds = self.options.rounds;
        let capacities: f64 =
            self.capacity_positions().iter().map(|(position, one)| schedule::cost(position, one)).sum();
        let gone =
            schedule::cut(&self.workloads, |place| self.costs(place, rounds), &self.kept, self.budget - capacities);
        for place in gone {
            self.cut(place, "before the first round");
        }
        for place in self.kept.clone() {
            for contender in self.position(place).contenders.clone() {
                if let Some(why) = &contender.without {
                    self.keep(place, &contender, 0, Outcome::Without(why.clone()));
                }
            }
        }
    }

    /// Measures all; what was measured is kept whatever happens.
    pub fn measure(&mut self) -> io::Result<()> {
        self.run.notes.push(PARTIAL.into());
        self.save()?;
        self.measure_capacities();
        for round in 0..self.options.rounds {
            for place in self.kept.clone() {
                self.look_at_the_clock(round, place);
                if self.kept.contains(&place) {
                    self.measure_position(round, place)?;
                }
                if self.is_stopped() {
                    return self.end();
                }
            }
        }
        if self.options.syscalls {
            self.count_syscalls();
        }
        self.run.notes.extend(cross_check::notes(self.rig, &self.workloads, self.options.mode, &mut self.progress));
        self.run.notes.retain(|note| note != PARTIAL);
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.progress.clear();
        for (which, rounds) in std::mem::take(&mut self.missing) {
            self.run.notes.push(format!("{which} {} were not there when the load began", rounds.join(", ")));
        }
        self.save()
    }

    fn save(&mut self) -> io::Result<()> {
        self.run.seconds = self.elapsed();
        self.saved = Instant::now();
        record::write(&self.run, &self.options.out)
    }

    fn measure_position(&mut self, round: u32, place: Place) -> io::Result<()> {
        let position = self.position(place).clone();
        for at in schedule::order(position.contenders.len(), round) {
            let contender = &position.contenders[at];
            if contender.without.is_some() {
                continue;
            }
            let capacity = match position.stress.of_capacity {
                true => self.capacities.get(&contender.label()).copied(),
                false => Some(1.0),
            };
            let begun = Instant::now();
            self.show(round, place, contender);
            let measured = match capacity {
                Some(capacity) => self.rig.cell(&position, contender, capacity),
                None => Err(io::Error::other("its capacity could not be measured")),
            };
            if self.is_stopped() {
                // What ended was ended with us.
                return Ok(());
            }
            let outcome = match measured {
                Ok((measured, missing)) => {
                    self.note_missing(round, place, contender, missing);
                    Outcome::Measured(Box::new(measured))
                }
                Err(error) => Outcome::Without(format!("failed: {error}")),
            };
            self.keep(place, contender, round, outcome);
            self.spent.0 += schedule::cost(&position, contender);
            self.spent.1 += begun.elapsed().as_secs_f64();
        }
        if self.saved.elapsed() > SAVE_EVERY { self.save() } else { Ok(()) }
    }

    /// A point is not quite what it says where connections could not be made in time.
    fn note_missing(&mut self, round: u32, place: Place, contender: &Contender, missing: u64) {
        let position = self.position(place);
        let wanted = position.stress.connections() as u64;
        if missing * 100 <= wanted {
            return;
        }
        let (name, at) = (self.workloads[place.0].name, point_in_words(&position.point));
        let which = format!("{name} {at}, {}: of {wanted} connections", contender.label());
        let said = format!("{missing} (round {})", round + 1);
        match self.missing.iter_mut().find(|(other, _)| *other == which) {
            Some((_, rounds)) => rounds.push(said),
            None => self.missing.push((which, vec![said])),
        }
    }

    fn keep(&mut self, place: Place, contender: &Contender, round: u32, outcome: Outcome) {
        let workload = self.workloads[place.0].name;
        if let Outcome::Without(why) = &outcome
            && why.starts_with("failed")
        {
            let at = point_in_words(&self.position(place).point);
            self.progress.line(&format!("{workload} {at}, {}, round {}: {why}", contender.label(), round + 1));
        }
        self.run.cells.push(Cell {
            workload: workload.into(),
            point: self.position(place).point.clone(),
            design: contender.design.clone(),
            variant: contender.variant.clone(),
            round,
            outcome,
        });
    }

    /// Cuts points if the rest would take too long; `next` is what comes now.
    fn look_at_the_clock(&mut self, round: u32, next: Place) {
        let at = self.kept.iter().position(|place| *place == next).unwrap_or(0);
        let to_go = |place: Place| {
            let done = self.kept.iter().position(|other| *other == place).is_some_and(|index| index < at);
            self.options.rounds - round - u32::from(done)
        };
        let left = self.budget - self.elapsed();
        let gone = schedule::cut(&self.workloads, |place| self.costs(place, to_go(place)), &self.kept, left);
        for place in gone {
            self.cut(place, &format!("in round {}", round + 1));
        }
    }

    /// Takes a position out of all rounds: figures of fewer rounds than the others have would say less than they seem to.
    fn cut(&mut self, place: Place, when: &str) {
        self.kept.retain(|other| *other != place);
        let (name, point) = (self.workloads[place.0].name, self.position(place).point.clone());
        self.run.cells.retain(|cell| cell.workload != name || cell.point != point);
        for contender in self.position(place).contenders.clone() {
            let why = contender.without.clone().unwrap_or(CUT.into());
            self.keep(place, &contender, 0, Outcome::Without(why));
        }
        let note = format!("{name} {}: {CUT}, {when}", point_in_words(&point));
        self.progress.line(&note);
        self.run.notes.push(note);
    }

    /// One position for each contender whose load is a multiple of what it can do.
    fn capacity_positions(&self) -> Vec<(Position, Contender)> {
        let mut all: Vec<(Position, Contender)> = Vec::new();
        for place in &self.kept {
            let position = self.position(*place);
            if position.stress.of_capacity {
                for contender in position.contenders.iter().filter(|contender| contender.without.is_none()) {
                    if !all.iter().any(|(_, other)| other == contender) {
                        all.push((position.clone(), contender.clone()));
                    }
                }
            }
        }
        all
    }

    fn measure_capacities(&mut self) {
        for (position, contender) in self.capacity_positions() {
            if self.is_stopped() {
                return;
            }
            let label = contender.label();
            self.progress.show(&format!("W10: what {label} can do"));
            let note = match self.rig.capacity(&position, &contender) {
                Ok(capacity) => {
                    self.capacities.insert(label.clone(), capacity);
                    format!("W10: the capacity of {label} is {capacity:.0} requests/s, measured in a closed loop")
                }
                Err(error) => format!("W10: the capacity of {label} could not be measured: {error}"),
            };
            self.run.notes.push(note);
        }
    }

    /// Adds system calls per request to the cells of W1 that need no more connections than a traced server can have.
    fn count_syscalls(&mut self) {
        let Some(place) = self.kept.iter().copied().find(|place| self.is_for_syscalls(*place)) else { return };
        let position = self.position(place).clone();
        for contender in position.contenders.iter().filter(|one| one.without.is_none() && !one.outside) {
            self.progress.show(&format!("system calls of {}", contender.label()));
            match self.rig.syscalls(&position, contender, &self.options.out) {
                Ok(calls) => self.note_syscalls(place, contender, calls),
                Err(error) => {
                    self.run.notes.push(format!("system calls of {} not counted: {error}", contender.label()));
                }
            }
        }
    }

    fn is_for_syscalls(&self, place: Place) -> bool {
        self.workloads[place.0].name == "W1" && self.position(place).point.value == 100.0
    }

    fn note_syscalls(&mut self, place: Place, contender: &Contender, calls: f64) {
        let (name, point) = (self.workloads[place.0].name, self.position(place).point.clone());
        for cell in &mut self.run.cells {
            let same = cell.design == contender.design && cell.variant == contender.variant;
            if let Outcome::Measured(measured) = &mut cell.outcome
                && same
                && cell.workload == name
                && cell.point == point
            {
                measured.server.syscalls = Some(calls);
            }
        }
    }

    fn show(&mut self, round: u32, place: Place, contender: &Contender) {
        let rounds = self.options.rounds;
        let at = self.kept.iter().position(|other| *other == place).unwrap_or(0);
        let rest: f64 = self.kept[at..].iter().map(|place| self.costs(*place, 1)).sum();
        let later: f64 = self.kept.iter().map(|place| self.costs(*place, rounds - round - 1)).sum();
        let words = format!(
            "round {}/{rounds}  {:3} {:22} {:28} {:4.0} s gone, about {:.0} s to go",
            round + 1,
            self.workloads[place.0].name,
            point_in_words(&self.position(place).point),
            contender.label(),
            self.elapsed(),
            rest + later
        );
        self.progress.show(&words);
    }
}
