use super::discard_by;
use std::cell::Cell;

/// A callback that is called again and again. For each call it is *lent*: taken out of its cell, and put back when the call has ended,
/// even by a panic. So no cell is borrowed while it runs.
pub(crate) struct Lendable<F>(Cell<Option<F>>);

impl<F> Lendable<F> {
    pub const fn new(callback: F) -> Lendable<F> {
        Lendable(Cell::new(Some(callback)))
    }

    /// Lends the callback to `call`. Returns `None` if it is lent already or was discarded.
    #[inline]
    pub fn lend<R>(&self, call: impl FnOnce(&mut F) -> R) -> Option<R> {
        let mut lent = Lent { home: &self.0, callback: self.0.take() };
        lent.callback.as_mut().map(call)
    }

    /// Drops the callback, unless it is lent.
    pub fn discard(&self) {
        let mut callback = self.0.take();
        discard_by(&mut || drop(callback.take()));
    }
}

struct Lent<'a, F> {
    home: &'a Cell<Option<F>>,
    callback: Option<F>,
}

impl<F> Drop for Lent<'_, F> {
    fn drop(&mut self) {
        self.home.set(self.callback.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::guarded;

    #[test]
    fn a_callback_is_not_there_while_it_runs_and_comes_back_even_after_a_panic() {
        let counter = Lendable::new(0);
        let nested = counter.lend(|count| {
            *count += 1;
            counter.lend(|_| ())
        });
        assert_eq!(nested, Some(None));
        let panicked = guarded(|| counter.lend(|_| panic!("once")));
        assert!(panicked.is_err_and(|caught| caught.message() == "once"));
        assert_eq!(counter.lend(|count| *count), Some(1));
        counter.discard();
        assert_eq!(counter.lend(|count| *count), None);
    }
}
