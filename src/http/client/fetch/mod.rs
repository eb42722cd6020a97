//! Whole responses: one call, one result.
//!
//! ```text
//!   fetch(url).header(…).send(|result| …) ─► Errand ─► one request after another, by an Agent ─► FetchResponse or FetchError
//! ```
//! `redirect` says where a response leads, `gathering` bounds its body, and `inflating` takes it if it is compressed.

mod errand;
mod error;
mod gathering;
#[cfg(feature = "compression")]
mod inflating;
mod redirect;
mod response;

pub use error::{FetchError, FetchErrorKind};
pub use response::FetchResponse;

use super::Agent;
use crate::callback::Site;
use crate::event_loop::next_tick;
use crate::http::field_value::FieldValue;
use crate::proto::h1::OutgoingRequest;
use crate::proto::url::Url;
use errand::{Errand, Wanted};
use redirect::Asked;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The default of [`Fetch::max_body`]: a large page or answer fits in, and a hundred of them at once fit into memory.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// The default of [`Fetch::redirects`].
const REDIRECTS: usize = 10;

/// Asks for a URL, and gets the whole response, or the reason why there is none: `fetch` of browsers and of Node, with a callback. It is
/// a GET request unless [`method`](Fetch::method) says otherwise. Nothing is sent before [`send`](Fetch::send).
///
/// In contrast to [`request`](super::request) and [`get`](super::get), redirects are followed, the body is collected, up to a limit, and
/// there is one result. The connections are those of [`Agent::global`], with its limits and deadlines.
///
/// ```
/// use oneloop::{http, sim::Sim};
/// use std::time::Duration;
///
/// let sim = Sim::new(); // client and server in one world
/// let server = http::create_server(|req, res| match req.path() {
///     "/plants" => res.end("basil\n"),
///     _ => res.set_status(302).set_header("Location", "/plants").end(()),
/// });
/// server.listen(80, ())?;
///
/// http::fetch("http://127.0.0.1/")
///     .header("Accept", "text/plain")
///     .timeout(Duration::from_secs(5))
///     .max_body(1024 * 1024)
///     .send(|result| match result {
///         Ok(response) if response.is_ok() => assert_eq!(response.text(), "basil\n"),
///         Ok(response) => eprintln!("{} from {}", response.status(), response.url()),
///         Err(error) => eprintln!("{error}"),
///     });
/// sim.settle();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Redirects
/// The statuses 301, 302, 303, 307 and 308 are followed, if they have a Location. After 303 the method is GET; after 301 and 302 it is GET
/// instead of POST, as with all clients; else method and body stay. Where scheme, host or port change, the fields Authorization, Cookie,
/// Proxy-Authorization and Host are dropped, and do not come back. Any other field goes along: put no secret into one. From https to
/// http, and to other schemes, no redirect is followed. There are no cookies but those that the program sets.
///
/// # Compressed bodies
/// With the feature `compression`, bodies may come as gzip, which the request says, and are inflated. With an Accept-Encoding of its own
/// the program gets the body as it comes. No more than two codings are taken, and a body that grows to more than two hundred times its
/// size, and to more than 1 MiB, is refused.
///
/// # Panics
/// If this thread is ending and its loop is gone.
pub fn fetch(url: &str) -> Fetch {
    Agent::global().fetch(url)
}

impl Agent {
    /// Asks for a URL with the connections and limits of this agent: see [`http::fetch`](fetch()).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("basil\n"));
    /// # server.listen(80, ()).unwrap();
    /// let agent = oneloop::http::Agent::new();
    /// agent.fetch("http://127.0.0.1/").send(|result| assert_eq!(result.unwrap().text(), "basil\n"));
    /// # sim.settle();
    /// # assert_eq!(agent.stats().requests, 1);
    /// ```
    pub fn fetch(&self, url: &str) -> Fetch {
        Fetch {
            agent: self.clone(),
            method: "GET".to_owned(),
            url: url.to_owned(),
            head: OutgoingRequest::new(),
            body: Vec::new(),
            wanted: Wanted { timeout: None, redirects: REDIRECTS, max_body: MAX_BODY, inflates: true },
            wrong: None,
        }
    }
}

/// What to [`fetch`](fetch()), and how. Nothing is sent before [`send`](Fetch::send).
#[must_use = "nothing is sent before `send`"]
#[derive(Clone)]
pub struct Fetch {
    agent: Agent,
    method: String,
    url: String,
    head: OutgoingRequest,
    body: Vec<u8>,
    wanted: Wanted,
    /// The first mistake of the program.
    wrong: Option<String>,
}

