//! The body of a request as the source of a pipe, and the body of a response as the sink of a pipe.

use super::exchange::{Exchange, Listener, On};
use super::request::Request;
use super::response::Response;
use crate::callback::Site;
use crate::net::pipe::sealed::{Given, Inlet, Lead, Listening, Outlet, Taken};
use crate::net::pipe::{self, Sink, Source};
use crate::net::{Chunk, CloseReason, Flow};
use crate::notice;
use std::panic::Location;
use std::rc::Rc;

impl Request {
    /// Sends the body on to a sink (a response or a socket), no faster than the sink takes it, and then ends the sink. A
    /// failure of one side ends the other: see [`net::pipeline`](crate::net::pipeline), which also reports the outcome.
    ///
    /// ```
    /// let echo = oneloop::http::create_server(|req, res| req.pipe(&res));
    /// ```
    #[track_caller]
    pub fn pipe(&self, to: &impl Sink) {
        pipe::connect(self, to, None, Location::caller());
    }
}

impl Source for Request {}
impl Sink for Response {}

impl Outlet for Request {
    fn listen(&self, site: Site, to: Rc<dyn Fn(Given<'_>)>) -> Listening {
        let (data, lead, closed) = (to.clone(), Lead(to.clone()), to);
        if self.is_complete() && self.0.incoming().read_by().is_some() {
            return Listening::default();
        }
        let data = self.on_data_at(site, move |_, bytes| data(Given::Data(bytes)));
        let end = move |_: &Rc<Exchange>| (lead.0)(Given::End);
        let end = self.0.add(On::End, site, Listener::Once(Some(Box::new(end))));
        let close = move |_: &Rc<Exchange>, reason| closed(Given::Closed(reason));
        let close = self.0.add(On::RequestClose, site, Listener::Close(Some(Box::new(close))));
        self.0.wake();
        [data, end, close]
    }

    fn remove(&self, listening: Listening) {
        listening.into_iter().flatten().for_each(|number| self.0.remove(number));
    }

    fn hold(&self) {
        self.pause();
    }

    fn go_on(&self) {
        self.resume();
    }

    /// The pipe reads no more. If nobody else listens to the body, its rest is discarded once the request is answered.
    fn forsake(&self) {
        self.0.wake();
    }

    fn reason(&self) -> CloseReason {
        self.0.close_reason().unwrap_or(CloseReason::Destroyed)
    }
}

impl Inlet for Response {
    fn watch(&self, site: Site, to: Rc<dyn Fn(Taken)>) -> Listening {
        let drained = to.clone();
        let drain = self.0.add(On::Drain, site, Listener::Drain(Box::new(move |_| drained(Taken::All))));
        let close = move |_: &Rc<Exchange>, reason| to(Taken::Closed(reason));
        [drain, self.0.add(On::ResponseClose, site, Listener::Close(Some(Box::new(close)))), None]
    }

    fn remove(&self, listening: Listening) {
        listening.into_iter().flatten().for_each(|number| self.0.remove(number));
    }

    fn give(&self, bytes: Chunk<'_>) -> Flow {
        self.write(bytes)
    }

    fn end(&self) {
        self.end(());
    }

    /// Answers 502, because the source of the answer has failed.
    fn fail(&self, reason: CloseReason) {
        if !self.0.has_ended() {
            let what = if self.headers_sent() { "cut" } else { "answered 502" };
            notice::warn!(target: "oneloop::http", "{}: what is piped into it was over before its end: {reason}; {what}", *self.0);
        }
        self.0.give_up(502, CloseReason::BadResponse);
    }

    fn over(&self) -> Option<CloseReason> {
        let reason = self.0.outgoing().break_reason().or(self.0.close_reason());
        self.0.has_ended().then_some(reason.unwrap_or(CloseReason::Finished))
    }
}
