use super::super::error::{RequestError, RequestErrorKind, is_deadline};
use crate::net::CloseReason;
use std::fmt;

/// The reason why there is no whole response: what the callback of [`Fetch::send`](super::Fetch::send) gets instead. Its text, for
/// people, names the request, without its query, which may hold a secret.
///
/// ```
/// use oneloop::{http, sim::Sim};
///
/// let sim = Sim::new(); // nobody listens in this world
/// http::fetch("http://127.0.0.1:1/plants?key=secret").send(|result| {
///     let error = result.unwrap_err();
///     assert_eq!(error.kind(), http::FetchErrorKind::Request(http::RequestErrorKind::Connect));
///     assert!(error.to_string().starts_with("GET http://127.0.0.1:1/plants: cannot connect to "), "{error}");
/// });
/// sim.settle();
/// ```
#[derive(Clone, Debug)]
pub struct FetchError {
    kind: FetchErrorKind,
    text: String,
    request: Option<RequestError>,
}

/// What kind of failure a [`FetchError`] is. Programs compare it; people read the text of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The program has asked for something that cannot be sent: the URL, a field or the body is wrong. Nothing was sent.
    Invalid,
    /// There was no response.
    Request(RequestErrorKind),
    /// The time of [`Fetch::timeout`](super::Fetch::timeout) is over.
    Timeout,
    /// The program has [aborted](super::Fetching::abort) it.
    Aborted,
    /// More redirects came than [`Fetch::redirects`](super::Fetch::redirects) allows.
    TooManyRedirects,
    /// A redirect leads to where the program was sent away from: it would never end.
    RedirectLoop,
    /// A redirect leads to where a client must not follow: from https to http, to another scheme than these, or to no URL at all.
    RedirectRefused,
    /// The body is larger than [`Fetch::max_body`](super::Fetch::max_body).
    TooLarge,
    /// The connection closed before the body was whole.
    Closed(CloseReason),
    /// The body is compressed in a way that is not taken: more than twice, against the format, or so that it grows beyond measure.
    Coding,
    /// The body is no JSON of the wanted type: see `FetchResponse::json` (feature `json`).
    Json,
}

impl FetchErrorKind {
    /// A word for logs and metrics.
    ///
    /// ```
    /// assert_eq!(oneloop::http::FetchErrorKind::RedirectLoop.as_str(), "redirect-loop");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            FetchErrorKind::Invalid => "invalid",
            FetchErrorKind::Request(kind) => kind.as_str(),
            FetchErrorKind::Timeout => "timeout",
            FetchErrorKind::Aborted => "aborted",
            FetchErrorKind::TooManyRedirects => "too-many-redirects",
            FetchErrorKind::RedirectLoop => "redirect-loop",
            FetchErrorKind::RedirectRefused => "redirect-refused",
            FetchErrorKind::TooLarge => "too-large",
            FetchErrorKind::Closed(reason) => reason.as_str(),
            FetchErrorKind::Coding => "coding",
            FetchErrorKind::Json => "json",
        }
    }
}

impl fmt::Display for FetchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FetchError {
    pub(super) fn new(kind: FetchErrorKind, text: String) -> FetchError {
        FetchError { kind, text, request: None }
    }

    pub(super) fn of(error: &RequestError) -> FetchError {
        let kind = match error.kind() {
            RequestErrorKind::Invalid => FetchErrorKind::Invalid,
            RequestErrorKind::Aborted => FetchErrorKind::Aborted,
            RequestErrorKind::Timeout => FetchErrorKind::Timeout,
            kind => FetchErrorKind::Request(kind),
        };
        FetchError { kind, text: error.to_string(), request: Some(error.clone()) }
    }

    /// The kind of the failure.
    ///
    /// ```
    /// use oneloop::http::{self, FetchErrorKind};
    /// # let sim = oneloop::sim::Sim::new();
    /// http::fetch("ftp://example.org/").send(|result| assert_eq!(result.unwrap_err().kind(), FetchErrorKind::Invalid));
    /// # sim.settle();
    /// ```
    pub fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    /// The error of the request, if there was no response: it says whether anything was sent.
    ///
    /// ```
    /// # use oneloop::http;
    /// # let sim = oneloop::sim::Sim::new();
    /// http::fetch("http://127.0.0.1:1/").send(|result| {
    ///     let error = result.unwrap_err();
    ///     assert!(error.request().is_some_and(|request| !request.is_sent()));
    /// });
    /// # sim.settle();
    /// ```
    pub fn request(&self) -> Option<&RequestError> {
        self.request.as_ref()
    }

    /// Returns whether a deadline has ended it, whichever it was.
    ///
    /// ```
    /// # use oneloop::http;
    /// # let sim = oneloop::sim::Sim::new();
    /// # let server = http::create_server(|_req, res| std::mem::forget(res));
    /// # server.listen(80, ()).unwrap();
    /// let once = http::fetch("http://127.0.0.1/").timeout(std::time::Duration::from_secs(5));
    /// once.send(|result| assert!(result.unwrap_err().is_timeout()));
    /// # sim.advance(std::time::Duration::from_secs(6));
    /// ```
    pub fn is_timeout(&self) -> bool {
        match self.kind {
            FetchErrorKind::Timeout => true,
            FetchErrorKind::Request(kind) => kind.is_timeout(),
            FetchErrorKind::Closed(reason) => is_deadline(reason),
            _ => false,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FetchError {}

/// Why a response is not taken, with words.
pub(super) type Refused = (FetchErrorKind, String);

pub(super) fn too_large(limit: usize) -> Refused {
    (FetchErrorKind::TooLarge, format!("the body has more than {limit} bytes"))
}
