//! What finding a route costs: nanoseconds and instructions for one look-up, with 1, 130 and 10,000 routes, beside matchit.
//!
//!     cargo run --release -p oneloop-benches --bin router
//!
//! The 130 routes are those of GitHub's API; the 10,000 are the same below `/v0`, `/v1` and so on. Each round asks for every route
//! once, in an order that has nothing to do with that of registration, so that 10,000 routes do not all stay in the nearest cache.
//! `oneloop` finds the first step of a path; `canonical` is what comes before: the one spelling of a path. The time is the least of
//! several rounds. Instructions are counted by valgrind's callgrind, if it is there.

use oneloop_benches::callgrind;
use oneloop_benches::routing::{Cursors, Methods, Pattern, Program, Reach, Role, Step, canonical};
use std::hint::black_box;
use std::panic::Location;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What is measured.
const ROUTERS: [&str; 3] = ["canonical", "oneloop", "matchit"];
const GITHUB: &str = include_str!("../github_routes.txt");
/// With so many a round is long enough to be timed.
const LOOK_UPS: usize = 200_000;
const ROUNDS: usize = 9;
/// What a shared segment in a path is instead of `:owner` and the like.
const VALUE: &str = "rust-lang";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            table();
            Some(())
        }
        // What callgrind runs.
        [router, routes, look_ups] => routes.parse().ok().zip(look_ups.parse().ok()).and_then(|(routes, look_ups)| {
            let mut look_up = look_up(router, routes)?;
            look_up(look_ups);
            Some(())
        }),
        _ => None,
    };
    if done.is_none() {
        eprintln!("cargo run --release -p oneloop-benches --bin router");
    }
    ExitCode::from(if done.is_some() { 0 } else { 2 })
}

fn table() {
    println!("{:>7} {:>16} {:>8} {:>14}", "routes", "router", "ns", "instructions");
    for routes in [1, 130, 10_000] {
        for router in ROUTERS {
            let Some(mut look_up) = look_up(router, routes) else { continue };
            let ns = least(|| look_up(LOOK_UPS));
            let instructions =
                instructions(router, routes).map_or("no valgrind".to_owned(), |count| format!("{count:.0}"));
            println!("{routes:>7} {router:>16} {ns:>8.1} {instructions:>14}");
        }
    }
}

/// What does so many look-ups with one of [`ROUTERS`].
fn look_up(router: &str, routes: usize) -> Option<Box<dyn FnMut(usize)>> {
    let (patterns, paths) = (patterns(routes), paths(routes));
    let asked = move |times: usize, one: &mut dyn FnMut(&str) -> bool| {
        for path in paths.iter().cycle().take(times) {
            assert!(black_box(one(black_box(path))), "{path}");
        }
    };
    Some(match router {
        "canonical" => Box::new(move |times| asked(times, &mut |path| canonical(path).is_ok())),
        "oneloop" => {
            let (program, mut cursors) = (oneloop(&patterns), Cursors::default());
            Box::new(move |times| {
                asked(times, &mut |path| {
                    program.look_up(path, &mut cursors);
                    program.next(&mut cursors).is_some()
                });
            })
        }
        "matchit" => {
            let router = matchit(&patterns);
            Box::new(move |times| asked(times, &mut |path| router.at(path).is_ok()))
        }
        _ => return None,
    })
}

fn oneloop(patterns: &[String]) -> Program {
    let step = |text: &String| Step {
        text: text.clone(),
        patterns: Pattern::parse(text).unwrap_or_default(),
        reach: Reach::Exact,
        strict: false,
        methods: Methods::of(&["GET"]),
        role: Role::Handler,
        site: Location::caller(),
    };
    let program = Program::build(patterns.iter().map(step).collect(), &[]);
    program.unwrap_or_else(|conflicts| panic!("{}", conflicts[0]))
}

fn matchit(patterns: &[String]) -> matchit::Router<usize> {
    let mut router = matchit::Router::new();
    for (number, pattern) in patterns.iter().enumerate() {
        let segments = pattern.split('/').skip(1).map(|segment| match segment.strip_prefix(':') {
            Some(name) => format!("/{{{name}}}"),
            None => format!("/{segment}"),
        });
        router.insert(segments.collect::<String>(), number).unwrap_or_else(|why| panic!("{pattern}: {why}"));
    }
    router
}

fn patterns(count: usize) -> Vec<String> {
    match count {
        1 => vec!["/users/:user".to_owned()],
        count if count <= GITHUB.lines().count() => GITHUB.lines().take(count).map(str::to_owned).collect(),
        count => {
            let all = (0..).flat_map(|version| GITHUB.lines().map(move |pattern| format!("/v{version}{pattern}")));
            all.take(count).collect()
        }
    }
}

/// A path for each route, in an order of chance that is always the same.
fn paths(count: usize) -> Vec<String> {
    let fill = |segment: &str| if segment.starts_with(':') { format!("/{VALUE}") } else { format!("/{segment}") };
    let patterns = patterns(count);
    let paths = patterns.iter().map(|pattern| pattern.split('/').skip(1).map(fill).collect::<String>());
    let mut paths: Vec<(u64, String)> =
        (1_u64..).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).zip(paths).collect();
    paths.sort();
    paths.into_iter().map(|(_, path)| path).collect()
}

/// The nanoseconds of one look-up in the fastest round.
fn least(mut round: impl FnMut()) -> f64 {
    let mut time = || {
        let began = Instant::now();
        round();
        began.elapsed()
    };
    let least = (0..ROUNDS).map(|_| time()).min().unwrap_or(Duration::ZERO);
    least.as_nanos() as f64 / LOOK_UPS as f64
}

/// The instructions of one look-up: the difference of two runs, so that building the program cancels out.
fn instructions(router: &str, routes: usize) -> Option<f64> {
    let run = |look_ups: usize| {
        callgrind::of_program(&std::env::current_exe().ok()?, &[router, &routes.to_string(), &look_ups.to_string()])
    };
    let (once, twice) = (run(10_000)?, run(20_000)?);
    Some((twice - once) as f64 / 10_000.0)
}
