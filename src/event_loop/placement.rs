//! Where code stands in the program.

/// Calls `f`, whose code stands apart from the caller's: what each request runs is then close together in memory, and stays in
/// the processor's cache.
#[cold]
#[inline(never)]
pub(super) fn cold<R>(f: impl FnOnce() -> R) -> R {
    f()
}
