use super::exchange::Exchange;
use crate::event_loop::Loop;
use std::cell::RefCell;
use std::rc::Rc;

/// Exchanges kept for the next request. More are in use at a time only where handlers answer later.
const KEPT: usize = 256;
/// An exchange that has grown beyond this, in bytes, gives its memory back.
const GROWN: usize = 32 * 1024;

/// The exchanges that no request uses, with the memory of their buffers. All servers of a loop share them.
#[derive(Default)]
pub(super) struct Pool(RefCell<Vec<Rc<Exchange>>>);

impl Pool {
    pub fn of(lp: &Rc<Loop>) -> Rc<Pool> {
        lp.local(|_| Rc::default())
    }

    /// An exchange that nobody else has.
    pub fn take(&self) -> Rc<Exchange> {
        self.0.borrow_mut().pop().unwrap_or_else(new_exchange)
    }

    /// Takes an exchange back. If the user keeps a handle of it, it is let go instead.
    pub fn recycle(&self, mut exchange: Rc<Exchange>) {
        let Some(free) = Rc::get_mut(&mut exchange) else { return };
        free.reset(GROWN);
        let mut pool = self.0.borrow_mut();
        if pool.len() < KEPT {
            pool.push(exchange);
        }
    }
}

#[cold]
fn new_exchange() -> Rc<Exchange> {
    Rc::new(Exchange::new())
}
