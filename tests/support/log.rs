//! What callbacks write, in the order in which they ran.

use std::cell::RefCell;
use std::rc::Rc;

#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn add(&self, text: impl ToString) {
        self.0.borrow_mut().push(text.to_string());
    }

    /// A callback that writes a line.
    pub fn note(&self, text: &'static str) -> impl FnMut() + 'static {
        let log = self.clone();
        move || log.add(text)
    }

    /// What was written since the last time.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        assert_eq!(self.take(), lines);
    }
}
