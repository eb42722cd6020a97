use super::exchange::Exchange;
use crate::event_loop::{Loop, Time};
use crate::net::Context;
use std::cell::{Cell, Ref, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

/// Exchanges kept for the next request. More are in use at a time only where handlers answer later.
const POOL: usize = 256;
/// An exchange that has grown beyond this, in bytes, gives its memory back.
const GROWN: usize = 32 * 1024;

/// What all servers of a loop share: the pool of exchanges and the date.
pub(super) struct Shared {
    pub cx: Rc<Context>,
    pool: RefCell<Vec<Rc<Exchange>>>,
    date: RefCell<[u8; 29]>,
    /// When the second changes, on the loop's clock.
    date_until: Cell<Time>,
}

impl Shared {
    pub fn of(lp: &Rc<Loop>) -> Rc<Shared> {
        lp.local(|lp| {
            Rc::new(Shared {
                cx: Context::of(lp),
                pool: RefCell::default(),
                date: RefCell::new([b' '; 29]),
                date_until: Cell::new(0),
            })
        })
    }

    /// An exchange that nobody else has.
    pub fn take_exchange(&self) -> Rc<Exchange> {
        self.pool.borrow_mut().pop().unwrap_or_else(new_exchange)
    }

    /// Takes an exchange back. One that the user keeps a handle of is let go.
    pub fn recycle(&self, mut exchange: Rc<Exchange>) {
        let Some(free) = Rc::get_mut(&mut exchange) else { return };
        free.reset(GROWN);
        let mut pool = self.pool.borrow_mut();
        if pool.len() < POOL {
            pool.push(exchange);
        }
    }

    /// The `Date` field (RFC 9110, 6.6.1), formatted anew when the second has changed.
    #[inline]
    pub fn date(&self) -> Ref<'_, [u8; 29]> {
        if self.cx.lp.now() >= self.date_until.get() {
            self.read_date();
        }
        self.date.borrow()
    }

    #[cold]
    fn read_date(&self) {
        let wall = self.cx.lp.wall();
        let mut date = [b' '; 29];
        // A request is answered at this moment: it shall not allocate.
        if write!(&mut date[..], "{}", httpdate::HttpDate::from(wall)).is_ok() {
            *self.date.borrow_mut() = date;
        }
        let nanos = wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        self.date_until.set(self.cx.lp.now() + u64::from(1_000_000_000 - nanos));
    }
}

#[cold]
fn new_exchange() -> Rc<Exchange> {
    Rc::new(Exchange::new())
}
