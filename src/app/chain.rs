//! A compiled app: its steps in order, and what to call for each.

use super::routing::{Cursors, Method, Methods, Program, Role};
use super::trust::Trust;
use super::vhost::Host;
use crate::callback::{Lendable, Site};
use crate::http::{Error, Exchange};
use std::rc::Rc;

/// Calls what the program registered for a step.
pub(super) type Run = dyn FnMut(Given<'_>) -> Option<Error>;

/// What a step is called with.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub exchange: &'a Rc<Exchange>,
    /// The number of the step.
    pub at: u32,
}

pub(super) type Callback<F = Run> = Lendable<Box<F>>;

/// What happens at a step.
pub(super) enum Kind {
    Run(Callback),
    /// As `Run`, for requests whose path no route has. Left out if a route has the path, only for other methods.
    NotFound(Callback),
    /// Called with an error only.
    OnError(Callback),
    /// The steps of this router are for one host only.
    Host(Host),
    /// All steps have been asked, and the request is not answered.
    Unanswered,
}

/// The parts of a step that every request needs. [`Program`] has the others.
pub(super) struct Step {
    pub kind: Kind,
    /// The methods that it takes.
    pub methods: Methods,
    /// Whether it belongs to a route: unlike a middleware it is not for all paths below its pattern.
    pub is_route: bool,
    /// Where it was registered.
    pub site: Site,
    /// The first step behind the route, and behind the router, that this step belongs to.
    pub route_end: u32,
    pub router_end: u32,
    /// The pattern as it was written, with the prefixes of the routers above.
    pub pattern: Rc<str>,
    /// The number of segments of the prefix of its router, or of the step itself if it is one.
    pub depth: usize,
}

pub(super) struct Chain {
    pub program: Program,
    /// As many as the program has.
    pub steps: Vec<Step>,
    /// The number of the step [`Kind::Unanswered`].
    pub unanswered: u32,
    /// The proxies that are believed.
    pub trust: Trust,
}

/// What the routes of a path offer to a request.
pub(super) struct Offer {
    /// The methods that these routes take.
    pub methods: Methods,
    /// Whether the method of the request is one of `methods`.
    pub takes: bool,
}

impl Chain {
    /// The step with this number.
    #[inline]
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get(number as usize)
    }

    /// Returns whether a request is for a host.
    pub fn is_for(&self, host: &Host, exchange: &Exchange) -> bool {
        host.matches(self.trust.host(exchange).unwrap_or_default())
    }

    /// Returns what the routes before the step `end` allow for a path, in the routers of the request's host.
    #[cold]
    pub fn offer(&self, exchange: &Exchange, path: &str, end: u32) -> Offer {
        let mut cursors = Cursors::default();
        let mut methods = Methods::default();
        self.program.look_up(path, &mut cursors);
        while let Some(at) = self.program.next(&mut cursors).filter(|at| *at < end) {
            let (Some(line), Some(step)) = (self.program.step(at), self.step(at)) else { break };
            match &step.kind {
                Kind::Host(host) if !self.is_for(host, exchange) => self.program.skip_to(&mut cursors, step.router_end),
                Kind::Run(_) if step.is_route && (line.role == Role::Handler || !step.methods.is_any()) => {
                    methods.add(&step.methods);
                }
                _ => {}
            }
        }
        Offer { takes: methods.takes(&Method::of(exchange.head().method_bytes())), methods }
    }

    /// The methods of all routes.
    #[cold]
    pub fn all_methods(&self) -> Methods {
        let mut methods = Methods::default();
        for step in self.program.steps() {
            if step.role == Role::Handler && !step.methods.is_any() {
                methods.add(&step.methods);
            }
        }
        methods
    }
}
