use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of what has an identity: taken when it is first asked for, so that whoever never asks pays nothing. No two
/// of a process are equal, and none is given twice, as an address in memory would be.
#[derive(Default)]
pub(crate) struct Identity(Cell<u64>);

impl Identity {
    pub fn number(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.0.get() == 0 {
            self.0.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        self.0.get()
    }

    /// Gives the number up: the object that has this identity is used again for another exchange, which takes
    /// a number of its own.
    pub fn forget(&self) {
        self.0.set(0);
    }
}

/// Handles to one `Rc` are equal where they are handles to the same one. Nobody else has its address while one of them
/// lives, so that it does for `Eq` and `Hash`.
macro_rules! compare_by_identity {
    ($($handle:ty),*) => {$(
        impl PartialEq for $handle {
            fn eq(&self, other: &Self) -> bool {
                std::rc::Rc::ptr_eq(&self.0, &other.0)
            }
        }

        impl Eq for $handle {}

        impl std::hash::Hash for $handle {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                std::rc::Rc::as_ptr(&self.0).cast::<()>().hash(state);
            }
        }
    )*};
}
pub(crate) use compare_by_identity;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_until_it_is_forgotten_and_never_comes_back() {
        let (one, other) = (Identity::default(), Identity::default());
        let first = one.number();
        assert_eq!(first, one.number());
        assert_ne!(first, other.number());
        one.forget();
        assert!(![first, other.number()].contains(&one.number()));
    }
}
