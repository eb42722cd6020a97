//! What the recorder says of a loop is what the loop did, to the nanosecond of a virtual clock.

use crate::support::http::*;
use crate::support::own_thread::on_own_thread;
use oneloop::event_loop::{
    self, Iteration, Phase, Recording, RecordingSize, SourceKind, TurnRecord, mark_turn_as_own, recording,
    recording_part, set_exact_timing, start_recording, stop_recording,
};
use oneloop::sim::{self, Sim};
use oneloop::{http, next_tick, set_immediate, set_interval, set_timeout, worker};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

const PHASES: [Phase; 5] = [Phase::Pending, Phase::Poll, Phase::Check, Phase::Closing, Phase::Timers];

fn sized(iterations: usize, turns: usize, callbacks: usize) -> RecordingSize {
    let mut size = RecordingSize::default();
    (size.iterations, size.turns, size.callbacks) = (iterations, turns, callbacks);
    size
}

fn recorded() -> Recording {
    recording(0).expect("recording")
}

fn turns(recording: &Recording) -> Vec<TurnRecord> {
    recording.iterations.iter().flat_map(|iteration| iteration.turns.clone()).collect()
}

/// The only turn that has this label.
fn labelled(label: &str) -> TurnRecord {
    let found: Vec<_> = turns(&recorded()).into_iter().filter(|turn| turn.label == label).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// The parts of an iteration lie side by side within it, and nothing is left over.
fn check(iteration: &Iteration) {
    let mut at = iteration.began;
    for phase in PHASES {
        let slice = iteration.phase(phase);
        assert_eq!(slice.began, at, "{phase} of {iteration:?}");
        at = slice.ended();
    }
    assert_eq!(at, iteration.began + iteration.took, "{iteration:?}");
    let poll = iteration.phase(Phase::Poll);
    assert!(iteration.prelude || iteration.wait.began == poll.began, "{iteration:?}");
    assert!(iteration.wait.took <= poll.took, "{iteration:?}");
    let mut last = (0, iteration.began);
    for turn in &iteration.turns {
        let phase = iteration.phase(turn.phase);
        let at = (turn.phase as usize, turn.began);
        assert!(at >= last, "{turn:?} before {last:?}");
        assert!(turn.began >= phase.began && turn.began + turn.took <= phase.ended(), "{turn:?} in {phase:?}");
        assert!(turn.phase != Phase::Poll || turn.began >= iteration.wait.ended(), "{turn:?}");
        assert!(turn.ticks_took <= turn.took, "{turn:?}");
        last = (at.0, turn.began + turn.took);
        let mut called = turn.began;
        for call in &turn.calls {
            assert!(call.began >= called, "{turn:?}");
            called = call.began + call.took;
        }
        assert!(called <= turn.began + turn.took, "{turn:?}");
    }
    let sum = |of: fn(&TurnRecord) -> u64| iteration.turns.iter().map(of).sum::<u64>();
    if iteration.turns_lost == 0 {
        assert_eq!(sum(|turn| turn.read), iteration.read, "{iteration:?}");
        assert_eq!(sum(|turn| turn.written), iteration.written, "{iteration:?}");
        assert!(sum(|turn| turn.ticks.into()) <= iteration.ticks.into(), "{iteration:?}");
    }
}

#[test]
fn nothing_is_recorded_until_it_is_asked_for_and_nothing_after_the_end() {
    let sim = Sim::new();
    sim.settle();
    assert!(recording(0).is_none());
    start_recording(RecordingSize::default());
    assert!(recorded().iterations.is_empty());
    sim.settle();
    assert_eq!(recorded().iterations.len(), 1);
    stop_recording();
    stop_recording();
    assert!(recording(0).is_none());
    mark_turn_as_own();
    sim.settle();
    assert!(recording(0).is_none());
}

#[test]
fn an_iteration_says_how_its_time_was_spent() {
    let (sim, server) = serve(|req, res| {
        sim::block(20 * MS);
        if req.url() == "/all" {
            set_immediate(|| sim::block(5 * MS));
            set_timeout(MS, || sim::block(7 * MS));
        }
        res.end("hi");
    });
    let client = sim.connect(PORT);
    sim.settle();
    start_recording(RecordingSize::default());
    client.write(get("/all"));
    sim.run_until(|| !client.text().is_empty(), SECOND);
    let all = recorded().iterations.into_iter().find(|iteration| !iteration.turns.is_empty()).unwrap();
    check(&all);
    let took = PHASES.map(|phase| all.phase(phase).took);
    assert_eq!(took, [Duration::ZERO, all.wait.took + 20 * MS, 5 * MS, Duration::ZERO, 7 * MS]);
    assert_eq!((all.took, all.events), (all.wait.took + 32 * MS, 1));
    let kinds: Vec<_> = all.turns.iter().map(|turn| (turn.kind, turn.phase, turn.took)).collect();
    let expected = [
        (SourceKind::Connection, Phase::Poll, 20 * MS),
        (SourceKind::Immediate, Phase::Check, 5 * MS),
        (SourceKind::Timer, Phase::Timers, 7 * MS),
    ];
    assert_eq!(kinds, expected);
    drop(server);
}

#[test]
fn idling_is_a_long_wait() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    let bell = set_interval(100 * MS, || ());
    sim.advance(SECOND);
    bell.clear();
    let recording = recorded();
    let waited: Duration = recording.iterations.iter().map(|iteration| iteration.wait.took).sum();
    let took: Duration = recording.iterations.iter().map(|iteration| iteration.took).sum();
    assert_eq!((waited, took, recording.at), (SECOND, SECOND, SECOND));
    assert_eq!(turns(&recording).len(), 10);
    recording.iterations.iter().for_each(check);
}

