//! 304, 412 and parts, for what a handler has made.

use oneloop::app::Selection::{self, Part, Unsatisfiable, Whole};
use oneloop::http::{self, Request, Response};
use oneloop::sim::Sim;
use std::cell::Cell;
use std::rc::Rc;

type Fields = &'static [(&'static str, &'static str)];

/// What `question` says of a request, once its response has the fields `set`.
fn ask<R: 'static>(
    method: &str,
    sent: Fields,
    set: Fields,
    question: impl Fn(&Request, &Response) -> R + 'static,
) -> R {
    let sim = Sim::new();
    let answer = Rc::new(Cell::new(None));
    let told = answer.clone();
    let server = http::create_server(move |req, res| {
        for (name, value) in set {
            res.set_header(name, *value);
        }
        told.set(Some(question(&req, &res)));
        res.end(())
    });
    server.listen(80, ()).unwrap();
    sent.iter().fold(sim.request(method, "/"), |request, (name, value)| request.header(name, value)).send();
    answer.take().expect("the request was not asked")
}

/// The cases of fresh (jshttp): fields of the request, fields of the response, and whether it is fresh.
const FRESH: &[(Fields, Fields, bool)] = &[
    (&[], &[], false),
    (&[("If-None-Match", "\"foo\"")], &[("ETag", "\"foo\"")], true),
    (&[("If-None-Match", "\"foo\"")], &[("ETag", "\"bar\"")], false),
    (&[("If-None-Match", " \"bar\" , \"foo\"")], &[("ETag", "\"foo\"")], true),
    (&[("If-None-Match", "\"bar\",\t\"foo\"")], &[("ETag", "\"foo\"")], true),
    (&[("If-None-Match", "\"foo\"")], &[], false),
    (&[("If-None-Match", "W/\"foo\"")], &[("ETag", "W/\"foo\"")], true),
    (&[("If-None-Match", "W/\"foo\"")], &[("ETag", "\"foo\"")], true),
    (&[("If-None-Match", "\"foo\"")], &[("ETag", "W/\"foo\"")], true),
    (&[("If-None-Match", "*")], &[("ETag", "\"foo\"")], true),
    (&[("If-None-Match", "*, \"bar\"")], &[("ETag", "\"foo\"")], false),
    (&[("If-Modified-Since", EARLY)], &[("Last-Modified", LATE)], false),
    (&[("If-Modified-Since", LATE)], &[("Last-Modified", EARLY)], true),
    (&[("If-Modified-Since", EARLY)], &[], false),
    (&[("If-Modified-Since", "foo")], &[("Last-Modified", EARLY)], false),
    (&[("If-Modified-Since", EARLY)], &[("Last-Modified", "foo")], false),
    (
        &[("If-None-Match", "\"foo\""), ("If-Modified-Since", LATE)],
        &[("ETag", "\"foo\""), ("Last-Modified", EARLY)],
        true,
    ),
    (
        &[("If-None-Match", "\"foo\""), ("If-Modified-Since", EARLY)],
        &[("ETag", "\"foo\""), ("Last-Modified", LATE)],
        true,
    ),
    (
        &[("If-None-Match", "\"foo\""), ("If-Modified-Since", LATE)],
        &[("ETag", "\"bar\""), ("Last-Modified", EARLY)],
        false,
    ),
    (
        &[("If-None-Match", "\"foo\""), ("If-Modified-Since", EARLY)],
        &[("ETag", "\"bar\""), ("Last-Modified", LATE)],
        false,
    ),
    (&[("Cache-Control", "no-cache")], &[], false),
    // It says that these two are stale. `no-cache` tells caches to ask the server (RFC 9111, 5.2.1.4); the server still knows whether
    // the client has the present state.
    (&[("Cache-Control", "no-cache"), ("If-None-Match", "\"foo\"")], &[("ETag", "\"foo\"")], true),
    (&[("Cache-Control", "no-cache"), ("If-Modified-Since", LATE)], &[("Last-Modified", EARLY)], true),
];

const EARLY: &str = "Sat, 01 Jan 2000 00:00:00 GMT";
const LATE: &str = "Sat, 01 Jan 2000 01:00:00 GMT";

#[test]
fn what_the_client_has_is_fresh() {
    for (sent, set, expected) in FRESH {
        assert_eq!(ask("GET", sent, set, |req, _| req.is_fresh()), *expected, "{sent:?} {set:?}");
        assert_eq!(ask("HEAD", sent, set, |req, _| req.is_fresh()), *expected, "{sent:?} {set:?}");
        assert!(!ask("POST", sent, set, |req, _| req.is_fresh()), "{sent:?} {set:?}");
        let failed = |req: &Request, res: &Response| {
            res.set_status(404);
            req.is_fresh()
        };
        assert!(!ask("GET", sent, set, failed), "{sent:?} {set:?}");
    }
}

