//! How one request passes through the steps of an app.
//!
//! ```text
//!   begin ─► Run ─► the next step is called ─► next.run() … ─► Run ─► …
//!                        │        └─ neither answered nor went on ─┐
//!                        └─ an error or a panic ───────────────────┴─► Fail ─► the next error handler, else a page
//! ```
//! A step only *marks* how the request goes on. [`drive`] is the one function that calls steps, each in a call of its own,
//! one after another: a thousand middlewares need no more stack than one. If a step sets its mark later, in another callback,
//! `drive` is not running; then a tick calls it.

use super::chain::{Callback, Chain, Given, Kind, Offer, Step};
use super::failure::{Panicked, Unanswered};
use super::locals::Locals;
use super::page;
use super::routing::{Cursors, Method, Methods, behind, canonical, decoded, is_canonical};
use crate::callback::discard;
use crate::event_loop::{Loop, next_tick};
use crate::http::{Companion, Error, Exchange, Failure, Handle, Layer, Response, Server, create_server_below};
use crate::notice;
use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// How a request goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Run,
    /// The same as `Run`, but set by an error handler: the error counts as settled.
    Settle,
    SkipRoute,
    SkipRouter,
    /// The request goes on to the error handlers, with the error that the journey keeps. For `uncertain` see
    /// [`Exchange::reopen`].
    Fail {
        uncertain: bool,
    },
}

/// A step that is to be called.
struct Due<'a> {
    /// Its number.
    at: u32,
    step: &'a Step,
    /// `None`: no step has answered.
    callback: Option<&'a Callback>,
}

/// The state that an app keeps with an exchange. It is reused together with the exchange, so in the long run a request allocates
/// nothing for it.
#[derive(Default)]
pub(super) struct Journey {
    /// `None` if no app answers this exchange, or if it is over.
    chain: RefCell<Option<Rc<Chain>>>,
    /// The steps that apply to the request and were not called yet.
    cursors: RefCell<Cursors>,
    /// The number of the step that was called last.
    at: Cell<u32>,
    /// The number of the step of a route that was called last, if there was one.
    route: Cell<Option<u32>>,
    mark: Cell<Option<Mark>>,
    /// Whether [`drive`] is running.
    driven: Cell<bool>,
    /// The error with which the request goes on to the error handlers.
    error: RefCell<Option<Error>>,
    /// The canonical path, if it is not the path as received.
    path: RefCell<Option<Box<str>>>,
    locals: RefCell<Locals>,
    /// Parameters whose callbacks have been called: their number, and the value.
    told: RefCell<Vec<(u32, Box<str>)>>,
}

impl Journey {
    /// The journey of an exchange. It is made when it is asked for the first time.
    pub fn of(exchange: &Exchange) -> &Journey {
        let companion: &dyn Any = exchange.companion_or(|| Box::<Journey>::default());
        companion.downcast_ref().expect("this is the only layer above http")
    }

    /// The journey of an exchange, if it has one.
    pub fn find(exchange: &Exchange) -> Option<&Journey> {
        let companion: &dyn Any = exchange.companion()?;
        companion.downcast_ref()
    }

    pub fn chain(&self) -> Option<Rc<Chain>> {
        self.chain.borrow().clone()
    }

