use crate::event_loop::Loop;
use crate::secure::Ciphertext;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// What the TLS connections of a loop share.
#[derive(Default)]
pub(in crate::net) struct Buffers {
    /// The buffer into which ciphertext is read, and in which it is decrypted.
    pub(super) landing: RefCell<Vec<u8>>,
    /// The buffer into which output is encrypted.
    pub(super) cork: RefCell<Ciphertext>,
    /// The buffer in which small pieces of output gather until they fill a record.
    pub(super) gathered: RefCell<Vec<u8>>,
    lp: Weak<Loop>,
}

impl Buffers {
    pub fn of(lp: &Rc<Loop>) -> Rc<Buffers> {
        lp.local(|lp| Rc::new(Buffers { lp: Rc::downgrade(lp), ..Buffers::default() }))
    }

    /// Returns whether a step of a handshake may be taken in this iteration.
    pub(super) fn may_step(&self) -> bool {
        self.lp.upgrade().is_none_or(|lp| lp.may_do_heavy())
    }

    /// Takes a step of a handshake.
    pub(super) fn step<R>(&self, step: impl FnOnce() -> R) -> R {
        match self.lp.upgrade() {
            Some(lp) => lp.do_heavy(step),
            None => step(),
        }
    }
}

/// The part of the landing area that has `count` bytes from `at` on. It grows, and is never cleared.
pub(super) fn room(landing: &mut Vec<u8>, at: usize, count: usize) -> &mut [u8] {
    if landing.len() < at + count {
        landing.resize(at + count, 0);
    }
    landing.get_mut(at..at + count).unwrap_or_default()
}

/// Keeps the rest of the input. If there is none, the memory is given back, so that an idle connection has no buffer.
pub(super) fn keep(input: &mut Vec<u8>, rest: &[u8]) {
    if rest.is_empty() {
        *input = Vec::new();
    } else {
        input.clear();
        input.extend_from_slice(rest);
    }
}