#[test]
fn who_changes_what_another_has_changed_gets_412() {
    let set: Fields = &[("ETag", "\"7\""), ("Last-Modified", EARLY)];
    let holds = |method, sent| ask(method, sent, set, |req, _| req.preconditions_hold());
    for (method, sent, expected) in [
        ("PUT", &[][..], true),
        ("PUT", &[("If-Match", "\"7\"")], true),
        ("PUT", &[("If-Match", "\"6\", \"7\"")], true),
        ("PUT", &[("If-Match", "*")], true),
        ("PUT", &[("If-Match", "\"6\"")], false),
        ("DELETE", &[("If-Match", "W/\"7\"")], false),
        ("PUT", &[("If-None-Match", "*")], false),
        ("PUT", &[("If-None-Match", "\"7\"")], false),
        ("PUT", &[("If-None-Match", "\"6\"")], true),
        ("PATCH", &[("If-Unmodified-Since", EARLY)], true),
        ("PATCH", &[("If-Unmodified-Since", "Fri, 31 Dec 1999 00:00:00 GMT")], false),
        ("PATCH", &[("If-Modified-Since", LATE)], true),
        ("GET", &[("If-None-Match", "\"7\"")], true),
        ("GET", &[("If-Modified-Since", LATE)], true),
        ("GET", &[("If-Match", "\"6\"")], false),
    ] {
        assert_eq!(holds(method, sent), expected, "{method} {sent:?}");
    }
}

/// The cases of range-parser (jshttp): the length, the field, and the part. Its -2 (malformed) is `Whole` here: the field is ignored
/// (RFC 9110, 14.2).
const RANGES: &[(u64, &str, Selection)] = &[
    (200, "", Whole),
    (200, "bytes=100200", Whole),
    (200, "bytes=,100200", Whole),
    (200, "malformed", Whole),
    (200, "bytes=x-100", Whole),
    (200, "bytes=100-x", Whole),
    (200, "bytes=--100", Whole),
    (200, "bytes=100--200", Whole),
    (200, "bytes=-", Whole),
    (200, "bytes= - ", Whole),
    (200, "bytes=", Whole),
    (200, "bytes=,", Whole),
    (200, "bytes= , , ", Whole),
    (200, "bytes=100-200-300", Whole),
    (200, "bytes=-100-150", Whole),
    (200, "bytes=01a-150", Whole),
    (200, "bytes=100-15b0", Whole),
    (200, "bytes=y-v,x-", Whole),
    (200, "bytes=500-600", Unsatisfiable),
    (200, "bytes=500-999", Unsatisfiable),
    (1000, "bytes=0-499", Part { first: 0, last: 499 }),
    (200, "bytes=0-499", Part { first: 0, last: 199 }),
    (1000, "bytes=40-80", Part { first: 40, last: 80 }),
    (1000, "bytes=-400", Part { first: 600, last: 999 }),
    (1000, "bytes=400-", Part { first: 400, last: 999 }),
    (1000, "bytes=0-", Part { first: 0, last: 999 }),
    (1000, "bytes=0-0", Part { first: 0, last: 0 }),
    (1000, "bytes=-1", Part { first: 999, last: 999 }),
    // It calls this one unsatisfiable; a range whose end is before its begin is malformed (RFC 9110, 14.1.2).
    (200, "bytes=500-20", Whole),
    // It gives out several ranges, or those of them that are well-formed; we send all of the body, which is less than many parts
    // can be.
    (1000, "bytes=40-80,81-90,-1", Whole),
    (1000, "bytes=100-200,x-", Whole),
    (200, "bytes=500-600,601-700", Whole),
    (1000, "items=0-5", Whole),
];

#[test]
fn a_range_selects_one_part_or_the_whole() {
    for (length, field, expected) in RANGES {
        let sent: &'static [_] = vec![("Range", *field)].leak();
        assert_eq!(ask("GET", sent, &[], |req, _| req.range(*length)), *expected, "{field}");
        assert_eq!(ask("HEAD", sent, &[], |req, _| req.range(*length)), Whole, "{field}");
    }
}

#[test]
fn a_part_is_sent_only_of_the_state_that_the_client_knows() {
    let range = |tag, ours| {
        let sent: &'static [_] = vec![("Range", "bytes=0-1"), ("If-Range", tag)].leak();
        let set: &'static [_] = vec![("ETag", ours)].leak();
        ask("GET", sent, set, |req, _| req.range(10))
    };
    assert_eq!(range("\"a\"", "\"a\""), Part { first: 0, last: 1 });
    for (tag, ours) in [("\"a\"", "\"b\""), ("W/\"a\"", "W/\"a\""), (EARLY, "\"a\"")] {
        assert_eq!(range(tag, ours), Whole, "{tag} {ours}");
    }
}

/// Entity tags may have bytes above ASCII (RFC 9110, 8.8.3), and a client may name tags that it has from others.
#[test]
fn a_tag_that_is_no_text_hides_no_other() {
    let sim = Sim::new();
    let server = http::create_server(|req, res| {
        res.set_header("ETag", "\"here\"");
        res.end(if req.is_fresh() { "fresh" } else { "stale" })
    });
    server.listen(80, ()).unwrap();
    let peer = sim.connect(80);
    peer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIf-None-Match: \"\xff\", \"here\"\r\n\r\n");
    sim.settle();
    assert!(peer.text().ends_with("fresh"), "{}", peer.text());
}
