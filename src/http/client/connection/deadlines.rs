//! The deadlines of a connection: every wait for the server has an end.

use super::Connection;
use crate::event_loop::Time;
use crate::http::client::call::Wish;
use crate::net::{CloseReason, Stream};
use crate::proto::h1::connection::{Reading, Writing};
use std::rc::Rc;
use std::time::Duration;

/// How long the rest of a body that nobody wants may take.
const DISCARD: Time = Time::from_secs(1);

impl Connection {
    /// Asks for a call at the next deadline.
    pub(super) fn arm(&self, stream: &Stream) {
        let next = self.next();
        if next < Time::MAX {
            stream.need_due(next);
        }
    }

    /// The next deadline of what is awaited of the server, apart from that of pending output.
    fn next(&self) -> Time {
        let state = self.state.get();
        match state.reading() {
            Reading::Idle => self.until.get(),
            Reading::Head => {
                let waits = self.writing.waits.get().unwrap_or(Time::MAX);
                let response = after(self.writing.ended.get(), self.limits.borrow().response);
                if state.writing() == Writing::Done { response.min(waits) } else { waits }
            }
            Reading::Body => match self.reading.discarding.get() {
                Some((since, _)) => since + DISCARD,
                None => after(self.reading.last.get(), self.limits.borrow().body),
            },
            Reading::Done | Reading::Closed => Time::MAX,
        }
    }

    /// A deadline may have passed.
    pub(super) fn check(self: &Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.seen_until();
        let limits = self.limits.borrow().sending();
        let output = self.watch.borrow_mut().check(stream, &limits, now);
        match output {
            Ok(next) if next < Time::MAX => stream.need_due(next),
            Ok(_) => {}
            Err(reason) => return stream.destroy(reason),
        }
        self.put_off(stream, now);
        let next = self.next();
        if now < next {
            if next < Time::MAX {
                stream.need_due(next);
            }
            return;
        }
        match self.reading() {
            Reading::Idle => {
                self.leave_pool();
                stream.destroy(CloseReason::IdleTimeout);
            }
            Reading::Head => match self.call() {
                Some(call) if self.writing.waits.get().is_some_and(|until| now >= until) => {
                    self.go_on_sending(stream, &call);
                    self.arm(stream);
                }
                _ => {
                    let words = format!("no response within {:?}", self.limits.borrow().response);
                    self.fail(stream, CloseReason::ResponseTimeout, words);
                }
            },
            Reading::Body if self.reading.discarding.get().is_some() => self.break_off(stream),
            Reading::Body => {
                let words = format!("nothing of the body came for {:?}", self.limits.borrow().body);
                self.fail(stream, CloseReason::SlowReceive, words);
            }
            Reading::Done | Reading::Closed => {}
        }
    }

    /// The time in which the server waits for us does not count: as long as output is pending, or the program holds the body back.
    fn put_off(&self, stream: &Stream, now: Time) {
        match self.reading() {
            Reading::Head if stream.pending() > 0 => self.writing.ended.set(now),
            Reading::Body if stream.is_paused() || stream.held() > 0 => self.reading.last.set(now),
            Reading::Body if self.call().is_some_and(|call| call.wish() == Wish::Hold) => self.reading.last.set(now),
            _ => {}
        }
    }
}

/// The time that is `limit` later; never, if the limit is [`Duration::MAX`].
fn after(since: Time, limit: Duration) -> Time {
    if limit == Duration::MAX { Time::MAX } else { since + limit.into() }
}
