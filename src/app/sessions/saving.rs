//! Saves the changes of a session in its store, while the end of the answer waits.

use super::asking::ask;
use super::session::{Session, Watched, Work};
use super::store::Outcome;
use crate::event_loop::now;
use crate::http::Error;
use crate::http::stages::{Coder, Content, End, Stage};
use crate::notice;
use crate::proto::h1::{IncomingRequest, OutgoingResponse};
use std::time::Duration;

/// The stage of an answer that gives the client its cookie, and holds the end of the answer until the session is saved.
pub(super) struct Keeping(pub Session);

impl Stage for Keeping {
    fn head(&self, _: &IncomingRequest, head: &mut OutgoingResponse, _: Content) -> Option<Box<dyn Coder>> {
        if let Some(field) = self.0.field() {
            // Our own text has no byte that a field cannot have.
            let _ = head.append("Set-Cookie", field);
            if !head.has("Cache-Control") {
                // A cache that many share must not give the cookie to others.
                let _ = head.set("Cache-Control", "private");
            }
        }
        None
    }

    fn end(&self, end: End) {
        if !self.0.end() {
            return end.go_on();
        }
        let session = self.0.clone();
        // The store may be the user's code, which must not be called from within a call of the user.
        let site = session.rules().site;
        self.0.request().0.call_soon(site, move |_| save(session, Some(end)));
    }
}

/// Makes sure that a changed session is saved, even if its answer never ends.
pub(super) fn watch(session: &Session) {
    let session = session.clone();
    let (exchange, site) = (session.request().0.clone(), session.rules().site);
    match session.watched() {
        Watched::NotYet => drop(session.request().clone().on_close(move |_, _| save(session, None))),
        Watched::Already => {}
        Watched::IsOver => exchange.call_soon(site, move |_| save(session, None)),
    }
}

/// Saves all changes in the store, and then lets the answer end.
fn save(session: Session, end: Option<End>) {
    if session.begin_to_save() {
        let until = now() + session.rules().options.patience;
        Saving { session, end, until }.go_on();
    } else if let Some(end) = end {
        end.go_on();
    }
}

struct Saving {
    session: Session,
    end: Option<End>,
    /// When it is given up.
    until: Duration,
}

impl Saving {
    fn go_on(self) {
        let rules = self.session.rules().clone();
        let patience = self.until.saturating_sub(now());
        match self.session.work() {
            Some(Work::Save(key, saved)) => {
                ask(
                    patience,
                    |done| rules.store.save(&key, saved, done),
                    move |outcome| match outcome {
                        Ok(outcome) => self.has(outcome),
                        Err(error) => self.fail(error),
                    },
                );
            }
            Some(Work::Destroy(key)) => {
                ask(
                    patience,
                    |done| rules.store.destroy(&key, done),
                    move |result| match result {
                        Ok(()) => self.go_on_soon(),
                        Err(error) => self.fail(error),
                    },
                );
            }
            None => {
                if let Some(end) = self.end {
                    end.go_on();
                }
            }
        }
    }

    fn has(self, outcome: Outcome) {
        match outcome {
            Outcome::Saved => self.session.is_saved(),
            Outcome::Gone => {
                log::debug!(target: "oneloop::app", "{}: its session was destroyed meanwhile", *self.session.request().0);
                self.session.is_gone();
            }
            Outcome::Changed(other) => {
                if let Err(error) = self.session.merge(other) {
                    return self.fail(error.into());
                }
                if now() >= self.until {
                    return self.fail(Error::from("others change this session all the time".to_owned()));
                }
            }
        }
        self.go_on_soon();
    }

    /// Goes on in a callback of its own. A store may answer while the call that asks it still runs, and must not be called again within
    /// that call.
    fn go_on_soon(self) {
        let (exchange, site) = (self.session.request().0.clone(), self.session.rules().site);
        exchange.call_soon(site, move |_| self.go_on());
    }

    fn fail(self, error: Error) {
        self.session.give_up();
        let error = unavailable(error);
        match self.end {
            Some(end) => end.fail(error),
            None => {
                notice::warn!(target: "oneloop::app", "{}: a session is not saved: {error}", *self.session.request().0)
            }
        }
    }
}

/// The error that the client gets if a store fails. The reason is in the log.
pub(super) fn unavailable(error: Error) -> Error {
    Error::new(503, "").with_source(error.to_string())
}
