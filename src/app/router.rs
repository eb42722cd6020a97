use super::chain::{Callback, Given};
use super::journey::{Journey, Mark};
use super::next::Next;
use super::registered::{Param, ParamRun, Registered, handles, middleware, terminal};
use super::route::Route;
use super::routing::{Methods, Reach, Role};
use crate::callback::Site;
use crate::http::{Answer, Error, Request, Response};
use std::panic::Location;
use std::rc::Rc;

/// Routes and middlewares in the order of their registration: Express's `express.Router()`. [`App`](super::App) is one, with the
/// server's settings; others are [mounted](Router::mount) in it.
///
/// A request goes through the *steps* whose path and method fit, in their order, until one answers. Only the order decides: a
/// middleware that is registered behind a route does not run for requests that the route answers. Three things are not left to
/// the order: the handler of [`not_found`](Router::not_found) runs behind all routes of its router, error handlers behind that,
/// and a route that can never run, because one before it takes all its requests, is an error when the app starts.
///
/// # Patterns
/// | pattern | matches | but not |
/// |---|---|---|
/// | `/users/:id` | `/users/7`, `/users/7/` | `/users`, `/users/7/edit` |
/// | `/:name.:ext` | `/a.tar.gz`: `a.tar` and `gz` | `/a` |
/// | `/files/*rest` | `/files/a`, `/files/a/b` | `/files` |
/// | `/users{/:id}/posts` | `/users/posts`, `/users/7/posts` | |
///
/// Case matters. A slash at the end of the path does not, unless the router is [`strict`](Router::strict). `\` in front of one of
/// `: * { } ? + ( ) [ ] !` makes it a literal. Paths are compared in one spelling, so that `/%61dmin` is `/admin` for guards, routes and
/// files alike; a path with `.` or `..` segments, a backslash, a NUL or a malformed `%` is answered 400.
///
/// # Methods A route for GET takes HEAD as well. If a path has routes, but none for the method of the request, the answer is 405
/// with `Allow`, and an OPTIONS is answered 204 with `Allow`; a request cannot get past a guard in this way, since both answers
/// are given only when no step has answered.
///
/// # Callbacks
/// Handlers and middlewares run in the poll phase, or in the pending phase, for a request that waited behind another. Each is a callback of its own, with its line in the report of
/// slow callbacks. They return nothing, or an [`http::Result`](crate::http::Result), whose error goes to the
/// [error handlers](Router::on_error). So does a panic.
#[derive(Default)]
pub struct Router {
    pub(super) items: Vec<Item>,
    /// Steps behind all routes, and then the handlers of `not_found` and `on_error`.
    pub(super) last: Vec<Registered>,
    pub(super) not_found: Vec<Registered>,
    pub(super) on_error: Vec<Registered>,
    pub(super) params: Vec<Param>,
    pub(super) strict: bool,
    pub(super) routes: u32,
}

pub(super) enum Item {
    Step(Registered),
    Router { prefix: String, host: Option<String>, router: Router, site: Site },
}

