//! Compiles routers into one list of steps.
//!
//! ```text
//!  app: with, get …          0  step
//!       group "/api": …      1  step          ┐ a span: `skip_router` leads behind it
//!            not_found       2  step          │
//!            on_error        3  error handler ┘
//!       get …                4  step
//!       not_found            5
//!                            6  Unanswered: 404, 405, or an answer to OPTIONS
//!       on_error             7
//! ```

use super::chain::{Callback, Chain, Given, Kind, Step};
use super::journey::{Journey, Mark, go_on};
use super::registered::{Param, ParamRun, Registered};
use super::router::{Item, Router};
use super::routing::{self, Methods, Pattern, Program, Reach, Role, Span, join};
use super::start_error::StartError;
use super::trust::Trust;
use super::vhost::Host;
use crate::callback::Site;
use crate::http::{Error, Handle};

/// Compiles the router of an app, which was made at `site` and believes these proxies.
pub(super) fn compile(app: Router, trust: Trust, site: Site) -> Result<Chain, StartError> {
    let mut list = List::default();
    list.router(app, Mount { prefix: String::new(), host: None, site, is_app: true });
    let List { steps, registered, spans, mut faults, unanswered, .. } = list;
    match Program::build(registered, &spans) {
        Ok(program) if faults.is_empty() => Ok(Chain { program, steps, unanswered, trust }),
        Ok(_) => Err(StartError::new(faults)),
        Err(conflicts) => {
            faults.extend(conflicts.iter().map(ToString::to_string));
            Err(StartError::new(faults))
        }
    }
}

/// A method, a pattern and a place in the program: see [`App::routes`](super::App::routes).
pub(super) fn each_route(
    router: &Router,
    prefix: &str,
    host: Option<&str>,
    each: &mut impl FnMut(&str, Option<&str>, &Registered),
) {
    for item in &router.items {
        match item {
            Item::Step(step) => each(&join(prefix, &step.pattern), host, step),
            Item::Router { prefix: more, host: inner, router, .. } => {
                each_route(router, &join(prefix, more), inner.as_deref().or(host), each);
            }
        }
    }
}

/// A router that is being added.
struct Place {
    prefix: String,
    /// The number of segments of the prefix.
    depth: usize,
    strict: bool,
    /// The exact names of its hosts.
    hosts: Vec<Box<str>>,
    /// Its callbacks of parameters, with their numbers.
    params: Vec<(Param, u32)>,
}

/// Where a router is mounted.
struct Mount {
    prefix: String,
    host: Option<Host>,
    site: Site,
    is_app: bool,
}

#[derive(Default)]
struct List {
    steps: Vec<Step>,
    registered: Vec<routing::Step>,
    spans: Vec<Span>,
    faults: Vec<String>,
    /// How many callbacks of parameters there are.
    params: u32,
    /// The number of the step [`Kind::Unanswered`].
    unanswered: u32,
}

impl List {
    fn next(&self) -> u32 {
        self.steps.len() as u32
    }

    fn router(&mut self, router: Router, mount: Mount) {
        let from = self.next();
        let hosts = router.items.iter().filter_map(|item| match item {
            Item::Router { host: Some(host), .. } => Some(Host::parse(host).ok()?.exact()?.into()),
            _ => None,
        });
        let place = Place {
            depth: self.depth(&mount.prefix, mount.site),
            strict: router.strict,
            hosts: hosts.collect(),
            params: router.params.into_iter().zip(self.params..).collect(),
            prefix: mount.prefix,
        };
        self.params += place.params.len() as u32;
        let conditional = mount.host.is_some();
        if let Some(host) = mount.host {
            self.own(&place, Kind::Host(host), Role::Middleware, mount.site);
        }
        let mut route = None;
        for item in router.items {
            let number = if let Item::Step(step) = &item { step.route } else { None };
            if route.is_some_and(|(open, _)| Some(open) != number) {
                self.close_route(route.take());
            }
            route = route.or(number.map(|number| (number, self.next())));
            match item {
                Item::Step(step) => {
                    let from = self.next();
                    self.params_of(&place, &step.pattern, step.reach, &step.methods);
                    let has_params = self.next() > from;
                    self.step(step, &place, Kind::Run);
                    // A callback of a parameter may skip the step that it comes before.
                    if has_params && number.is_none() {
                        self.close_route(Some((self.next(), from)));
                    }
                }
                Item::Router { prefix, host, router, site } => self.mount(router, &place, &prefix, host, site),
            }
        }
        self.close_route(route);
        for step in router.last {
            self.step(step, &place, Kind::Run);
        }
        for step in router.not_found {
            self.step(step, &place, Kind::NotFound);
        }
        let mut to = self.next();
        if mount.is_app {
            self.unanswered = to;
            self.own(&place, Kind::Unanswered, Role::OnError, mount.site);
        }
        for step in router.on_error {
            self.step(step, &place, Kind::OnError);
        }
        if !mount.is_app {
            to = self.next();
        }
        for step in self.steps.iter_mut().skip(from as usize).filter(|step| step.router_end == 0) {
            step.router_end = to;
        }
        self.spans.push(Span { from, to, conditional });
    }

