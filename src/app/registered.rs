//! The list of steps in a router before it is compiled: callbacks as they were registered.

use super::chain::{Callback, Given, Run};
use super::journey::Mark;
use super::next::Next;
use super::routing::{Methods, Reach, Role};
use crate::callback::Site;
use crate::http::{Answer, Error, Request, Response};
use std::rc::Rc;

/// A callback with its pattern, as it was registered.
pub(super) struct Registered {
    pub pattern: String,
    pub reach: Reach,
    pub methods: Methods,
    pub role: Role,
    /// The number of its route within the router.
    pub route: Option<u32>,
    pub site: Site,
    pub run: Box<Run>,
}

/// A callback for a parameter. Each step with this parameter has another step before it, which calls it.
pub(super) struct Param {
    pub name: String,
    pub site: Site,
    pub run: Rc<Callback<ParamRun>>,
}

pub(super) type ParamRun = dyn FnMut(&str, Given<'_>) -> Option<Error>;

/// The arguments for a step that gets a [`Next`], by which it may go on. `run` is the mark for going on without an error.
#[inline]
pub(super) fn handles(given: Given<'_>, run: Mark) -> (Request, Response, Next) {
    let res = Response::new(given.exchange);
    (Request(given.exchange.clone()), res.clone(), Next::new(res, given.at, run))
}

pub(super) fn terminal<R: Answer>(mut f: impl FnMut(Request, Response) -> R + 'static) -> Box<Run> {
    Box::new(move |given| f(Request(given.exchange.clone()), Response::new(given.exchange)).into_error())
}

pub(super) fn middleware<R: Answer>(mut f: impl FnMut(Request, Response, Next) -> R + 'static) -> Box<Run> {
    Box::new(move |given| {
        let (req, res, next) = handles(given, Mark::Run);
        f(req, res, next).into_error()
    })
}
