use super::request::AgentRequest;
use super::visitor::Visitor;

/// A visitor of the app, with an address and cookies of its own: made by [`Tester::agent`](super::Tester::agent).
///
/// It keeps cookies as a browser does, on the virtual clock: by name, domain and path, until they expire. What a browser refuses is
/// not kept: a cookie for another domain, one with the prefix `__Host-` and a domain, one with `SameSite=None` that is not `Secure`. The connection
/// counts as secure for `Secure` cookies if the host is `localhost`, or if the request says by `X-Forwarded-Proto` or `Forwarded` that a
/// proxy has got it by HTTPS.
///
/// Each of its requests has a connection of its own.
pub struct Agent(pub(super) Visitor);

impl Agent {
    /// Begins a request. [`send`](AgentRequest::send) sends it.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.request("REPORT", "/calendar").header("Depth", "1").send().expect(404);
    /// ```
    pub fn request(&self, method: &str, target: &str) -> AgentRequest<'_> {
        AgentRequest::new(&self.0, method, target)
    }

    /// Begins a GET request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.get("/none").send().expect(404);
    /// ```
    pub fn get(&self, target: &str) -> AgentRequest<'_> {
        self.request("GET", target)
    }

    /// Begins a HEAD request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.head("/none").send().expect(404).expect_text("");
    /// ```
    pub fn head(&self, target: &str) -> AgentRequest<'_> {
        self.request("HEAD", target)
    }

    /// Begins a POST request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.post("/none").body("seeds").send().expect(404);
    /// ```
    pub fn post(&self, target: &str) -> AgentRequest<'_> {
        self.request("POST", target)
    }

    /// Begins a PUT request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.put("/none").body("seeds").send().expect(404);
    /// ```
    pub fn put(&self, target: &str) -> AgentRequest<'_> {
        self.request("PUT", target)
    }

    /// Begins a PATCH request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.patch("/none").body("seeds").send().expect(404);
    /// ```
    pub fn patch(&self, target: &str) -> AgentRequest<'_> {
        self.request("PATCH", target)
    }

    /// Begins a DELETE request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(App::new);
    /// test.delete("/none").send().expect(404);
    /// ```
    pub fn delete(&self, target: &str) -> AgentRequest<'_> {
        self.request("DELETE", target)
    }

    /// Begins an OPTIONS request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |_req, res| res.end("hello\n"));
    ///     app
    /// });
    /// test.options("/").send().expect(204).expect_header("Allow", "GET, HEAD, OPTIONS");
    /// ```
    pub fn options(&self, target: &str) -> AgentRequest<'_> {
        self.request("OPTIONS", target)
    }

    /// Sets a field of all requests of this agent from now on. A request that sets the field itself has its own value.
    ///
    /// ```
    /// # use oneloop::{app::App, http::Error, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |req, res| {
    ///         res.end(req.header("Authorization").ok_or(Error::new(401, "who are you?"))?);
    ///         Ok(())
    ///     });
    ///     app
    /// });
    /// let ada = test.agent();
    /// ada.set_header("Authorization", "Bearer green");
    /// ada.get("/").send().expect(200);
    /// test.get("/").send().expect(401);
    /// ```
    pub fn set_header(&self, name: &str, value: impl AsRef<[u8]>) -> &Self {
        let mut fields = self.0.fields.borrow_mut();
        fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Returns the value of a cookie that this agent has, as it was sent.
    ///
    /// ```
    /// # use oneloop::{app::{App, Cookie}, tester::Tester};
    /// use std::time::Duration;
    ///
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |_req, res| res.cookie(Cookie::new("theme", "dark").max_age(Duration::from_secs(60))).end(()));
    ///     app
    /// });
    /// test.get("/").send();
    /// assert_eq!(test.cookie("theme").as_deref(), Some("dark"));
    /// test.advance(Duration::from_secs(60));
    /// assert_eq!(test.cookie("theme"), None);
    /// ```
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.0.jar.borrow().value(name, self.0.world.sim.wall())
    }

    /// Forgets all cookies of this agent.
    ///
    /// ```
    /// # use oneloop::{app::{App, Cookie}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |_req, res| res.cookie(Cookie::new("theme", "dark")).end(()));
    ///     app
    /// });
    /// test.get("/").send();
    /// test.clear_cookies();
    /// assert_eq!(test.cookie("theme"), None);
    /// ```
    pub fn clear_cookies(&self) {
        self.0.jar.take();
    }
}
