//! Errors and panics go through the error handlers in order; what none answers gets a page that shows nothing internal.

use crate::support::http::*;
use oneloop::app::{App, Panicked, Unanswered};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{Error, Request, Response};
use oneloop::set_timeout;
use oneloop::sim::{Reply, Sim};
use std::rc::Rc;

fn start(app: App) -> Sim {
    let sim = Sim::new();
    set_panic_policy(PanicPolicy::Catch);
    app.listen(PORT, ()).unwrap();
    sim
}

fn answered(reply: &Reply) -> (u16, String) {
    (reply.status(), reply.text())
}

/// Fails in the way that the query names.
fn fails(req: Request, res: Response) -> oneloop::http::Result {
    match req.query().unwrap_or_default() {
        "error" => return Err(Error::new(422, "no good")),
        "any" => Err("the password is 1234")?,
        "fail" => res.fail(Error::new(409, "later")),
        "late" => drop(set_timeout(SECOND, move || res.fail(Error::new(410, "late")))),
        "panic" => panic!("the password is 1234"),
        "late-panic" => drop(set_timeout(SECOND, move || {
            let _res = res;
            panic!("the password is 1234");
        })),
        "drop" => {}
        "body" => req.read_body(1, move |body| {
            body?;
            res.end(());
            Ok(())
        }),
        "file" => res.send_file("/there/is/no/such/file"),
        "field" => {
            res.set_header("X", "a\nb");
            res.end("not sent");
        }
        other => res.end(format!("well: {other}")),
    }
    Ok(())
}

#[test]
fn every_kind_of_failure_comes_to_the_error_handler_with_its_status_set() {
    let mut app = App::new();
    app.all("/", fails);
    app.on_error(|error, _req, res, _next| {
        let kind = match (error.downcast_ref::<Panicked>(), error.downcast_ref::<Unanswered>()) {
            (Some(_), _) => "panic",
            (_, Some(_)) => "drop",
            _ => "error",
        };
        assert_eq!(res.status(), error.status());
        res.end(format!("{kind} {}", error.text()));
    });
    let sim = start(app);
    for (query, status, text) in [
        ("error", 422, "error no good"),
        ("any", 500, "error "),
        ("fail", 409, "error later"),
        ("late", 410, "error late"),
        ("panic", 500, "panic "),
        ("late-panic", 500, "panic "),
        ("drop", 500, "drop "),
        ("file", 404, "error "),
        ("field", 500, "error "),
        ("else", 200, "well: else"),
    ] {
        let reply = sim.request("GET", &format!("/?{query}")).send();
        assert_eq!(answered(&reply), (status, text.to_owned()), "{query}");
    }
    let reply = sim.request("POST", "/?body").body("too long").send();
    assert_eq!(reply.status(), 413, "{}", reply.text());
    assert_eq!(answered(&sim.request("GET", "/none").send()), (404, "error ".to_owned()));
}

#[test]
fn error_handlers_run_in_order_from_the_inner_router_to_the_outer_and_pass_on_what_is_not_theirs() {
    let pass_on = |name: &'static str| {
        move |error: Error, _req: Request, res: Response, next: oneloop::app::Next| {
            let so_far = res.header("X-By").unwrap_or_default();
            res.set_header("X-By", format!("{so_far}{name}"));
            next.fail(error);
        }
    };
    let mut app = App::new();
    app.on_error(pass_on("a")).on_error(|error, _req, res, next| match error.status() {
        499 => next.fail(error),
        status => res.end(format!("b {status}")),
    });
    app.group("/in", |group| {
        group.on_error(pass_on("x"));
        group.get("/418", |_req, _res| Err(Error::new(418, "tea")));
        group.get("/499", |_req, _res| Err(Error::new(499, "nobody's")));
        group.on_error(pass_on("y"));
    });
    app.group("/other", |group| {
        group.on_error(|_error, _req, _res, _next| unreachable!("of another router"));
    });
    app.get("/out", |_req, _res| Err(Error::new(404, "")));
    let sim = start(app);
    for (target, status, by, text) in [
        ("/in/418", 418, "xya", "b 418"),
        ("/in/499", 499, "xya", "nobody's\n"),
        ("/out", 404, "a", "b 404"),
        ("/none", 404, "a", "b 404"),
    ] {
        let reply = sim.request("GET", target).send();
        assert_eq!((reply.status(), reply.header("x-by"), &*reply.text()), (status, Some(by), text), "{target}");
    }
}

