use super::compile::{compile, each_route};
use super::journey::answer_by;
use super::router::Router;
use super::routing::Role;
use super::trust::Trust;
use crate::callback::{OptionalCallback, Site};
use crate::http::Server;
use crate::net::Listen;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

/// A program of routes and middlewares, like Express's `app`. It is the [`Router`] for all requests of a server, and has all
/// methods of a `Router`.
///
/// ```no_run
/// use oneloop::app::App;
/// use oneloop::http::Error;
///
/// fn main() -> std::io::Result<()> {
///     let mut app = App::new();
///     app.with(|req, _res, next| {
///         println!("{} {}", req.method(), req.url());
///         next.run();
///     });
///     app.get("/plants/:name", |req, res| match req.param("name").as_deref() {
///         Some("ivy") => Ok(res.end("🌿 evergreen\n")),
///         _ => Err(Error::new(404, "no such plant")),
///     });
///     app.listen(7777, || println!("Server listening on http://localhost:7777"))?;
///     oneloop::run()
/// }
/// ```
///
/// When the application begins to [listen](App::listen), its routes are compiled. No routes can be added after that.
pub struct App {
    router: Router,
    trust: Trust,
    site: Site,
}

/// A route or middleware, as [`App::routes`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteInfo {
    /// The methods, such as `GET`, or `ALL`. Empty for a middleware.
    pub methods: String,
    /// The pattern, with the prefixes of the routers around.
    pub pattern: String,
    /// The host whose requests it handles, if it is for one host only: see [`Router::vhost`].
    pub host: Option<String>,
    /// The place in the program's source where the route or middleware was registered.
    pub registered: &'static Location<'static>,
}

/// A line for a log.
impl fmt::Display for RouteInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = if self.methods.is_empty() { "with" } else { &self.methods };
        let host = self.host.as_deref().unwrap_or_default();
        write!(f, "{methods:<7} {host}{} ({})", self.pattern, self.registered)
    }
}

impl App {
    /// Makes an app without routes. It answers 404.
    ///
    /// ```
    /// let app = oneloop::app::App::new();
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/").send().status(), 404);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "the place of the call is kept")]
    pub fn new() -> App {
        App { router: Router::new(), trust: Trust::nobody(), site: Location::caller() }
    }

    /// Sets which proxies are believed: Express's `trust proxy`. By default none is. Then
    /// [`ip`](crate::http::Request::ip), [`ips`](crate::http::Request::ips), [`protocol`](crate::http::Request::protocol),
    /// [`is_secure`](crate::http::Request::is_secure), [`host`](crate::http::Request::host),
    /// [`hostname`](crate::http::Request::hostname) and [`subdomains`](crate::http::Request::subdomains) of a request say what a
    /// proxy of yours says. So do all parts that depend on these facts: [`vhost`](Router::vhost), the access log,
    /// [`rate_limit`](super::rate_limit()), [`request_id`](super::request_id()), [`same_origin`](super::same_origin()),
    /// [`back_or`](crate::http::Request::back_or), and the attribute `Secure` of [cookies](super::Cookie).
    ///
    /// ```
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::loopback()); // nginx, on this machine
    /// app.get("/", |req, res| res.end(format!("{}://{}\n", req.protocol(), req.host().unwrap_or_default())));
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// let proxy = sim.connect_from("127.0.0.1:4711".parse().unwrap(), 80);
    /// let request = sim.request("GET", "/").header("Host", "a.example").header("X-Forwarded-Proto", "https");
    /// assert_eq!(request.on(&proxy).send().text(), "https://a.example\n");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn trust(&mut self, trust: Trust) -> &mut Self {
        self.trust = trust;
        self
    }

    /// Listens on a port, an address, a Unix path, or with options: see [`Listen`]. The loop calls `listening` once, in its next
    /// pending phase; give `()` for no callback. Returns the server, whose other methods (limits, `close`) are those of
    /// [`http`](crate::http).
    ///
    /// # Errors
    /// If it cannot listen; and for mistakes in the routes, all at once, with the lines of the program: a pattern that is none, and
    /// a route that can never run, because routes before it take all its requests.
    ///
    /// ```
    /// use oneloop::app::App;
    ///
    /// let mut app = App::new();
    /// app.get("/users/:id", |_req, res| res.end("a user\n"));
    /// app.get("/users/me", |_req, res| res.end("you\n")); // should be first
    /// let error = app.listen(7777, ()).unwrap_err();
    /// assert!(error.to_string().contains("`GET /users/me`"));
    /// assert!(error.to_string().contains("can never run: `GET /users/:id`"));
    /// ```
    #[track_caller]
    pub fn listen(self, on: impl Into<Listen>, listening: impl OptionalCallback) -> io::Result<Server> {
        let server = self.server()?;
        server.listen(on, listening)?;
        Ok(server)
    }

    /// Makes a server of this app, which does not listen yet: to set its limits, or to add listeners, such as the page of the devtools. Its
    /// request listeners ([`Server::on_request`]) are not called.
    ///
    /// A listener of [`Server::on_path`] answers in place of the whole app: no middleware and no guard of the app runs for these
    /// requests, and paths are compared as they were received. (`/%6cog` does not come to a listener for `/log`, but to the app.)
    /// Use it only for parts that check their requests themselves, such as the page of the devtools. Everything else belongs in
    /// the app, where each path has one spelling.
    ///
    /// # Errors
    /// For mistakes in the routes: see [`listen`](App::listen).
    ///
    /// ```
    /// use oneloop::app::App;
    /// use oneloop::http::Limits;
    /// use std::time::Duration;
    ///
    /// let mut app = App::new();
    /// app.get("/", |_req, res| res.end("hello\n"));
    /// let server = app.server()?;
    /// let mut limits = Limits::default();
    /// limits.keep_alive = Duration::from_secs(30);
    /// server.set_limits(limits);
    /// server.listen(("127.0.0.1", 0), ())?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn server(self) -> io::Result<Server> {
        for route in self.routes() {
            log::debug!(target: "oneloop::app", "{route}");
        }
        answer_by(compile(self.router, self.trust, self.site)?)
    }

    /// Lists the routes and middlewares in their order, without those that stand at the end of a router
    /// ([`not_found`](Router::not_found), [`on_error`](Router::on_error)). The log has this list at the start (debug, target `oneloop::app`).
    ///
    /// ```
    /// use oneloop::app::App;
    ///
    /// let mut app = App::new();
    /// app.group("/api", |api| {
    ///     api.get("/todos", |_req, res| res.end("[]"));
    /// });
    /// let routes = app.routes();
    /// assert_eq!((&*routes[0].methods, &*routes[0].pattern), ("GET", "/api/todos"));
    /// println!("{}", routes[0]);
    /// ```
    pub fn routes(&self) -> Vec<RouteInfo> {
        let mut routes = Vec::new();
        each_route(&self.router, "", None, &mut |pattern, host, step| {
            let is_middleware = step.role == Role::Middleware && step.methods.is_any();
            routes.push(RouteInfo {
                methods: if is_middleware { String::new() } else { step.methods.to_string() },
                pattern: if pattern.is_empty() { "/" } else { pattern }.to_owned(),
                host: host.map(str::to_owned),
                registered: step.site,
            });
        });
        routes
    }
}

impl Deref for App {
    type Target = Router;

    fn deref(&self) -> &Router {
        &self.router
    }
}

impl DerefMut for App {
    fn deref_mut(&mut self) -> &mut Router {
        &mut self.router
    }
}
