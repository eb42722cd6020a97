//! Whatever the steps of a chain do, each request gets exactly one whole answer, or its connection is cut.

use crate::support::http::*;
use oneloop::app::{App, Next, Router};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{Error, Request, Response};
use oneloop::sim::Sim;
use oneloop::{next_tick, set_timeout, worker};
use proptest::prelude::*;
use std::time::Duration;

/// What a step does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Run,
    SkipRoute,
    SkipRouter,
    /// `next.fail`.
    Pass,
    Fail,
    Err,
    Panic,
    Drop,
    Answer,
    /// Begins the response, and goes on.
    Begin,
    AnswerAndRun,
    FailAndAnswer,
    Destroy,
}

/// When it does so.
#[derive(Clone, Copy, Debug)]
enum When {
    Now,
    Tick,
    Timer,
    Worker,
}

#[derive(Clone, Debug)]
enum Shape {
    Step(When, Act),
    OnError(When, Act),
    Route(Vec<(When, Act)>),
    Group(Vec<Shape>),
}

fn act(act: Act, res: Response, next: Next) -> oneloop::http::Result {
    match act {
        Act::Run => next.run(),
        Act::SkipRoute => next.skip_route(),
        Act::SkipRouter => next.skip_router(),
        Act::Pass => next.fail(Error::new(418, "passed")),
        Act::Fail => res.fail("failed"),
        Act::Err => return Err(Error::new(409, "returned")),
        Act::Panic => panic!("of a step"),
        Act::Drop => {}
        Act::Answer => res.end("answered"),
        Act::Begin => {
            res.write("begun ").ignore();
            next.run();
        }
        Act::AnswerAndRun => {
            res.end("answered");
            next.run();
        }
        Act::FailAndAnswer => {
            res.fail("failed");
            res.end("answered");
            next.run();
        }
        Act::Destroy => res.destroy(),
    }
    Ok(())
}

fn perform(when: When, what: Act, res: Response, next: Next) -> oneloop::http::Result {
    // A late `Err` has nobody to return to.
    let late = move || drop(act(what, res.clone(), next));
    match when {
        When::Now => return act_now(what, late),
        When::Tick => next_tick(late),
        When::Timer => drop(set_timeout(Duration::from_millis(5), late)),
        When::Worker => worker::run(|| (), move |_| late()),
    }
    Ok(())
}

/// Returns the error of a step that is to return one.
fn act_now(what: Act, act: impl FnOnce()) -> oneloop::http::Result {
    act();
    if let Act::Err = what { Err(Error::new(409, "returned")) } else { Ok(()) }
}

fn build(router: &mut Router, shapes: &[Shape]) {
    for (number, shape) in shapes.iter().enumerate() {
        match shape {
            Shape::Step(when, what) => {
                let (when, what) = (*when, *what);
                router.with(move |_req: Request, res, next| perform(when, what, res, next));
            }
            Shape::OnError(when, what) => {
                let (when, what) = (*when, *what);
                router.on_error(move |_error, _req, res, next| perform(when, what, res, next));
            }
            Shape::Route(steps) => {
                let mut route = router.route("/x");
                for (when, what) in steps.iter().copied() {
                    route = route.with(move |_req: Request, res, next| perform(when, what, res, next));
                }
                drop(route);
            }
            Shape::Group(inner) if number % 2 == 0 => drop(router.group("/", |group| build(group, inner))),
            Shape::Group(inner) => {
                let mut other = Router::new();
                build(&mut other, inner);
                router.vhost("a", other);
            }
        }
    }
}

fn whens() -> impl Strategy<Value = When> {
    prop_oneof![4 => Just(When::Now), 1 => Just(When::Tick), 1 => Just(When::Timer), 1 => Just(When::Worker)]
}

fn acts() -> impl Strategy<Value = Act> {
    use Act::*;
    let rare = prop::sample::select(vec![
        SkipRoute,
        SkipRouter,
        Pass,
        Fail,
        Err,
        Panic,
        Drop,
        Answer,
        Begin,
        AnswerAndRun,
        FailAndAnswer,
        Destroy,
    ]);
    prop_oneof![1 => Just(Run), 1 => rare]
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let one = prop_oneof![
        4 => (whens(), acts()).prop_map(|(when, act)| Shape::Step(when, act)),
        2 => (whens(), acts()).prop_map(|(when, act)| Shape::OnError(when, act)),
        1 => prop::collection::vec((whens(), acts()), 1..4).prop_map(Shape::Route),
    ];
    let one = one.prop_recursive(3, 20, 5, |inner| prop::collection::vec(inner, 0..5).prop_map(Shape::Group));
    prop::collection::vec(one, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_chain_answers_exactly_once_or_cuts(shapes in shapes(), leaves in any::<u8>()) {
        let sim = Sim::new();
        set_panic_policy(PanicPolicy::Catch);
        let mut app = App::new();
        build(&mut app, &shapes);
        let server = app.listen(PORT, ()).unwrap();
        let peer = sim.connect(PORT);
        peer.write(get("/x"));
        if leaves == 0 {
            peer.reset();
        }
        sim.advance(Duration::from_secs(1));
        prop_assert_eq!(server.open_exchanges().len(), 0, "it hangs");
        if leaves > 0 {
            let text = peer.text();
            prop_assert!(peer.is_closed() || text.starts_with("HTTP/1.1 "), "neither an answer nor a cut: {text:?}");
            // One answer, which is whole unless the connection was cut.
            prop_assert!(text.matches("HTTP/1.1 ").count() <= 1, "{text:?}");
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let whole = length.map_or(body.ends_with("0\r\n\r\n"), |length| length == body.len().to_string());
            prop_assert!(whole || peer.is_closed(), "{text:?}");
            // The connection serves the next request, unless it was cut.
            if !peer.is_closed() {
                peer.write(get("/x"));
                sim.advance(Duration::from_secs(1));
                prop_assert!(peer.is_closed() || peer.text().matches("HTTP/1.1 ").count() == 2);
            }
        }
        server.close(|| ());
        sim.run_to_rest();
    }
}
