//! The event that threads wait for.

use std::sync::{Condvar, Mutex, PoisonError};

/// One publication wakes all who wait.
#[derive(Default)]
pub struct Event {
    state: Mutex<State>,
    published: Condvar,
}

#[derive(Default)]
struct State {
    publications: u64,
    waiting: usize,
}

impl Event {
    /// Waits for the next publication.
    pub fn wait(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting += 1;
        let seen = state.publications;
        let woken = self.published.wait_while(state, |state| state.publications == seen);
        drop(woken);
    }

    /// Wakes all who wait, and says how many they were.
    pub fn publish(&self) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.publications += 1;
        let woken = std::mem::take(&mut state.waiting);
        self.published.notify_all();
        woken
    }
}
