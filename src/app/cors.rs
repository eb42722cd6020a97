//! Cross-origin resource sharing: tells browsers which other sites may read the answers (Fetch standard, 3.2).

use super::Next;
use crate::http::{Request, Response};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// How long a browser may remember what it may send, by default: as long as Chromium does at most.
const MAX_AGE: Duration = Duration::from_secs(2 * 3600);

/// The rules for [`cors`]: which other sites may read the answers of this one, and which methods and fields they may use.
///
/// ```
/// use oneloop::app::Cors;
///
/// let everybody = Cors::any();
/// let our_own = Cors::origins(["https://app.example", "https://admin.example"])?.credentials();
/// # Ok::<(), oneloop::app::BadOrigin>(())
/// ```
///
/// It is not possible to allow everybody to read answers to requests with the visitor's cookies: any site could then read what a
/// visitor who is logged in sees. So [`credentials`](Cors::credentials) exists for a list and for a check only.
///
/// ```compile_fail,E0599
/// let never = oneloop::app::Cors::any().credentials();
/// ```
pub struct Cors<Of> {
    origins: Origins,
    credentials: bool,
    methods: String,
    headers: String,
    exposed: String,
    max_age: Duration,
    of: PhantomData<Of>,
}

/// In [`Cors`]: any origin may read.
#[derive(Debug)]
pub enum AnyOrigin {}

/// In [`Cors`]: some origins may read.
#[derive(Debug)]
pub enum SomeOrigins {}

enum Origins {
    Any,
    List(Vec<String>),
    Check(Box<dyn FnMut(&str) -> bool>),
}

impl Cors<AnyOrigin> {
    /// Any site may read the answers, without cookies. Requests may have any field but `Authorization`, unless
    /// [`headers`](Cors::headers) names it.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{App, Cors, cors};
    ///
    /// let mut app = App::new();
    /// app.with(cors(Cors::any()));
    /// app.get("/", |_req, res| res.end("for everybody\n"));
    /// # app.listen(80, ())?;
    /// let reply = sim.request("GET", "/").header("Origin", "https://other.example").send();
    /// assert_eq!(reply.header("Access-Control-Allow-Origin"), Some("*"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn any() -> Cors<AnyOrigin> {
        Cors::new(Origins::Any, "*")
    }
}

impl Cors<SomeOrigins> {
    /// These origins may read the answers. An origin is scheme, host, and the port if it is not that of the scheme, as browsers
    /// write it: `https://app.example`, `http://localhost:3000`. It has no path, and no `/` at its end.
    ///
    /// ```
    /// use oneloop::app::Cors;
    ///
    /// assert!(Cors::origins(["https://app.example"]).is_ok());
    /// assert!(Cors::origins(["https://app.example/"]).is_err()); // would never be met
    /// ```
    ///
    /// # Errors
    /// If one of them is no origin. `null` is not accepted, since any page can have that origin.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Result<Cors<SomeOrigins>, BadOrigin> {
        let origins: Vec<String> = origins.into_iter().map(Into::into).collect();
        match origins.iter().find(|origin| !is_origin(origin)) {
            Some(bad) => Err(BadOrigin(bad.clone())),
            None => Ok(Cors::new(Origins::List(origins), "Content-Type, Authorization")),
        }
    }

    /// Those origins may read the answers for which `allows` returns true. Compare whole origins, or the host behind `://`: what
    /// merely ends with `example.com` may be `evil-example.com`. `allows` is not called for `null`.
    ///
    /// ```
    /// use oneloop::app::Cors;
    ///
    /// let own = Cors::check(|origin| origin.ends_with(".example.com") && origin.starts_with("https://"));
    /// ```
    pub fn check(allows: impl FnMut(&str) -> bool + 'static) -> Cors<SomeOrigins> {
        Cors::new(Origins::Check(Box::new(allows)), "Content-Type, Authorization")
    }

    /// Lets these origins read answers to requests that have the visitor's cookies.
    ///
    /// ```
    /// use oneloop::app::Cors;
    ///
    /// let app = Cors::origins(["https://app.example"])?.credentials();
    /// # Ok::<(), oneloop::app::BadOrigin>(())
    /// ```
    pub fn credentials(mut self) -> Self {
        self.credentials = true;
        self
    }
}

impl<Of> Cors<Of> {
    fn new(origins: Origins, headers: &str) -> Cors<Of> {
        Cors {
            origins,
            credentials: false,
            methods: "GET, HEAD, POST, PUT, PATCH, DELETE".to_owned(),
            headers: headers.to_owned(),
            exposed: String::new(),
            max_age: MAX_AGE,
            of: PhantomData,
        }
    }