    /// The path that guards, routes and files see.
    pub fn path<'e>(&self, exchange: &'e Exchange) -> Cow<'e, str> {
        match &*self.path.borrow() {
            Some(path) => Cow::Owned(String::from(&**path)),
            None => Cow::Borrowed(exchange.head().path()),
        }
    }

    /// The value of a parameter or wildcard of the step that was called last, decoded.
    pub fn param<'e>(&self, exchange: &'e Exchange, name: &str) -> Option<Cow<'e, str>> {
        let chain = self.chain()?;
        let step = chain.program.step(self.at.get())?;
        match self.path(exchange) {
            Cow::Borrowed(path) => step.capture(path, name).map(decoded),
            Cow::Owned(path) => step.capture(&path, name).map(|value| decoded(value).into_owned().into()),
        }
    }

    /// The parameters of the step that was called last: names and values, decoded.
    pub fn params(&self, exchange: &Exchange) -> Vec<(String, String)> {
        let path = self.path(exchange);
        let chain = self.chain();
        let step = chain.as_ref().and_then(|chain| chain.program.step(self.at.get()));
        let found = step.into_iter().flat_map(|step| step.captures(&path));
        found.map(|(name, value)| (name.to_owned(), decoded(value).into_owned())).collect()
    }

    /// The segments of a wildcard, each decoded.
    pub fn wildcard(&self, exchange: &Exchange, name: &str) -> Vec<String> {
        let path = self.path(exchange);
        let chain = self.chain();
        let step = chain.as_ref().and_then(|chain| chain.program.step(self.at.get()));
        let rest = step.and_then(|step| step.capture(&path, name));
        rest.into_iter().flat_map(|rest| rest.split('/')).map(|segment| decoded(segment).into_owned()).collect()
    }

    /// The pattern of the route that was called last.
    pub fn route(&self) -> Option<Rc<str>> {
        Some(self.chain()?.step(self.route.get()?)?.pattern.clone())
    }

    /// What is left of the path below the prefix of the step that was called last.
    pub fn below<'e>(&self, exchange: &'e Exchange) -> Cow<'e, str> {
        let chain = self.chain();
        let step = chain.as_ref().and_then(|chain| chain.step(self.at.get()));
        let depth = step.map_or(0, |step| step.depth);
        match self.path(exchange) {
            Cow::Borrowed(path) => {
                Cow::Borrowed(Some(behind(path, depth)).filter(|left| !left.is_empty()).unwrap_or("/"))
            }
            Cow::Owned(path) => match behind(&path, depth) {
                "" => Cow::Borrowed("/"),
                left => Cow::Owned(left.to_owned()),
            },
        }
    }

    pub fn put(&self, of: TypeId, value: Rc<dyn Any>) -> Option<Rc<dyn Any>> {
        self.locals.borrow_mut().put(of, value)
    }

    pub fn find_value(&self, of: TypeId) -> Option<Rc<dyn Any>> {
        self.locals.borrow().find(of)
    }

    /// Notes that the callback with this number is called for a value. Returns whether it was called for this value before.
    pub fn tell(&self, number: u32, value: &str) -> bool {
        let mut told = self.told.borrow_mut();
        let known = told.iter().any(|(other, before)| *other == number && **before == *value);
        if !known {
            told.retain(|(other, _)| *other != number);
            told.push((number, value.into()));
        }
        known
    }

    /// The error for an error handler.
    pub fn take_error(&self) -> Option<Error> {
        self.error.take()
    }

    /// Keeps an error for the error handlers, and marks that the request goes on to them. Returns whether there was no such mark
    /// before.
    fn set_error(&self, error: Error, uncertain: bool) -> bool {
        let before = self.error.replace(Some(error));
        discard(before);
        self.mark.replace(Some(Mark::Fail { uncertain })).is_none()
    }

    /// Finds the steps for a request, and marks that the request goes on to the first one.
    fn begin(&self, chain: &Rc<Chain>, exchange: &Exchange) {
        *self.chain.borrow_mut() = Some(chain.clone());
        self.at.set(0);
        self.route.set(None);
        let mut cursors = self.cursors.borrow_mut();
        self.mark.set(Some(Mark::Run));
        let head = exchange.head();
        if is_canonical(head.path_bytes()) {
            return chain.program.look_up(head.path_bytes(), &mut cursors);
        }
        match canonical(head.path()) {
            Ok(Cow::Borrowed(path)) => chain.program.look_up(path, &mut cursors),
            Ok(Cow::Owned(path)) => {
                chain.program.look_up(&path, &mut cursors);
                *self.path.borrow_mut() = Some(path.into());
            }
            Err(why) => {
                chain.program.look_up("/", &mut cursors);
                chain.program.skip_to(&mut cursors, chain.unanswered);
                if !is_for_all(exchange) {
                    self.set_error(Error::new(400, why.to_string()), false);
                }
            }
        }
    }

    /// Does what a mark says of the steps ahead. Returns whether the request goes on to the error handlers.
    #[cold]
    fn obey(&self, chain: &Chain, exchange: &Rc<Exchange>, mark: Mark) -> bool {
        let skip_to = |to: fn(&Step) -> u32| {
            if let Some(step) = chain.step(self.at.get()) {
                chain.program.skip_to(&mut self.cursors.borrow_mut(), to(step));
            }
        };
        match mark {
            Mark::Run => {}
            Mark::Settle => drop(Response::new(exchange).set_status(200)),
            Mark::SkipRoute => skip_to(|step| step.route_end),
            Mark::SkipRouter => skip_to(|step| step.router_end),
            Mark::Fail { uncertain } => {
                if let Some(error) = &*self.error.borrow() {
                    exchange.reopen(error.status(), uncertain);
                }
                return true;
            }
        }
        false
    }

    /// The next step to be called: an error handler if something has `failed`, else one that takes the method.
    #[inline]
    fn next<'c>(&self, chain: &'c Chain, exchange: &Exchange, method: &Method<'_>, failed: bool) -> Option<Due<'c>> {
        let mut cursors = self.cursors.borrow_mut();
        while let Some(at) = chain.program.next(&mut cursors) {
            let step = chain.step(at)?;
            let callback = if let Kind::Run(callback) = &step.kind {
                if failed || !step.methods.takes(method) {
                    continue;
                }
                Some(callback)
            } else {
                match &step.kind {
                    Kind::OnError(callback) if failed => Some(callback),
                    Kind::NotFound(callback) if !failed && !self.is_offered(chain, exchange, at) => Some(callback),
                    Kind::Unanswered if !failed => None,
                    Kind::Host(host) if !chain.is_for(host, exchange) => {
                        chain.program.skip_to(&mut cursors, step.router_end);
                        continue;
                    }
                    _ => continue,
                }
            };
            return Some(Due { at, step, callback });
        }
        None
    }

    /// Returns whether a route before the step `end` has the path, for whichever method.
    #[cold]
    fn is_offered(&self, chain: &Chain, exchange: &Exchange, end: u32) -> bool {
        chain.offer(exchange, &self.path(exchange), end).methods.allow().is_some()
    }

    /// Logs a failure of the step that was called last.
    fn log(&self, chain: &Chain, exchange: &Exchange, error: &Error) {
        let Some(step) = chain.program.step(self.at.get()) else { return };
        let (status, site) = (error.status(), step.site);
        match status {
            _ if self.at.get() == chain.unanswered => {
                log::debug!(target: "oneloop::app", "{exchange}: no step answers: {status}")
            }
            ..500 => {
                log::debug!(target: "oneloop::app", "{exchange}: the step registered at {site} failed with {status}: {error}")
            }
            _ => match error.downcast_ref::<Unanswered>() {
                // Its text has the place already.
                Some(forgotten) => {
                    notice::warn_of(site, "oneloop::app", format_args!("{exchange}: {forgotten}; that is a {status}"))
                }
                None => notice::warn_of(
                    site,
                    "oneloop::app",
                    format_args!("{exchange}: the step registered at {site} failed with {status}: {error}"),
                ),
            },
        }
    }
}

