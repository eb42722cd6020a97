//! A recording, exported as a Chrome trace, follows the rules of that format, whatever was recorded.

use crate::support::http::*;
use crate::support::json::Json;
use oneloop::event_loop::{RecordingSize, mark_turn_as_own, recording, set_exact_timing, start_recording, trace};
use oneloop::sim::{self, Sim};
use oneloop::{http, next_tick, set_immediate, set_timeout};
use proptest::prelude::*;

/// Nanoseconds are the unit: comparisons of microseconds as floating-point numbers would be off by one.
fn nanos(micros: &Json) -> u64 {
    let nanos = micros.number() * 1000.0;
    assert!((nanos - nanos.round()).abs() < 0.01, "{micros:?} has more than three decimals");
    nanos.round() as u64
}

#[derive(Debug)]
struct Slice {
    name: String,
    category: String,
    began: u64,
    ended: u64,
    /// The slices that it is within, the nearest last.
    within: Vec<String>,
    args: Json,
}

/// The slices of a trace, after a look at its rules: sorted, each within its parent, and none partly over another.
#[track_caller]
fn slices() -> Vec<Slice> {
    let recording = recording(0).unwrap();
    let mut file = Vec::new();
    let count = trace::chrome(&recording, &mut file).unwrap();
    let trace = Json::parse(std::str::from_utf8(&file).unwrap());
    let mut slices: Vec<Slice> = Vec::new();
    let mut open: Vec<(u64, f64, String)> = Vec::new();
    let mut named = 0;
    for event in trace.at("traceEvents").list() {
        assert_eq!((event.at("pid").number(), event.at("tid").number()), (1.0, 1.0));
        if event.at("ph").text() == "M" {
            named += 1;
            assert!(!event.at("args").at("name").text().is_empty());
            assert_eq!((event.at("cat").text(), event.at("ts").number()), ("__metadata", 0.0));
            continue;
        }
        assert_eq!(event.at("ph").text(), "X");
        let began = nanos(event.at("ts"));
        let ended = began + nanos(event.at("dur"));
        assert!(slices.last().is_none_or(|last| last.began <= began), "{event:?} is not sorted");
        // As importers see it, who add what they read.
        let sum = event.at("ts").number() + event.at("dur").number();
        let category = event.at("cat").text().to_owned();
        // What ends before this one begins is not its parent; of two that take no time, the kind decides.
        while let Some((end, end_as_sum, of)) = open.last() {
            let is_parent = began < *end || (began == *end && ended == began && rank(of) < rank(&category));
            if is_parent {
                assert!(ended <= *end, "{event:?} ends after its parent, a slice of {of}, at {end}");
                assert!(sum <= *end_as_sum, "{event:?} ends at {sum}, after its parent, at {end_as_sum}");
                break;
            }
            assert!(*end_as_sum <= event.at("ts").number(), "at {end_as_sum}, {event:?} has begun");
            open.pop();
        }
        let within = open.iter().map(|(_, _, category)| category.clone()).collect();
        open.push((ended, sum, category.clone()));
        let (name, args) = (event.at("name").text().to_owned(), event.at("args").clone());
        slices.push(Slice { name, category, began, ended, within, args });
    }
    assert_eq!(named, 2, "the process and the thread have names");
    assert_eq!(slices.len(), count);
    assert_eq!(trace.at("otherData").at("slices").number(), count as f64);
    assert_eq!(trace.at("otherData").at("iterationsDropped").number(), recording.dropped as f64);
    let expected: usize = recording.iterations.iter().map(|iteration| iteration.turns.len()).sum();
    let turns = slices.iter().filter(|slice| ["turn", "own"].contains(&slice.category.as_str())).count();
    assert_eq!(turns, expected, "each turn has a slice");
    slices
}

/// How deep a slice of this category lies.
fn rank(category: &str) -> usize {
    match category {
        "iteration" => 0,
        "phase" => 1,
        "idle" | "turn" | "own" => 2,
        "callback" => 3,
        other => panic!("an unknown category: {other}"),
    }
}

