use crate::event_loop::{Loop, Time};
use std::cell::{Cell, Ref, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

/// The value of the `Date` field (RFC 9110, 6.6.1), formatted once a second. All servers of a loop share it.
pub(super) struct Date {
    text: RefCell<[u8; 29]>,
    /// The time on the loop's clock at which the formatted second ends.
    until: Cell<Time>,
}

impl Date {
    pub fn of(lp: &Rc<Loop>) -> Rc<Date> {
        lp.local(|_| Rc::new(Date { text: RefCell::new([b' '; 29]), until: Cell::new(Time::ZERO) }))
    }

    /// The date of this iteration, formatted anew if the second has changed.
    #[inline]
    pub fn text(&self, lp: &Loop) -> Ref<'_, [u8; 29]> {
        if lp.now() >= self.until.get() {
            self.read(lp);
        }
        self.text.borrow()
    }

    #[cold]
    fn read(&self, lp: &Loop) {
        let wall = lp.wall();
        let mut text = [b' '; 29];
        // Written in place, because the request that is being answered must not allocate.
        if write!(&mut text[..], "{}", httpdate::HttpDate::from(wall)).is_ok() {
            *self.text.borrow_mut() = text;
        }
        let nanos = wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        self.until.set(lp.now() + Time::from_nanos(u64::from(1_000_000_000 - nanos)));
    }
}
