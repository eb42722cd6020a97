//! Bodies: what does not belong to a handler does not reach it, is answered in one order, as early as it can be, and is not quoted.

use crate::support::http::*;
use oneloop::app::{self, App, Form};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{self, Answer, Error, Request, Response};
use oneloop::sim::{Reply, Sim};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn post(sim: &Sim, media_type: &str, body: impl AsRef<[u8]>) -> Reply {
    sim.request("POST", "/").header("Content-Type", media_type).body(body).send()
}

#[test]
fn a_body_is_refused_for_the_first_reason_and_before_it_is_sent_if_the_head_has_it() {
    let (sim, _server) = serve(app::json_up_to(100, |_, res, value: [u8; 1]| res.end(format!("{value:?}"))));
    // Each step mends what the step before was refused for.
    let steps: &[(&str, &str, &str, bool)] = &[
        (
            "GET",
            "Content-Type: text/json; charset=latin1\r\nContent-Encoding: gzip\r\nContent-Length: 101",
            "400",
            false,
        ),
        (
            "POST",
            "Content-Type: text/json; charset=latin1\r\nContent-Encoding: gzip\r\nContent-Length: 101",
            "415",
            false,
        ),
        (
            "POST",
            "Content-Type: application/json; charset=latin1\r\nContent-Encoding: gzip\r\nContent-Length: 101",
            "413",
            false,
        ),
        (
            "POST",
            "Content-Type: application/json; charset=latin1\r\nContent-Encoding: gzip\r\nContent-Length: 7",
            "415",
            false,
        ),
        ("POST", "Content-Type: application/json; charset=latin1\r\nContent-Length: 7", "415", false),
        ("POST", "Content-Type: application/json; charset=utf-8\r\nContent-Length: 7", "100", true),
        ("POST", "Content-Type: application/json\r\nContent-Length: 7", "100", true),
    ];
    let texts = [
        "a GET request has no body\n",
        "the body must be application/json\n",
        "the body has more than 100 bytes\n",
        "the body must not be compressed\n",
        "the body must be UTF-8\n",
    ];
    for (at, (method, fields, status, asked)) in steps.iter().enumerate() {
        let peer = send(&sim, format!("{method} / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{fields}\r\n\r\n"));
        let received = peer.text();
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "step {at}: {received}");
        if !asked {
            assert!(received.ends_with(texts[at]), "step {at}: {received}");
            continue;
        }
        peer.write(" [  1] ");
        sim.settle();
        assert!(peer.text().ends_with("\r\n\r\n[1]"), "step {at}: {}", peer.text());
        peer.close();
        sim.settle();
    }
    assert_eq!(
        post(&sim, JSON, "[256]").expect(422).text(),
        "JSON: a whole number from 0 to 255 is expected at line 1 column 4\n"
    );
    assert_eq!(post(&sim, JSON, "[1]").expect(200).text(), "[1]");
}

#[test]
fn a_415_says_what_is_wanted() {
    let (sim, _server) = serve(app::json(|_, res, _: Value| res.end("fine")));
    for (method, field) in [("POST", "Accept-Post"), ("PATCH", "Accept-Patch"), ("PUT", "Accept"), ("DELETE", "Accept")]
    {
        let reply = sim.request(method, "/").header("Content-Type", "text/plain").body("x").send().expect(415);
        assert_eq!(reply.header(field), Some(JSON), "{method}");
    }
    let coded = sim.request("POST", "/").header("Content-Type", JSON).header("Content-Encoding", "br").body("x").send();
    assert_eq!(coded.expect(415).header("Accept-Encoding"), Some("identity"));
}