    fn mount(&mut self, router: Router, place: &Place, prefix: &str, host: Option<String>, site: Site) {
        let from = self.next();
        self.params_of(place, prefix, Reach::Prefix, &Methods::any());
        let inside = self.next();
        let host = host.and_then(|host| match Host::parse(&host) {
            Ok(mut host) => {
                host.leave(&place.hosts);
                Some(host)
            }
            Err(why) => {
                self.faults.push(format!("{why} ({site})"));
                None
            }
        });
        self.router(router, Mount { prefix: join(&place.prefix, prefix), host, site, is_app: false });
        if from < inside {
            let to = self.next();
            self.steps.iter_mut().take(inside as usize).skip(from as usize).for_each(|step| step.route_end = to);
            self.spans.push(Span { from, to, conditional: false });
        }
    }

    /// Ends a route: its number, and its first step.
    fn close_route(&mut self, route: Option<(u32, u32)>) {
        let Some((_, from)) = route else { return };
        let to = self.next();
        for step in self.steps.iter_mut().skip(from as usize) {
            step.route_end = to;
        }
        self.spans.push(Span { from, to, conditional: false });
    }

    /// Adds a step for each callback of a parameter that a pattern of this router has.
    fn params_of(&mut self, place: &Place, pattern: &str, reach: Reach, methods: &Methods) {
        if place.params.is_empty() {
            return;
        }
        let Ok(patterns) = Pattern::parse(if pattern.is_empty() { "/" } else { pattern }) else { return };
        let has = |name: &str| patterns.iter().any(|pattern| pattern.names().any(|known| known == name));
        for (param, number) in place.params.iter().filter(|(param, _)| has(&param.name)) {
            let (run, name, number) = (param.run.clone(), param.name.clone(), *number);
            let step = Registered {
                pattern: pattern.to_owned(),
                reach,
                methods: methods.clone(),
                role: Role::Middleware,
                route: None,
                site: param.site,
                run: Box::new(move |given| tell(&name, number, &run, given)),
            };
            self.step(step, place, Kind::Run);
        }
    }

    /// Adds a step of the library's own, for all paths of a router.
    fn own(&mut self, place: &Place, kind: Kind, role: Role, site: Site) {
        self.push(place, "/", kind, Line { reach: Reach::Prefix, methods: Methods::any(), role, site });
    }

    fn step(&mut self, step: Registered, place: &Place, kind: impl FnOnce(Callback) -> Kind) {
        let line = Line { reach: step.reach, methods: step.methods, role: step.role, site: step.site };
        self.push(place, &step.pattern, kind(Callback::new(step.run)), line);
    }

    fn push(&mut self, place: &Place, pattern: &str, kind: Kind, line: Line) {
        let Line { reach, methods, role, site } = line;
        let text = join(&place.prefix, pattern);
        let depth = if reach == Reach::Prefix { self.depth(&text, site) } else { place.depth };
        let patterns = Pattern::parse(&text).unwrap_or_else(|why| {
            self.faults.push(format!("{why} ({site})"));
            Vec::new()
        });
        let (route_end, pattern) = (self.next() + 1, text.as_str().into());
        let is_route = reach == Reach::Exact;
        let step = Step { kind, methods: methods.clone(), is_route, site, route_end, router_end: 0, pattern, depth };
        self.steps.push(step);
        self.registered.push(routing::Step { text, patterns, reach, strict: place.strict, methods, role, site });
    }

    /// The number of segments of a prefix.
    fn depth(&mut self, prefix: &str, site: Site) -> usize {
        match Pattern::parse(if prefix.is_empty() { "/" } else { prefix }).as_deref() {
            Ok([Pattern { segments, rest: None, .. }]) => segments.len(),
            Ok(_) => {
                self.faults
                    .push(format!("`{prefix}` is a prefix, so it has no wildcard and no optional groups ({site})"));
                0
            }
            // Told where the steps below it are added.
            Err(_) => 0,
        }
    }
}

/// The parts of a registered callback that every kind of step has.
struct Line {
    reach: Reach,
    methods: Methods,
    role: Role,
    site: Site,
}

/// Calls the callback of a parameter, unless it has seen this value.
fn tell(name: &str, number: u32, run: &Callback<ParamRun>, given: Given<'_>) -> Option<Error> {
    let exchange = given.exchange;
    let journey = Journey::of(exchange);
    match journey.param(exchange, name) {
        Some(value) if !journey.tell(number, &value) => run.lend(|run| run(&value, given)).flatten(),
        _ => {
            go_on(Handle::new(exchange), given.at, Mark::Run);
            None
        }
    }
}
