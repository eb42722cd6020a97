//! A fetch under way: one request after another, until a response is no redirect, and then its body.
//!
//! ```text
//!   go ──► request ──► response ──► is a redirect? ──► its body is discarded, its connection free ──► follow ──► go
//!                          │                417, and the body was announced only ──► the same, without Expect
//!                          └──► gather ──► whole: the callback
//!   no response, a body that is cut or refused, a redirect that is not followed: the callback, with the error
//! ```

use super::error::{FetchError, FetchErrorKind, Refused};
use super::gathering::Gathering;
use super::redirect::{Asked, is_redirect};
use super::response::FetchResponse;
use crate::callback::{Site, discard};
#[cfg(feature = "compression")]
use crate::event_loop::{Loop, Portions, current};
use crate::event_loop::{next_tick, now};
use crate::http::client::call::{Listener, On};
use crate::http::client::{Agent, ClientRequest, ClientResponse};
use crate::net::CloseReason;
use crate::proto::url::Url;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

pub(super) type Done = Box<dyn FnOnce(Result<FetchResponse, FetchError>)>;

/// The program's settings for one fetch.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub timeout: Option<Duration>,
    pub redirects: usize,
    pub max_body: usize,
    /// Bodies may come compressed: the program has not asked for codings of its own.
    pub inflates: bool,
}

pub(super) struct Errand {
    agent: Agent,
    site: Site,
    wanted: Wanted,
    asked: RefCell<Asked>,
    /// When it began, on the loop's clock.
    began: Duration,
    /// What was asked before, by method and URL.
    visited: RefCell<Vec<(String, Url)>>,
    current: RefCell<Option<ClientRequest>>,
    done: Cell<Option<Done>>,
    aborted: Cell<bool>,
}

impl Errand {
    pub fn new(agent: Agent, site: Site, wanted: Wanted, asked: Asked, done: Done) -> Rc<Errand> {
        Rc::new(Errand {
            agent,
            site,
            wanted,
            asked: RefCell::new(asked),
            began: now(),
            visited: RefCell::default(),
            current: RefCell::new(None),
            done: Cell::new(Some(done)),
            aborted: Cell::new(false),
        })
    }

    /// Makes the next request.
    pub fn go(self: &Rc<Self>) {
        let left = self.wanted.timeout.map(|timeout| timeout.saturating_sub(now().saturating_sub(self.began)));
        if self.is_late() {
            return self.fail_soon(FetchErrorKind::Timeout, self.took_too_long());
        }
        let asked = self.asked.borrow().clone();
        self.visited.borrow_mut().push((asked.method.clone(), asked.url.clone()));
        let errand = self.clone();
        let req =
            self.agent.request_at(self.site, &asked.method, asked.url.as_str(), move |res| errand.responded(&res));
        for (name, value) in asked.head.iter_bytes() {
            match name {
                "Host" => req.set_header(name, value),
                _ => req.append_header(name, value),
            };
        }
        if let Some(left) = left {
            req.set_timeout(left);
        }
        let errand = self.clone();
        let failed = move |error: &_| errand.finish(Err(FetchError::of(error)));
        req.0.add(On::Error, self.site, Listener::Error(Some(Box::new(move |_, error| failed(error)))));
        let before = self.current.replace(Some(req.clone()));
        drop(before);
        req.end(asked.body);
    }

    pub fn abort(&self) {
        self.aborted.set(true);
        let current = self.current.borrow().clone();
        if let Some(req) = current {
            req.abort();
        }
    }

    fn responded(self: &Rc<Self>, res: &ClientResponse) {
        let status = res.status();
        if status == 417 && self.asked.borrow().head.has("expect") {
            self.asked.borrow_mut().head.remove("expect");
            self.visited.borrow_mut().pop();
            return self.go_on_after(res);
        }
        let mut locations = res.0.response().fields().get_all_bytes("location");
        let location = locations.next().filter(|_| is_redirect(status) && self.wanted.redirects > 0);
        let result = match (location, locations.next()) {
            (None, _) => return self.gather(res),
            (Some(first), Some(other)) if first != other => {
                Err((FetchErrorKind::RedirectRefused, "it redirects to several places at once".to_owned()))
            }
            (Some(location), _) => self.follow(status, location),
        };
        match result {
            Ok(()) => self.go_on_after(res),
            Err((kind, words)) => self.fail(kind, &words),
        }
    }