#[test]
fn a_media_type_is_read_by_its_grammar_and_by_nothing_else() {
    let (json, form, text, raw) = (
        app::json(|_, res, _: Value| res.end("json")),
        app::form(|_, res, _: Form| res.end("form")),
        app::text(|_, res, _| res.end("text")),
        app::raw(|_, res, _| res.end("raw")),
    );
    let mut by_path: Vec<Box<dyn FnMut(Request, Response) -> http::Result>> =
        vec![Box::new(json), Box::new(form), Box::new(text), Box::new(raw)];
    let (sim, _server) = serve(move |req, res| by_path[req.path()[1..].parse::<usize>().unwrap()](req, res));
    for (media_type, statuses) in [
        ("application/json", [200, 415, 415, 200]),
        ("Application/JSON", [200, 415, 415, 200]),
        ("application/json;charset=utf-8", [200, 415, 415, 200]),
        ("application/json ; charset=\"UTF-8\"", [200, 415, 415, 200]),
        ("application/merge-patch+json", [200, 415, 415, 200]),
        ("image/x+json", [415, 415, 415, 200]),
        (FORM, [415, 200, 415, 200]),
        ("application/x-www-form-urlencoded; charset=utf8", [415, 200, 415, 200]),
        ("text/plain", [415, 415, 200, 200]),
        ("text/html; charset=us-ascii", [415, 415, 200, 200]),
        ("text/plain; charset=latin1", [415, 415, 415, 200]),
        // What a lax reader takes for JSON (CVE-2025-32442, CVE-2026-25223 of Fastify), while another one does not.
        ("application/json\tfoo", [415, 415, 415, 200]),
        ("application/json foo", [415, 415, 415, 200]),
        ("application/json, text/plain", [415, 415, 415, 200]),
        ("application/jsonx", [415, 415, 415, 200]),
        ("application/json;", [200, 415, 415, 200]),
        ("application/ json", [415, 415, 415, 200]),
        ("application", [415, 415, 415, 200]),
        ("json", [415, 415, 415, 200]),
        ("*/*", [415, 415, 415, 200]),
        ("", [415, 415, 415, 200]),
    ] {
        for (path, status) in statuses.iter().enumerate() {
            let sent = sim.request("POST", &format!("/{path}")).header("Content-Type", media_type).body("1").send();
            assert_eq!(sent.status(), *status, "{media_type:?} for reader {path}: {sent:?}");
        }
    }
    for path in 0..4 {
        let path = format!("/{path}");
        let status = if path == "/3" { 200 } else { 415 };
        assert_eq!(sim.request("POST", &path).body("1").send().status(), status, "no media type, {path}");
        let twice = sim.request("POST", &path).header("Content-Type", JSON).header("Content-Type", "text/plain");
        assert_eq!(twice.body("1").send().status(), status, "two media types, {path}");
    }
}

#[test]
fn a_request_without_a_body_has_no_media_type_to_refuse() {
    let (sim, _server) = serve(app::json(|_, res, _: Value| res.end(())));
    let reply = sim.request("POST", "/").send().expect(400);
    assert_eq!(reply.text(), "JSON: the body is empty\n");
    let (sim, _server) = serve(app::form(|_, res, form: Form| res.end(form.pairs().count().to_string())));
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(sim.request(method, "/").send().text(), "0", "{method}");
    }
    assert_eq!(sim.request("POST", "/").body("").send().text(), "0");
    let (sim, _server) = serve(app::text(|_, res, text| res.end(format!("{text:?}"))));
    assert_eq!(sim.request("PUT", "/").send().text(), "\"\"");
}