#[test]
fn a_turn_says_where_its_last_callback_was_registered_and_what_for() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    let server = http::create_server(|_req, res| res.end("hi"));
    let line = line!() - 1;
    server.listen(PORT, || ()).unwrap();
    let client = sim.connect(PORT);
    client.write(get("/plants?n=1"));
    client.write(get("/last"));
    sim.settle();
    let turn = labelled("GET /last");
    let registered = turn.registered.unwrap();
    assert!(registered.file().ends_with("recorder.rs"), "{registered}");
    assert_eq!((registered.line(), turn.callbacks), (line, 2));
    client.write("GET /half");
    sim.settle();
    let half = turns(&recorded()).pop().unwrap();
    assert_eq!((half.callbacks, half.registered, half.label.as_str()), (0, None, ""));
}

#[test]
fn everything_that_has_a_turn_has_a_kind() {
    let (sim, server) = serve(|_req, res| {
        worker::run(|| 7, |_| ());
        res.end("hi");
    });
    start_recording(RecordingSize::default());
    let client = sim.connect(PORT);
    client.write(get("/"));
    set_immediate(|| ());
    set_timeout(MS, || ());
    sim.run_until(|| !client.text().is_empty(), SECOND);
    client.finish();
    sim.advance(SECOND);
    server.close(|| ());
    sim.settle();
    let turns = turns(&recorded());
    let has = |kind: SourceKind, phase: Phase| turns.iter().any(|turn| (turn.kind, turn.phase) == (kind, phase));
    assert!(has(SourceKind::Listener, Phase::Poll), "accepts");
    assert!(has(SourceKind::Connection, Phase::Poll), "reads");
    assert!(has(SourceKind::Inbox, Phase::Poll), "takes a worker's result");
    assert!(has(SourceKind::Immediate, Phase::Check) && has(SourceKind::Timer, Phase::Timers));
    assert!(has(SourceKind::Connection, Phase::Closing) && has(SourceKind::Listener, Phase::Closing));
    assert_eq!(SourceKind::Listener.to_string(), "listener");
}