    fn follow(&self, status: u16, location: &[u8]) -> Result<(), Refused> {
        let most = self.wanted.redirects;
        let visited = self.visited.borrow();
        if visited.len() > most {
            return Err((FetchErrorKind::TooManyRedirects, format!("there are more than {most} redirects")));
        }
        let mut next = self.asked.borrow().clone();
        next.follow(status, location)?;
        if visited.iter().any(|(method, url)| *method == next.method && *url == next.url) {
            let words = format!("it redirects to {}, where it came from", next.url.without_query());
            return Err((FetchErrorKind::RedirectLoop, words));
        }
        *self.asked.borrow_mut() = next;
        Ok(())
    }

    /// Makes the next request when this response is over: a short body is discarded, and then its connection can be used again.
    fn go_on_after(self: &Rc<Self>, res: &ClientResponse) {
        let errand = self.clone();
        let over = move |_: &_, _| match errand.aborted.get() {
            true => errand.fail(FetchErrorKind::Aborted, "the program has aborted it"),
            false => errand.go(),
        };
        res.0.add(On::ResponseClose, self.site, Listener::Close(Some(Box::new(over))));
    }

    /// Reads the body of the final response.
    fn gather(self: &Rc<Self>, res: &ClientResponse) {
        let bare = self.asked.borrow().method == "HEAD" || res.status() == 304;
        let announced = res.header("content-length").and_then(|length| length.parse().ok()).filter(|_| !bare);
        let codings = self.wanted.inflates.then(|| res.0.response().fields().elements("content-encoding"));
        let gathering = match Gathering::new(self.wanted.max_body, announced, codings) {
            Ok(gathering) => gathering,
            Err(refused) => return self.refuse(res, &refused),
        };
        let body = Rc::new(Body {
            errand: self.clone(),
            response: res.clone(),
            gathering: RefCell::new(Some(gathering)),
            ended: Cell::new(false),
            #[cfg(feature = "compression")]
            waits: Cell::new(false),
        });
        let taker = body.clone();
        res.0.add(On::Data, self.site, Listener::Data(Box::new(move |_, bytes| taker.take(bytes))));
        let closing = body.clone();
        let closed = move |_: &_, reason| closing.closed(reason);
        res.0.add(On::ResponseClose, self.site, Listener::Close(Some(Box::new(closed))));
        res.0.add(On::End, self.site, Listener::End(Some(Box::new(move |_| body.end()))));
        res.0.wake();
    }

    fn succeed(&self, response: ClientResponse, body: Vec<u8>) {
        let asked = self.asked.borrow();
        let (method, url) = (asked.method.clone(), asked.url.as_str().to_owned());
        drop(asked);
        let redirects = self.visited.borrow().len().saturating_sub(1);
        self.finish(Ok(FetchResponse { response, body, method, url, redirects }));
    }

    /// Closes the connection, because the rest of the body is not wanted.
    fn refuse(&self, res: &ClientResponse, (kind, words): &Refused) {
        res.destroy();
        self.fail(*kind, words);
    }

    // ---- The end

    fn fail(&self, kind: FetchErrorKind, words: &str) {
        let asked = self.asked.borrow();
        let text = format!("{} {}: {words}", asked.method, asked.url.without_query());
        drop(asked);
        self.finish(Err(FetchError::new(kind, text)));
    }

    fn fail_soon(self: &Rc<Self>, kind: FetchErrorKind, words: String) {
        let errand = self.clone();
        next_tick(move || errand.fail(kind, &words));
    }

    /// Returns whether its time is over.
    fn is_late(&self) -> bool {
        self.wanted.timeout.is_some_and(|timeout| now().saturating_sub(self.began) >= timeout)
    }

    fn took_too_long(&self) -> String {
        format!("it has taken longer than {:?}", self.wanted.timeout.unwrap_or_default())
    }

    /// Calls the callback, once.
    fn finish(&self, result: Result<FetchResponse, FetchError>) {
        let current = self.current.take();
        drop(current);
        match self.done.take() {
            Some(done) => done(result),
            None => discard(result),
        }
    }
}

