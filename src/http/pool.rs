use super::exchange::Exchange;
use crate::event_loop::Loop;
use std::cell::RefCell;
use std::rc::Rc;

/// The most exchanges that are kept for later requests. More are in use at the same time only if handlers do not answer at once.
const KEPT: usize = 256;
/// A buffer of an exchange that has grown beyond this size, in bytes, is freed after the exchange.
const GROWN: usize = 32 * 1024;

/// Exchanges that no request uses, kept with the memory of their buffers. All servers of a loop share them.
#[derive(Default)]
pub(super) struct Pool(RefCell<Vec<Rc<Exchange>>>);

impl Pool {
    pub fn of(lp: &Rc<Loop>) -> Rc<Pool> {
        lp.local(|_| Rc::default())
    }

    /// Returns an exchange to which there is no other handle: a kept one if there is one, else a new one.
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

#[cfg(test)]
mod tests {
    use super::Exchange;
    use crate::proto::h1::{HeadLimits, RequestParser};

    fn used() -> Exchange {
        let mut exchange = Exchange::new();
        let wire = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1_000));
        RequestParser::default()
            .parse(wire.as_bytes(), &HeadLimits::default(), exchange.incoming_mut().head_mut())
            .unwrap();
        exchange.outgoing().head().borrow_mut().set("X", "y".repeat(3_000)).unwrap();
        exchange.incoming().trailers().borrow_mut().push("X", "z".repeat(5_000)).unwrap();
        exchange.outgoing().trailers().borrow_mut().push("X", "z".repeat(7_000)).unwrap();
        exchange
    }

    fn held(exchange: &Exchange) -> [usize; 4] {
        let response = exchange.outgoing().head().borrow();
        let (received, to_send) = (exchange.incoming().trailers().borrow(), exchange.outgoing().trailers().borrow());
        [exchange.head().capacity(), response.capacity(), received.capacity(), to_send.capacity()]
    }

    #[test]
    fn a_buffer_that_has_grown_gives_its_memory_back_and_the_others_keep_theirs() {
        let grown = held(&used());
        assert!(grown.is_sorted() && grown[0] > 1_000, "{grown:?}");
        for (at, most) in grown.into_iter().enumerate() {
            for keep in [most - 1, most] {
                let mut exchange = used();
                exchange.reset(keep);
                let kept = grown.map(|bytes| if bytes <= keep { bytes } else { 0 });
                assert_eq!(held(&exchange), kept, "buffer {at}, {keep} bytes kept");
            }
        }
    }
}
