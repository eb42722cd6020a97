//! The recorder: keeps records of what the loop did in each iteration, so that programs and people can look at them later.
//!
//! It belongs to the thread's loop. It is off by default and then costs one branch at each of its hooks. When on, it writes
//! into ring buffers that are allocated once; new records overwrite the oldest.
//!
//! ```text
//!  hooks in the loop ──▶ Tape: iterations ○  turns ○  callbacks ○  labels ○ ──recording(since)──▶ Recording ──▶ trace
//!  (one branch each)           an iteration points at its turns, a turn at its callbacks and its label
//! ```
//!
//! Time is the loop's clock, which is read at the end of each wait and of each turn, even when nothing is recorded. So the slices
//! of an iteration follow each other without a gap, and the loop's own work between the last turn and the wait counts as wait.

mod hooks;
mod records;
mod ring;
mod tape;

pub(super) use hooks::Recorder;
pub use records::{CallRecord, Iteration, Queues, Recording, RecordingSize, Slice, SourceKind, TurnRecord};

use super::current;
use tape::Tape;

/// Records this thread's loop from its next iteration on, in ring buffers of fixed size. If a recording is running
/// already, its records are dropped and a new one begins with the new size.
pub fn start_recording(size: RecordingSize) {
    if let Some(lp) = current() {
        let totals = lp.totals();
        lp.recorder.set_tape(|first| Some(Box::new(Tape::new(&size, first, totals))));
    }
}

/// Ends the recording and gives its memory back.
pub fn stop_recording() {
    if let Some(lp) = current() {
        lp.recorder.set_tape(|_| None);
    }
}

/// Returns the records from the iteration with the serial number `since` on (0: from the oldest that is still kept). Only
/// iterations that have ended are included, so the running one is not. `None` if this loop is not recording.
///
/// To follow the loop, pass the [`next`](Recording::next) of the previous recording.
///
/// The records are copied in this call: for full rings of the default size this takes milliseconds. See [`recording_part`].
pub fn recording(since: u64) -> Option<Recording> {
    recording_part(since, usize::MAX)
}

/// As [`recording`], a part at a time, so that copying a long recording does not hold up the loop. A part has at most
/// `records` iterations, turns and callbacks together, but at least one iteration. Pass its [`next`](Recording::next) to
/// get the next part, for example in an immediate.
pub fn recording_part(since: u64, records: usize) -> Option<Recording> {
    let lp = current()?;
    let at = lp.now();
    let tape = lp.recorder.tape.borrow();
    Some(tape.as_ref()?.read(since, records, at))
}

/// Marks the turn that is running as one that serves an observer of the loop and not the program: [`TurnRecord::own`].
/// Later turns of the same connection without a request (which flush output, say) are marked too, until a turn handles a
/// request and does not call this.
pub fn mark_turn_as_own() {
    if let Some(lp) = current() {
        lp.mark_turn_as_own();
    }
}
