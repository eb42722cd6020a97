//! JSON, in bodies of requests and in answers, by serde.

use super::super::expected::in_words;
use super::reading::Reader;
use super::wanted::Wanted;
use crate::http::{Answer, Error, Request, Response, Result};
use crate::worker;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::panic::Location;

/// The most bytes that a body may have by default: as in Express.
const LIMIT: usize = 100 * 1024;

static JSON: Wanted = Wanted {
    types: "application/json",
    takes: Some(|media_type| {
        let suffix = media_type.suffix().is_some_and(|suffix| suffix.eq_ignore_ascii_case("json"));
        media_type.is("application", "json") || suffix && media_type.kind().eq_ignore_ascii_case("application")
    }),
    is_text: true,
};

/// Makes a handler of one that has a value read from JSON as its third argument: a body of up to 100 KiB with the media type
/// `application/json` (or `application/…+json`), nested at most 128 deep. The type of the argument says which JSON is wanted. It
/// has to implement serde's `Deserialize`, and to be `Send`. Write this type into the closure's parameters.
///
/// A body that is not JSON is answered 400, and JSON that does not fit the type is answered 422, both with line and column. The texts
/// are about JSON, and do not name the program's types. Any
/// other body never reaches the handler: see [`app`](crate::app#bodies) for what is answered.
///
/// A body of more than 8 KiB is parsed on a worker thread, so that the loop does not wait for it; if the client has gone meanwhile, the
/// handler is not called. A type of your own costs some 8 µs for each KiB.
///
/// A `serde_json::Value` is dropped where your handler drops it, on the loop, and takes up to 90 times the memory of its text: at 100 KiB, to
/// drop it holds up the loop for 0.2 ms if it is a list of numbers, and for 2 to 5 ms if it is thousands of small or nested objects and lists.
/// Clients choose which. Where that matters, take a type of your own, which ignores what it does not know (less than 0.001 ms for structs of
/// numbers, 0.7 ms for 25,000 strings); or a smaller limit ([`json_up_to`] with 16 KiB: below 1 ms); or let a worker drop the value:
/// `worker::run(move || drop(value), |_| {})`.
///
/// ```
/// use oneloop::{app, http};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize, Serialize)]
/// struct Todo {
///     title: String,
///     #[serde(default)]
///     done: bool,
/// }
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::json(|_req, res, todo: Todo| {
///     res.set_status(201).json(&todo);
/// }));
/// # server.listen(80, ()).unwrap();
/// # let post = |body| sim.request("POST", "/").header("Content-Type", "application/json").body(body).send();
/// assert_eq!(post(r#"{ "title": "seeds" }"#).text(), r#"{"title":"seeds","done":false}"#);
/// assert_eq!(post(r#"{ "title": "#).expect(400).text(), "JSON: EOF while parsing a value at line 1 column 11\n");
/// assert_eq!(post(r#"{ "title": 7 }"#).expect(422).text(), "JSON: a string is expected at line 1 column 12\n");
/// ```
#[track_caller]
pub fn json<T: DeserializeOwned + Send + 'static, R: Answer>(
    handler: impl FnMut(Request, Response, T) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    json_up_to(LIMIT, handler)
}

/// [`json`] with another limit, in bytes.
///
/// ```
/// use oneloop::{app, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::json_up_to(1024 * 1024, |_req, res, numbers: Vec<f64>| {
///     res.json(&numbers.iter().sum::<f64>());
/// }));
/// # server.listen(80, ()).unwrap();
/// # let post = sim.request("POST", "/").header("Content-Type", "application/json");
/// # assert_eq!(post.body("[1, 2, 3.5]").send().text(), "6.5");
/// ```
#[track_caller]
pub fn json_up_to<T: DeserializeOwned + Send + 'static, R: Answer>(
    limit: usize,
    handler: impl FnMut(Request, Response, T) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    reader(limit).handler(Location::caller(), handler)
}

