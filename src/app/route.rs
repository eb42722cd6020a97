use super::chain::Run;
use super::next::Next;
use super::registered::{Registered, middleware, terminal};
use super::routing::{Methods, Reach, Role};
use crate::callback::Site;
use crate::http::{Answer, Request, Response};
use std::panic::Location;

/// One pattern with several methods, made by [`Router::route`](super::Router::route). Its steps stand next to each other in the order of the router.
///
/// ```
/// let mut app = oneloop::app::App::new();
/// app.route("/todos")
///     .get(|_req, res| res.end("all todos\n"))
///     .post(|_req, res| res.set_status(201).end(()));
/// # let sim = oneloop::sim::Sim::new();
/// # app.listen(80, ())?;
/// let reply = sim.request("DELETE", "/todos").send();
/// assert_eq!((reply.status(), reply.header("allow")), (405, Some("GET, HEAD, OPTIONS, POST")));
/// # std::io::Result::Ok(())
/// ```
pub struct Route<'a> {
    /// Adds a step to the router.
    adds: Box<dyn FnMut(Registered) + 'a>,
    path: String,
    number: u32,
}

impl<'a> Route<'a> {
    pub(super) fn new(path: &str, number: u32, adds: impl FnMut(Registered) + 'a) -> Route<'a> {
        Route { adds: Box::new(adds), path: path.to_owned(), number }
    }

    /// Adds a middleware for every method of this route. It runs for the methods and handlers behind it.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.route("/todos")
    ///     .with(|_req, res, next| {
    ///         res.set_header("Cache-Control", "no-store");
    ///         next.run();
    ///     })
    ///     .get(|_req, res| res.end("all todos\n"));
    /// ```
    #[track_caller]
    pub fn with<R: Answer>(self, step: impl FnMut(Request, Response, Next) -> R + 'static) -> Self {
        self.add(Methods::any(), Role::Middleware, Location::caller(), middleware(step))
    }

    /// Answers GET and HEAD.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").get(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn get<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::of(&["GET"]), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Answers POST.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").post(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn post<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::of(&["POST"]), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Answers PUT.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").put(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn put<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::of(&["PUT"]), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Answers PATCH.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").patch(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn patch<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::of(&["PATCH"]), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Answers DELETE.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").delete(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn delete<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::of(&["DELETE"]), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Answers HEAD alone.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").head(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn head<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::of(&["HEAD"]), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Answers OPTIONS.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").options(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn options<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::of(&["OPTIONS"]), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Answers every method that no step before this one takes.
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").all(|_req, res| res.end(()));
    /// ```
    #[track_caller]
    pub fn all<R: Answer>(self, handler: impl FnMut(Request, Response) -> R + 'static) -> Self {
        self.add(Methods::any(), Role::Handler, Location::caller(), terminal(handler))
    }

    /// Adds a step for one method that may go on: see [`Router::on`](super::Router::on).
    ///
    /// ```
    /// oneloop::app::App::new().route("/todos").on("POST", |_req, _res, next| next.run());
    /// ```
    #[track_caller]
    pub fn on<R: Answer>(self, method: &str, step: impl FnMut(Request, Response, Next) -> R + 'static) -> Self {
        self.add(Methods::of(&[method]), Role::Middleware, Location::caller(), middleware(step))
    }

    fn add(mut self, methods: Methods, role: Role, site: Site, run: Box<Run>) -> Self {
        let (pattern, route) = (self.path.clone(), Some(self.number));
        (self.adds)(Registered { pattern, reach: Reach::Exact, methods, role, route, site, run });
        self
    }
}
