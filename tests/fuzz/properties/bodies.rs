//! Bodies of requests: what was compressed comes out as it was, and no more than the limit comes out of anything; JSON is what its reader
//! says, in any split, and no text for a client has anything of it.
//!
//! The input: a byte for what is done, a byte for the limit, a body.

use super::choices::Choices;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use oneloop::app::{self, App, Compression, compression};
use oneloop::http;
use oneloop::sim::{Reply, Sim};
use serde::Deserialize;
use serde_json::Value;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

#[derive(Debug, PartialEq, Deserialize)]
struct Typed {
    a: u8,
    b: Option<i16>,
    #[serde(default)]
    c: Vec<bool>,
    d: Option<Kind>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Tree,
    Flower,
}

pub fn holds(bytes: &[u8]) {
    let (mut choices, body) = Choices::split(bytes, 2);
    let (choice, limit) = (choices.byte(), usize::from(choices.byte()) * 8);
    match choice & 3 {
        0 => compressed(body, limit, u32::from(choice >> 4) % 10),
        1 => inflated(body, limit),
        2 => json(body),
        _ => typed_json(body),
    }
}

/// What a client has compressed.
fn compressed(content: &[u8], limit: usize, level: u32) {
    let mut encoder = GzEncoder::new(Vec::new(), Level::new(level));
    encoder.write_all(content).expect("memory takes it");
    let gzip = encoder.finish().expect("memory takes it");
    let (read, reply) = raw(&gzip, limit, Way::Whole);
    if gzip.len() > limit || content.len() > limit {
        assert_eq!((read, reply.status()), (None, 413), "{} bytes, {limit} at most", content.len());
    } else {
        assert_eq!((read.as_deref(), reply.status()), (Some(content), 200));
    }
    for wrong in [&gzip[..gzip.len() - 1], &[&gzip[..], b"\0"].concat()] {
        let (read, reply) = raw(wrong, usize::MAX >> 1, Way::Whole);
        assert_eq!((read, reply.status()), (None, 400));
    }
}

/// What a client says was compressed.
fn inflated(gzip: &[u8], limit: usize) {
    let (read, reply) = raw(gzip, limit, Way::Whole);
    for way in [Way::Slowly, Way::Chunked] {
        let (other, other_reply) = raw(gzip, limit, way);
        assert_eq!((&other, other_reply.status()), (&read, reply.status()));
    }
    let Some(content) = read else {
        return assert!(matches!(reply.status(), 400 | 413), "{}", reply.status());
    };
    assert!(content.len() <= limit && reply.status() == 200);
    let least = content.len().max(gzip.len());
    assert_eq!(raw(gzip, least, Way::Whole).0, Some(content));
    if let Some(less) = least.checked_sub(1) {
        assert_eq!(raw(gzip, less, Way::Whole).1.status(), 413);
    }
}

fn json(body: &[u8]) {
    let expected = serde_json::from_slice::<Value>(body).ok();
    for way in [Way::Whole, Way::Slowly, Way::Chunked] {
        let (read, reply) = post(body, "application/json", way, |put| {
            app::json(move |_, res: http::Response, value: Value| {
                *put.borrow_mut() = Some(value);
                res.end(());
            })
        });
        assert_eq!((reply.status(), read.as_ref()), (if expected.is_some() { 200 } else { 400 }, expected.as_ref()));
        check_text(&reply);
    }
}

fn typed_json(body: &[u8]) {
    let expected = serde_json::from_slice::<Typed>(body);
    let (read, reply) = post(body, "application/json", Way::Whole, |put| {
        app::json(move |_, res: http::Response, value: Typed| {
            *put.borrow_mut() = Some(value);
            res.end(());
        })
    });
    let status = match &expected {
        Ok(_) => 200,
        Err(error) if error.is_data() => 422,
        Err(_) => 400,
    };
    assert_eq!((reply.status(), read), (status, expected.ok()));
    check_text(&reply);
}

/// All that a client may be told. What is in the input is not among it.
const TOLD: &[&str] = &[
    "EOF while parsing a list",
    "EOF while parsing a string",
    "EOF while parsing a value",
    "EOF while parsing an object",
    "control character (\\u0000-\\u001F) found while parsing a string",
    "expected `,` or `]`",
    "expected `,` or `}`",
    "expected `:`",
    "expected ident",
    "expected value",
    "invalid escape",
    "invalid number",
    "invalid unicode code point",
    "key must be a string",
    "lone leading surrogate in hex escape",
    "number out of range",
    "recursion limit exceeded",
    "the body is empty",
    "trailing characters",
    "trailing comma",
    "unexpected end of hex escape",
];
const FITTING: &[&str] = &[
    "`tree` or `flower` is expected",
    "an array is expected",
    "a whole number from -32768 to 32767 is expected",
    "a whole number from 0 to 255 is expected",
    "an object is expected",
    "duplicate field `a`",
    "duplicate field `b`",
    "duplicate field `c`",
    "duplicate field `d`",
    "missing field `a`",
    "true or false is expected",
];

fn check_text(reply: &Reply) {
    let text = reply.text();
    let known = match reply.status() {
        200 => return assert!(text.is_empty()),
        400 => TOLD,
        _ => FITTING,
    };
    let said = text.trim_end().strip_prefix("JSON: ").expect("JSON was refused");
    let words = said.split_once(" at line ").map_or(said, |(words, _)| words);
    assert!(known.contains(&words), "{said:?}");
}

#[derive(Clone, Copy)]
enum Way {
    Whole,
    Slowly,
    Chunked,
}

/// What a handler gets of a body that is compressed.
fn raw(body: &[u8], limit: usize, way: Way) -> (Option<Vec<u8>>, Reply) {
    post(body, "gzip", way, |put| {
        app::raw_up_to(limit, move |_, res: http::Response, content| {
            *put.borrow_mut() = Some(content);
            res.end(());
        })
    })
}

type Put<T> = Rc<RefCell<Option<T>>>;

/// `what`: a coding, or a media type.
fn post<T: 'static, H>(body: &[u8], what: &str, way: Way, handler: impl FnOnce(Put<T>) -> H) -> (Option<T>, Reply)
where
    H: FnMut(http::Request, http::Response) -> http::Result + 'static,
{
    let (sim, got) = (Sim::new(), Put::default());
    let mut app = App::new();
    app.with(compression(Compression::new()));
    app.post("/", handler(got.clone()));
    app.listen(80, ()).expect("a world has each port");
    let name = if what == "gzip" { "Content-Encoding" } else { "Content-Type" };
    let request = sim.request("POST", "/").header(name, what).body(body);
    let reply = match way {
        Way::Whole => request.send(),
        Way::Slowly => request.slowly().send(),
        Way::Chunked => request.header("Transfer-Encoding", "chunked").send(),
    };
    (got.take(), reply)
}