impl Fetch {
    /// Sets the method. Default: GET. Methods have a case: `post` is not `POST`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| res.end(req.method()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/plants/7").method("DELETE").send(|result| assert_eq!(result.unwrap().text(), "DELETE"));
    /// # sim.settle();
    /// ```
    pub fn method(mut self, method: &str) -> Fetch {
        self.method = method.to_owned();
        self
    }

    /// Adds a field. The value is text, a number, or bytes. A field that would split or corrupt the request is an error of the kind
    /// [`Invalid`](FetchErrorKind::Invalid).
    ///
    /// No field is sent that the program has not set, but Host, the one that says where the body ends, and Accept-Encoding, as
    /// [`fetch`](fetch()) says. Some servers want a `User-Agent`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| res.end(req.header("accept").unwrap()));
    /// # server.listen(80, ()).unwrap();
    /// let fetch = oneloop::http::fetch("http://127.0.0.1/").header("Accept", "text/plain").header("User-Agent", "garden/1.0");
    /// fetch.send(|result| assert_eq!(result.unwrap().text(), "text/plain"));
    /// # sim.settle();
    /// ```
    pub fn header(mut self, name: &str, value: impl FieldValue) -> Fetch {
        if let Err(error) = value.with(|value| self.head.append(name, value)) {
            self.note(format!("the field {name:?}: {error}"));
        }
        self
    }