/// The body of the final response, until it is whole.
struct Body {
    errand: Rc<Errand>,
    response: ClientResponse,
    /// `None` when it is whole, or not wanted any more.
    gathering: RefCell<Option<Gathering>>,
    /// All of it has come.
    ended: Cell<bool>,
    /// It waits until more of it may be inflated.
    #[cfg(feature = "compression")]
    waits: Cell<bool>,
}

impl Body {
    fn take(self: &Rc<Self>, bytes: &[u8]) {
        let result = self.gathering.borrow_mut().as_mut().map_or(Ok(()), |gathering| gathering.take(bytes));
        match result {
            Ok(()) => self.go_on(),
            Err(refused) => self.refuse(&refused),
        }
    }

    fn end(self: &Rc<Self>) {
        self.ended.set(true);
        #[cfg(feature = "compression")]
        if let Some(inflating) = self.gathering.borrow_mut().as_mut().and_then(Gathering::inflating) {
            inflating.end();
        }
        self.go_on();
    }

    /// The connection has closed. What has come before may still be inflated.
    fn closed(&self, reason: CloseReason) {
        if self.ended.get() {
            return;
        }
        self.gathering.borrow_mut().take();
        let kind = match reason {
            CloseReason::RequestTimeout => FetchErrorKind::Timeout,
            _ if self.errand.aborted.get() => FetchErrorKind::Aborted,
            reason => FetchErrorKind::Closed(reason),
        };
        self.errand.fail(kind, &format!("the connection was closed before the body ended: {reason}"));
    }

    fn refuse(&self, refused: &Refused) {
        self.gathering.borrow_mut().take();
        self.errand.refuse(&self.response, refused);
    }

    /// Inflates as much as it may now. When all that came is inflated, and nothing more comes, the body is whole.
    fn go_on(self: &Rc<Self>) {
        #[cfg(feature = "compression")]
        if !self.inflate(false) {
            return;
        }
        if self.ended.get() {
            let gathering = self.gathering.borrow_mut().take();
            if let Some(gathering) = gathering {
                self.errand.succeed(self.response.clone(), gathering.finish());
            }
        }
    }
}

#[cfg(feature = "compression")]
impl Body {
    /// Inflates what waits. `may`: the first portion is counted already. Returns whether nothing waits any more.
    fn inflate(self: &Rc<Self>, mut may: bool) -> bool {
        if self.waits.get() && !may {
            return false;
        }
        self.waits.set(false);
        let Some(lp) = current() else { return false };
        let portions = Portions::of(&lp);
        loop {
            let mut gathering = self.gathering.borrow_mut();
            let Some(inflating) = gathering.as_mut().and_then(Gathering::inflating) else { break };
            let Some(next) = inflating.next() else { break };
            if !std::mem::take(&mut may) && !portions.take(&lp, next) {
                drop(gathering);
                self.wait(&lp, &portions, next);
                return false;
            }
            let result = inflating.portion();
            drop(gathering);
            match result {
                Ok(made) => portions.add_made(made),
                Err(refused) => {
                    self.refuse(&refused);
                    return false;
                }
            }
        }
        self.response.resume();
        true
    }

    /// Goes on when the loop has time for it. Until then nothing more is read.
    fn wait(self: &Rc<Self>, lp: &Rc<Loop>, portions: &Rc<Portions>, bytes: usize) {
        self.waits.set(true);
        self.response.pause();
        let body = self.clone();
        portions.wait(lp, bytes, move || body.response.0.call(body.errand.site, |_| body.turn()));
    }

    fn turn(self: &Rc<Self>) {
        let errand = &self.errand;
        // While the body comes, the request notices both.
        if self.ended.get() && (errand.aborted.get() || errand.is_late()) {
            self.gathering.borrow_mut().take();
            return match errand.aborted.get() {
                true => errand.fail(FetchErrorKind::Aborted, "the program has aborted it"),
                false => errand.fail(FetchErrorKind::Timeout, &errand.took_too_long()),
            };
        }
        if self.inflate(true) {
            self.go_on();
        }
    }
}
