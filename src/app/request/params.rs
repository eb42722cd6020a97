//! The parameters of a path: the parts that the pattern of a route has matched.

use crate::app::journey::Journey;
#[cfg(feature = "json")]
use crate::app::pairs;
use crate::http::{Error, Request, Result};
#[cfg(feature = "json")]
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::rc::Rc;
use std::str::FromStr;

impl Request {
    /// The value of a parameter of the step that runs, or that was called last: Express's `req.params.id`. It is decoded. `None` if
    /// the pattern has no such parameter, or no value for it (an optional group), and when the exchange is over.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.get("/files/:name.:ext", |req, res| {
    ///     let (name, ext) = (req.param("name").unwrap_or_default(), req.param("ext").unwrap_or_default());
    ///     res.end(format!("{name}, of the kind {ext}\n"));
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/files/my%20plants.txt").send().text(), "my plants, of the kind txt\n");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        Journey::find(&self.0)?.param(&self.0, name)
    }

    /// All parameters of the step that runs, or that was called last: their names and values, decoded, in the order of the pattern.
    /// Express's `req.params`.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.get("/:year/:month", |req, res| {
    ///     let all: Vec<String> = req.params().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    ///     res.end(all.join(", "));
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/2026/11").send().text(), "year 2026, month 11");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn params(&self) -> Vec<(String, String)> {
        Journey::find(&self.0).map(|journey| journey.params(&self.0)).unwrap_or_default()
    }

    /// The value of a parameter, parsed. If it does not parse, the error is a 404: the path names nothing. If there is no
    /// such parameter, it is a 500.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.get("/todos/:id", |req, res| {
    ///     let id: u64 = req.param_as("id")?;
    ///     res.end(format!("todo number {id}\n"));
    ///     Ok(())
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/todos/7").send().text(), "todo number 7\n");
    /// # assert_eq!(sim.request("GET", "/todos/seven").send().status(), 404);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn param_as<T: FromStr>(&self, name: &str) -> Result<T> {
        let value = self.param(name).ok_or_else(|| lacks(name))?;
        value.parse().map_err(|_| Error::new(404, ""))
    }

    /// All parameters as a value of a type (feature `json`): a struct that implements serde's `Deserialize`, with a field for each
    /// name. They are read as [`query_as`](Request::query_as) reads a query. A parameter of an optional group is an `Option`.
    ///
    /// # Errors
    /// A 404 if a value is not what the type wants: the path names nothing. If the pattern has no parameter for a field that must be
    /// there, it is a 500, and the log names the field.
    ///
    /// ```
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Month {
    ///     year: u16,
    ///     month: u8,
    /// }
    ///
    /// let mut app = oneloop::app::App::new();
    /// app.get("/diary/:year/:month", |req, res| {
    ///     let Month { year, month } = req.params_as()?;
    ///     res.end(format!("month {month} of {year}\n"));
    ///     Ok(())
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/diary/2026/11").send().text(), "month 11 of 2026\n");
    /// # assert_eq!(sim.request("GET", "/diary/2026/november").send().status(), 404);
    /// # std::io::Result::Ok(())
    /// ```
    #[cfg(feature = "json")]
    pub fn params_as<T: DeserializeOwned>(&self) -> Result<T> {
        let params = self.params().into_iter().map(|(name, value)| (name.into(), value.into()));
        pairs::read(params.collect()).map_err(|error| match error.missing() {
            Some(field) => lacks(field),
            None => Error::new(404, "").with_source(error),
        })
    }

    /// The segments that a wildcard has matched, each decoded. A slash in a segment that was sent as `%2F` is a part of the segment. Empty if the pattern has no
    /// such wildcard.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.get("/files/*rest", |req, res| {
    ///     let path: Vec<String> = req.wildcard("rest").collect();
    ///     res.end(path.join(" > "));
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/files/a/b%2Fc").send().text(), "a > b/c");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn wildcard(&self, name: &str) -> impl Iterator<Item = String> + use<> {
        let segments = Journey::find(&self.0).map(|journey| journey.wildcard(&self.0, name));
        segments.unwrap_or_default().into_iter()
    }

    /// The pattern of the route that takes the request, with the prefixes of the routers around: for logs and metrics, in which
    /// each path would be too many. `None` if no app answers this request, and while only middlewares have been called: behind
    /// them it may turn out that there is no such route. It is there until the listeners of
    /// [`on_exchange_end`](crate::http::Server::on_exchange_end) have been called, whatever has become of the request.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.group("/api", |api| {
    ///     api.get("/todos/:id", |req, res| res.end(req.route().as_deref().unwrap_or("-")));
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/api/todos/7").send().text(), "/api/todos/:id");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn route(&self) -> Option<Rc<str>> {
        Journey::find(&self.0)?.route()
    }

    /// What is left of the path below the router of the step that runs, or below its own prefix, if it is a middleware with one. It begins with a slash. In Express
    /// this is `req.url`; here [`url`](Request::url) and [`path`](Request::path) stay what the client has sent. It is in the one
    /// spelling that routes see.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.with_at("/files", |req, res, _next| res.end(req.below().into_owned()));
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/files/a/%62").send().text(), "/a/b");
    /// # assert_eq!(sim.request("GET", "/files").send().text(), "/");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn below(&self) -> Cow<'_, str> {
        match Journey::find(&self.0) {
            Some(journey) => journey.below(&self.0),
            None => self.path().into(),
        }
    }
}

/// The program asks for a parameter that the route does not have.
fn lacks(name: &str) -> Error {
    Error::from(format!("the route has no parameter `{name}`"))
}
