//! Sending the client elsewhere.

use super::super::location::{encoded, is_on_this_host};
use crate::http::{Error, Response};

impl Response {
    /// Sets the `Location` field to any URL. What a URL cannot have (spaces, quotes, bytes above ASCII) is percent-encoded; what is
    /// encoded already stays as it is. It sets no status: use it with 201, and see [`redirect`](Response::redirect).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.set_status(201).location("/todos/7").end("made\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("POST", "/todos").send().header("Location"), Some("/todos/7"));
    /// ```
    pub fn location(&self, url: &str) -> &Self {
        self.set_header("Location", encoded(url))
    }

    /// Sends the client to another page of this host, with an empty body. The status is 302 after GET and HEAD, and 303 after
    /// other methods, so that the browser gets the page and does not send its form again (RFC 9110, 15.4).
    ///
    /// The path begins with one `/`; query and fragment may follow. Anything else could lead to another host and is answered
    /// 500, with a line in the log. So a path that a user has typed cannot send others to a foreign site. Use
    /// [`redirect_external`](Response::redirect_external) for URLs that you have written yourself.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.redirect("/todos?show=active"));
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("POST", "/todos").send();
    /// assert_eq!((reply.status(), reply.header("Location")), (303, Some("/todos?show=active")));
    /// ```
    pub fn redirect(&self, path: &str) {
        self.redirect_with(self.usual_redirect(), path);
    }

    /// Like [`redirect`](Response::redirect), with another status: 301 or 308 if the page has moved for good, 307 or 308 if the
    /// browser is to send the same request there, body included. A status that is not from 300 to 399 is answered 500, with a
    /// line in the log.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.redirect_with(308, "/new"));
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/old").send().status(), 308);
    /// ```
    pub fn redirect_with(&self, status: u16, path: &str) {
        if !is_on_this_host(path) {
            return self.refuse_redirect(format!("{path:?} is no path of this host: see `redirect_external`"));
        }
        self.send_elsewhere(status, path);
    }

    /// Sends the client to any URL, even of another host. Use it only for URLs that you have written yourself, or have compared
    /// with a list. The status is that of [`redirect`](Response::redirect).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.redirect_external("https://docs.example/start"));
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/help").send().header("Location"), Some("https://docs.example/start"));
    /// ```
    pub fn redirect_external(&self, url: &str) {
        self.send_elsewhere(self.usual_redirect(), url);
    }

    fn send_elsewhere(&self, status: u16, url: &str) {
        if !(300..400).contains(&status) {
            return self.refuse_redirect(format!("{status} is not the status of a redirect"));
        }
        // No body: a page with the URL in it has been a way to run scripts in five libraries.
        self.set_status(status).location(url).end(());
    }

    fn refuse_redirect(&self, why: String) {
        self.fail(Error::new(500, "").with_source(why));
    }

    fn usual_redirect(&self) -> u16 {
        if matches!(self.request().method(), "GET" | "HEAD") { 302 } else { 303 }
    }
}