impl Request {
    /// Reads the body as [`json`](crate::app::json()) does, and passes it to `done`, once. It is for handlers that decide late
    /// whether they want the body.
    ///
    /// The loop calls `done`, after this call has returned. If `done` gets an error and sends no answer, the answer has the
    /// status of that error. If `done` returns the error, as by `?`, the answer has the error's text as well.
    ///
    /// ```
    /// use oneloop::http;
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(|req, res| {
    ///     req.read_json(1024, move |names: http::Result<Vec<String>>| {
    ///         res.end(names?.join(" and "));
    ///         Ok(())
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "application/json");
    /// # assert_eq!(post.body(r#"["Ann", "Bob"]"#).send().text(), "Ann and Bob");
    /// ```
    #[track_caller]
    pub fn read_json<T: DeserializeOwned + Send + 'static, R: Answer>(
        &self,
        limit: usize,
        done: impl FnOnce(Result<T>) -> R + 'static,
    ) {
        reader(limit).late(self, Location::caller(), done);
    }
}

impl Response {
    /// Ends the response with a value as JSON: Express's `res.json`. `Content-Type` is `application/json` unless it was set
    /// before. A value that cannot be written as JSON, such as a map whose keys are lists, is answered 500, and the log says why.
    ///
    /// ```
    /// use serde::Serialize;
    ///
    /// #[derive(Serialize)]
    /// struct Todo {
    ///     title: &'static str,
    ///     done: bool,
    /// }
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.json(&Todo { title: "seeds", done: false }));
    /// # server.listen(80, ()).unwrap();
    /// # let reply = sim.request("GET", "/").send();
    /// # assert_eq!(reply.header("content-type"), Some("application/json"));
    /// # assert_eq!(reply.text(), r#"{"title":"seeds","done":false}"#);
    /// ```
    pub fn json<T: Serialize + ?Sized>(&self, value: &T) {
        match serde_json::to_vec(value) {
            Ok(bytes) => {
                if !self.has_header("Content-Type") {
                    self.set_header("Content-Type", "application/json");
                }
                self.end(bytes);
            }
            Err(error) => self.fail(error),
        }
    }
}

fn reader<T: DeserializeOwned + Send + 'static>(limit: usize) -> Reader<T> {
    let on_worker = |bytes: Vec<u8>, done: Box<dyn FnOnce(Result<T>)>| {
        worker::run_for_library(
            move || parse(bytes),
            move |value| done(value.unwrap_or_else(|error| Err(error.into()))),
        );
    };
    Reader { wanted: &JSON, read: parse, on_worker: Some(on_worker), limit }
}

fn parse<T: DeserializeOwned>(bytes: Vec<u8>) -> Result<T> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::new(400, "JSON: the body is empty"));
    }
    serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
        Category::Data => {
            let (line, column) = (error.line(), error.column());
            let place = format!(" at line {line} column {column}");
            let full = error.to_string();
            let text = without_input(full.strip_suffix(&place).unwrap_or(&full));
            let shown = format!("JSON: {text}{}", if line > 0 { &place } else { "" });
            Error::new(422, shown).with_source(full.escape_debug().to_string())
        }
        // These texts are serde_json's own, and quote nothing.
        Category::Syntax | Category::Eof | Category::Io => Error::new(400, format!("JSON: {error}")),
    })
}

/// What serde says of a value that is not what a type wants, without the value. What it expects comes last in its messages, after
/// what it found. All other messages are of the type's own making, and may quote whatever they like.
fn without_input(message: &str) -> String {
    let is = |start: &str| message.starts_with(start);
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    match expected {
        _ if is("missing field `") || is("duplicate field `") => message.to_owned(),
        Some(expected) if is("unknown field `") => format!("a field is unknown: known are {expected}"),
        Some(expected) if is("invalid type: ") || is("invalid value: ") || is("invalid length ") => {
            format!("{} is expected", in_words(expected))
        }
        Some(expected) if is("unknown variant `") => format!("{expected} is expected"),
        _ => "a value is not valid".to_owned(),
    }
}
