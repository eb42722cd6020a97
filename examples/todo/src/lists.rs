//! The lists of all accounts, live: who looks at a list is told when it changes.

use crate::accounts::Account;
use crate::answer;
use crate::database::Database;
use oneloop::app::{Channel, Event};
use oneloop::http::{self, Request, Response, Result};
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

pub struct Lists {
    database: Database,
    /// A channel for each account that somebody looks at. Readers of a channel are browser tabs, and the programs of the account.
    watched: RefCell<HashMap<i64, Channel>>,
}

impl Lists {
    pub fn new(database: Database) -> Lists {
        Lists { database, watched: RefCell::default() }
    }

    /// Reads in the list of the one who asks.
    pub fn read<R: Send + 'static>(
        &self,
        req: &Request,
        res: Response,
        work: impl FnOnce(&Connection, i64) -> rusqlite::Result<R> + Send + 'static,
        done: impl FnOnce(Response, R) -> http::Result + 'static,
    ) -> Result {
        let account = req.need::<Account>()?.id;
        Ok(self.database.query(move |db| work(db, account), |result| answer(res, result, done)))
    }

    /// Changes the list of the one who asks, and tells all who look at it.
    pub fn write<R: Send + 'static>(
        self: &Rc<Self>,
        req: &Request,
        res: Response,
        work: impl FnOnce(&Connection, i64) -> rusqlite::Result<R> + Send + 'static,
        done: impl FnOnce(Response, R) -> http::Result + 'static,
    ) -> Result {
        let account = req.need::<Account>()?.id;
        let lists = self.clone();
        let told = move |res, result| {
            lists.tell(account);
            done(res, result)
        };
        Ok(self.database.change(move |db| work(db, account), |result| answer(res, result, told)))
    }

    /// Answers with events: `changed` each time the list is another one. A browser that was away is told what it missed, or `reset`.
    pub fn watch(&self, req: Request, res: Response) -> Result {
        let account = req.need::<Account>()?.id;
        let mut watched = self.watched.borrow_mut();
        // As many channels as lists that are looked at: those whose last reader has gone make room for the next.
        watched.retain(|_, channel| channel.readers() > 0);
        watched.entry(account).or_default().add(&req, res);
        Ok(())
    }

    /// The event has no content: whoever hears it asks for the list, in the form that it wants, with its own rights.
    fn tell(&self, account: i64) {
        if let (Some(channel), Ok(event)) = (self.watched.borrow().get(&account), Event::data("").name("changed")) {
            channel.send(event);
        }
    }
}
