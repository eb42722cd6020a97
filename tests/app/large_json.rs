//! JSON of more than 8 KiB is parsed on a worker: the loop goes on, and the answers are those that small bodies get.

use crate::support::http::*;
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{self, Request, Response};
use oneloop::sim::{Reply, Sim};
use oneloop::{app, metrics};
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// The longest body, in bytes, that the loop parses by itself.
const SMALL: usize = 8 * 1024;
const WORKER: Duration = Duration::from_secs(1);

/// A list of ones that ends with `last`, in so many bytes.
fn list(bytes: usize, last: &str) -> String {
    let ones = "1,".repeat((bytes - last.len() - 2) / 2);
    format!("[{ones}{last}{:>1$}", "]", bytes - 1 - ones.len() - last.len())
}

/// Two servers' handlers in one: the body is an argument, or is read late.
fn served() -> (Sim, http::Server) {
    let mut first = app::json(|_, res, numbers: Vec<u8>| res.end(numbers.len().to_string()));
    let handler = move |req: Request, res: Response| match req.path() {
        "/late" => {
            req.read_json(20_000, move |numbers: http::Result<Vec<u8>>| -> http::Result {
                res.end(numbers?.len().to_string());
                Ok(())
            });
            Ok(())
        }
        "/quick" => {
            res.end("quick");
            Ok(())
        }
        _ => first(req, res),
    };
    let (sim, server) = serve(handler);
    sim.set_worker_latency(WORKER);
    (sim, server)
}

/// The answer, and whether it took a worker.
fn post(sim: &Sim, path: &str, body: &str) -> (Reply, bool) {
    let began = sim.now();
    let reply = sim.request("POST", path).header("Content-Type", "application/json").body(body).send();
    let took = sim.now() - began;
    (reply, took >= WORKER)
}

#[test]
fn a_worker_parses_what_is_large_and_the_answers_are_the_same() {
    let (sim, _server) = served();
    for path in ["/", "/late"] {
        for (length, on_worker) in [(9, false), (SMALL, false), (SMALL + 1, true), (20_000, true)] {
            assert_eq!(list(length, "1").len(), length);
            let (reply, waited) = post(&sim, path, &list(length, "1"));
            assert_eq!((reply.text(), waited), (((length - 3) / 2 + 1).to_string(), on_worker), "{path} {length}");
            let (reply, waited) = post(&sim, path, &list(length, "256"));
            assert_eq!((reply.status(), waited), (422, on_worker), "{path} {length}");
            assert!(reply.text().starts_with("JSON: "), "{}", reply.text());
            let (reply, waited) = post(&sim, path, &list(length, "x"));
            let column = 2 * ((length - 3) / 2) + 2;
            assert_eq!((reply.status(), waited), (400, on_worker), "{path} {length}");
            assert_eq!(reply.text(), format!("JSON: expected value at line 1 column {column}\n"), "{path} {length}");
        }
    }
}

#[test]
fn others_are_answered_while_a_worker_parses() {
    let (sim, _server) = served();
    let body = list(20_000, "1");
    let slow = send(
        &sim,
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    let began = sim.now();
    assert_eq!(sim.request("GET", "/quick").send().text(), "quick");
    assert!(sim.now() - began < WORKER && slow.received().is_empty());
    sim.advance(WORKER);
    assert!(String::from_utf8_lossy(&slow.received()).ends_with("\r\n\r\n9999"));
}

#[test]
fn a_client_that_goes_meanwhile_calls_no_handler_and_ends_a_late_read_once() {
    let record = Record::default();
    let (called, told) = (record.clone(), record.clone());
    let mut first = app::json(move |_, _, _: Vec<u8>| called.add("handler"));
    let (sim, server) = serve(move |req: Request, res: Response| {
        if req.path() == "/" {
            return first(req, res);
        }
        let told = told.clone();
        req.read_json(20_000, move |numbers: http::Result<Vec<u8>>| told.add(format!("late: {}", numbers.is_ok())));
        Ok(())
    });
    sim.set_worker_latency(WORKER);
    let body = list(20_000, "1");
    for (path, expected) in [("/", &[][..]), ("/late", &["late: true"])] {
        let length = body.len();
        let peer = send(
            &sim,
            format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
        assert_eq!(metrics().jobs, 1);
        peer.reset();
        sim.advance(10 * WORKER);
        record.expect(expected);
        assert_eq!((server.open_exchanges().len(), metrics().jobs), (0, 0));
    }
}

/// A number whose `Deserialize` panics.
struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Panics, D::Error> {
        panic!("as the test wants it");
    }
}

#[test]
fn a_type_that_panics_costs_its_exchange_wherever_it_is_parsed() {
    keep_log();
    set_panic_policy(PanicPolicy::Catch);
    let (sim, _server) = serve(app::json(|_, _, _: Vec<Panics>| unreachable!("there is no value")));
    set_panic_policy(PanicPolicy::Catch);
    for length in [9, SMALL + 1] {
        assert_eq!(post(&sim, "/", &list(length, "1")).0.status(), 500, "{length}");
    }
    expect_logged("as the test wants it");
}