impl Router {
    /// Makes a router without steps.
    ///
    /// ```
    /// use oneloop::app::{App, Router};
    ///
    /// fn blog() -> Router {
    ///     let mut blog = Router::new();
    ///     blog.get("/", |_req, res| res.end("all posts\n"));
    ///     blog.get("/:post", |req, res| res.end(format!("the post {}\n", req.param("post").unwrap_or_default())));
    ///     blog
    /// }
    ///
    /// let mut app = App::new();
    /// app.mount("/blog", blog());
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/blog/first").send().text(), "the post first\n");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new() -> Router {
        Router::default()
    }

    /// Answers GET and HEAD requests.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.get("/", |_req, res| res.end("hello\n"));
    /// ```
    #[track_caller]
    pub fn get<R: Answer>(&mut self, path: &str, handler: impl FnMut(Request, Response) -> R + 'static) -> &mut Self {
        self.handle(Methods::of(&["GET"]), path, handler)
    }

    /// Answers POST requests.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.post("/todos", |req, res| {
    ///     req.read_body(64 * 1024, move |body| {
    ///         let body = body?;
    ///         res.set_status(201).end(body);
    ///         Ok(())
    ///     });
    /// });
    /// ```
    #[track_caller]
    pub fn post<R: Answer>(&mut self, path: &str, handler: impl FnMut(Request, Response) -> R + 'static) -> &mut Self {
        self.handle(Methods::of(&["POST"]), path, handler)
    }

    /// Answers PUT requests.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.put("/todos/:id", |_req, res| res.set_status(204).end(()));
    /// ```
    #[track_caller]
    pub fn put<R: Answer>(&mut self, path: &str, handler: impl FnMut(Request, Response) -> R + 'static) -> &mut Self {
        self.handle(Methods::of(&["PUT"]), path, handler)
    }

    /// Answers PATCH requests.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.patch("/todos/:id", |_req, res| res.set_status(204).end(()));
    /// ```
    #[track_caller]
    pub fn patch<R: Answer>(&mut self, path: &str, handler: impl FnMut(Request, Response) -> R + 'static) -> &mut Self {
        self.handle(Methods::of(&["PATCH"]), path, handler)
    }

    /// Answers DELETE requests.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.delete("/todos/:id", |_req, res| res.set_status(204).end(()));
    /// ```
    #[doc(alias = "del")]
    #[track_caller]
    pub fn delete<R: Answer>(
        &mut self,
        path: &str,
        handler: impl FnMut(Request, Response) -> R + 'static,
    ) -> &mut Self {
        self.handle(Methods::of(&["DELETE"]), path, handler)
    }

    /// Answers HEAD requests alone. Register it before the route for GET, which takes HEAD as well. The answer has no content, whatever the handler sends.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.head("/export", |_req, res| res.set_header("Content-Length", "1048576").end(()));
    /// ```
    #[track_caller]
    pub fn head<R: Answer>(&mut self, path: &str, handler: impl FnMut(Request, Response) -> R + 'static) -> &mut Self {
        self.handle(Methods::of(&["HEAD"]), path, handler)
    }

    /// Answers OPTIONS requests. Without such a route they are answered 204, with `Allow`.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.options("/todos", |_req, res| res.set_header("Allow", "GET").set_status(204).end(()));
    /// ```
    #[track_caller]
    pub fn options<R: Answer>(
        &mut self,
        path: &str,
        handler: impl FnMut(Request, Response) -> R + 'static,
    ) -> &mut Self {
        self.handle(Methods::of(&["OPTIONS"]), path, handler)
    }

    /// Answers requests of every method.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.all("/echo", |req, res| res.end(format!("{} {}\n", req.method(), req.url())));
    /// ```
    #[track_caller]
    pub fn all<R: Answer>(&mut self, path: &str, handler: impl FnMut(Request, Response) -> R + 'static) -> &mut Self {
        self.handle(Methods::any(), path, handler)
    }

    /// Adds a step for one path and one method, whichever it is, that may go on: middleware of a single route, or a method that has
    /// no function here, such as WebDAV's `REPORT`.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.on("POST", "/todos", |req, res, next| match req.header("X-Token") {
    ///     Some("secret") => next.run(),
    ///     _ => res.set_status(403).end("only with a token\n"),
    /// });
    /// app.post("/todos", |_req, res| res.set_status(201).end(()));
    /// ```
    #[track_caller]
    pub fn on<R: Answer>(
        &mut self,
        method: &str,
        path: &str,
        step: impl FnMut(Request, Response, Next) -> R + 'static,
    ) -> &mut Self {
        self.add(Registered {
            pattern: path.to_owned(),
            reach: Reach::Exact,
            methods: Methods::of(&[method]),
            role: Role::Middleware,
            route: None,
            site: Location::caller(),
            run: middleware(step),
        })
    }

    /// Begins a route: one pattern with several methods.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.route("/todos/:id")
    ///     .get(|_req, res| res.end("a todo\n"))
    ///     .delete(|_req, res| res.set_status(204).end(()));
    /// ```
    pub fn route(&mut self, path: &str) -> Route<'_> {
        self.routes += 1;
        let items = &mut self.items;
        Route::new(path, self.routes, |step| items.push(Item::Step(step)))
    }

    /// Adds a middleware for all requests that come to this router: Express's `app.use(f)`. It answers, or calls a method of
    /// [`Next`], now or later.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.with(|req, _res, next| {
    ///     println!("{} {}", req.method(), req.url());
    ///     next.run();
    /// });
    /// ```
    #[doc(alias = "use")]
    #[track_caller]
    pub fn with<R: Answer>(&mut self, step: impl FnMut(Request, Response, Next) -> R + 'static) -> &mut Self {
        self.with_at("/", step)
    }

    /// Adds a middleware for the path `prefix` and all paths below it: `/admin` takes `/admin`, `/admin/` and `/admin/users`, but not
    /// `/administrator`. The prefix may have parameters, but no wildcard and no optional groups.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.with_at("/admin", |req, res, next| match req.header("Authorization") {
    ///     Some(_) => next.run(),
    ///     None => res.set_status(401).set_header("WWW-Authenticate", "Basic").end(()),
    /// });
    /// app.get("/admin/users", |_req, res| res.end("all users\n"));
    /// ```
    #[track_caller]
    pub fn with_at<R: Answer>(
        &mut self,
        prefix: &str,
        step: impl FnMut(Request, Response, Next) -> R + 'static,
    ) -> &mut Self {
        self.add(Registered {
            pattern: prefix.to_owned(),
            reach: Reach::Prefix,
            methods: Methods::any(),
            role: Role::Middleware,
            route: None,
            site: Location::caller(),
            run: middleware(step),
        })
    }

    /// Adds a router for the paths below a prefix, which `build` fills. Its middlewares run for these paths alone.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.group("/api/v1", |api| {
    ///     api.with(|_req, res, next| {
    ///         res.set_header("Cache-Control", "no-store");
    ///         next.run();
    ///     });
    ///     api.get("/me", |_req, res| res.end("you\n")); // "/api/v1/me"
    /// });
    /// ```
    #[track_caller]
    pub fn group(&mut self, prefix: &str, build: impl FnOnce(&mut Router)) -> &mut Self {
        let mut router = Router { strict: self.strict, ..Router::new() };
        build(&mut router);
        self.mount(prefix, router)
    }

    /// Adds a router that was made elsewhere, for the paths below a prefix: Express's `app.use(prefix, router)`. Parameters of
    /// the prefix can be asked for in its steps. A request that no step of that router answers goes on to the steps behind it.
    ///
    /// ```
    /// use oneloop::app::{App, Router};
    ///
    /// let mut posts = Router::new();
    /// posts.get("/:post", |req, res| {
    ///     res.end(format!("{} of {}\n", req.param("post").unwrap_or_default(), req.param("user").unwrap_or_default()));
    /// });
    /// let mut app = App::new();
    /// app.mount("/users/:user/posts", posts);
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/users/ada/posts/7").send().text(), "7 of ada\n");
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "use")]
    #[track_caller]
    pub fn mount(&mut self, prefix: &str, router: Router) -> &mut Self {
        self.items.push(Item::Router { prefix: prefix.to_owned(), host: None, router, site: Location::caller() });
        self
    }

    /// Adds a router for the requests of one host: `example.com`, or `*.example.com` for all names below it, except those that this
    /// router has a host of their own for. The port does not matter, nor does case.
    ///
    /// ```
    /// use oneloop::app::{App, Router};
    ///
    /// let mut api = Router::new();
    /// api.get("/", |_req, res| res.end("the API\n"));
    /// let mut app = App::new();
    /// app.vhost("api.example.com", api);
    /// app.get("/", |_req, res| res.end("the site\n"));
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/").header("Host", "api.example.com").send().text(), "the API\n");
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn vhost(&mut self, host: &str, router: Router) -> &mut Self {
        let (prefix, site) = ("/".to_owned(), Location::caller());
        self.items.push(Item::Router { prefix, host: Some(host.to_owned()), router, site });
        self
    }

    /// Answers the requests below this router that no route answers. The handler runs behind all routes of the router, wherever
    /// it is registered. It does not run if the path has a route for another method: then the answer is 405. The handler has to
    /// set the status, which is 200 by default.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.not_found(|req, res| res.set_status(404).end(format!("there is no {}\n", req.path())));
    /// ```
    #[track_caller]
    pub fn not_found<R: Answer>(&mut self, handler: impl FnMut(Request, Response) -> R + 'static) -> &mut Self {
        self.not_found.push(Registered {
            pattern: "/".to_owned(),
            reach: Reach::Prefix,
            methods: Methods::any(),
            role: Role::NotFound,
            route: None,
            site: Location::caller(),
            run: terminal(handler),
        });
        self
    }

    /// Calls `handler` for the errors of this router's steps: those that a step returns or gives to [`Next::fail`] or
    /// [`Response::fail`], panics ([`Panicked`](super::Panicked)), and responses that were dropped
    /// ([`Unanswered`](super::Unanswered)). An error handler of the app gets the 400, 404 and 405 of the library as well. Error
    /// handlers run behind all steps of the router, wherever they are registered: first those of this router in the order of
    /// registration, then those of the routers around it.
    ///
    /// `handler` answers, or passes the error on with [`Next::fail`], or settles it with [`Next::run`]. When it is called, the
    /// response already has the status of the error, and the fields that were set before, except those about the content that is
    /// not sent. (After a panic or a dropped response, only the fields about CORS and security are kept.) If the head of the
    /// response has been sent, `handler` is not called, and the connection is cut.
    ///
    /// An error that no handler answers gets a page of the library: a problem (RFC 9457), HTML or text, as the client asks. The
    /// page shows the text of a 4xx, but only the status of a 5xx: its text goes to the log alone.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.on_error(|error, _req, res, _next| {
    ///     res.end(format!("{}: {}\n", error.status(), error.text()));
    /// });
    /// ```
    #[track_caller]
    pub fn on_error<R: Answer>(
        &mut self,
        mut handler: impl FnMut(Error, Request, Response, Next) -> R + 'static,
    ) -> &mut Self {
        let run = move |given: Given<'_>| {
            let (req, res, next) = handles(given, Mark::Settle);
            handler(Journey::of(given.exchange).take_error()?, req, res, next).into_error()
        };
        self.on_error.push(Registered {
            pattern: "/".to_owned(),
            reach: Reach::Prefix,
            methods: Methods::any(),
            role: Role::OnError,
            route: None,
            site: Location::caller(),
            run: Box::new(run),
        });
        self
    }

    /// Calls `step` before each route, middleware and router of this router whose pattern has the parameter `name`, with its value,
    /// decoded: once for each request and value. Express's `app.param`.
    ///
    /// ```
    /// use oneloop::http::Error;
    ///
    /// struct Todo { title: &'static str }
    ///
    /// let mut app = oneloop::app::App::new();
    /// app.param("todo", |id, req, _res, next| match id {
    ///     "1" => {
    ///         req.put(Todo { title: "water the plants" });
    ///         next.run();
    ///     }
    ///     _ => next.fail(Error::new(404, "no such todo")),
    /// });
    /// app.get("/todos/:todo", |req, res| {
    ///     res.end(req.need::<Todo>()?.title);
    ///     Ok(())
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/todos/1").send().text(), "water the plants");
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn param<R: Answer>(
        &mut self,
        name: &str,
        mut step: impl FnMut(&str, Request, Response, Next) -> R + 'static,
    ) -> &mut Self {
        let run = move |value: &str, given: Given<'_>| {
            let (req, res, next) = handles(given, Mark::Run);
            step(value, req, res, next).into_error()
        };
        let run: Box<ParamRun> = Box::new(run);
        let run = Rc::new(Callback::new(run));
        self.params.push(Param { name: name.to_owned(), site: Location::caller(), run });
        self
    }

    /// Sets whether a slash at the end of a path matters to the routes of this router: with `true`, `/users` and `/users/` are two
    /// paths. By default they are one, as in Express. It does not matter to prefixes. Groups that are made later have the same setting.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.strict(true).get("/users", |_req, res| res.end("all users\n"));
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/users/").send().status(), 404);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn strict(&mut self, on: bool) -> &mut Self {
        self.strict = on;
        self
    }

    #[track_caller]
    fn handle<R: Answer>(
        &mut self,
        methods: Methods,
        path: &str,
        handler: impl FnMut(Request, Response) -> R + 'static,
    ) -> &mut Self {
        self.add(Registered {
            pattern: path.to_owned(),
            reach: Reach::Exact,
            methods,
            role: Role::Handler,
            route: None,
            site: Location::caller(),
            run: terminal(handler),
        })
    }

    fn add(&mut self, step: Registered) -> &mut Self {
        self.items.push(Item::Step(step));
        self
    }
}