#[test]
fn a_body_of_the_limit_is_taken_and_one_byte_more_is_not_in_either_framing() {
    let lengths = |_: Request, res: Response, length: usize| res.end(length.to_string());
    let kib = 1024;
    fn by<T>(
        length: fn(T) -> usize,
        answer: impl Fn(Request, Response, usize) + 'static,
    ) -> impl FnMut(Request, Response, T) {
        move |req, res, value| answer(req, res, length(value))
    }
    let mut readers: [(Box<dyn FnMut(Request, Response) -> http::Result>, &str, usize); 6] = [
        (Box::new(app::json(by(|text: String| text.len() + 2, lengths))), JSON, 100 * kib),
        (Box::new(app::form(by(|form: Form| form.get("a").unwrap().len() + 2, lengths))), FORM, 100 * kib),
        (Box::new(app::text(by(|text: String| text.len(), lengths))), "text/plain", kib * kib),
        (Box::new(app::raw(by(|bytes: Vec<u8>| bytes.len(), lengths))), "a/b", kib * kib),
        (Box::new(app::json_up_to(10, by(|text: String| text.len() + 2, lengths))), JSON, 10),
        (Box::new(app::raw_up_to(0, by(|bytes: Vec<u8>| bytes.len(), lengths))), "a/b", 0),
    ];
    let cases: Vec<_> = readers.iter().map(|(_, media_type, limit)| (*media_type, *limit)).collect();
    let (sim, _server) = serve(move |req, res| readers[req.path()[1..].parse::<usize>().unwrap()].0(req, res));
    for (reader, (media_type, limit)) in cases.into_iter().enumerate() {
        for length in [limit, limit + 1] {
            let body = match media_type {
                JSON => format!("\"{}\"", "x".repeat(length - 2)),
                FORM => format!("a={}", "x".repeat(length - 2)),
                _ => "x".repeat(length),
            };
            for chunked in [false, true] {
                let request = sim.request("POST", &format!("/{reader}")).header("Content-Type", media_type).body(&body);
                let reply =
                    if chunked { request.header("Transfer-Encoding", "chunked").send() } else { request.send() };
                let (status, text) = match length > limit {
                    true => (413, format!("the body has more than {limit} bytes\n")),
                    false => (200, length.to_string()),
                };
                assert_eq!(
                    (reply.status(), reply.text()),
                    (status, text),
                    "reader {reader}, {length} bytes, {chunked}"
                );
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only its errors are of interest")]
struct Todo {
    title: String,
    done: Option<bool>,
    #[serde(default)]
    colour: Colour,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[allow(dead_code, reason = "only its errors are of interest")]
enum Colour {
    #[default]
    Red,
    Mixed {
        parts: Vec<u8>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its errors are of interest")]
enum Either {
    Number(u8),
    List(Vec<u8>),
}

#[test]
fn what_is_wrong_with_json_is_said_with_its_place_and_without_quoting_it() {
    let (sim, _server) = serve(app::json(|_, res, _: Todo| res.end(())));
    for (body, status, text) in [
        ("", 400, "the body is empty"),
        (" \r\n", 400, "the body is empty"),
        ("[", 400, "EOF while parsing a list at line 1 column 1"),
        ("{\n  \"title\": \"secret\",\n}", 400, "trailing comma at line 3 column 1"),
        ("{\"title\" \"secret\"}", 400, "expected `:` at line 1 column 10"),
        ("{\"title\": secret}", 400, "expected value at line 1 column 11"),
        (
            "{\"title\": \"a\u{1}\"}",
            400,
            "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 13",
        ),
        ("{\"title\": \"\\ud800\"}", 400, "unexpected end of hex escape at line 1 column 18"),
        ("{\"title\": \"a\"} secret", 400, "trailing characters at line 1 column 16"),
        ("\u{feff}{\"title\": \"a\"}", 400, "expected value at line 1 column 1"),
        ("{\"title\": 7}", 422, "a string is expected at line 1 column 11"),
        ("{}", 422, "missing field `title` at line 1 column 2"),
        ("{\"title\": \"a\", \"title\": \"secret\"}", 422, "duplicate field `title` at line 1 column 22"),
        (
            "{\"title\": \"a\", \"done\": \"secret, expected secret\"}",
            422,
            "true or false is expected at line 1 column 48",
        ),
        ("{\"title\": \"a\", \"colour\": \"secret\"}", 422, "`red` or `mixed` is expected at line 1 column 33"),
        (
            "{\"title\": \"a\", \"colour\": {\"mixed\": {\"secret\": 1}}}",
            422,
            "a field is unknown: known are `parts` at line 1 column 44",
        ),
        (
            "{\"title\": \"a\", \"colour\": {\"mixed\": {\"parts\": [1, 256]}}}",
            422,
            "a whole number from 0 to 255 is expected at line 1 column 52",
        ),
        ("[]", 422, "an object is expected at line 1 column 2"),
        ("\"secret\"", 422, "an object is expected at line 1 column 8"),
    ] {
        let reply = post(&sim, JSON, body);
        assert_eq!((reply.status(), reply.text()), (status, format!("JSON: {text}\n")), "{body}");
    }
    let mut invalid = b"{\"title\": \"".to_vec();
    invalid.extend_from_slice(b"\xff\"}");
    assert_eq!(post(&sim, JSON, invalid).expect(400).text(), "JSON: invalid unicode code point at line 1 column 12\n");
    let (sim, _server) = serve(app::json(|_, res, _: Either| res.end(())));
    assert_eq!(post(&sim, JSON, "\"secret\"").expect(422).text(), "JSON: a value is not valid\n");
}

#[test]
fn json_is_nested_at_most_128_deep() {
    let (sim, _server) = serve(app::json(|_, res, _: Value| res.end(())));
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(post(&sim, JSON, nested(127)).status(), 200);
    let text = post(&sim, JSON, nested(50_000)).expect(400).text();
    assert_eq!(text, "JSON: recursion limit exceeded at line 1 column 128\n");
}

#[test]
fn a_form_is_what_the_standard_says_and_a_type_says_what_is_wrong() {
    let (sim, _server) = serve(app::form(|_, res, form: Form| {
        let (first, all) = (form.get("a").map(str::to_owned), form.all("a").collect::<Vec<_>>().join("|"));
        res.json(&json!({ "first": first, "all": all, "pairs": form.pairs().collect::<Vec<_>>() }));
    }));
    for (body, first, all, pairs) in [
        ("", Value::Null, "", json!([])),
        ("a=1&b=2&a=+x%21", json!("1"), "1| x!", json!([["a", "1"], ["b", "2"], ["a", " x!"]])),
        ("a[b]=1&a.c=2&__proto__=3", Value::Null, "", json!([["a[b]", "1"], ["a.c", "2"], ["__proto__", "3"]])),
        ("&&=&a", json!(""), "", json!([["", ""], ["a", ""]])),
    ] {
        let reply: Value = serde_json::from_slice(post(&sim, FORM, body).body()).unwrap();
        assert_eq!(reply, json!({ "first": first, "all": all, "pairs": pairs }), "{body}");
    }
    let (sim, _server) = serve(app::form(|_, res, todo: Todo| res.end(format!("{todo:?}"))));
    let reply = post(&sim, FORM, "title=a+b&done=&x=1").expect(200);
    assert_eq!(reply.text(), "Todo { title: \"a b\", done: None, colour: Red }");
    assert_eq!(
        post(&sim, FORM, "title=a&title=b").expect(422).text(),
        "form: `title`: one value, not several, is expected\n"
    );
}

#[test]
fn a_form_has_at_most_a_thousand_fields() {
    let (sim, _server) = serve(app::form(|_, res, form: Form| res.end(form.pairs().count().to_string())));
    let fields = |count: usize| vec!["a=b"; count].join("&");
    assert_eq!(post(&sim, FORM, fields(1_000)).text(), "1000");
    assert_eq!(post(&sim, FORM, fields(1_001)).expect(413).text(), "the form has more than 1000 fields\n");
}

#[test]
fn a_text_that_is_no_utf8_is_refused() {
    let (sim, _server) = serve(app::text(|_, res, text| res.end(text)));
    assert_eq!(post(&sim, "text/plain", "grün".as_bytes()).text(), "grün");
    assert_eq!(post(&sim, "text/plain", b"gr\xfcn").expect(400).text(), "the body is no UTF-8: byte 3 is not\n");
}

#[test]
fn a_handler_keeps_its_state_over_requests_that_cross_each_other_and_over_a_panic() {
    keep_log();
    let mut calls = 0;
    let (sim, _server) = serve(app::text(move |_, res, text| {
        calls += 1;
        assert!(text != "panic", "as the test wants it");
        res.end(format!("{calls} {text}"));
    }));
    set_panic_policy(PanicPolicy::Catch);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n";
    let (one, other) = (send(&sim, format!("{head}fi")), send(&sim, format!("{head}se")));
    other.write("con");
    sim.settle();
    one.write("rst");
    sim.settle();
    assert_eq!((bodies(&one), bodies(&other)), (vec!["2 first".to_owned()], vec!["1 secon".to_owned()]));
    assert_eq!(post(&sim, "text/plain", "panic").status(), 500);
    assert_eq!(post(&sim, "text/plain", "after").text(), "4 after");
    // The place is that of the call of `app::text`.
    expect_logged(&format!("POST / panicked: as the test wants it (callback registered at {}", file!()));
}

#[test]
fn an_error_of_a_handler_is_the_answer() {
    let (sim, _server) = serve(app::json(|_, res, number: u32| -> http::Result {
        if number == 0 {
            return Err(Error::new(409, "zero is taken"));
        }
        res.end("fine");
        Ok(())
    }));
    assert_eq!(post(&sim, JSON, "1").text(), "fine");
    assert_eq!(post(&sim, JSON, "0").expect(409).text(), "zero is taken\n");
}

#[test]
fn a_body_that_is_cut_off_never_reaches_its_handler() {
    let (sim, server) = serve(app::json(|_, _, _: Value| unreachable!("the body is not whole")));
    let peer = send(&sim, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n1");
    peer.close();
    sim.advance(60 * SECOND);
    assert_eq!((server.open_exchanges().len(), server.connections()), (0, 0));
}

#[test]
fn a_late_read_calls_back_once_and_from_the_loop() {
    let record = Record::default();
    let told = record.clone();
    let (sim, _server) = serve(move |req, res| {
        let (inside, told) = (std::rc::Rc::new(Cell::new(true)), told.clone());
        let seen = inside.clone();
        let done = move |what: http::Result<String>| -> http::Result {
            assert!(!seen.get(), "it was called inside of the call");
            told.add(what.as_ref().map_or_else(|error| error.to_string(), Clone::clone));
            res.end(what?);
            Ok(())
        };
        match req.path() {
            "/json" => req.read_json(10, done),
            "/text" => req.read_text(10, done),
            _ => req.read_form(10, move |form: http::Result<Form>| {
                done(form.map(|form| form.get("a").unwrap_or("-").to_owned()))
            }),
        }
        inside.set(false);
    });
    for (path, media_type, body, status, said) in [
        ("/json", JSON, "\"x\"", 200, "x"),
        ("/json", FORM, "\"x\"", 415, "the body must be application/json"),
        ("/json", JSON, "\"x", 400, "JSON: EOF while parsing a string at line 1 column 2"),
        ("/text", "text/css", "x", 200, "x"),
        ("/text", "text/css", "more than 10", 413, "the body has more than 10 bytes"),
        ("/form", FORM, "a=b", 200, "b"),
        ("/form", JSON, "a=b", 415, "the body must be application/x-www-form-urlencoded"),
    ] {
        let reply = sim.request("POST", path).header("Content-Type", media_type).body(body).send();
        assert_eq!(reply.status(), status, "{path} {body}");
        record.expect(&[said]);
    }
}

#[test]
fn a_late_error_that_nobody_answers_has_its_own_status() {
    fn lost<T>(result: http::Result<T>) {
        assert!(result.is_err());
    }
    let (sim, _server) = serve(|req, res| match req.path() {
        "/json" => req.read_json(5, move |read: http::Result<u8>| drop((lost(read), res))),
        _ => req.read_text(5, move |read| drop((lost(read), res))),
    });
    for (path, media_type, body, status) in [
        ("/json", "text/plain", "1", 415),
        ("/json", JSON, "x", 400),
        ("/json", JSON, "256", 422),
        ("/json", JSON, "      1", 413),
        ("/text", "text/plain; charset=koi8-r", "1", 415),
    ] {
        let reply = sim.request("POST", path).header("Content-Type", media_type).body(body).send();
        assert_eq!(reply.status(), status, "{path} {body}");
    }
}

#[test]
fn a_body_that_a_step_before_has_read_is_a_500_whose_log_names_that_step() {
    let mut app = App::new();
    let line = line!() + 2;
    app.with(|req, _res, next| {
        req.read_body(100, move |_body| next.run());
    });
    app.post("/json", app::json(|_, res, _: Value| res.end("twice")));
    app.post("/file", app::multipart(|_, res, _| res.end("twice")));
    let sim = Sim::new();
    app.listen(PORT, ()).unwrap();
    for (path, media_type) in [("/json", JSON), ("/file", "multipart/form-data; boundary=b")] {
        let reply = sim.request("POST", path).header("Content-Type", media_type).body("{}").send();
        assert_eq!((reply.status(), &*reply.text()), (500, "500 Internal Server Error\n"));
        let said = format!("the body was read already, by the callback registered at {}:{line}:", file!());
        assert!(reply.log().iter().any(|kept| kept.text.contains(&said)), "{:?}", reply.log());
    }
}

#[test]
fn a_value_is_answered_as_json() {
    let (sim, _server) = serve(|req, res| match req.path() {
        "/typed" => res.set_header("Content-Type", "application/problem+json").set_status(403).json("no"),
        "/map" => res.json(&BTreeMap::from([(vec![1], 2)])),
        _ => res.json(&json!({ "a": [1, null, "ü"] })),
    });
    let reply = sim.request("GET", "/").send().expect(200);
    assert_eq!((reply.text(), reply.header("Content-Type")), (r#"{"a":[1,null,"ü"]}"#.to_owned(), Some(JSON)));
    assert_eq!(reply.header("Content-Length"), Some("19"));
    let reply = sim.request("GET", "/typed").send().expect(403);
    assert_eq!((reply.text(), reply.header("Content-Type")), ("\"no\"".to_owned(), Some("application/problem+json")));
    let reply = sim.request("GET", "/map").send().expect(500);
    assert!(
        !reply.text().contains("key") && format!("{:?}", reply.log()).contains("key must be a string"),
        "{reply:?}"
    );
}

/// Any body for JSON: valid, nearly valid, and whatever else, always with a text that no answer may have.
fn nearly_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("zq".to_owned()),
        Just("\"zq\"".to_owned()),
        Just("\"zq, expected zq\"".to_owned()),
        Just("1".to_owned()),
        Just("null".to_owned()),
        Just("\"zq\\u000a\"".to_owned()),
        Just("[\"zq\"]".to_owned()),
        Just("{\"zq\":1}".to_owned()),
    ];
    let key = prop_oneof![
        Just("title"),
        Just("done"),
        Just("colour"),
        Just("mixed"),
        Just("parts"),
        Just("zq"),
        Just("`zq`, expected zq")
    ];
    let object = proptest::collection::vec((key, scalar), 0..4).prop_map(|fields| {
        let fields: Vec<_> = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    (object, any::<prop::sample::Index>(), prop::option::of("[\\[\\]{},:\"zq]{1,3}")).prop_map(|(body, at, more)| {
        let mut body = body;
        if let Some(more) = more {
            body.insert_str(at.index(body.len() + 1), &more);
        }
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    /// Property (h) of the layer `app`.
    #[test]
    fn no_error_quotes_json(body in nearly_json()) {
        let (sim, _server) = serve(|req, res| match req.path() {
            "/todo" => app::json(|_, res: Response, _: Todo| res.end("fine"))(req, res),
            "/colour" => app::json(|_, res: Response, _: Colour| res.end("fine"))(req, res),
            "/map" => app::json(|_, res: Response, _: BTreeMap<u8, Either>| res.end("fine"))(req, res),
            _ => app::json(|_, res: Response, _: (String, u8)| res.end("fine"))(req, res),
        });
        for path in ["/todo", "/colour", "/map", "/tuple"] {
            let reply = sim.request("POST", path).header("Content-Type", JSON).body(&body).send();
            prop_assert!(matches!(reply.status(), 200 | 400 | 422), "{reply:?}");
            prop_assert!(!reply.text().contains("zq"), "{body} {reply:?}");
        }
    }

    /// Property (h) of the layer `app`.
    #[test]
    fn a_form_is_read_as_the_standard_says(body in "([a-z%&=+;\\[\\]]|%[0-9a-fA-F]{2}|ü){0,40}") {
        let (sim, _server) = serve(app::form(|_, res, form: Form| res.json(&form.pairs().collect::<Vec<_>>())));
        let read: Vec<(String, String)> = serde_json::from_slice(post(&sim, FORM, &body).body()).unwrap();
        let expected: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        prop_assert_eq!(read, expected);
    }
}

/// The wrappers give handlers for everything that takes one, with closures that have no annotations but the third argument's.
#[test]
fn wrappers_are_handlers_like_any_others() {
    fn takes<R: Answer>(_: impl FnMut(Request, Response) -> R + 'static) {}
    takes(app::json(|_req, res, numbers: Vec<u8>| res.json(&numbers)));
    takes(app::json(|req, res, _: ()| {
        res.end(req.header("X").ok_or(Error::new(400, "no X"))?);
        Ok(())
    }));
    takes(app::form(|_req, res, form: Form| res.end(form.get("a").unwrap_or_default())));
    takes(app::text(|_req, res, text| res.end(text)));
    takes(app::raw(|_req, res, bytes| res.end(bytes)));
    takes(app::text(|_, _, _| unreachable!()));
}
