//! The order is that of registration, and the trie only finds it faster.

use super::naive::{Route, path, route};
use crate::app::routing::{Cursors, Method, Methods, Pattern, Program, Reach, Role, Step, behind, join};
use proptest::prelude::*;
use std::panic::Location;

#[track_caller]
pub fn step(text: &str) -> Step {
    Step {
        text: text.to_owned(),
        patterns: Pattern::parse(text).expect("a pattern"),
        reach: Reach::Exact,
        strict: false,
        methods: Methods::of(&["GET"]),
        role: Role::Handler,
        site: Location::caller(),
    }
}

pub fn program(steps: Vec<Step>) -> Program {
    Program::build(steps, &[]).unwrap_or_else(|conflicts| panic!("{}", conflicts[0]))
}

pub fn chain(program: &Program, path: &str) -> Vec<u32> {
    let mut cursors = Cursors::default();
    program.look_up(path, &mut cursors);
    std::iter::from_fn(|| program.next(&mut cursors)).collect()
}

/// A program whose steps are all middlewares, so that none hides another.
fn of(routes: &[Route]) -> Program {
    let middleware = |route: &Route| Step { role: Role::Middleware, ..route.step() };
    program(routes.iter().map(middleware).collect())
}

proptest! {
    #[test]
    fn the_steps_are_those_of_the_naive_list(
        routes in prop::collection::vec(route(), 0..24), paths in prop::collection::vec(path(), 8),
    ) {
        let program = of(&routes);
        for path in &paths {
            let naive = (0..).zip(&routes).filter(|(_, route)| route.applies(path)).map(|(number, _)| number);
            prop_assert_eq!(chain(&program, path), naive.collect::<Vec<u32>>(), "{}", path);
        }
    }

    #[test]
    fn no_node_is_visited_twice(routes in prop::collection::vec(route(), 0..24), path in path()) {
        let program = of(&routes);
        let mut cursors = Cursors::default();
        program.look_up(&path, &mut cursors);
        prop_assert!(cursors.visited() <= program.nodes(), "{} of {}", cursors.visited(), program.nodes());
    }

    #[test]
    fn steps_can_be_jumped_over(routes in prop::collection::vec(route(), 0..24), path in path(), to in 0_u32..24, after in 0_usize..4) {
        let program = of(&routes);
        let mut whole = chain(&program, &path);
        let left = whole.split_off(after.min(whole.len()));
        let mut cursors = Cursors::default();
        program.look_up(&path, &mut cursors);
        let found = (0..after).filter_map(|_| program.next(&mut cursors)).collect::<Vec<_>>();
        prop_assert_eq!(found, whole);
        program.skip_to(&mut cursors, to);
        let found = std::iter::from_fn(|| program.next(&mut cursors)).collect::<Vec<_>>();
        prop_assert_eq!(found, left.into_iter().filter(|&step| step >= to).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_step_captures_is_in_the_path(route in route(), path in path()) {
        let step = route.step();
        // Whether a slash at the end matters is the trie's business.
        let matches = step.patterns.iter().any(|pattern| pattern.read(&path, route.prefix, |_, _| ()));
        prop_assert!(route.strict || matches == route.applies(&path));
        let captures = step.captures(&path).collect::<Vec<_>>();
        prop_assert!(captures.is_empty() || matches);
        for (name, value) in captures {
            prop_assert!(!value.is_empty() && path.contains(value), "{name}");
            prop_assert_eq!(step.capture(&path, name), Some(value));
        }
    }
}

#[test]
fn a_wide_and_deep_program_is_walked_in_as_many_visits_as_it_has_nodes() {
    // Each level matches in two ways, so that backtracking would double its work at each.
    let deep = (0..10_u32).flat_map(|bits| (0..1_u32 << bits).map(move |choice| (bits, choice)));
    let text = |(bits, choice): (u32, u32)| {
        (0..bits)
            .map(|bit| if choice >> bit & 1 == 1 { format!("/:p{bit}") } else { "/a".to_owned() })
            .collect::<String>()
            + "/end"
    };
    let program = program(deep.map(text).map(|text| Step { role: Role::Middleware, ..step(&text) }).collect());
    let mut cursors = Cursors::default();
    program.look_up(&"/a".repeat(1_000), &mut cursors);
    assert!(cursors.visited() <= program.nodes());
    let before = cursors.visited();
    program.look_up(&"/a".repeat(10), &mut cursors);
    assert_eq!(cursors.visited(), before, "a longer path costs no more than the trie is deep");
    program.look_up(&format!("{}/end", "/a".repeat(9)), &mut cursors);
    assert_eq!(std::iter::from_fn(|| program.next(&mut cursors)).count(), 512);
}

#[test]
fn texts_of_every_length_are_found_among_many_and_no_others() {
    let letters = "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let text = |number: usize| format!("{}{number}", &letters[..number % 40]);
    for count in [1, 2, 3, 7, 40, 300, 3_000] {
        let routes = (0..count).map(|number| step(&format!("/x/{}", text(number))));
        let program = program(routes.collect());
        for number in 0..count {
            let text = text(number);
            assert_eq!(chain(&program, &format!("/x/{text}")), [number as u32], "{text} of {count}");
            assert_eq!(chain(&program, &format!("/x/{text}/")), [number as u32], "{text}/ of {count}");
            for other in [format!("{text}%"), format!("{text}/x"), format!("{}~", &text[1..]), "/".to_owned()] {
                assert_eq!(chain(&program, &format!("/x/{other}")), [0_u32; 0], "{other} of {count}");
            }
        }
    }
}

#[test]
fn express_s_order_is_kept() {
    let middleware =
        |text: &str| Step { reach: Reach::Prefix, methods: Methods::any(), role: Role::Middleware, ..step(text) };
    let program = program(vec![
        middleware("/"),
        middleware("/admin"),
        step("/users/me"),
        step("/users/:id"),
        Step { methods: Methods::of(&["POST"]), ..step("/users") },
        middleware("/users"),
        step("/*page"),
    ]);
    for (path, steps) in [
        ("/", &[0][..]),
        ("/admin", &[0, 1, 6]),
        ("/admin/", &[0, 1, 6]),
        ("/admin/x", &[0, 1, 6]),
        ("/administrator", &[0, 6]),
        ("/users/me", &[0, 2, 3, 5, 6]),
        ("/users/me/", &[0, 2, 3, 5, 6]),
        ("/users/7", &[0, 3, 5, 6]),
        ("/users/7/x", &[0, 5, 6]),
        ("/users/", &[0, 4, 5, 6]),
        ("/users//", &[0, 5, 6]),
        ("//admin", &[0, 6]),
        ("/Admin", &[0, 6]),
    ] {
        assert_eq!(chain(&program, path), steps, "{path}");
    }
}

#[test]
fn a_slash_at_the_end_matters_to_strict_routes_only() {
    let strict = |text: &str| Step { strict: true, ..step(text) };
    let other = Step { methods: Methods::of(&["POST"]), ..step("/a/") };
    let program = program(vec![strict("/a"), strict("/a/"), other, strict("/")]);
    assert_eq!(chain(&program, "/a"), [0, 2]);
    assert_eq!(chain(&program, "/a/"), [1, 2]);
    assert_eq!(chain(&program, "/a//"), [0_u32; 0]);
    assert_eq!(chain(&program, "/"), [3]);
}

#[test]
fn values_are_those_of_the_first_form_that_matches() {
    let step = step("/:name{.:ext}");
    assert_eq!(step.captures("/a.tar.gz").collect::<Vec<_>>(), [("name", "a.tar"), ("ext", "gz")]);
    assert_eq!(step.captures("/a").collect::<Vec<_>>(), [("name", "a")]);
    assert_eq!(step.captures("/a/b").count(), 0);
    assert_eq!(step.names().collect::<Vec<_>>(), ["name", "ext"]);
    assert_eq!((step.capture("/a.b", "ext"), step.capture("/a", "ext")), (Some("b"), None));
}

#[test]
fn what_is_below_a_prefix_begins_with_a_slash() {
    for (path, below) in
        [("/api/v1", ""), ("/api/v1/", "/"), ("/api/v1/a/b", "/a/b"), ("/api/v1//a", "//a"), ("/a", "")]
    {
        assert_eq!(behind(path, 2), below, "{path}");
    }
    assert_eq!((behind("/", 0), behind("/a/", 0)), ("/", "/a/"));
}

#[test]
fn what_is_mounted_has_one_pattern() {
    for (prefix, own, whole) in [
        ("/", "/", "/"),
        ("/", "/a", "/a"),
        ("", "/a", "/a"),
        ("/api", "/", "/api"),
        ("/api/", "/", "/api"),
        ("/api/", "/a", "/api/a"),
        ("/api", "/a/", "/api/a/"),
        ("/:x", "{/:y}", "/:x{/:y}"),
        ("/", "", "/"),
    ] {
        assert_eq!(join(prefix, own), whole, "{prefix} {own}");
    }
}

#[test]
fn methods_are_case_sensitive_and_get_takes_head() {
    let get = Methods::of(&["GET"]);
    assert!(get.takes(&Method::of("GET")) && get.takes(&Method::of("HEAD")));
    assert!(!get.takes(&Method::of("get")) && !get.takes(&Method::of("POST")) && !get.takes(&Method::of("REPORT")));
    let report = Methods::of(&["REPORT", "QUERY"]);
    assert!(
        report.takes(&Method::of("REPORT"))
            && report.takes(&Method::of("QUERY"))
            && !report.takes(&Method::of("PURGE"))
    );
    assert!(["GET", "QUERY", "PURGE"].iter().all(|name| Methods::any().takes(&Method::of(name))));
}

#[test]
fn allow_is_sorted_and_has_head_and_options() {
    let mut methods = Methods::default();
    assert_eq!(methods.allow(), None);
    methods.add(&Methods::of(&["PUT", "REPORT"]));
    assert_eq!(methods.allow().as_deref(), Some("OPTIONS, PUT, REPORT"));
    methods.add(&Methods::of(&["GET"]));
    assert_eq!(methods.allow().as_deref(), Some("GET, HEAD, OPTIONS, PUT, REPORT"));
    assert_eq!(methods.to_string(), "GET, PUT, REPORT");
    assert_eq!(Methods::any().to_string(), "ALL");
}
