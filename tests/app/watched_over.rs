//! Middlewares that watch over requests: each has an id that no client chooses, and an answer in time.

use crate::support::http::*;
use crate::support::json::Json;
use oneloop::app::{AccessLog, App, Format, RequestId, request_id, request_id_from, timeout};
use oneloop::http::{Error, Request, Response, Server};
use oneloop::set_timeout;
use oneloop::sim::Sim;
use std::collections::BTreeSet;
use std::time::Duration;

fn listen(app: App) -> (Sim, Server) {
    let sim = Sim::new();
    let server = app.listen(PORT, ()).unwrap();
    (sim, server)
}

fn with_id(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn id(sim: &Sim, fields: &str) -> String {
    let reply = only(&send(sim, with_id(fields)));
    reply.field("x-request-id").expect("an id").to_owned()
}

#[test]
fn each_request_has_an_id_of_its_own_whatever_it_comes_with() {
    let mut app = App::new();
    app.with(request_id());
    app.get("/", |_, res| res.end(()));
    let (sim, _server) = listen(app);
    let ids: BTreeSet<String> =
        ["", "X-Request-Id: mine\r\n", "X-Request-Id: mine\r\n"].iter().map(|fields| id(&sim, fields)).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.len() == 18 && !id.contains("mine")), "{ids:?}");
    let mut other = App::new();
    other.with(request_id());
    other.get("/", |_, res| res.end(()));
    other.listen(81, ()).unwrap();
    let reply = sim.request("GET", "http://localhost:81/").send();
    assert!(!ids.contains(reply.header("x-request-id").unwrap()), "another program has other ids");
}

#[test]
fn an_id_is_taken_over_from_who_is_trusted_if_it_is_one() {
    let mut app = App::new();
    app.with(request_id_from(|req| req.header("x-proxy").is_some()));
    app.get("/", |_, res| res.end(()));
    let (sim, _server) = listen(app);
    let longest = "x".repeat(128);
    for good in ["a", "0b9dc7f4-9d6c-4c4b-8f0e-6d7c1f5a2b3c", "Root=1-67891233-abcdef", "a/b+c~d:e@f_g.h=", &longest] {
        let field = format!("X-Request-Id: {good}\r\n");
        assert_eq!(id(&sim, &format!("{field}X-Proxy: 1\r\n")), good);
        assert_ne!(id(&sim, &field), good, "nobody is trusted without a reason");
    }
    let too_long = "x".repeat(129);
    for bad in ["", "a b", "a\tb", "a\"b", "a\\b", "a,b", "<a>", "\u{fc}", &too_long] {
        let own = id(&sim, &format!("X-Request-Id: {bad}\r\nX-Proxy: 1\r\n"));
        assert!(own.len() == 18 && own != bad, "{bad:?} {own:?}");
    }
    assert_eq!(id(&sim, "X-Request-Id: a\r\nX-Request-Id: b\r\nX-Proxy: 1\r\n").len(), 18, "which of them?");
}

#[test]
fn errors_and_the_access_log_have_the_id() {
    let mut app = App::new();
    app.with(request_id_from(|_| true));
    app.get("/", |req: Request, _: Response| {
        assert_eq!(req.need::<RequestId>()?.to_string(), "seven");
        Err::<(), _>(Error::new(500, "it fails"))
    });
    let (sim, server) = listen(app);
    let record = Record::default();
    let told = record.clone();
    AccessLog::new(Format::Json).to_callback(move |line| told.add(line)).attach(&server);
    let reply = only(&send(&sim, with_id("X-Request-Id: seven\r\n")));
    assert_eq!((reply.status, reply.field("x-request-id")), (500, Some("seven")));
    assert_eq!(*Json::parse(&record.take()[0]).at("id"), Json::Text("seven".to_owned()));
}

fn slow(after: Duration) -> (Sim, Server) {
    let mut app = App::new();
    app.with(timeout(after));
    app.get("/late", |_: Request, res: Response| drop(set_timeout(10 * SECOND, move || res.end("late"))));
    app.get("/soon", |_: Request, res: Response| drop(set_timeout(SECOND, move || res.end("soon"))));
    app.get("/half", |_: Request, res: Response| {
        res.write("half").ignore();
        set_timeout(10 * SECOND, move || res.end("late"));
    });
    app.get("/stream", |_: Request, res: Response| {
        res.set_timeout(Duration::ZERO, |_| ());
        set_timeout(10 * SECOND, move || res.end("as long as it likes"));
    });
    app.on_error(|error, _, res, _| res.set_status(error.status()).end("in time"));
    listen(app)
}

#[test]
fn what_is_not_answered_in_time_is_answered_503_and_a_late_answer_does_nothing() {
    let (sim, _server) = slow(2 * SECOND);
    let late = send(&sim, get("/late"));
    sim.advance(2 * SECOND - MS);
    assert_eq!(late.received(), b"");
    sim.advance(MS);
    let reply = only(&late);
    assert_eq!((reply.status, reply.text().as_str()), (503, "in time"), "by the program's error handler");
    late.write(get("/soon"));
    sim.advance(20 * SECOND);
    assert_eq!(statuses(&late), [503, 200], "and the late answer is nowhere");
}

#[test]
fn an_answer_in_time_is_left_alone_and_so_is_a_stream_that_says_so() {
    let (sim, _server) = slow(2 * SECOND);
    let (soon, stream) = (send(&sim, get("/soon")), send(&sim, get("/stream")));
    sim.advance(20 * SECOND);
    assert_eq!((bodies(&soon), bodies(&stream)), (vec!["soon".to_owned()], vec!["as long as it likes".to_owned()]));
}

#[test]
fn what_has_begun_is_cut() {
    let (sim, _server) = slow(2 * SECOND);
    let half = send(&sim, get("/half"));
    assert!(!half.is_closed());
    sim.advance(2 * SECOND);
    assert!(half.is_closed() && half.text().ends_with("4\r\nhalf\r\n"), "{}", half.text());
}
