use std::time::Duration;

/// Something that has a thread of its own, and there does the jobs that other threads leave for it. It is made on that thread, so what
/// it owns need not be `Send`, and it is dropped there.
///
/// ```text
///   moves in ──► next ─┬─ Work ─────► work ─► next …
///                      ├─ Nothing ──► rest, until somebody knocks ─► next …
///                      └─ End ──────► is dropped
/// ```
pub(crate) trait Resident {
    /// Takes the next job, without doing it. `now` is the time on the driver's clock.
    fn next(&mut self, now: Duration) -> Next;

    /// Does the job that `next` has taken. It may take long.
    fn work(&mut self, now: Duration);

    /// Blocks until there may be something that the last `next` did not see. A simulated world calls `next` at each knock
    /// instead.
    fn rest(&self);
}

/// What a resident does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Work,
    Nothing,
    End,
}

/// Makes a resident, on its thread.
pub(crate) type MoveIn = Box<dyn FnOnce() -> Box<dyn Resident> + Send>;
