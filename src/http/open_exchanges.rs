use super::exchange::Exchange;
use super::server::Server;
use crate::net::{Address, Stream};
use std::rc::Rc;
use std::time::Duration;

/// A request that is not answered yet, as [`Server::open_exchanges`] lists it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenExchange {
    /// The method of the request.
    pub method: String,
    /// The target of the request.
    pub target: String,
    /// The path of the target, without the query, which may contain private data.
    pub path: String,
    /// The pattern of the route that takes the request, such as `/todos/:id`: Express's `req.route` (feature `app`).
    /// `None` without an app, and while only middlewares have been called.
    pub route: Option<Rc<str>>,
    /// The time since the head of the request was complete.
    pub age: Duration,
    /// The address of the peer that sent the request.
    pub remote_addr: Address,
}

type Open = (Rc<Stream>, Rc<Exchange>);

impl Server {
    /// Lists the requests that are not answered yet, with their path and age. It looks at every connection, so do not call it for
    /// each request.
    pub fn open_exchanges(&self) -> Vec<OpenExchange> {
        self.each_open().iter().map(|open| self.told(open)).collect()
    }

    /// Returns the number of requests that are not answered yet, without those for the prefix `but_of`; and copies of
    /// the `most` oldest of them, the oldest first.
    #[cfg_attr(not(feature = "devtools"), expect(dead_code, reason = "for the devtools"))]
    pub(crate) fn oldest_exchanges(&self, most: usize, but_of: &str) -> (usize, Vec<OpenExchange>) {
        let paths = self.0.dispatch.paths();
        let left_out = paths.known(but_of);
        let counts = |exchange: &Exchange| left_out.is_none() || paths.find(exchange.head().path()) != left_out;
        let mut all = self.each_open();
        all.retain(|(_, exchange)| counts(exchange));
        let count = all.len();
        if count > most {
            all.select_nth_unstable_by_key(most, |(_, exchange)| exchange.started());
            all.truncate(most);
        }
        all.sort_by_key(|(_, exchange)| exchange.started());
        (count, all.iter().map(|open| self.told(open)).collect())
    }

    fn each_open(&self) -> Vec<Open> {
        let mut open = Vec::new();
        for (stream, connection) in self.each_connection() {
            connection.each_exchange(&mut |exchange| {
                if !exchange.is_answered() {
                    open.push((stream.clone(), exchange));
                }
            });
        }
        open
    }

    fn told(&self, (stream, exchange): &Open) -> OpenExchange {
        OpenExchange {
            method: exchange.head().method().to_owned(),
            target: exchange.head().target().to_owned(),
            path: exchange.head().path().to_owned(),
            route: exchange.route(),
            age: (self.0.cx.lp.now() - exchange.started()).into(),
            remote_addr: stream.peer(),
        }
    }
}

impl Exchange {
    /// The pattern of the route that a layer above has chosen for the request.
    pub(crate) fn route(&self) -> Option<Rc<str>> {
        #[cfg(feature = "app")]
        return self.companion()?.route();
        #[cfg(not(feature = "app"))]
        None
    }
}