#[test]
fn bytes_are_counted_where_they_were_read_and_written() {
    let (sim, server) = serve(|_req, res| res.end("x".repeat(300_000)));
    start_recording(RecordingSize::default());
    let client = sim.connect(PORT);
    let request = get("/large");
    client.write(&request);
    sim.advance(SECOND);
    let recording = recorded();
    recording.iterations.iter().for_each(check);
    let turns = turns(&recording);
    assert_eq!(turns.iter().map(|turn| turn.read).sum::<u64>(), request.len() as u64);
    assert_eq!(turns.iter().map(|turn| turn.written).sum::<u64>(), client.received().len() as u64);
    let first = labelled("GET /large");
    assert!(first.read == request.len() as u64 && first.written > 0 && first.written < 300_000, "{first:?}");
    drop(server);
}

#[test]
fn ticks_are_a_part_of_the_turn_that_left_them() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    set_immediate(|| {
        sim::block(2 * MS);
        next_tick(|| {
            sim::block(3 * MS);
            next_tick(|| sim::block(4 * MS));
        });
    });
    set_immediate(|| ());
    // Nobody's callback has left this one.
    next_tick(|| ());
    sim.settle();
    let recording = recorded();
    let turns = turns(&recording);
    assert_eq!((turns[0].ticks, turns[0].ticks_took, turns[0].took), (2, 7 * MS, 9 * MS));
    assert_eq!((turns[1].ticks, turns[1].ticks_took), (0, Duration::ZERO));
    assert_eq!(recording.iterations[0].ticks, 3);
}

#[test]
fn queues_are_as_long_as_they_were_when_the_iteration_began() {
    let (sim, server) = serve(|_req, res| res.end("hi"));
    sim.set_worker_latency(SECOND);
    sim.settle();
    start_recording(RecordingSize::default());
    set_immediate(|| ());
    set_immediate(|| ());
    set_timeout(SECOND, || ());
    worker::run(|| 7, |_| ());
    server.close(|| ());
    sim.settle();
    sim.settle();
    let iterations = recorded().iterations;
    let queues = iterations[0].queues;
    assert_eq!((queues.timers, queues.immediates, queues.jobs, queues.closing), (1, 2, 1, 1));
    assert_eq!((queues.ready, queues.ticks), (0, 0));
    let after = iterations[1].queues;
    assert_eq!((after.timers, after.immediates, after.jobs, after.closing), (1, 0, 1, 0));
}

#[test]
fn callbacks_are_recorded_one_by_one_where_they_are_timed() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    set_exact_timing(true);
    let server = http::create_server(|req, res| {
        sim::block(if req.url() == "/slow" { 10 * MS } else { MS });
        next_tick(|| sim::block(2 * MS));
        res.end("hi");
    });
    server.listen(PORT, || ()).unwrap();
    let client = sim.connect(PORT);
    client.write([get("/slow"), get("/quick")].concat());
    sim.settle();
    let turn = labelled("GET /quick");
    let calls: Vec<_> = turn.calls.iter().map(|call| (call.what.as_str(), call.took)).collect();
    assert_eq!(calls, [("GET /slow", 10 * MS), ("a tick", 2 * MS), ("GET /quick", MS), ("a tick", 2 * MS)]);
    let lines: Vec<_> = turn.calls.iter().map(|call| call.registered.line()).collect();
    assert!(lines[0] == lines[2] && lines[1] == lines[0] + 2, "{lines:?}");
    recorded().iterations.iter().for_each(check);
    set_exact_timing(false);
    client.write(get("/after"));
    sim.settle();
    assert!(labelled("GET /after").calls.is_empty());
}

#[test]
fn what_is_oldest_is_overwritten_and_counted() {
    let sim = Sim::new();
    start_recording(sized(4, 1000, 0));
    for _ in 0..10 {
        set_immediate(|| ());
        sim.settle();
    }
    let all = recorded();
    let newest = all.next - 1;
    let serials: Vec<_> = all.iterations.iter().map(|iteration| iteration.serial).collect();
    assert_eq!(serials, (newest - 3..=newest).collect::<Vec<_>>());
    assert_eq!(all.dropped, newest - 4);
    assert_eq!(recording(newest - 5).unwrap().dropped, 2);
    assert_eq!(recording(newest).unwrap().dropped, 0);
}

