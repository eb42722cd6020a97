use crate::event_loop::{Timeout, set_timeout};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Only buffers of at least this many bytes are kept. The allocator keeps smaller ones by itself; larger ones it gives back to the
/// system, so that each of their pages costs a page fault when it is used anew.
const LEAST: usize = 64 * 1024;
/// How many bytes of memory are kept at most.
const KEPT: usize = 4 * 1024 * 1024;
/// How many times as large as its content a buffer is at most.
const ROOMY: usize = 4;
/// When none was given back for this time, the memory is given back to the system.
const IDLE: Duration = Duration::from_secs(10);

/// Large buffers that nothing needs now, kept for the next large message or output. Who takes one need not give it back: it is
/// then freed like any other.
#[derive(Default)]
pub(crate) struct LargeBuffers(Rc<Kept>);

#[derive(Default)]
struct Kept {
    /// All are empty.
    buffers: RefCell<Vec<Vec<u8>>>,
    /// The memory of the buffers, in bytes.
    bytes: Cell<usize>,
    /// Frees them when they have been idle. It does not keep the loop alive.
    idle: Cell<Option<Timeout>>,
}

impl LargeBuffers {
    /// The smallest of the buffers that have room for `least` bytes, if it has no room for more than `most`.
    pub fn take(&self, least: usize, most: usize) -> Option<Vec<u8>> {
        if self.0.bytes.get() < least {
            return None;
        }
        let mut buffers = self.0.buffers.borrow_mut();
        let fitting = buffers.iter().enumerate().filter(|(_, buffer)| (least..=most).contains(&buffer.capacity()));
        let (place, _) = fitting.min_by_key(|(_, buffer)| buffer.capacity())?;
        let buffer = buffers.swap_remove(place);
        self.0.bytes.set(self.0.bytes.get() - buffer.capacity());
        Some(buffer)
    }

    /// Keeps a buffer, if it is large and there is room for it. What it contains is forgotten.
    pub fn give_back(&self, mut buffer: Vec<u8>) {
        let bytes = self.0.bytes.get() + buffer.capacity();
        if buffer.capacity() < LEAST || bytes > KEPT {
            return;
        }
        buffer.clear();
        self.0.bytes.set(bytes);
        self.0.buffers.borrow_mut().push(buffer);
        self.start_idle_time();
    }

    /// A copy, in one of the buffers if there is one for it.
    pub fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        let Some(mut buffer) = self.take(bytes.len(), bytes.len().saturating_mul(ROOMY)) else { return bytes.to_vec() };
        buffer.extend_from_slice(bytes);
        buffer
    }

    fn start_idle_time(&self) {
        let idle = self.0.idle.take().unwrap_or_else(|| {
            let kept = Rc::downgrade(&self.0);
            let timer = set_timeout(IDLE, move || {
                if let Some(kept) = kept.upgrade() {
                    kept.free();
                }
            });
            timer.unref();
            timer
        });
        idle.refresh();
        self.0.idle.set(Some(idle));
    }
}

impl Kept {
    fn free(&self) {
        self.idle.take();
        self.bytes.set(0);
        self.buffers.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    #[test]
    fn the_smallest_buffer_that_fits_is_taken_and_none_that_is_much_too_large() {
        let buffers = LargeBuffers::default();
        for size in [512 * KIB, 100 * KIB, 200 * KIB] {
            buffers.give_back(vec![1; size]);
        }
        assert_eq!(buffers.take(64 * KIB, 99 * KIB), None);
        let taken = buffers.take(64 * KIB, 400 * KIB).unwrap();
        assert!(taken.is_empty() && taken.capacity() == 100 * KIB);
        assert_eq!(buffers.copy(&[7; 150 * KIB]).capacity(), 200 * KIB);
        assert_eq!(buffers.copy(&[7; 127 * KIB]).capacity(), 127 * KIB, "512 KiB are too many for so few");
        assert_eq!(buffers.copy(&[7; 128 * KIB]).capacity(), 512 * KIB);
        assert_eq!((buffers.take(1, usize::MAX), buffers.0.bytes.get()), (None, 0));
    }

    #[test]
    fn small_buffers_are_not_kept_and_no_more_memory_than_is_allowed() {
        let buffers = LargeBuffers::default();
        buffers.give_back(Vec::with_capacity(LEAST - 1));
        assert!(buffers.take(1, usize::MAX).is_none());
        for _ in 0..100 {
            buffers.give_back(Vec::with_capacity(100 * KIB));
        }
        buffers.give_back(Vec::with_capacity(KEPT + 1));
        assert_eq!(buffers.0.bytes.get(), KEPT / (100 * KIB) * 100 * KIB);
    }
}
