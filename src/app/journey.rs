//! The way of one request through the steps of an app.
//!
//! ```text
//!   begin ─► Run ─► the next step is called ─► next.run() … ─► Run ─► …
//!                        │        └─ neither answered nor went on ─┐
//!                        └─ an error or a panic ───────────────────┴─► Fail ─► the next error handler, else a page
//! ```
//! A step only *marks* how the request goes on. [`drive`] is the one function that calls steps, each in a call of its own, one after
//! another: a thousand middlewares need no more stack than one. If a step marks later, from another callback, nobody drives; then
//! a tick does.

use super::chain::{Chain, Given, Kind, Offer, Step};
use super::failure::{Panicked, Unanswered};
use super::locals::Locals;
use super::page;
use super::routing::{Cursors, Method, Methods, behind, canonical, decoded};
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
pub(super) enum Mark {
    Run,
    SkipRoute,
    SkipRouter,
    /// To the error handlers. Whether the head is `uncertain`: see [`Exchange::reopen`].
    Fail {
        error: Error,
        uncertain: bool,
    },
}

/// What an app keeps with an exchange. It is used again with the exchange, so in the long run a request allocates nothing here.
#[derive(Default)]
pub(super) struct Journey {
    /// `None` if no app answers this exchange, or if it is over.
    chain: RefCell<Option<Rc<Chain>>>,
    /// The steps that lie ahead.
    cursors: RefCell<Cursors>,
    /// The number of the step that was called last.
    at: Cell<u32>,
    /// The number of the step of a route that was called last, if there was one.
    route: Cell<Option<u32>>,
    mark: Cell<Option<Mark>>,
    /// Whether [`drive`] is at work.
    driven: Cell<bool>,
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
        Some(self.chain()?.steps.get(self.route.get()? as usize)?.pattern.clone())
    }

    /// What is left of the path below the prefix of the step that was called last.
    pub fn below<'e>(&self, exchange: &'e Exchange) -> Cow<'e, str> {
        let chain = self.chain();
        let step = chain.as_ref().and_then(|chain| chain.steps.get(self.at.get() as usize));
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

    /// Finds the steps for a request, and marks that it goes on to the first one.
    fn begin(&self, chain: &Rc<Chain>, exchange: &Exchange) {
        *self.chain.borrow_mut() = Some(chain.clone());
        self.at.set(0);
        self.route.set(None);
        let mut cursors = self.cursors.borrow_mut();
        let path = exchange.head().path();
        let mark = match canonical(path) {
            Ok(Cow::Borrowed(path)) => {
                chain.program.look_up(path, &mut cursors);
                Mark::Run
            }
            Ok(Cow::Owned(path)) => {
                chain.program.look_up(&path, &mut cursors);
                *self.path.borrow_mut() = Some(path.into());
                Mark::Run
            }
            Err(why) => {
                chain.program.look_up("/", &mut cursors);
                chain.program.skip_to(&mut cursors, chain.unanswered);
                match is_for_all(exchange) {
                    true => Mark::Run,
                    false => Mark::Fail { error: Error::new(400, why.to_string()), uncertain: false },
                }
            }
        };
        self.mark.set(Some(mark));
    }

    fn is_marked(&self) -> bool {
        let mark = self.mark.take();
        let is_marked = mark.is_some();
        self.mark.set(mark);
        is_marked
    }

    /// Does what a mark says of the steps ahead. Returns the error with which the request goes on.
    fn obey(&self, chain: &Chain, exchange: &Rc<Exchange>, mark: Mark) -> Option<Error> {
        let step = chain.steps.get(self.at.get() as usize);
        let skip_to = |to: fn(&Step) -> u32| {
            if let Some(step) = step {
                chain.program.skip_to(&mut self.cursors.borrow_mut(), to(step));
            }
        };
        match mark {
            Mark::Run => {
                if let Some(Kind::OnError(_)) = step.map(|step| &step.kind) {
                    Response::new(exchange).set_status(200);
                }
            }
            Mark::SkipRoute => skip_to(|step| step.route_end),
            Mark::SkipRouter => skip_to(|step| step.router_end),
            Mark::Fail { error, uncertain } => {
                exchange.reopen(error.status(), uncertain);
                return Some(error);
            }
        }
        None
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
        let before = self.mark.replace(Some(Mark::Fail { error, uncertain }));
        if before.is_none() && !self.driven.get() {
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
        let mark = self.mark.take();
        discard(mark);
        // The last handle of a program may drop the program's closures.
        let chain = self.chain.take();
        discard(chain);
        loop {
            let value = self.locals.borrow_mut().take_last();
            let Some(value) = value else { return };
            discard(value);
        }
    }
}

