//! The memory of requests that are over, for the next ones of the same agent.

use crate::proto::h1::{IncomingResponse, OutgoingRequest};
use std::cell::RefCell;

/// How many are kept: as many as an agent has connections to one server by default.
const KEPT: usize = 64;
/// A buffer that has grown beyond this size, in bytes, is freed.
const GROWN: usize = 32 * 1024;

/// Buffers of requests that are over.
#[derive(Default)]
pub(super) struct Spares(RefCell<Vec<Spare>>);

/// Buffers of one request. They are empty.
#[derive(Default)]
pub(super) struct Spare {
    pub url: String,
    pub request: OutgoingRequest,
    pub response: IncomingResponse,
}

impl Spares {
    pub fn take(&self) -> Spare {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Empties the buffers and keeps them.
    pub fn give(&self, mut spare: Spare) {
        let mut kept = self.0.borrow_mut();
        if kept.len() >= KEPT {
            return;
        }
        spare.url.clear();
        if spare.url.capacity() > GROWN {
            spare.url = String::new();
        }
        spare.request.clear();
        if spare.request.capacity() > GROWN {
            spare.request.shrink();
        }
        spare.response.clear();
        if spare.response.capacity() > GROWN {
            spare.response.shrink();
        }
        kept.push(spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_those_that_have_grown_without_their_memory() {
        for (length, kept) in [(100, true), (GROWN + 1, false)] {
            let long = format!("/{}", "x".repeat(length));
            let mut spare = Spare { url: long.clone(), ..Spare::default() };
            spare.request.set_line("GET", &long).unwrap();
            spare.request.set("Cookie", "secret").unwrap();
            let spares = Spares::default();
            spares.give(spare);
            let spare = spares.take();
            assert_eq!((spare.url.as_str(), spare.request.target(), spare.request.has("cookie")), ("", "", false));
            assert_eq!((spare.url.capacity() > 0, spare.request.capacity() > length), (kept, kept));
        }
    }

    #[test]
    fn there_is_a_bound_to_what_is_kept() {
        let spares = Spares::default();
        (0..2 * KEPT).for_each(|_| spares.give(Spare::default()));
        assert_eq!(spares.0.borrow().len(), KEPT);
    }
}