#[test]
fn an_error_handler_may_settle_the_error_fail_itself_panic_or_forget_it() {
    let mut app = App::new();
    app.group("/in", |group| {
        group.with(|_req, _res, next| next.fail(Error::new(400, "first")));
        group.on_error(|_error, req, _res, next| match req.query().unwrap_or_default() {
            "settle" => next.run(),
            "fail" => next.fail(Error::new(402, "second")),
            "panic" => panic!("here"),
            _ => {}
        });
    });
    app.get("/in", |_req, res| res.end("settled"));
    let sim = start(app);
    for (query, status, text) in [
        ("settle", 200, "settled"),
        ("fail", 402, "second\n"),
        ("panic", 500, "500 Internal Server Error\n"),
        ("forget", 500, "500 Internal Server Error\n"),
    ] {
        let reply = sim.request("GET", &format!("/in?{query}")).send();
        assert_eq!(answered(&reply), (status, text.to_owned()), "{query}");
    }
}

#[test]
fn pages_are_what_the_client_asks_for_and_show_nothing_internal() {
    let mut app = App::new();
    app.get("/", fails);
    app.get("/text", |_req, _res| Err(Error::new(400, "<b>\"bad\"</b>\n")));
    let sim = start(app);
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (accept, content_type, page) in [
        (None, "text/plain; charset=utf-8", "<b>\"bad\"</b>\n\n"),
        (Some("*/*"), "text/plain; charset=utf-8", "<b>\"bad\"</b>\n\n"),
        (
            Some(BROWSER),
            "text/html; charset=utf-8",
            "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n\
             <p>&lt;b&gt;&quot;bad&quot;&lt;/b&gt;\n\n",
        ),
        (
            Some("application/json"),
            "application/problem+json",
            "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"<b>\\\"bad\\\"</b>\\u000a\"}\n",
        ),
    ] {
        let request = sim.request("GET", "/text");
        let reply = match accept {
            Some(accept) => request.header("Accept", accept).send(),
            None => request.send(),
        };
        assert_eq!((reply.header("content-type"), &*reply.text()), (Some(content_type), page));
        for how in ["any", "panic", "drop", "late-panic"] {
            let request = sim.request("GET", &format!("/?{how}")).header("Accept", accept.unwrap_or("*/*"));
            let reply = request.send();
            assert_eq!(reply.status(), 500);
            assert!(!reply.text().contains("1234") && !reply.text().contains(".rs"), "{how}: {}", reply.text());
            assert_eq!(reply.header("content-type"), Some(content_type));
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(reply.header("content-security-policy"), Some("default-src 'none'"));
        }
    }
}

