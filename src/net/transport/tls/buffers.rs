use crate::event_loop::Loop;
use crate::secure::Ciphertext;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How many steps of handshakes all connections of a loop take in one iteration. A step may sign, which takes as long as a hundred
/// requests. The other connections wait for all of them.
const STEPS: u32 = 8;

/// What the TLS connections of a loop share.
#[derive(Default)]
pub(in crate::net) struct Buffers {
    /// The buffer into which ciphertext is read, and in which it is decrypted.
    pub(super) landing: RefCell<Vec<u8>>,
    /// The buffer into which output is encrypted.
    pub(super) cork: RefCell<Ciphertext>,
    /// The buffer in which small pieces of output gather until they fill a record.
    pub(super) gathered: RefCell<Vec<u8>>,
    /// The iteration in which steps were last taken, and how many.
    steps: Cell<(u64, u32)>,
    lp: std::rc::Weak<Loop>,
}

impl Buffers {
    pub fn of(lp: &Rc<Loop>) -> Rc<Buffers> {
        lp.local(|lp| Rc::new(Buffers { lp: Rc::downgrade(lp), ..Buffers::default() }))
    }

    /// Counts a step of a handshake. Returns whether it may be taken in this iteration.
    pub(super) fn may_step(&self) -> bool {
        let now = self.lp.upgrade().map_or(0, |lp| lp.iteration());
        let (iteration, steps) = self.steps.get();
        let steps = if iteration == now { steps } else { 0 };
        self.steps.set((now, steps + 1));
        steps < STEPS
    }
}
