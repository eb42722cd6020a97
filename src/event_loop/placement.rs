//! The place of code in the compiled program.

/// Calls `f`. The compiler places its code apart from the caller's, so the code that each request runs lies close
/// together in memory and stays in the processor's cache.
#[cold]
#[inline(never)]
pub(super) fn cold<R>(f: impl FnOnce() -> R) -> R {
    f()
}