impl Layer for Chain {
    fn request(self: Rc<Self>, lp: &Rc<Loop>, exchange: &Rc<Exchange>) {
        Journey::of(exchange).begin(&self, exchange);
        drive(lp, Handle::new(exchange));
    }
}

/// Makes a server whose requests go through these steps.
pub(super) fn answer_by(chain: Chain) -> io::Result<Server> {
    create_server_below(Rc::new(chain)).ok_or_else(|| io::Error::other("this thread ends, and its loop is gone"))
}

/// A step goes on. `at`: its number. If the request has gone another way meanwhile, nothing happens.
pub(super) fn go_on(handle: Handle, at: u32, mark: Mark) {
    let journey = Journey::of(&handle);
    if handle.has_ended() {
        log::debug!(target: "oneloop::app", "{}: a step goes on after the end", *handle);
        return;
    }
    if journey.at.get() != at || journey.is_marked() {
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
        if let Some(lp) = handle.lp() {
            drive(&lp, handle);
        }
    });
}

/// Calls one step after another, until none has marked that the request goes on. The handle keeps the response from counting as
/// dropped between two steps.
fn drive(lp: &Rc<Loop>, handle: Handle) {
    let exchange = Rc::clone(&*handle);
    let journey = Journey::of(&exchange);
    let Some(chain) = journey.chain() else { return };
    let mut handle = Some(handle);
    let method = Method::of(exchange.head().method());
    journey.driven.set(true);
    while let Some(mark) = journey.mark.take() {
        if exchange.has_ended() || exchange.is_closed() || lp.is_halted() {
            discard(mark);
            break;
        }
        let error = journey.obey(&chain, &exchange, mark);
        let next = chain.next(&mut journey.cursors.borrow_mut(), &exchange, method, error.is_some());
        let Some((at, step)) = next.and_then(|at| Some((at, chain.steps.get(at as usize)?))) else {
            // Only an error comes to the end of the list, since `Unanswered` stands there.
            if let Some(error) = error {
                page::answer(&exchange, &error);
                discard(error);
            }
            break;
        };
        journey.at.set(at);
        if chain.is_route(at) {
            journey.route.set(Some(at));
            lp.record_route(&step.pattern);
        }
        let callback = match &step.kind {
            Kind::Run(callback) | Kind::OnError(callback) => callback,
            Kind::NotFound(callback)
                if chain.offer(&exchange, &journey.path(&exchange), at).methods.allow().is_none() =>
            {
                callback
            }
            Kind::NotFound(_) => {
                journey.mark.set(Some(Mark::Run));
                continue;
            }
            Kind::Host(_) | Kind::Unanswered => {
                unanswered(&chain, journey, &exchange);
                continue;
            }
        };
        let Some(registered) = chain.program.step(at) else { break };
        let given = Given { exchange: &exchange, at, error };
        let call = || {
            if let Some(error) = callback.lend(|run| run(given)) {
                exchange.fail(error);
            }
        };
        if lp.call(registered.site, &*exchange, call).is_none() {
            exchange.panicked();
        }
        if !journey.is_marked() {
            // If the step has kept no handle, nobody can answer any more: this drop marks the failure.
            handle = None;
            if journey.is_marked() {
                handle = Some(Handle::new(&exchange));
            }
        }
    }
    journey.driven.set(false);
    drop(handle);
}

/// No step has answered: marks the error with which the request goes on to the error handlers of the app, or answers an OPTIONS.
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