impl Companion<Exchange> for Journey {
    fn failed(&self, exchange: &Rc<Exchange>, failure: Failure) -> Option<Failure> {
        let Some(chain) = self.chain() else { return Some(failure) };
        let uncertain = matches!(failure, Failure::Panicked | Failure::Dropped);
        let error = match failure {
            Failure::Error(error) => error,
            Failure::Status(status) => Error::new(status, ""),
            Failure::Panicked => Error::from(Panicked),
            Failure::Dropped => match chain.program.step(self.at.get()) {
                Some(step) => Error::from(Unanswered { registered: step.site }),
                None => return Some(failure),
            },
        };
        self.log(&chain, exchange, &error);
        if self.set_error(error, uncertain) && !self.driven.get() {
            drive_soon(Handle::new(exchange));
        }
        None
    }

    fn host<'e>(&self, exchange: &'e Exchange) -> Option<&'e str> {
        self.chain()?.trust.host(exchange)
    }

    fn route(&self) -> Option<Rc<str>> {
        Journey::route(self)
    }

    fn end(&self) {
        self.told.borrow_mut().clear();
        self.path.take();
        self.mark.set(None);
        let error = self.take_error();
        if error.is_some() {
            discard(error);
        }
        // The last handle of a program drops the program's closures.
        if let Some(last) = self.chain.take().and_then(Rc::into_inner) {
            discard(last);
        }
        loop {
            let value = self.locals.borrow_mut().take_last();
            let Some(value) = value else { return };
            discard(value);
        }
    }
}

impl Layer for Chain {
    fn request(self: Rc<Self>, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        let journey = Journey::of(exchange);
        journey.begin(&self, exchange);
        drive(lp, &self, journey, exchange, Handle::new(exchange));
    }
}

/// Makes a server whose requests go through these steps.
pub(super) fn answer_by(chain: Chain) -> io::Result<Server> {
    create_server_below(Rc::new(chain)).ok_or_else(|| io::Error::other("this thread ends, and its loop is gone"))
}

