#[cfg(feature = "json")]
use super::error::{FetchError, FetchErrorKind};
use crate::http::client::ClientResponse;
use std::borrow::Cow;
use std::fmt;

/// A whole response: what the callback of [`Fetch::send`](super::Fetch::send) gets. Any status is a response, 404 and 500 as well:
/// see [`is_ok`](FetchResponse::is_ok).
pub struct FetchResponse {
    pub(super) response: ClientResponse,
    pub(super) body: Vec<u8>,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) redirects: usize,
}

impl FetchResponse {
    /// The status code, 200 to 599.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_status(404).end("no such plant\n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| assert_eq!(result.unwrap().status(), 404));
    /// # sim.settle();
    /// ```
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    /// Returns whether the status is 200 to 299: the server has done what it was asked.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_status(204).end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| assert!(result.unwrap().is_ok()));
    /// # sim.settle();
    /// ```
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status())
    }

    /// The value of the first field with this name, which is compared without case; `None` if there is none, or if its value is not
    /// UTF-8. Fields are as they were received: a body that was inflated still has the Content-Encoding and the Content-Length that it
    /// came with.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_header("X-Bed", 7).end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| assert_eq!(result.unwrap().header("x-bed"), Some("7")));
    /// # sim.settle();
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    /// The value of the first field with this name, as bytes: some servers send other encodings than UTF-8.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_header("X-Bed", b"gr\xfcn").end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| {
    ///     assert_eq!(result.unwrap().header_bytes("x-bed"), Some(&b"gr\xfcn"[..]));
    /// });
    /// # sim.settle();
    /// ```
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.response.header_bytes(name)
    }

    /// All fields whose value is UTF-8, in order.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| {
    ///     for (name, value) in result.unwrap().headers() {
    ///         println!("{name}: {value}");
    ///     }
    /// });
    /// # sim.settle();
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.response.headers()
    }

    /// All fields with the bytes of their values, in order.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_header("X-Bed", b"gr\xfcn").end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| {
    ///     assert!(result.unwrap().headers_bytes().any(|field| field == ("X-Bed", &b"gr\xfcn"[..])));
    /// });
    /// # sim.settle();
    /// ```
    pub fn headers_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.response.headers_bytes()
    }

    /// The values of all fields with this name, such as `Set-Cookie`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.append_header("A", 1).append_header("A", 2).end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| assert_eq!(result.unwrap().header_all("a").count(), 2));
    /// # sim.settle();
    /// ```
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.response.header_all(name)
    }

    /// The URL that has answered, in its normal form: another one than was asked for, if there were redirects.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("HTTP://127.0.0.1:80").send(|result| assert_eq!(result.unwrap().url(), "http://127.0.0.1/"));
    /// # sim.settle();
    /// ```
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many redirects were followed.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| match req.path() {
    /// #     "/new" => res.end("here\n"),
    /// #     _ => res.set_status(301).set_header("Location", "/new").end(()),
    /// # });
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/old").send(|result| {
    ///     let response = result.unwrap();
    ///     assert_eq!((response.redirects(), response.url()), (1, "http://127.0.0.1/new"));
    /// });
    /// # sim.settle();
    /// ```
    pub fn redirects(&self) -> usize {
        self.redirects
    }

    /// The body.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("basil"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| assert_eq!(result.unwrap().bytes(), b"basil"));
    /// # sim.settle();
    /// ```
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body, without a copy.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("basil"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| assert_eq!(result.unwrap().into_bytes(), b"basil"));
    /// # sim.settle();
    /// ```
    pub fn into_bytes(self) -> Vec<u8> {
        self.body
    }

    /// The body as text: UTF-8, whatever the Content-Type says. What is no UTF-8 becomes `U+FFFD`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("gr\u{fc}n"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| println!("{}", result.unwrap().text()));
    /// # sim.settle();
    /// ```
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON, whatever the Content-Type says (feature `json`).
    ///
    /// ```
    /// #[derive(serde::Deserialize)]
    /// struct Plant {
    ///     name: String,
    /// }
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end(r#"{"name":"basil"}"#));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/plants/7").send(|result| {
    ///     let plant = result.and_then(|response| response.json::<Plant>());
    ///     assert_eq!(plant.unwrap().name, "basil");
    /// });
    /// # sim.settle();
    /// ```
    ///
    /// # Errors
    /// [`Json`](FetchErrorKind::Json) if it is none of this type. The text says where, and repeats nothing of the body.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, FetchError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "no JSON of the wanted type",
                serde_json::error::Category::Eof => "no whole JSON",
                _ => "no JSON",
            };
            let (line, column) = (error.line(), error.column());
            let place = self.url.split('?').next().unwrap_or_default();
            let text = format!("{} {place}: the body is {what} (line {line}, column {column})", self.method);
            FetchError::new(FetchErrorKind::Json, text)
        })
    }
}

impl fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchResponse")
            .field("status", &self.status())
            .field("method", &self.method)
            .field("url", &self.url)
            .field("bytes", &self.body.len())
            .finish()
    }
}