    /// Sets which methods other sites may use: GET, HEAD, POST, PUT, PATCH and DELETE by default.
    ///
    /// ```
    /// let read_only = oneloop::app::Cors::any().methods(["GET", "HEAD"]);
    /// ```
    pub fn methods<'a>(mut self, methods: impl IntoIterator<Item = &'a str>) -> Self {
        self.methods = listed(methods);
        self
    }

    /// Sets which fields requests of other sites may have, besides those that any form may send. The default is `Content-Type`
    /// and `Authorization`, or, after [`Cors::any`], every field except `Authorization`.
    ///
    /// ```
    /// let cors = oneloop::app::Cors::any().headers(["Content-Type", "Authorization", "X-Request-Id"]);
    /// ```
    pub fn headers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.headers = listed(names);
        self
    }

    /// Sets which fields of answers programs of other sites may read, besides `Content-Type` and a few others.
    ///
    /// ```
    /// let cors = oneloop::app::Cors::any().expose(["ETag", "RateLimit"]);
    /// ```
    pub fn expose<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.exposed = listed(names);
        self
    }

    /// Sets how long a browser may remember what it may send (2 h by default), so that it need not ask before each request.
    ///
    /// ```
    /// let cors = oneloop::app::Cors::any().max_age(std::time::Duration::from_secs(60));
    /// ```
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = time;
        self
    }

    fn allows(&mut self, origin: &str) -> bool {
        match &mut self.origins {
            Origins::Any => true,
            Origins::List(list) => list.iter().any(|listed| listed == origin),
            Origins::Check(allows) => origin != "null" && allows(origin),
        }
    }

    /// Sets the fields of an answer. Returns whether the request is a preflight, which has no other answer.
    fn apply(&mut self, req: &Request, res: &Response) -> bool {
        let is_any = matches!(self.origins, Origins::Any);
        if !is_any {
            // This is also needed if the request has no Origin: a cache must not give its answer to a request that has one.
            res.append_header("Vary", "Origin");
        }
        let mut origins = req.header_all_bytes("Origin");
        let origin = origins.next().filter(|_| origins.next().is_none()).and_then(|one| std::str::from_utf8(one).ok());
        let Some(origin) = origin else { return false };
        let is_preflight = req.method() == "OPTIONS" && req.header_bytes("Access-Control-Request-Method").is_some();
        if !self.allows(origin) {
            return is_preflight;
        }
        res.set_header("Access-Control-Allow-Origin", if is_any { "*" } else { origin });
        if self.credentials {
            res.set_header("Access-Control-Allow-Credentials", "true");
        }
        let set = |name: &str, value: &str| {
            if !value.is_empty() {
                res.set_header(name, value);
            }
        };
        if is_preflight {
            set("Access-Control-Allow-Methods", &self.methods);
            set("Access-Control-Allow-Headers", &self.headers);
            res.set_header("Access-Control-Max-Age", self.max_age.as_secs());
        } else {
            set("Access-Control-Expose-Headers", &self.exposed);
        }
        is_preflight
    }
}

impl<Of> fmt::Debug for Cors<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = match &self.origins {
            Origins::Any => "any",
            Origins::List(_) => "a list",
            Origins::Check(_) => "a check",
        };
        f.debug_struct("Cors")
            .field("origins", &origins)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// Makes a middleware that says to browsers which other sites may read the answers. Register it before the routes. Before some
/// requests, a browser sends a preflight (OPTIONS with `Access-Control-Request-Method`): the middleware answers it with 204, for
/// every path.
///
/// Requests of other sites are not refused: only the browser keeps them from reading the answer. Use
/// [`same_origin`](super::same_origin) to refuse requests by which another site would *do* something. Pages of errors keep the
/// fields, so that the site learns the status. Unless any origin may read, each answer has `Vary: Origin`.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, Cors, cors};
///
/// let mut app = App::new();
/// app.with_at("/api", cors(Cors::origins(["https://app.example"]).unwrap().credentials()));
/// app.put("/api/todos/:id", |_req, res| res.end("changed\n"));
/// # app.listen(80, ())?;
/// let preflight = sim
///     .request("OPTIONS", "/api/todos/1")
///     .header("Origin", "https://app.example")
///     .header("Access-Control-Request-Method", "PUT")
///     .send();
/// assert_eq!(preflight.status(), 204);
/// assert_eq!(preflight.header("Access-Control-Allow-Origin"), Some("https://app.example"));
/// # std::io::Result::Ok(())
/// ```
pub fn cors<Of: 'static>(mut cors: Cors<Of>) -> impl FnMut(Request, Response, Next) + 'static {
    move |req, res, next| {
        if cors.apply(&req, &res) {
            res.set_status(204).end(());
        } else {
            next.run();
        }
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Returns whether a browser could send this as an `Origin`.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
    let is_host = !host.is_empty()
        && host.chars().all(|c| c.is_ascii_graphic() && !c.is_ascii_uppercase() && !"/?#@\\*".contains(c));
    let is_its_own_port =
        matches!((scheme, host.rsplit_once(':')), ("http", Some((_, "80"))) | ("https", Some((_, "443"))));
    is_scheme && is_host && !is_its_own_port
}

/// The error of [`Cors::origins`]: a text that is no origin, so that no browser would ever send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOrigin(String);

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no origin: write it as browsers do, as in \"https://app.example\" or \"http://localhost:3000\", in lower case, \
             without a path, and without the scheme's own port",
            self.0
        )
    }
}

impl std::error::Error for BadOrigin {}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn what_browsers_send_is_an_origin_and_nothing_else() {
        for good in [
            "https://a.example",
            "http://localhost:3000",
            "http://[::1]:8080",
            "https://xn--grn-hoa.example",
            "tauri://localhost",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "null",
            "*",
            "a.example",
            "https://",
            "https://*.example",
            "https://a.example/",
            "https://a.example/path",
            "HTTPS://a.example",
            "https://A.example",
            "https://grün.example",
            "https://u@a.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example, https://b.example",
            "https://a.example\r\nX: y",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
