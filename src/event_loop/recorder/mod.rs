//! The recorder: what the loop did, iteration by iteration, for whoever wants to look at it.
//!
//! It belongs to the thread's loop, is off at first, and then costs one branch at each of its hooks. When on it writes
//! into ring buffers that were allocated once; what is oldest is overwritten.
//!
//! ```text
//!  hooks in the loop ──▶ Tape: iterations ○  turns ○  callbacks ○  labels ○ ──recording(since)──▶ Recording ──▶ trace
//!  (one branch each)           an iteration points at its turns, a turn at its callbacks and its label
//! ```
//!
//! Time is the loop's clock, which is read at the end of each wait and of each turn, recorded or not. So the slices of an
//! iteration lie side by side, and what the loop itself does between the last turn and the wait counts as wait.

mod hooks;
mod records;
mod ring;
mod tape;

pub(super) use hooks::Recorder;
pub use records::{CallRecord, Iteration, Queues, Recording, RecordingSize, Slice, SourceKind, TurnRecord};

use super::current;
use tape::Tape;

/// Begins to record this thread's loop, with its next iteration, into ring buffers of fixed size. Where it is recording
/// already it begins anew, with the new size.
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

/// What was recorded from the iteration with the serial number `since` on (0: from the oldest that is still there).
/// Iterations that have ended only: the one that runs now is not among them. `None`: this loop is not recording.
///
/// Who follows the loop asks with the [`next`](Recording::next) of the recording before.
///
/// It is a copy, made here and now: of full rings of the usual size it takes milliseconds. See [`recording_part`].
pub fn recording(since: u64) -> Option<Recording> {
    recording_part(since, usize::MAX)
}

/// The same a part at a time, so that the copy of a long recording does not hold the loop: at most `records` iterations,
/// turns and callbacks together, but one iteration at least. The next part begins with its [`next`](Recording::next); it
/// may be asked for in an immediate, say.
pub fn recording_part(since: u64, records: usize) -> Option<Recording> {
    let lp = current()?;
    let at = lp.now();
    let tape = lp.recorder.tape.borrow();
    Some(tape.as_ref()?.read(since, records, at))
}

/// Says that the turn that runs now serves whoever observes the loop, not the program: [`TurnRecord::own`]. So does what
/// its connection does later without a request, such as to flush what was written; until another request's turn, which
/// does not say so.
pub fn mark_turn_as_own() {
    if let Some(lp) = current() {
        lp.mark_turn_as_own();
    }
}
