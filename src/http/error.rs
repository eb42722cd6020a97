use super::body_error::{BodyError, SaveError};
use super::client::{FetchError, FetchErrorKind, RequestError, RequestErrorKind, ResponseBodyError};
use crate::event_loop::driver::is_out_of_descriptors;
use crate::notice;
use crate::proto::h1::reason;
use crate::worker;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::panic::Location;

/// The return type of a handler: `Ok(())`, or the [`Error`] with which its request is answered.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// The reason why a request cannot be answered as asked: a status, a text for the client, and the cause, for the log.
///
/// If a handler returns an `Error`, the request is answered with this status and text, as `text/plain`. `?` turns any other error
/// into an `Error` with the status 500; the text of that other error goes only to the log, since it may contain private details.
/// A text can be an error too: `Err("no database")?`. These errors get other statuses:
///
/// | error | status |
/// |---|---|
/// | [`BodyError::TooLarge`], [`SaveError::TooLarge`] | 413, whose text names the limit |
/// | a [`worker::Error`] of a job that was refused (its queue is full, there is no thread, or its keeper has no value or was closed); an [`io::Error`] or a [`SaveError::File`] that comes from one, or from a lack of file descriptors | 503 |
/// | a [`RequestError`], a [`FetchError`] or a [`ResponseBodyError`]: another server was asked, and there is no good response | 502 |
/// | the same, if a deadline has ended it | 504 |
/// | the same, if too many requests wait for a connection of the agent | 503 |
/// | the same, if the program has made a mistake, or has aborted it | 500 |
///
/// ```
/// use oneloop::http::{self, Error};
///
/// let server = http::create_server(|req, res| {
///     let number: usize = req.path()[1..].parse().map_err(|_| Error::new(400, "a number is wanted"))?;
///     let todos = std::fs::read_to_string("todos.txt")?; // 500, and the log says why
///     let todo = todos.lines().nth(number).ok_or(Error::new(404, "no such todo"))?;
///     res.end(todo);
///     Ok(())
/// });
/// ```
///
/// Fields that were set before are sent with the answer (`Allow` with a 405, `WWW-Authenticate` with a 401, fields that all
/// answers of a server have), except those that describe the content which is not sent: `Content-Type`, `Content-Length`,
/// `Content-Encoding` and the like, `ETag`, `Last-Modified`, and fields about caching.
///
/// ```
/// use oneloop::http::{self, Error};
///
/// let server = http::create_server(|req, res| {
///     if req.method() != "GET" {
///         res.set_header("Allow", "GET");
///         return Err(Error::new(405, "only GET is known here"));
///     }
///     res.end("hello\n");
///     Ok(())
/// });
/// ```
///
/// If the head has been sent already, the connection is cut, so that the client sees that the response is not whole. The
/// log has a warning for each error that was answered with a 5xx or could not be answered; other errors are debug lines.
///
/// A function that returns another error type is called with `?`: `|req, res| Ok(handle(req, res)?)`. `Error` itself does
/// not implement [`std::error::Error`], because otherwise it could not be made from any other error.
///
/// An `Error` may cross threads, so that a [job](crate::worker) can return one. Hence the error that `?` turns into it must be `Send`
/// and `Sync`, as nearly all are. Of a `Box<dyn std::error::Error>`, which may be anything, only the text can be had:
/// `.map_err(|error| error.to_string())?`.
///
/// ```
/// use oneloop::http::{self, Error};
/// use oneloop::worker;
///
/// /// Runs on a thread of the workers.
/// fn todo(number: usize) -> http::Result<String> {
///     let todos = std::fs::read_to_string("todos.txt")?; // 500
///     Ok(todos.lines().nth(number).ok_or(Error::new(404, "no such todo"))?.to_owned())
/// }
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(|_req, res| {
///     worker::run(|| todo(7), move |todo| match todo.map_err(Error::from).and_then(|todo| todo) {
///         Ok(todo) => res.end(todo),
///         Err(error) => res.fail(error), // of the file, of the todo, or of a job that was refused
///     });
/// });
/// # server.listen(80, ()).unwrap();
/// # assert_eq!(sim.request("GET", "/").send().status(), 500);
/// ```
pub struct Error {
    status: u16,
    text: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error with this status and text. The client sees both; if the text is empty, it sees the usual phrase of
    /// the status.
    ///
    /// The status must be that of an error, from 400 to 599. Any other status is a mistake: it is logged, and becomes 500.
    #[track_caller]
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Error {
        let valid = (400..=599).contains(&status);
        if !valid {
            let site = Location::caller();
            notice::error!(target: "oneloop::http", "{site}: {status} is not the status of an error; it becomes 500");
        }
        Error { status: if valid { status } else { 500 }, text: text.into(), source: None }
    }

    /// Adds the cause: an error, or a text. It goes to the log, not to the client.
    ///
    /// ```
    /// use oneloop::http::Error;
    ///
    /// let error = "x".parse::<u32>().map_err(|why| Error::new(400, "a number is wanted").with_source(why)).unwrap_err();
    /// assert_eq!(error.to_string(), "a number is wanted: invalid digit found in string");
    /// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
    /// ```
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// The status, from 400 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The text that the client sees besides the status. Empty if this was made from another error, unless that error
    /// says that a body is too large.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a client may be told: the [text](Error::text), or the usual phrase of the status if the text is empty. Use it in answers
    /// of your own: the text that the error is formatted to is for logs, and may contain private details.
    ///
    /// ```
    /// use oneloop::http::Error;
    ///
    /// assert_eq!(Error::new(404, "no such todo").message(), "no such todo");
    /// let error = Error::from(std::fs::read("/no/such/secret").unwrap_err());
    /// assert_eq!(error.message(), "Internal Server Error");
    /// ```
    pub fn message(&self) -> &str {
        match &*self.text {
            "" => reason(self.status),
            text => text,
        }
    }

    /// The cause, if there is one.
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }

    /// The cause, if it is an `E`.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source()?.downcast_ref()
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Error {
    fn from(error: E) -> Error {
        let source = error.into();
        let too_large = matches!(source.downcast_ref(), Some(BodyError::TooLarge { .. }))
            || matches!(source.downcast_ref(), Some(SaveError::TooLarge { .. }));
        let (status, text) = match too_large {
            true => (413, Cow::Owned(source.to_string())),
            false if is_want(&*source) => (503, Cow::Borrowed("")),
            false => (of_gateway(&*source).unwrap_or(500), Cow::Borrowed("")),
        };
        Error { status, text, source: Some(source) }
    }
}

/// The status if an error says that another server was asked in vain (RFC 9110, 15.6.3 and 15.6.5).
fn of_gateway(source: &(dyn StdError + 'static)) -> Option<u16> {
    if let Some(error) = source.downcast_ref::<RequestError>() {
        return Some(of_request(error.kind()));
    }
    if let Some(error) = source.downcast_ref::<ResponseBodyError>() {
        return Some(match () {
            () if error.is_own() => 500,
            () if error.is_timeout() => 504,
            () => 502,
        });
    }
    Some(match source.downcast_ref::<FetchError>()?.kind() {
        FetchErrorKind::Request(kind) => of_request(kind),
        FetchErrorKind::Invalid | FetchErrorKind::Aborted => 500,
        _ if source.downcast_ref().is_some_and(FetchError::is_timeout) => 504,
        _ => 502,
    })
}

fn of_request(kind: RequestErrorKind) -> u16 {
    match kind {
        RequestErrorKind::Invalid | RequestErrorKind::Aborted => 500,
        RequestErrorKind::QueueFull | RequestErrorKind::QueueTimeout => 503,
        kind if kind.is_timeout() => 504,
        _ => 502,
    }
}

/// Returns whether an error says that the server lacks some resource at the moment.
fn is_want(source: &(dyn StdError + 'static)) -> bool {
    let io: Option<&io::Error> = match source.downcast_ref() {
        Some(SaveError::File(error)) => Some(error),
        _ => source.downcast_ref(),
    };
    let job: Option<&worker::Error> = match io {
        Some(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        None => source.downcast_ref(),
    };
    io.is_some_and(is_out_of_descriptors) || job.is_some_and(worker::Error::is_refusal)
}

/// For logs: the text and the chain of causes, or the status if there is neither. If an error ends with the text of its
/// source, as many do, that text is not repeated.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = (!self.text.is_empty()).then_some(&*self.text);
        if text.is_none() && self.source.is_none() {
            return write!(f, "{}", self.status);
        }
        let mut before = text.unwrap_or_default().to_owned();
        f.write_str(&before)?;
        let mut source = self.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !before.ends_with(&text) {
                write!(f, "{}{text}", if before.is_empty() { "" } else { ": " })?;
                before = text;
            }
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("status", &self.status)
            .field("text", &self.text)
            .field("source", &self.source)
            .finish()
    }
}