    /// Sets the body. Its length is told to the server.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| req.pipe(&res));
    /// # server.listen(80, ()).unwrap();
    /// let fetch = oneloop::http::fetch("http://127.0.0.1/plants").method("POST").header("Content-Type", "text/plain");
    /// fetch.body("basil").send(|result| assert_eq!(result.unwrap().text(), "basil"));
    /// # sim.settle();
    /// ```
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Fetch {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, and its Content-Type (feature `json`). A value that cannot be written as JSON is an error of the
    /// kind [`Invalid`](FetchErrorKind::Invalid).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| req.pipe(&res));
    /// # server.listen(80, ()).unwrap();
    /// let fetch = oneloop::http::fetch("http://127.0.0.1/plants").method("POST").json(&["basil", "thyme"]);
    /// fetch.send(|result| assert_eq!(result.unwrap().text(), r#"["basil","thyme"]"#));
    /// # sim.settle();
    /// ```
    #[cfg(feature = "json")]
    pub fn json(mut self, value: &(impl serde::Serialize + ?Sized)) -> Fetch {
        match serde_json::to_vec(value) {
            Ok(body) => self.body = body,
            Err(error) => self.note(format!("the body cannot be written as JSON: {error}")),
        }
        if let Err(error) = self.head.set("Content-Type", "application/json") {
            self.note(error.to_string());
        }
        self
    }

    /// Sets how long all of it may take, redirects and the body included. Default: no limit but those of the agent, which bound each
    /// wait ([`AgentLimits`](super::AgentLimits)).
    ///
    /// ```
    /// use oneloop::http::{self, FetchErrorKind};
    /// use std::time::Duration;
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(|_req, res| std::mem::forget(res)); // it never answers
    /// server.listen(80, ()).unwrap();
    /// http::fetch("http://127.0.0.1/").timeout(Duration::from_secs(5)).send(|result| {
    ///     assert_eq!(result.unwrap_err().kind(), FetchErrorKind::Timeout);
    /// });
    /// # sim.advance(Duration::from_secs(6));
    /// ```
    pub fn timeout(mut self, after: Duration) -> Fetch {
        self.wanted.timeout = Some(after);
        self
    }

    /// Sets how many redirects are followed. Default: 10. With 0 none is followed, and the redirect itself is the response. One more than
    /// allowed is an error of the kind [`TooManyRedirects`](FetchErrorKind::TooManyRedirects).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.set_status(301).set_header("Location", "/new").end(()));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").redirects(0).send(|result| {
    ///     let response = result.unwrap();
    ///     assert_eq!((response.status(), response.header("location")), (301, Some("/new")));
    /// });
    /// # sim.settle();
    /// ```
    pub fn redirects(mut self, most: usize) -> Fetch {
        self.wanted.redirects = most;
        self
    }

    /// Sets how many bytes the body may have, compressed and inflated. Default: 8 MiB. A larger one is an error of the kind
    /// [`TooLarge`](FetchErrorKind::TooLarge), and closes the connection.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("basil, and much more"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").max_body(5).send(|result| {
    ///     assert_eq!(result.unwrap_err().kind(), oneloop::http::FetchErrorKind::TooLarge);
    /// });
    /// # sim.settle();
    /// ```
    pub fn max_body(mut self, bytes: usize) -> Fetch {
        self.wanted.max_body = bytes;
        self
    }

    /// Sends the body only when the server wants it (`Expect: 100-continue`; RFC 9110, 10.1.1), or after a second without an answer. Use
    /// it for large bodies that the server may refuse by their head. If it does not know the expectation (417), the request is sent once
    /// more without.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|req, res| req.pipe(&res));
    /// # server.listen(80, ()).unwrap();
    /// let fetch = oneloop::http::fetch("http://127.0.0.1/plants").method("PUT").body(vec![b'x'; 100_000]).expect_continue();
    /// fetch.send(|result| assert_eq!(result.unwrap().bytes().len(), 100_000));
    /// # sim.settle();
    /// ```
    pub fn expect_continue(mut self) -> Fetch {
        if let Err(error) = self.head.set("Expect", "100-continue") {
            self.note(error.to_string());
        }
        self
    }

    /// Sends the request. `done` is called once, by the loop, with the whole response or the reason why there is none. The handle that
    /// this returns can be dropped: it is only for who wants to [abort](Fetching::abort).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = oneloop::http::create_server(|_req, res| res.end("basil"));
    /// # server.listen(80, ()).unwrap();
    /// oneloop::http::fetch("http://127.0.0.1/").send(|result| match result {
    ///     Ok(response) => assert_eq!(response.bytes(), b"basil"),
    ///     Err(error) => eprintln!("{error}"),
    /// });
    /// # sim.settle();
    /// ```
    #[track_caller]
    pub fn send(self, done: impl FnOnce(Result<FetchResponse, FetchError>) + 'static) -> Fetching {
        self.send_at(Location::caller(), Box::new(done))
    }

    fn send_at(mut self, site: Site, done: errand::Done) -> Fetching {
        self.wanted.inflates = !self.head.has("accept-encoding");
        if cfg!(feature = "compression") && self.wanted.inflates && !self.head.has("range") {
            let _ = self.head.set("Accept-Encoding", "gzip");
        }
        let wrong = self.wrong.take();
        let url = match (wrong, Url::parse(&self.url)) {
            (None, Ok(url)) => url,
            (wrong, url) => {
                let words = wrong.or(url.err().map(|fault| fault.to_string())).unwrap_or_default();
                let place = self.url.split(['?', '#']).next().unwrap_or_default().escape_debug();
                let text = format!("{} {place}: {words}", self.method.escape_debug());
                next_tick(move || done(Err(FetchError::new(FetchErrorKind::Invalid, text))));
                return Fetching(Weak::new());
            }
        };
        let asked = Asked { method: self.method, url, head: self.head, body: self.body };
        let errand = Errand::new(self.agent, site, self.wanted, asked, done);
        errand.go();
        Fetching(Rc::downgrade(&errand))
    }

    fn note(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("Fetch").field("method", &self.method).field("url", &place).finish_non_exhaustive()
    }
}

/// A [`fetch`](fetch()) under way. It goes on if the handle is dropped.
#[derive(Clone)]
pub struct Fetching(Weak<Errand>);

impl Fetching {
    /// Ends it at once: its connection is closed, so that the server sees that nobody waits. The callback gets an error of the kind
    /// [`Aborted`](FetchErrorKind::Aborted), later. If it is over already, nothing happens.
    ///
    /// ```
    /// use oneloop::http::{self, FetchErrorKind};
    /// # let sim = oneloop::sim::Sim::new();
    /// let fetching = http::fetch("http://127.0.0.1/").send(|result| {
    ///     assert_eq!(result.unwrap_err().kind(), FetchErrorKind::Aborted);
    /// });
    /// fetching.abort();
    /// # sim.settle();
    /// ```
    pub fn abort(&self) {
        if let Some(errand) = self.0.upgrade() {
            errand.abort();
        }
    }
}

impl fmt::Debug for Fetching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetching").field("is_over", &(self.0.strong_count() == 0)).finish()
    }
}
