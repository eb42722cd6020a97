//! Bodies that are read as they are: text and bytes.

use super::reading::Reader;
use super::wanted::Wanted;
use crate::http::{Answer, Error, Request, Response, Result};
use std::panic::Location;

/// The most bytes of a body that is not parsed.
const LIMIT: usize = 1024 * 1024;

static TEXT: Wanted =
    Wanted { types: "text/*", takes: Some(|media_type| media_type.kind().eq_ignore_ascii_case("text")), is_text: true };

static RAW: Wanted = Wanted { types: "*/*", takes: None, is_text: false };

/// Makes a handler of one that has a text as its third argument: a body of up to 1 MiB whose media type is `text/plain` or any
/// other `text/…`, in UTF-8. A request without a body is an empty text.
///
/// Any other body never reaches the handler: see [`app`](crate::app#bodies) for what is answered.
///
/// ```
/// use oneloop::{app, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::text(|_req, res, note| {
///     res.end(format!("{} characters\n", note.chars().count()));
/// }));
/// # server.listen(80, ()).unwrap();
/// # let reply = sim.request("POST", "/").header("Content-Type", "text/plain").body("grün").send();
/// # assert_eq!(reply.text(), "4 characters\n");
/// ```
#[track_caller]
pub fn text<R: Answer>(
    handler: impl FnMut(Request, Response, String) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    text_up_to(LIMIT, handler)
}

/// [`text`] with another limit, in bytes.
///
/// ```
/// use oneloop::{app, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::text_up_to(280, |_req, res, note| res.end(note.to_uppercase())));
/// # server.listen(80, ()).unwrap();
/// # let post = |note: String| sim.request("POST", "/").header("Content-Type", "text/plain").body(note).send();
/// assert_eq!(post("x".repeat(280)).status(), 200);
/// assert_eq!(post("x".repeat(281)).status(), 413);
/// ```
#[track_caller]
pub fn text_up_to<R: Answer>(
    limit: usize,
    handler: impl FnMut(Request, Response, String) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    Reader { wanted: &TEXT, read: decode, on_worker: None, limit }.handler(Location::caller(), handler)
}

/// Makes a handler of one that has the bytes of the body as its third argument: up to 1 MiB, of any media type. A request
/// without a body has no bytes.
///
/// ```
/// use oneloop::{app, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::raw(|_req, res, bytes| res.end(format!("{} bytes\n", bytes.len()))));
/// # server.listen(80, ()).unwrap();
/// # let reply = sim.request("PUT", "/").header("Content-Type", "image/png").body([0x89, 0x50]).send();
/// # assert_eq!(reply.text(), "2 bytes\n");
/// ```
#[track_caller]
pub fn raw<R: Answer>(
    handler: impl FnMut(Request, Response, Vec<u8>) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    raw_up_to(LIMIT, handler)
}

/// [`raw`] with another limit, in bytes.
///
/// ```
/// use oneloop::{app, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::raw_up_to(3, |_req, res, bytes| res.end(bytes)));
/// # server.listen(80, ()).unwrap();
/// # let post = |bytes: &[u8]| sim.request("POST", "/").header("Content-Type", "a/b").body(bytes).send();
/// assert_eq!((post(b"abc").status(), post(b"abcd").status()), (200, 413));
/// ```
#[track_caller]
pub fn raw_up_to<R: Answer>(
    limit: usize,
    handler: impl FnMut(Request, Response, Vec<u8>) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    Reader { wanted: &RAW, read: Ok, on_worker: None, limit }.handler(Location::caller(), handler)
}

impl Request {
    /// Reads the body as [`text`](crate::app::text) does, and passes it to `done`, once. It is for handlers that decide late
    /// whether they want the body.
    ///
    /// The loop calls `done`, after this call has returned. If `done` gets an error and sends no answer, the answer has the
    /// status of that error. If `done` returns the error, as by `?`, the answer has the error's text as well.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.read_text(1024, move |note| {
    ///         res.end(note?.to_uppercase());
    ///         Ok(())
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # let post = |kind| sim.request("POST", "/").header("Content-Type", kind).body("note").send();
    /// assert_eq!((post("text/plain").text().as_str(), post("image/png").status()), ("NOTE", 415));
    /// ```
    #[track_caller]
    pub fn read_text<R: Answer>(&self, limit: usize, done: impl FnOnce(Result<String>) -> R + 'static) {
        Reader { wanted: &TEXT, read: decode, on_worker: None, limit }.late(self, Location::caller(), done);
    }
}

fn decode(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(400, format!("the body is no UTF-8: byte {} is not", at + 1))
    })
}