#[test]
fn slices_are_those_of_the_recording_one_within_the_other() {
    let sim = Sim::new();
    let server = http::create_server(|_req, res| {
        sim::block(20 * MS);
        next_tick(|| sim::block(3 * MS));
        res.end("hi");
    });
    server.listen(PORT, || ()).unwrap();
    let client = sim.connect(PORT);
    sim.settle();
    start_recording(RecordingSize::default());
    set_exact_timing(true);
    set_timeout(100 * MS, || ());
    sim.at(50 * MS, move || client.write(get("/plants")));
    sim.advance(SECOND);
    let slices = slices();
    let request = slices.iter().find(|slice| slice.name == "GET /plants" && slice.category == "turn").unwrap();
    let took = |slice: &Slice| (slice.ended - slice.began).next_multiple_of(1000);
    assert_eq!(took(request), 23_000_000);
    assert_eq!(request.within, ["iteration", "phase"]);
    let registered = request.args.at("registered").text();
    assert!(registered.contains("trace.rs:"), "{registered}");
    assert_eq!(request.args.at("callbacks").number(), 1.0);
    assert_eq!(request.args.at("ticksMicroseconds").number(), 3000.0);
    let calls: Vec<_> = slices.iter().filter(|slice| slice.within.len() == 3).map(|slice| &slice.name).collect();
    assert_eq!(calls, ["GET /plants", "a tick", "a timer"]);
    let idle = slices.iter().find(|slice| slice.category == "idle").unwrap();
    assert_eq!((idle.name.as_str(), took(idle)), ("wait", 50_000_000));
}

#[test]
fn an_observers_turns_are_a_category_of_their_own() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    set_immediate(mark_turn_as_own);
    set_immediate(|| ());
    sim.settle();
    let turns: Vec<_> = slices().into_iter().filter(|slice| slice.within.len() == 2).collect();
    let categories: Vec<_> = turns.iter().map(|slice| (slice.name.as_str(), slice.category.as_str())).collect();
    assert_eq!(categories, [("immediate", "own"), ("immediate", "turn")]);
}

#[test]
fn a_writer_that_fails_is_told_of() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    sim.advance(MS);
    let recording = recording(0).unwrap();
    let mut whole = Vec::new();
    trace::chrome(&recording, &mut whole).unwrap();
    for room in 0..whole.len() {
        let mut file = vec![0; room];
        assert!(trace::chrome(&recording, &mut file.as_mut_slice()).is_err(), "{room}");
    }
}

/// What a handler does, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Block(u64),
    Tick(u64),
    Immediate(u64),
    Timer(u64, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Nanoseconds, so that no rounding goes unseen; and nothing at all, as a clock that is too coarse would have it.
    let time = || prop_oneof![Just(0), 1..5_000_000_u64];
    let step = prop_oneof![
        time().prop_map(Step::Block),
        time().prop_map(Step::Tick),
        time().prop_map(Step::Immediate),
        (time(), time()).prop_map(|(after, time)| Step::Timer(after, time)),
    ];
    prop::collection::vec(step, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_hold_for_any_program(
        programs in prop::collection::vec((steps(), 0..30_000_000_u64, 0..5_usize), 1..8),
        keeps in 1..60_usize,
        exact: bool,
    ) {
        let block = |nanos| sim::block(std::time::Duration::from_nanos(nanos));
        let after = std::time::Duration::from_nanos;
        let sim = Sim::new();
        let mut size = RecordingSize::default();
        (size.iterations, size.turns, size.callbacks) = (keeps, keeps, keeps);
        start_recording(size);
        set_exact_timing(exact);
        let todo: Vec<_> = programs.iter().map(|(steps, _, _)| steps.clone()).collect();
        let server = listen(move |req, res| {
            let number: usize = req.url()[1..].parse().unwrap();
            for step in todo[number].clone() {
                match step {
                    Step::Block(time) => block(time),
                    Step::Tick(time) => next_tick(move || block(time)),
                    Step::Immediate(time) => drop(set_immediate(move || block(time))),
                    Step::Timer(at, time) => drop(set_timeout(after(at), move || block(time))),
                }
            }
            res.end("done");
        });
        let clients: Vec<_> = programs.iter().map(|_| sim.connect(PORT)).collect();
        for (number, (_, at, requests)) in programs.iter().enumerate() {
            let (client, requests) = (clients[number].clone(), get(&format!("/{number}")).repeat(*requests));
            sim.at(after(*at), move || client.write(&requests));
        }
        sim.advance(SECOND);
        server.close(|| ());
        sim.advance(SECOND);
        let slices = slices();
        prop_assert!(!slices.is_empty());
    }
}
