//! The media type and the kinds of a response's content.

use super::super::media_names;
use crate::http::{Error, Response};
use crate::net::Chunk;

impl Response {
    /// Sets `Content-Type` by the extension of files of that type (`"json"`, `"html"`, `"png"`; `"text"` is plain text), or in full
    /// (`"image/png"`). Text types get `charset=utf-8`. An unknown extension is `application/octet-stream`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.content_type("css").end("body { margin: 0 }"));
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header("Content-Type"), Some("text/css; charset=utf-8"));
    /// ```
    pub fn content_type(&self, name: &str) -> &Self {
        self.set_header("Content-Type", media_names::in_full(name).unwrap_or("application/octet-stream"))
    }

    /// Ends the response with a page. `Content-Type` is `text/html; charset=utf-8`, unless you have set another one. Whatever comes
    /// from users has to be escaped before it is put into a page.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.html("<!doctype html><title>hello</title><p>hello"));
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header("Content-Type"), Some("text/html; charset=utf-8"));
    /// ```
    pub fn html<'a>(&self, page: impl Into<Chunk<'a>>) {
        self.send_as("html", page.into());
    }

    /// Ends the response with plain text. `Content-Type` is `text/plain; charset=utf-8`, unless you have set another one.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.text("grüezi\n"));
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header("Content-Type"), Some("text/plain; charset=utf-8"));
    /// ```
    pub fn text<'a>(&self, text: impl Into<Chunk<'a>>) {
        self.send_as("txt", text.into());
    }

    fn send_as(&self, name: &str, body: Chunk<'_>) {
        if !self.is_ended() && !self.has_header("Content-Type") {
            self.content_type(name);
        }
        self.end(body);
    }

    /// Chooses the media type of the answer: the one of `offers` that the client wants most, as
    /// [`Request::accepts`](crate::http::Request::accepts) says. Sets `Content-Type` to it, and adds `Accept` to `Vary`. If the client
    /// wants none of them, it is answered 406, and this returns `None`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| match res.format(&["html", "json"]) {
    ///     Some("html") => res.end("<p>hello"),
    ///     Some(_) => res.end(r#"{"hello":true}"#),
    ///     None => {} // answered 406
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("Accept", "application/json").send().text(), r#"{"hello":true}"#);
    /// assert_eq!(sim.request("GET", "/").header("Accept", "image/png").send().status(), 406);
    /// ```
    pub fn format<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        self.vary("Accept");
        let chosen = self.request().accepts(offers);
        if let Some(name) = chosen {
            self.content_type(name);
        } else {
            self.fail(Error::new(406, ""));
        }
        chosen
    }
}
