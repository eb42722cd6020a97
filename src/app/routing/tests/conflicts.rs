//! What can never run is said when the program starts, and nothing else is.

use super::naive::{Piece, Route, path, route};
use super::program::step;
use crate::app::routing::{Method, Methods, Program, Reach, Role, Span, Step};
use proptest::prelude::*;

/// The texts of the steps that can never run.
fn conflicts(steps: Vec<Step>, spans: &[Span]) -> Vec<String> {
    let conflicts = Program::build(steps, spans).err().unwrap_or_default();
    conflicts.into_iter().map(|conflict| conflict.step).collect()
}

fn post(step: Step) -> Step {
    Step { methods: Methods::of(&["POST"]), ..step }
}

fn all(step: Step) -> Step {
    Step { methods: Methods::any(), ..step }
}

fn middleware(text: &str) -> Step {
    Step { reach: Reach::Prefix, role: Role::Middleware, ..all(step(text)) }
}

#[test]
fn a_route_behind_one_that_takes_its_paths_can_never_run() {
    for (earlier, later, is_reported) in [
        ("/users/:id", "/users/me", true),
        ("/users/me", "/users/:id", false),
        ("/:a", "/:b", true),
        ("/:a", "/:b/", true),
        ("/*rest", "/a/b", true),
        ("/*rest", "/:a/*b", true),
        ("/*rest", "/", false),
        ("/a/*rest", "/*rest", false),
        // `//x` comes to the second, and to no parameter.
        ("/:a/*rest", "/*rest", false),
        ("/:a{/*rest}", "/*rest", false),
        ("/:name.:ext", "/:name.png", true),
        ("/:name.png", "/:name.:ext", false),
        ("/:a-:b", "/:a-:b-:c", true),
        ("/:a-:b-:c", "/:a-:b", false),
        ("/img-:id", "/img-:id.png", true),
        ("/:id", "/img-:id", true),
        ("/a{/b}", "/a", true),
        ("/a", "/a{/b}", false),
        ("/a{/b}", "/a{/b}", true),
        // One is written as the other is asked for.
        ("/caf\u{e9}", "/caf%c3%a9", true),
        ("/a", "/A", false),
    ] {
        let found = conflicts(vec![step(earlier), step(later)], &[]);
        assert_eq!(!found.is_empty(), is_reported, "{earlier} before {later}: {found:?}");
    }
}

#[test]
fn the_report_names_both_and_their_lines() {
    let (before, line) = (line!(), step("/users/:id"));
    let found = Program::build(vec![line, step("/users/me")], &[]).err().unwrap_or_default();
    let file = file!();
    let [conflict] = &found[..] else { panic!("{found:?}") };
    let text = conflict.to_string();
    assert!(text.starts_with(&format!("`GET /users/me` ({file}:{}:", before + 1)), "{text}");
    assert!(text.contains(&format!("can never run: `GET /users/:id` ({file}:{before}:")), "{text}");
    assert!(text.ends_with("before it takes all its requests"), "{text}");
}

#[test]
fn methods_count() {
    assert_eq!(conflicts(vec![step("/a"), post(step("/a"))], &[]), [""; 0]);
    assert_eq!(conflicts(vec![step("/a"), all(step("/a"))], &[]), [""; 0]);
    assert_eq!(conflicts(vec![all(step("/a")), post(step("/a"))], &[]), ["POST /a"]);
    // GET takes HEAD.
    let head = || Step { methods: Methods::of(&["HEAD"]), ..step("/a") };
    assert_eq!(conflicts(vec![step("/a"), head()], &[]), ["HEAD /a"]);
    assert_eq!(conflicts(vec![head(), step("/a")], &[]), [""; 0]);
    // Two together take it.
    let both = || Step { methods: Methods::of(&["GET", "POST"]), ..step("/:x") };
    assert_eq!(conflicts(vec![step("/:a"), post(step("/:b")), both()], &[]), ["GET, POST /:x"]);
    let report = |names: &[&str]| Step { methods: Methods::of(names), ..step("/a") };
    assert_eq!(conflicts(vec![report(&["REPORT"]), report(&["PURGE"])], &[]), [""; 0]);
    assert_eq!(conflicts(vec![report(&["REPORT"]), report(&["REPORT"])], &[]), ["REPORT /a"]);
    assert_eq!(conflicts(vec![all(step("/a")), report(&["REPORT"])], &[]), ["REPORT /a"]);
}

#[test]
fn a_middleware_takes_nothing_and_may_be_behind_what_does() {
    assert_eq!(conflicts(vec![middleware("/"), step("/a"), middleware("/")], &[]), [""; 0]);
    let everything = Step { reach: Reach::Prefix, ..all(step("/")) };
    assert_eq!(conflicts(vec![everything, middleware("/admin"), step("/a")], &[]), ["with /admin", "GET /a"]);
    let on_error = Step { role: Role::OnError, ..middleware("/") };
    assert_eq!(conflicts(vec![all(step("/*rest")), all(step("/")), on_error], &[]), [""; 0]);
}

