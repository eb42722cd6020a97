//! Finds the turns that held the loop, and the time that other sources may have waited because of them.

use crate::event_loop::{AT_ONCE, Iteration, Phase, SourceKind, TurnRecord};
use std::time::Duration;

/// Turns that are shorter than this are not shown: even a hundred of them a second delay no client noticeably.
const LONG: Duration = Duration::from_millis(10);

/// A turn that held the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub serial: u64,
    pub phase: Phase,
    pub kind: SourceKind,
    pub label: String,
    pub route: String,
    pub registered: String,
    pub began: Duration,
    pub took: Duration,
    pub own: bool,
    /// The number of sources that were already ready when the next wait began.
    pub found: u32,
    /// The longest time that these sources can have waited.
    pub waited_at_most: Duration,
}

/// Gets the iterations in order, and finds the turns that held the loop. How many sources became ready during such a turn
/// is known only when the loop waits for events the next time, since that wait returns them at once. A turn of the pending
/// phase is followed by the wait of its own iteration. Any other turn is followed by the wait of the next iteration, so it
/// is reported with that one.
#[derive(Default)]
pub(super) struct Follower {
    held: Vec<Held>,
    /// The serial number of the last iteration, and the end of its wait.
    last: (u64, Duration),
}

impl Follower {
    pub fn follow(&mut self, iterations: &[Iteration]) -> Vec<Held> {
        let mut told = Vec::new();
        for iteration in iterations {
            let mut waited_for = std::mem::take(&mut self.held);
            let mut since = self.last.1;
            if iteration.serial != self.last.0 + 1 {
                waited_for.clear();
                since = iteration.began;
            }
            let long = iteration.turns.iter().filter(|turn| turn.took >= LONG).map(|turn| held(iteration, turn));
            // Turns of the pending phase ran before the wait of this iteration, so they are reported with this one.
            let (before, behind): (Vec<_>, _) = long.partition(|held| held.phase == Phase::Pending);
            waited_for.extend(before);
            let at_once = iteration.wait.took < AT_ONCE.into() && iteration.events > 0;
            let (found, waited_at_most) = match at_once {
                true => (iteration.events, iteration.wait.began.saturating_sub(since)),
                false => (0, Duration::ZERO),
            };
            told.extend(waited_for.into_iter().map(|held| Held { found, waited_at_most, ..held }));
            self.last = (iteration.serial, iteration.wait.ended());
            self.held = behind;
        }
        told
    }
}

fn held(iteration: &Iteration, turn: &TurnRecord) -> Held {
    Held {
        serial: iteration.serial,
        phase: turn.phase,
        kind: turn.kind,
        label: turn.label.clone(),
        route: turn.route.clone(),
        registered: turn.registered.map(|site| site.to_string()).unwrap_or_default(),
        began: turn.began,
        took: turn.took,
        own: turn.own,
        found: 0,
        waited_at_most: Duration::ZERO,
    }
}
