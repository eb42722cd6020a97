//! Cookies for the client to keep.

use super::super::cookie::{Cookie, CookieError};
use crate::http::Response;

impl Response {
    /// Gives the client a cookie, which it sends back with its next requests: see [`Cookie`] for what holds unless you say
    /// otherwise. A cookie that browsers would ignore or misread is answered 500 and logged; see
    /// [`try_cookie`](Response::try_cookie).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Cookie;
    ///
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.cookie(Cookie::new("theme", "dark")).end("it stays dark\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("POST", "/theme").send();
    /// assert_eq!(reply.header("Set-Cookie"), Some("theme=dark; Path=/; HttpOnly; SameSite=Lax"));
    /// ```
    pub fn cookie(&self, cookie: Cookie) -> &Self {
        if let Err(error) = self.try_cookie(cookie) {
            self.fail(error);
        }
        self
    }

    /// Like [`cookie`](Response::cookie), for cookies whose name, domain or path come from elsewhere.
    ///
    /// # Errors
    /// If a browser would ignore the cookie, or would read something else than was meant. Then nothing is changed.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Cookie;
    ///
    /// let server = oneloop::http::create_server(|req, res| {
    ///     match res.try_cookie(Cookie::new(req.query().unwrap_or("name"), "1")) {
    ///         Ok(()) => res.end("done\n"),
    ///         Err(error) => res.set_status(400).end(error.to_string()),
    ///     }
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/?a;b").send().status(), 400);
    /// ```
    pub fn try_cookie(&self, cookie: Cookie) -> Result<(), CookieError> {
        // A late call is said in the log and does nothing, as with all fields.
        let field = if self.headers_sent() {
            String::new()
        } else {
            cookie.over_https(self.request().is_secure()).to_field()?
        };
        self.append_header("Set-Cookie", field);
        Ok(())
    }

    /// Makes the client forget a cookie: the one with this name, on this host and for all paths. If you have given the cookie a
    /// domain or a path, pass a [`Cookie`] with the same ones instead of the name.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Cookie;
    ///
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.clear_cookie("__Host-sid").clear_cookie(Cookie::from("theme").path("/shop")).end("logged out\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("POST", "/logout").send();
    /// let mut fields = reply.header_all("Set-Cookie");
    /// assert_eq!(fields.next(), Some("__Host-sid=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"));
    /// assert_eq!(fields.next(), Some("theme=; Max-Age=0; Path=/shop; HttpOnly; SameSite=Lax"));
    /// ```
    pub fn clear_cookie(&self, cookie: impl Into<Cookie>) -> &Self {
        self.cookie(cookie.into().removed())
    }
}