/// A step goes on. `at`: its number. Does nothing if the request has gone on in another way meanwhile.
pub(super) fn go_on(handle: Handle, at: u32, mark: Mark) {
    let journey = Journey::of(&handle);
    if handle.has_ended() {
        log::debug!(target: "oneloop::app", "{}: a step goes on after the end", *handle);
        return;
    }
    if journey.at.get() != at || journey.mark.get().is_some() {
        return;
    }
    journey.mark.set(Some(mark));
    if !journey.driven.get() {
        drive_soon(handle);
    }
}

/// Drives a request when the callback that is running has returned.
fn drive_soon(handle: Handle) {
    next_tick(move || {
        let exchange = Rc::clone(&*handle);
        let journey = Journey::of(&exchange);
        if let Some((lp, chain)) = exchange.lp().zip(journey.chain()) {
            drive(&lp, &chain, journey, &exchange, handle);
        }
    });
}

/// Calls one step after another, until none has marked that the request goes on. The handle keeps the response from counting as
/// dropped between two steps.
fn drive(lp: &Rc<Loop>, chain: &Chain, journey: &Journey, exchange: &Rc<Exchange>, handle: Handle) {
    let mut handle = Some(handle);
    let method = Method::of(exchange.head().method_bytes());
    journey.driven.set(true);
    while let Some(mark) = journey.mark.take() {
        // A stream that has closed is in the closing queue, until its exchange is over.
        let is_closed = !exchange.is_carried() || (lp.has_closing() && exchange.is_closed());
        if exchange.has_ended() || is_closed || lp.is_halted() {
            break;
        }
        let failed = mark != Mark::Run && journey.obey(chain, exchange, mark);
        let Some(Due { at, step, callback }) = journey.next(chain, exchange, &method, failed) else {
            // Only an error comes to the end of the list, since `Unanswered` stands there.
            if let Some(error) = journey.take_error() {
                page::answer(exchange, &error);
                discard(error);
            }
            break;
        };
        journey.at.set(at);
        if step.is_route {
            journey.route.set(Some(at));
            lp.record_route(&step.pattern);
        }
        let Some(callback) = callback else {
            unanswered(chain, journey, exchange);
            continue;
        };
        let given = Given { exchange, at };
        let call = || {
            // To fail here, rather than to return the error, spares each step that has none the moving of one.
            callback.lend(|run| {
                if let Some(error) = run(given) {
                    exchange.fail(error);
                }
            });
        };
        if lp.call(step.site, &**exchange, call).is_none() {
            exchange.panicked();
        }
        if journey.mark.get().is_none() {
            // If the step has kept no handle of the response, nothing can answer the request any more: dropping this handle marks
            // the failure.
            handle = None;
            if journey.mark.get().is_some() {
                handle = Some(Handle::new(exchange));
            }
        }
    }
    journey.driven.set(false);
    drop(handle);
}

/// Runs when no step has answered. Answers an OPTIONS; to every other request it gives the error (404 or 405) with which the request
/// goes on to the error handlers of the app.
#[cold]
fn unanswered(chain: &Chain, journey: &Journey, exchange: &Rc<Exchange>) {
    let (methods, takes) = match is_for_all(exchange) {
        true => (chain.all_methods(), false),
        false => {
            let offer = chain.offer(exchange, &journey.path(exchange), chain.unanswered);
            (offer.methods, offer.takes)
        }
    };
    // A route that takes the method has gone on.
    match methods.allow().filter(|_| !takes) {
        Some(allow) => offer_others(&Response::new(exchange), &allow),
        None => exchange.fail(Error::new(404, "")),
    }
}

/// Refuses the method of a request whose path has something for other methods, besides what its routes say. Returns false, and does
/// nothing, if a route takes the method.
#[cold]
pub(super) fn refuse_method(res: &Response, others: &[&str]) -> bool {
    let (exchange, journey) = (&res.0, Journey::of(&res.0));
    let Some(chain) = journey.chain() else { return false };
    let Offer { mut methods, takes } = chain.offer(exchange, &journey.path(exchange), chain.unanswered);
    methods.add(&Methods::of(others));
    if let Some(allow) = methods.allow().filter(|_| !takes) {
        offer_others(res, &allow);
    }
    !takes
}

/// Answers that a path has something for other methods than that of the request, and for which.
fn offer_others(res: &Response, allow: &str) {
    res.set_header("Allow", allow);
    match res.0.head().method() {
        "OPTIONS" => res.set_status(204).end(()),
        _ => res.fail(Error::new(405, "")),
    }
}

/// Returns whether a request is an OPTIONS for the server as a whole (RFC 9110, 9.3.7).
fn is_for_all(exchange: &Exchange) -> bool {
    exchange.head().path() == "*" && exchange.head().method() == "OPTIONS"
}
