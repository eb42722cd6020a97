use std::cell::Cell;
use std::io::ErrorKind;

/// The program's calls on its sockets, counted, and the one of them that is to fail.
#[derive(Default)]
pub(super) struct Faults {
    calls: Cell<u64>,
    failing: Cell<Option<(u64, ErrorKind)>>,
}

impl Faults {
    /// Accepts, reads, writes and ends of output so far.
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// The next call fails, or the one after so many others.
    pub fn fail(&self, after: u64, kind: ErrorKind) {
        self.failing.set(Some((self.calls.get().saturating_add(after), kind)));
    }

    /// Counts a call, and says with what it fails, if it does.
    pub fn call(&self) -> Option<ErrorKind> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        let (_, kind) = self.failing.get().filter(|(failing, _)| *failing == number)?;
        self.failing.set(None);
        Some(kind)
    }
}