#[test]
fn an_iteration_with_more_turns_than_are_kept_says_how_many_it_has_lost() {
    let sim = Sim::new();
    start_recording(sized(100, 8, 3));
    set_exact_timing(true);
    (0..20).for_each(|_| drop(set_immediate(|| sim::block(MS))));
    set_immediate(|| (0..5).for_each(|_| next_tick(|| ())));
    sim.settle();
    let iteration = &recorded().iterations[0];
    check(iteration);
    assert_eq!((iteration.turns.len(), iteration.turns_lost), (8, 13));
    let last = iteration.turns.last().unwrap();
    assert_eq!((last.ticks, last.calls.len(), last.calls_lost), (5, 3, 3));
    assert_eq!(iteration.turns[0].calls_lost, 1);
}

#[test]
fn who_follows_the_loop_sees_each_iteration_once() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    let seen = Rc::new(Cell::new((0, 0)));
    let followed = seen.clone();
    let bell = set_interval(10 * MS, move || {
        let (next, count) = followed.get();
        // The iteration that runs now is not among them.
        let recording = recording(next).unwrap();
        assert_eq!(recording.dropped, 0);
        let serials = recording.iterations.iter().map(|iteration| iteration.serial);
        assert!(serials.eq(next.max(1)..recording.next));
        followed.set((recording.next, count + recording.iterations.len()));
    });
    sim.advance(SECOND);
    bell.clear();
    let (next, count) = seen.get();
    assert!(count >= 99 && next == count as u64 + 1, "{next}, {count}");
    assert!(recording(u64::MAX).unwrap().iterations.is_empty());
}

#[test]
fn parts_of_a_recording_are_no_larger_than_asked_for_and_make_the_whole() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    for round in 0..50 {
        set_exact_timing(round % 3 == 0);
        (0..round % 7).for_each(|_| drop(set_immediate(|| next_tick(|| ()))));
        sim.settle();
    }
    set_exact_timing(false);
    let whole = recorded();
    let records = |iteration: &Iteration| 1 + iteration.turns.iter().map(|turn| 1 + turn.calls.len()).sum::<usize>();
    for most in [0, 1, 5, 10, 100, usize::MAX] {
        let (mut next, mut iterations) = (0, Vec::new());
        while next < whole.next {
            let part = recording_part(next, most).unwrap();
            let held: usize = part.iterations.iter().map(records).sum();
            assert!(part.iterations.len() == 1 || (2..=most).contains(&held), "{held} of {most}");
            assert_eq!((part.iterations[0].serial, part.dropped), (next.max(1), 0));
            next = part.next;
            iterations.extend(part.iterations);
        }
        assert!(next == whole.next && iterations == whole.iterations, "by {most}");
    }
}

#[test]
fn a_recording_may_begin_and_end_in_any_callback() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    sim.settle();
    let before = recorded().next;
    set_immediate(|| {
        next_tick(stop_recording);
        next_tick(|| start_recording(RecordingSize::default()));
    });
    set_immediate(|| ());
    sim.settle();
    assert!(turns(&recorded()).is_empty(), "it begins with the next iteration");
    set_immediate(|| ());
    sim.settle();
    let after = recorded();
    assert_eq!(turns(&after).len(), 1);
    assert_eq!((after.dropped, after.iterations[0].serial), (before - 1, before), "serial numbers go on");
    set_immediate(stop_recording);
    sim.settle();
    assert!(recording(0).is_none());
}

#[test]
fn a_panic_that_ends_a_run_leaves_a_whole_iteration() {
    let sim = Sim::new();
    start_recording(RecordingSize::default());
    set_immediate(|| {
        sim::block(MS);
        panic!("on purpose");
    });
    set_timeout(MS, || ());
    assert!(catch_unwind(AssertUnwindSafe(|| sim.settle())).is_err());
    sim.advance(SECOND);
    let recording = recorded();
    recording.iterations.iter().for_each(check);
    assert_eq!(recording.iterations[0].phase(Phase::Check).took, MS);
    assert_eq!(turns(&recording).len(), 2);
}

