use super::exchange::Exchange;
use crate::event_loop::Loop;
use std::cell::RefCell;
use std::rc::Rc;

/// How many exchanges are kept for later requests. More are in use at a time only if handlers answer later.
const KEPT: usize = 256;
/// An exchange whose buffers have grown beyond this size, in bytes, gives their memory back.
const GROWN: usize = 32 * 1024;

/// Exchanges that no request uses, kept with the memory of their buffers. All servers of a loop share them.
#[derive(Default)]
pub(super) struct Pool(RefCell<Vec<Rc<Exchange>>>);

impl Pool {
    pub fn of(lp: &Rc<Loop>) -> Rc<Pool> {
        lp.local(|_| Rc::default())
    }

    /// Takes an exchange to which there is no other handle.
    pub fn take(&self) -> Rc<Exchange> {
        self.0.borrow_mut().pop().unwrap_or_else(new_exchange)
    }

    /// Takes an exchange back, unless the user still has a handle of it.
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
