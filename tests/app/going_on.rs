//! A step goes on once: at once, later, or never; and what it costs if it forgets to, fails or panics.

use crate::support::http::*;
use oneloop::app::{App, Next};
use oneloop::event_loop::{PanicPolicy, on_panic, set_exact_timing, set_panic_policy, set_slow_threshold};
use oneloop::http::{Error, Request, Response};
use oneloop::sim::Sim;
use oneloop::{next_tick, set_immediate, set_timeout, worker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

fn start(app: App) -> Sim {
    let sim = Sim::new();
    set_panic_policy(PanicPolicy::Catch);
    app.listen(PORT, ()).unwrap();
    sim
}

fn pass(_req: Request, _res: Response, next: Next) {
    next.run();
}

#[test]
fn a_thousand_steps_need_no_more_stack_than_one() {
    let mut app = App::new();
    for _ in 0..3_000 {
        app.with(pass);
    }
    app.get("/", |_req, res| res.end("through"));
    assert_eq!(start(app).request("GET", "/").send().text(), "through");
}

#[test]
fn what_stands_behind_the_call_runs_before_the_next_step_and_ticks_run_between_steps() {
    let record = Record::default();
    let mut app = App::new();
    let notes = record.clone();
    app.with(move |_req, _res, next| {
        let ticks = notes.clone();
        next_tick(move || ticks.add("tick"));
        next.run();
        notes.add("behind the call");
    });
    let notes = record.clone();
    app.get("/", move |_req, res| {
        notes.add("handler");
        res.end(());
    });
    let sim = start(app);
    sim.request("GET", "/").send();
    record.expect(&["behind the call", "tick", "handler"]);
}

#[test]
fn a_step_may_go_on_from_any_later_callback_and_needs_to_keep_nothing_else() {
    let mut app = App::new();
    app.with(|_req, _res, next| drop(set_timeout(SECOND, move || next.run())));
    app.with(|_req, _res, next| worker::run(|| (), move |_| next.run()));
    app.with(|_req, _res, next| next_tick(move || next.run()));
    app.with(|_req, _res, next| drop(set_immediate(move || next.run())));
    app.post("/", |req, res| {
        req.read_body(10, move |body| match body {
            Ok(body) => res.end(body),
            Err(error) => res.fail(error),
        });
    });
    let sim = start(app);
    assert_eq!(sim.request("POST", "/").body("late").send().text(), "late");
}

#[test]
fn a_call_of_the_user_never_calls_the_next_step() {
    let called = Rc::new(Cell::new(false));
    let kept: Rc<RefCell<Option<Next>>> = Rc::default();
    let mut app = App::new();
    let keep = kept.clone();
    app.with(move |_req, _res, next| drop(keep.replace(Some(next))));
    let note = called.clone();
    app.get("/", move |_req, res| {
        note.set(true);
        res.end("called");
    });
    let sim = start(app);
    let peer = send(&sim, get("/"));
    assert!(kept.borrow_mut().take().is_some_and(|next| {
        next.run();
        !called.get()
    }));
    sim.settle();
    assert!(called.get() && peer.text().ends_with("called"));
}

#[test]
fn a_step_that_neither_answers_nor_goes_on_is_a_500_that_names_its_line() {
    let mut app = App::new();
    let line = line!() + 1;
    app.with_at("/forgets", |_req, _res, _next| {});
    app.get("/handler", |_req, res| drop(res));
    app.with_at("/later", |_req, _res, next| drop(set_timeout(SECOND, move || drop(next))));
    let sim = start(app);
    for (target, line) in [("/forgets", line), ("/handler", line + 1), ("/later", line + 2)] {
        let reply = sim.request("GET", target).send();
        assert_eq!((reply.status(), &*reply.text()), (500, "500 Internal Server Error\n"), "{target}");
        let logged = reply.log().iter().map(|line| line.text.clone()).collect::<Vec<_>>().join("\n");
        let place =
            format!("GET {target}: the step registered at tests/app/going_on.rs:{line}:9 neither answered nor went on");
        assert!(logged.contains(&place) && logged.matches(".rs:").count() == 1, "{place}: {logged}");
    }
}

#[test]
fn a_panic_is_a_500_at_its_line_and_the_step_serves_the_next_request() {
    let mut app = App::new();
    app.with(pass);
    let line = line!() + 1;
    app.get("/", |req, res| match req.query() {
        Some(_) => panic!("at once"),
        None => res.end("well"),
    });
    let sim = start(app);
    let site = Rc::new(Cell::new(0));
    let seen = site.clone();
    on_panic(move |panic| seen.set(panic.registered.line()));
    assert_eq!(sim.request("GET", "/?").send().status(), 500);
    assert_eq!(site.get(), line);
    assert_eq!(sim.request("GET", "/").send().text(), "well");
}

#[test]
fn an_answer_and_next_is_one_answer_and_the_handler_is_not_called() {
    let mut app = App::new();
    app.with(|_req, res, next| {
        res.end("early");
        next.run();
    });
    app.get("/", |_req, _res| unreachable!("called behind the answer"));
    assert_eq!(start(app).request("GET", "/").send().text(), "early");
}

#[test]
fn no_further_step_is_called_for_a_client_that_has_gone() {
    let kept: Rc<RefCell<Option<Next>>> = Rc::default();
    let mut app = App::new();
    let keep = kept.clone();
    app.with(move |_req, _res, next| drop(keep.replace(Some(next))));
    app.get("/", |_req, _res| unreachable!("called for nobody"));
    let sim = start(app);
    let peer = send(&sim, get("/"));
    assert!(kept.borrow().as_ref().is_some_and(|next| !next.is_over()));
    peer.reset();
    sim.settle();
    let next = kept.take().unwrap();
    assert!(next.is_over());
    next.run();
    sim.run_to_rest();
}

#[test]
fn a_next_that_is_kept_beyond_its_step_does_nothing() {
    let kept: Rc<RefCell<Option<Next>>> = Rc::default();
    let mut app = App::new();
    let keep = kept.clone();
    app.group("/", |group| {
        group.with(move |_req, _res, next| {
            keep.replace(Some(next));
            Err::<(), _>(Error::new(418, "failed"))
        });
        group.on_error(|_error, _req, res, _next| drop(set_timeout(SECOND, move || res.end("handled"))));
    });
    app.get("/", |_req, res| res.end("behind the failure"));
    let sim = start(app);
    let peer = send(&sim, get("/"));
    kept.take().unwrap().run();
    sim.advance(SECOND);
    assert!(peer.text().starts_with("HTTP/1.1 418") && peer.text().ends_with("handled"), "{}", peer.text());
}

#[test]
fn each_step_is_a_callback_of_its_own_in_the_report_of_slow_ones() {
    let mut app = App::new();
    app.with(pass);
    let line = line!() + 1;
    app.with(|_req, _res, next| {
        oneloop::sim::block(60 * MS);
        next.run();
    });
    app.get("/", |_req, res| res.end(()));
    let sim = start(app);
    set_slow_threshold(50 * MS);
    set_exact_timing(true);
    let seen: Rc<RefCell<Vec<_>>> = Rc::default();
    let slow = seen.clone();
    oneloop::event_loop::on_slow(move |turn| slow.borrow_mut().push((turn.callbacks, turn.slowest.clone().unwrap())));
    sim.request("GET", "/").send();
    sim.advance(SECOND);
    let (callbacks, slowest) = seen.borrow()[0].clone();
    assert_eq!((callbacks, slowest.registered.line(), &*slowest.what), (3, line, "GET /"));
}

#[test]
fn a_stream_may_be_begun_in_one_step_and_ended_in_the_next() {
    let mut app = App::new();
    app.with(|_req, res, next| {
        res.write("begun, ").ignore();
        next.run();
    });
    app.get("/", |_req, res| res.end("ended"));
    let sim = start(app);
    assert_eq!(sim.request("GET", "/").send().text(), "begun, ended");
    let peer = send(&sim, get("/none"));
    assert!(peer.text().starts_with("HTTP/1.1 200") && !peer.text().contains("\r\n0\r\n") && peer.is_closed(), "cut");
}
