//! What is measured one after another, how long that takes, and what is left out where it takes too long: points, never
//! rounds.

use super::{Contender, Load, Mode, Position, Workload, load};
use crate::results::workload_title;
use std::fmt::Write;

/// Seconds to start a server, to look at it and to end it.
const START: f64 = 0.15;
/// The same for a server of others, which may be several processes.
const START_OUTSIDE: f64 = 0.5;
/// Seconds for each connection to be made (and for each idle one to have asked).
const CONNECT: f64 = 0.000_15;
/// Seconds until the last answers are in, where nothing is overloaded.
const DRAIN: f64 = 0.02;

/// Rounds, unless told otherwise: what the spread needs.
pub const ROUNDS: u32 = 3;

/// Seconds that the cells of a run may take: two minutes and three quarters of an hour, less a reserve for the cross-check
/// and the report.
pub fn budget(mode: Mode) -> f64 {
    match mode {
        Mode::Quick => 110.0,
        Mode::Full => 43.0 * 60.0,
    }
}

/// Where a position is: of which workload, and which of its positions.
pub type Place = (usize, usize);

/// The estimated seconds of one contender at one position.
pub fn cost(position: &Position, contender: &Contender) -> f64 {
    if contender.without.is_some() {
        return 0.0;
    }
    let stress = &position.stress;
    let connections = stress.connections();
    let start = if contender.outside { START_OUTSIDE } else { START };
    let starved = is_starved(position, contender);
    // Who waits for a thread in vain is waited for: in the ramp where the backlog is full, and after the window.
    let overloaded = starved || matches!(stress.load, Load::Open { rate, .. } if stress.of_capacity && rate >= 1.0);
    let drain = if overloaded { stress.timeout } else { DRAIN };
    let ramp = (CONNECT * connections as f64).min(stress.ramp) + if starved { stress.ramp / 2.0 } else { 0.0 };
    start + ramp + stress.peers.fill().as_secs_f64() + stress.warm_up + stress.seconds + drain
}

/// Returns whether it has fewer threads than there are connections that each want one.
fn is_starved(position: &Position, contender: &Contender) -> bool {
    let connections = match position.stress.load {
        // Opened as they are needed.
        Load::Open { .. } => 0,
        _ => position.stress.connections(),
    };
    contender.design == "pool-connection" && contender.threads.is_some_and(|threads| threads < connections)
}

/// The estimated seconds of a position in one round.
pub fn position_cost(position: &Position) -> f64 {
    position.contenders.iter().map(|contender| cost(position, contender)).sum()
}

/// Which positions have to go so that the rest takes no longer than `budget`: the highest ranks first, of those the
/// last. `costs` is what each one still costs. One position of each workload stays, whatever it costs.
pub fn cut(workloads: &[Workload], costs: impl Fn(Place) -> f64, kept: &[Place], budget: f64) -> Vec<Place> {
    let mut kept = kept.to_vec();
    let mut gone = Vec::new();
    while kept.iter().map(|place| costs(*place)).sum::<f64>() > budget {
        let rank = |place: &Place| workloads[place.0].positions[place.1].rank;
        let alone = |place: &Place| kept.iter().filter(|other| other.0 == place.0).count() == 1;
        let candidates = kept.iter().enumerate().filter(|(_, place)| !alone(place) && costs(**place) > 0.0);
        let Some((at, _)) = candidates.max_by_key(|(at, place)| (rank(place), *at)) else { break };
        gone.push(kept.remove(at));
    }
    gone
}

/// Every position there is.
pub fn places(workloads: &[Workload]) -> Vec<Place> {
    let positions =
        |(at, workload): (usize, &Workload)| (0..workload.positions.len()).map(move |position| (at, position));
    workloads.iter().enumerate().flat_map(positions).collect()
}

/// The order of `count` contenders in a round: each round begins one further on, and every other one runs backwards, so
/// that none always follows the same neighbour or always comes first.
pub fn order(count: usize, round: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.rotate_left(round as usize % count.max(1));
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// The plan, for the reader to see before it is carried out.
pub fn describe(workloads: &[Workload], kept: &[Place], rounds: u32) -> String {
    let mut text = String::new();
    let (mut cells, mut seconds) = (0, 0.0);
    for (at, workload) in workloads.iter().enumerate() {
        let here = kept.iter().filter(|place| place.0 == at).map(|place| &workload.positions[place.1]);
        let here: Vec<&Position> = here.collect();
        if here.is_empty() {
            continue;
        }
        let count: usize =
            here.iter().flat_map(|position| &position.contenders).filter(|one| one.without.is_none()).count();
        let cost: f64 = here.iter().map(|position| position_cost(position)).sum();
        let points: Vec<String> = here.iter().map(|position| load::place(&position.point)).collect();
        let _ = writeln!(
            text,
            "{:4} {:55} {count:3} cells {cost:5.0} s   {}",
            workload.name,
            workload_title(workload.name),
            points.join(", ")
        );
        cells += count;
        seconds += cost;
    }
    let all = f64::from(rounds) * seconds;
    let _ = write!(
        text,
        "{rounds} rounds of {cells} cells, {seconds:.0} s each: about {:.0} min {:02.0} s",
        (all / 60.0).floor(),
        all % 60.0
    );
    text
}