#[test]
fn what_a_middleware_can_jump_to_is_no_conflict() {
    let guarded = || vec![Step { role: Role::Middleware, ..step("/a") }, step("/a"), step("/a")];
    let route = Span { from: 0, to: 2, conditional: false };
    assert_eq!(conflicts(guarded(), &[route]), [""; 0], "`skip_route` comes to the second");
    assert_eq!(conflicts(guarded(), &[Span { to: 3, ..route }]), ["GET /a"], "in the same route it does not");
    assert_eq!(conflicts(guarded(), &[Span { from: 1, ..route }]), ["GET /a"], "a middleware before the route cannot");
    assert_eq!(conflicts(guarded(), &[Span { to: 3, ..route }, route]), [""; 0], "the nearest exit counts");
    let hosts = vec![step("/a"), step("/a")];
    assert_eq!(conflicts(hosts, &[Span { from: 0, to: 1, conditional: true }]), [""; 0], "another host comes to it");
}

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "REPORT", "PURGE"];

/// Returns whether a request may come to `number`: each middleware runs on, or jumps to the end of a span that it is in.
fn comes_to(number: usize, routes: &[Route], spans: &[Span], path: &str, method: &str) -> bool {
    let mut comes = vec![false; routes.len() + 1];
    comes[0] = true;
    for (at, route) in routes.iter().enumerate().take(number) {
        let takes = || route.step().methods.takes(&Method::of(method)) && route.applies(path);
        let inside = |span: &&Span| (span.from as usize..span.to as usize).contains(&at);
        if !comes[at] {
            continue;
        }
        for span in spans.iter().filter(|span| span.conditional && span.from as usize == at) {
            comes[span.to as usize] = true;
        }
        if route.role == Role::Middleware && takes() {
            spans.iter().filter(inside).for_each(|span| comes[span.to as usize] = true);
        }
        comes[at + 1] |= route.role != Role::Handler || !takes();
    }
    comes[number]
}

/// Paths that a route applies to, with a text in the place of its parameters that no route has.
fn examples(route: &Route) -> Vec<String> {
    let form = |absent: Option<usize>| {
        let segments = route.segments.iter().enumerate().filter(|(number, _)| Some(*number) != absent);
        let text = |pieces: &Vec<Piece>| {
            pieces.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "zzz" }).collect::<String>()
        };
        segments.map(|(_, pieces)| format!("/{}", text(pieces))).collect::<String>()
    };
    let forms = [form(None), form(route.optional)];
    forms
        .iter()
        .flat_map(|form| ["", "/", "//zzz"].map(|end| format!("{form}{end}")))
        .filter(|path| !path.is_empty())
        .collect()
}

fn span(steps: usize) -> impl Strategy<Value = Span> {
    (0..=steps as u32, 0..=steps as u32, any::<bool>()).prop_map(|(one, other, conditional)| Span {
        from: one.min(other),
        to: one.max(other),
        conditional,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_step_is_reported_exactly_if_no_request_comes_to_it(routes in prop::collection::vec(route(), 1..8)) {
        let found = Program::build(routes.iter().map(Route::step).collect(), &[]).err().unwrap_or_default();
        let found = found.iter().map(|conflict| &conflict.step).collect::<Vec<_>>();
        for (number, route) in routes.iter().enumerate().filter(|(_, route)| route.role != Role::OnError) {
            let step = route.step();
            let name = step.name();
            // Two steps may have one name.
            let twins = routes.iter().filter(|other| other.step().name() == name);
            if twins.count() > 1 {
                continue;
            }
            let takes = |method: &&&str| step.methods.takes(&Method::of(method));
            let comes = examples(route).iter().filter(|path| route.applies(path)).any(|path| {
                METHODS.iter().filter(takes).any(|method| comes_to(number, &routes, &[], path, method))
            });
            prop_assert_eq!(!found.contains(&&name), comes, "{}", name);
        }
    }

    #[test]
    fn no_request_comes_to_what_is_reported_whatever_is_jumped_over(
        (routes, spans) in prop::collection::vec(route(), 1..8)
            .prop_flat_map(|routes| { let spans = prop::collection::vec(span(routes.len()), 0..4); (Just(routes), spans) }),
        paths in prop::collection::vec(path(), 8),
    ) {
        let found = Program::build(routes.iter().map(Route::step).collect(), &spans).err().unwrap_or_default();
        for (number, route) in routes.iter().enumerate().filter(|(_, route)| route.role != Role::OnError) {
            let step = route.step();
            let name = step.name();
            let is_reported = found.iter().filter(|conflict| conflict.step == name).count();
            let twins = routes.iter().filter(|other| other.step().name() == name);
            if is_reported == twins.count() {
                for path in paths.iter().chain(&examples(route)).filter(|path| route.applies(path)) {
                    for method in METHODS.iter().filter(|method| step.methods.takes(&Method::of(method))) {
                        prop_assert!(!comes_to(number, &routes, &spans, path, method), "{} {} comes to {}", method, path, name);
                    }
                }
            }
        }
    }
}
