use std::cell::Cell;
use std::io::ErrorKind;

/// Counts the program's calls on its sockets, and holds the number of the call that is to fail.
#[derive(Default)]
pub(super) struct Faults {
    calls: Cell<u64>,
    failing: Cell<Option<(u64, ErrorKind)>>,
}

impl Faults {
    /// How many calls the program has made so far: accepts, reads, writes and ends of output.
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Lets a call fail after `after` calls that succeed; 0 is the next call.
    pub fn fail(&self, after: u64, kind: ErrorKind) {
        self.failing.set(Some((self.calls.get().saturating_add(after), kind)));
    }

    /// Counts a call. Returns the error if this call is to fail.
    pub fn call(&self) -> Option<ErrorKind> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        let (_, kind) = self.failing.get().filter(|(failing, _)| *failing == number)?;
        self.failing.set(None);
        Some(kind)
    }
}