#[test]
fn what_a_run_does_before_its_first_wait_is_its_prelude() {
    on_own_thread(|| {
        start_recording(RecordingSize::default());
        set_timeout(MS, || ());
        sim::block(2 * MS);
        next_tick(|| ());
        oneloop::run().unwrap();
        let all = recorded();
        all.iterations.iter().for_each(check);
        let prelude = &all.iterations[0];
        assert!(prelude.prelude && prelude.events == 0, "{prelude:?}");
        assert_eq!((prelude.turns.len(), prelude.turns[0].kind, prelude.ticks), (1, SourceKind::Timer, 1));
        oneloop::run_nowait().unwrap();
        oneloop::run().unwrap();
        let preludes = recorded().iterations.iter().filter(|iteration| iteration.prelude).count();
        assert_eq!(preludes, 1, "one without a turn is none");
    });
}

#[test]
fn an_observers_turns_are_its_own_until_its_connection_serves_another() {
    let (sim, server) = serve(|req, res| {
        if req.url() == "/watch" {
            mark_turn_as_own();
            res.write("started\n").ignore();
            set_timeout(10 * MS, move || {
                mark_turn_as_own();
                res.end("pushed\n");
            });
        } else {
            res.end("hi");
        }
    });
    start_recording(RecordingSize::default());
    let (observer, user) = (sim.connect(PORT), sim.connect(PORT));
    sim.settle();
    observer.write(get("/watch"));
    sim.settle();
    user.write(get("/user"));
    sim.advance(20 * MS);
    assert!(labelled("GET /watch").own && !labelled("GET /user").own);
    let all = turns(&recorded());
    let timer = all.iter().position(|turn| turn.kind == SourceKind::Timer).unwrap();
    assert!(all[timer].own);
    let flush = &all[timer + 1];
    assert!(flush.phase == Phase::Pending && flush.own && flush.written > 0, "{flush:?}");
    observer.write(get("/program"));
    sim.settle();
    assert!(!labelled("GET /program").own, "the connection serves the program again");
    observer.finish();
    sim.settle();
    let last = turns(&recorded()).pop().unwrap();
    assert!(last.phase == Phase::Closing && !last.own, "{last:?}");
    observer.close();
    drop((server, user));
}

#[test]
fn whatever_a_program_does_its_parts_lie_side_by_side() {
    let mut turned = 0;
    for seed in 0..50 {
        let sim = Sim::with_seed(seed);
        let world = Rc::new(sim);
        let chance = world.clone();
        event_loop::set_exact_timing(seed % 2 == 0);
        start_recording(sized(1000, 300, 200));
        let server = listen(move |_req, res| {
            sim::block(MS * chance.random(3) as u32);
            for _ in 0..chance.random(3) {
                next_tick(|| sim::block(MS / 2));
            }
            if chance.random(2) == 0 {
                set_immediate(|| sim::block(MS));
            }
            match chance.random(3) {
                0 => drop(set_timeout(MS * chance.random(9) as u32, move || res.end("late"))),
                1 => worker::run(|| (), move |_| res.end("worked")),
                _ => res.end("x".repeat(chance.random(100_000) as usize)),
            }
        });
        for _ in 0..10 {
            let client = world.connect(PORT);
            let requests = world.random(4);
            (0..requests).for_each(|number| client.write(get(&format!("/{number}"))));
            world.at(MS * world.random(30) as u32, move || client.close());
        }
        world.advance(SECOND);
        server.close(|| ());
        world.advance(SECOND);
        let recording = recorded();
        turned += turns(&recording).len();
        recording.iterations.iter().for_each(check);
        for pair in recording.iterations.windows(2) {
            assert!(pair[0].serial + 1 == pair[1].serial && pair[0].began + pair[0].took <= pair[1].began);
        }
    }
    assert!(turned > 2000, "{turned} turns in all");
}
