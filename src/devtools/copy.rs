//! Copies the recording, one part in each iteration, so that the loop can do other work in between.

use crate::event_loop::{Recording, mark_turn_as_own, recording_part, set_immediate};

/// How many records are copied in one turn. To copy so many takes some tenths of a millisecond.
const PART: usize = 500;

/// Copies the records from the iteration `since` up to now, one part in each iteration of the loop, and passes them to
/// `then`. Passes `None` if this loop is not recording.
pub(super) fn copy(since: u64, then: impl FnOnce(Option<Recording>) + 'static) {
    let Some(now) = recording_part(u64::MAX, 0) else { return then(None) };
    let until = now.next;
    go_on(Recording { next: since, ..now }, until, Box::new(then));
}

fn go_on(mut copied: Recording, until: u64, then: Box<dyn FnOnce(Option<Recording>)>) {
    if let Some(part) = recording_part(copied.next, PART) {
        // These records were overwritten before they could be copied. What was copied before them is dropped too, so that
        // the copy has no gap.
        if part.dropped > 0 {
            copied.dropped += part.dropped + copied.iterations.len() as u64;
            copied.iterations.clear();
        }
        copied.iterations.extend(part.iterations);
        (copied.at, copied.next) = (part.at, part.next);
        if copied.next < until {
            set_immediate(move || {
                mark_turn_as_own();
                go_on(copied, until, then);
            });
            return;
        }
    }
    then(Some(copied));
}