#[test]
fn an_error_keeps_what_the_client_needs_to_be_shown_it_and_loses_what_described_the_answer() {
    let mut app = App::new();
    app.with(|_req, res, next| {
        for (name, value) in [
            ("Access-Control-Allow-Origin", "https://a.example"),
            ("Vary", "Origin"),
            ("X-Request-Id", "7"),
            ("Strict-Transport-Security", "max-age=1"),
            ("Content-Security-Policy", "default-src 'self'"),
            ("Set-Cookie", "a=b"),
            ("ETag", "\"x\""),
            ("Cache-Control", "max-age=60"),
            ("Content-Encoding", "gzip"),
            ("Content-Length", "1000"),
        ] {
            res.set_header(name, value);
        }
        res.set_status(201);
        next.run();
    });
    app.get("/", fails);
    let sim = start(app);
    for (how, status, cookie) in
        [("error", 422, Some("a=b")), ("panic", 500, None), ("drop", 500, None), ("fail", 409, Some("a=b"))]
    {
        let reply = sim.request("GET", &format!("/?{how}")).send();
        assert_eq!(reply.status(), status);
        for (name, value) in [
            ("access-control-allow-origin", "https://a.example"),
            ("vary", "Origin"),
            ("x-request-id", "7"),
            ("strict-transport-security", "max-age=1"),
            ("content-security-policy", "default-src 'self'"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{how} {name}");
        }
        for name in ["etag", "cache-control", "content-encoding"] {
            assert_eq!(reply.header(name), None, "{how} {name}");
        }
        assert_eq!(reply.header("set-cookie"), cookie, "{how}");
    }
}

#[test]
fn what_a_program_sends_behind_its_failure_is_ignored() {
    let mut app = App::new();
    app.get("/", |_req, res| {
        res.fail(Error::new(409, "failed"));
        res.set_status(200).set_header("X-Late", "1");
        res.flush_headers();
        res.write("late").ignore();
        res.end("late");
        res.fail(Error::new(400, "again"));
    });
    app.get("/timer", |_req, res| {
        drop(set_timeout(SECOND, move || {
            res.fail(Error::new(409, "failed"));
            res.end("late");
        }));
    });
    app.on_error(|error, _req, res, _next| res.end(format!("handled {}", error.text())));
    let sim = start(app);
    for target in ["/", "/timer"] {
        let reply = sim.request("GET", target).send();
        assert_eq!((reply.status(), reply.header("x-late"), &*reply.text()), (409, None, "handled failed"), "{target}");
    }
}

#[test]
fn a_failure_behind_the_head_cuts_the_connection_and_calls_no_error_handler() {
    let mut app = App::new();
    app.get("/", |req, res| {
        res.write("begun").ignore();
        fails(req, res)
    });
    app.on_error(|_error, _req, _res, _next| unreachable!("behind the head"));
    let sim = start(app);
    for how in ["error", "fail", "panic", "drop", "late"] {
        let peer = send(&sim, get(&format!("/?{how}")));
        sim.advance(2 * SECOND);
        assert!(peer.is_closed() && !peer.text().contains("\r\n0\r\n"), "{how}: {}", peer.text());
    }
}

#[test]
fn a_connection_that_carried_an_error_goes_on() {
    let mut app = App::new();
    app.get("/", fails);
    let sim = start(app);
    let peer = sim.connect(PORT);
    for how in ["error", "panic", "drop", "well"] {
        peer.write(get(&format!("/?{how}")));
        sim.settle();
    }
    assert_eq!(peer.text().matches("HTTP/1.1 ").count(), 4);
    assert!(peer.text().ends_with("well: well"));
}

#[test]
fn values_of_a_request_are_dropped_with_it_even_if_they_hold_its_response() {
    #[expect(dead_code, reason = "they are held")]
    struct Held(Response, Rc<()>);
    let alive = Rc::new(());
    let mut app = App::new();
    let held = alive.clone();
    app.with(move |req, res, next| {
        req.put(Held(res, held.clone()));
        req.put(1_u8);
        assert_eq!(*req.put(2_u8), 2);
        next.run();
    });
    let seen = alive.clone();
    app.get("/", move |req, res| {
        assert_eq!(req.find::<u8>().as_deref(), Some(&2));
        assert!(req.find::<u16>().is_none());
        let seen = seen.clone();
        res.on_close(move |_, _| assert!(Rc::strong_count(&seen) > 3, "still there for the listeners"));
        res.end(());
    });
    app.get("/need", |req, res| {
        req.need::<String>()?;
        res.end(());
        Ok(())
    });
    let sim = start(app);
    sim.request("GET", "/").send();
    assert_eq!(Rc::strong_count(&alive), 3, "of the two closures and of the test");
    let reply = sim.request("GET", "/need").send();
    assert_eq!(reply.status(), 500);
    assert!(reply.log().iter().any(|line| line.text.contains("`alloc::string::String`")));
}
