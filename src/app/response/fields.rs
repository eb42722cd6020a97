//! Fields that are lists, and validators.

use super::super::location::encoded;
use crate::http::{FieldError, Response};
use std::hash::{DefaultHasher, Hash, Hasher};

impl Response {
    /// Adds a name of a request's field to `Vary` (RFC 9110, 12.5.5), or several, separated by commas: caches then know that the
    /// answer depends on them. Names that are there already stay as they are; `*` replaces all of them. Call this whenever the
    /// answer depends on a field, even if the request does not have the field: else a cache gives the answer for one client to
    /// another.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.vary("Accept").vary("Accept-Language, accept").end("hello\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header("Vary"), Some("Accept, Accept-Language"));
    /// ```
    pub fn vary(&self, names: &str) -> &Self {
        let names = || names.split(',').map(str::trim_ascii).filter(|name| !name.is_empty());
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if names().any(|name| !name.bytes().all(token)) {
            self.fail(FieldError::Name);
        } else if names().any(|name| name == "*") {
            self.set_header("Vary", "*");
        } else {
            names().for_each(|name| self.merge_header("Vary", name));
        }
        self
    }

    /// Adds a `Link` field (RFC 8288): a page that is related to this one, such as `"next"`, `"prev"` or `"preload"`. The URL is
    /// encoded as [`location`](Response::location) says. The relation is one word, several with spaces between, or a URL.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.link("next", "/todos?page=3").link("prev", "/todos?page=1").end("page 2\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header("Link"), Some("</todos?page=3>; rel=\"next\""));
    /// ```
    pub fn link(&self, relation: &str, url: &str) -> &Self {
        if relation.contains(['"', '\\']) {
            self.fail(FieldError::Value);
            return self;
        }
        self.append_header("Link", format!("<{}>; rel=\"{relation}\"", encoded(url)))
    }

    /// Sets `ETag` to a tag that is made of the bytes of the body (RFC 9110, 8.8.3): the same bytes have the same tag, in every
    /// process of one build of your program. Then [`Request::is_fresh`](crate::http::Request::is_fresh) tells whether the client
    /// has them already. This takes about a millisecond for each megabyte.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let body = "the list of all todos\n";
    ///     res.etag_from(body.as_bytes());
    ///     if req.is_fresh() {
    ///         return res.set_status(304).end(());
    ///     }
    ///     res.end(body)
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let first = sim.request("GET", "/todos").send();
    /// let tag = first.header("ETag").unwrap();
    /// assert_eq!(sim.request("GET", "/todos").header("If-None-Match", tag).send().status(), 304);
    /// ```
    pub fn etag_from(&self, body: &[u8]) -> &Self {
        // Two hashes of 64 bits with different beginnings: one alone would be too short for many large bodies.
        let half = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            (seed, body).hash(&mut hasher);
            hasher.finish()
        };
        self.set_header("ETag", format!("\"{:x}-{:016x}{:016x}\"", body.len(), half(0), half(1)))
    }
}
