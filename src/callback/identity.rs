use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that identifies an object. It is assigned at the first call of `number`; an object on which `number` is never called
/// gets no number. No two objects of a process get the same one. An address would not do, because memory is used again.
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

    /// Gives up the number, because the object is about to be reused (for another exchange). The next call of `number` assigns a
    /// new one.
    pub fn forget(&self) {
        self.0.set(0);
    }
}

/// Implements `Eq` and `Hash` for handles that wrap an `Rc`: two handles are equal if they point to the same object. The
/// address is enough for that: no other object can have it while a handle lives.
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
