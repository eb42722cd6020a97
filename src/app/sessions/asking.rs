//! A question to a store, which may answer at once, later, or never.

use super::store::Done;
use crate::event_loop::{Timeout, set_timeout};
use crate::http::Result;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// Asks a store, and calls `then` once with its answer: or with an error, if it drops the question, or keeps it for longer than
/// `patience`. If the store answers at once, `then` is called within this call.
pub(super) fn ask<T: 'static>(patience: Duration, ask: impl FnOnce(Done<T>), then: impl FnOnce(Result<T>) + 'static) {
    let question = Rc::new(Question { then: Cell::new(Some(Box::new(then))), timer: Cell::new(None) });
    let answer = Answer(question.clone());
    ask(Box::new(move |result| answer.0.settle(result)));
    if question.is_open() {
        let late = question.clone();
        let timer = set_timeout(patience, move || {
            late.settle(Err(
                io::Error::new(io::ErrorKind::TimedOut, "the store of the sessions does not answer").into()
            ));
        });
        question.timer.set(Some(timer));
    }
}

struct Question<T> {
    then: Cell<Option<Box<dyn FnOnce(Result<T>)>>>,
    timer: Cell<Option<Timeout>>,
}

impl<T> Question<T> {
    fn is_open(&self) -> bool {
        let then = self.then.take();
        let is_open = then.is_some();
        self.then.set(then);
        is_open
    }

    fn settle(&self, result: Result<T>) {
        let Some(then) = self.then.take() else { return };
        if let Some(timer) = self.timer.take() {
            timer.clear();
        }
        then(result);
    }
}

/// What the store's callback holds.
struct Answer<T>(Rc<Question<T>>);

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.0.settle(Err(io::Error::other("the store of the sessions has dropped a question").into()));
    }
}
