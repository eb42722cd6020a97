//! Promise 3, timers: on the virtual clock where time is what is asked for, on the real one where a callback must take time.

use crate::support::log::Log;
use crate::support::own_thread::on_own_thread;
use oneloop::event_loop::metrics;
use oneloop::sim::Sim;
use oneloop::{Timeout, next_tick, now, run, run_nowait, set_immediate, set_interval, set_timeout};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

/// Holds the thread until the real clock has moved on.
fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() <= time {
        std::hint::spin_loop();
    }
}

// ---- On the virtual clock

/// Writes down when it is called.
fn note_time(log: &Log, name: &'static str) -> impl FnMut() + 'static {
    let log = log.clone();
    move || log.add(format!("{} {name}", now().as_millis()))
}

#[test]
fn timers_of_one_deadline_run_in_order_of_setting_and_others_by_deadline() {
    let (sim, log) = (Sim::new(), Log::default());
    for (after, name) in [(3, "a"), (1, "a"), (2, "a"), (3, "b"), (1, "b"), (2, "b"), (0, "a timer of 0")] {
        set_timeout(after * MS, note_time(&log, name));
    }
    sim.settle();
    log.expect(&[]);
    sim.advance(10 * MS);
    log.expect(&["1 a", "1 b", "1 a timer of 0", "2 a", "2 b", "3 a", "3 b"]);
}

#[test]
fn a_timer_of_less_than_1_ms_is_one_of_1_ms() {
    let (sim, log) = (Sim::new(), Log::default());
    set_timeout(Duration::ZERO, note_time(&log, "0"));
    set_timeout(Duration::from_nanos(1), note_time(&log, "1 ns"));
    sim.advance(MS - Duration::from_nanos(1));
    log.expect(&[]);
    sim.advance(Duration::from_nanos(1));
    log.expect(&["1 0", "1 1 ns"]);
}

#[test]
fn timers_far_apart_and_for_ever() {
    let (sim, log) = (Sim::new(), Log::default());
    let for_ever = set_timeout(Duration::MAX, log.note("for ever"));
    set_timeout(Duration::from_secs(365 * 24 * 3600), log.note("a year"));
    sim.advance(Duration::from_secs(365 * 24 * 3600 - 1));
    log.expect(&[]);
    sim.advance(Duration::from_secs(1));
    log.expect(&["a year"]);
    assert!(for_ever.is_armed());
}

#[test]
fn refresh_begins_the_time_anew() {
    let (sim, log) = (Sim::new(), Log::default());
    let refreshed = set_timeout(10 * MS, note_time(&log, "refreshed"));
    let interval = set_interval(10 * MS, note_time(&log, "interval"));
    set_timeout(5 * MS, move || {
        refreshed.refresh();
        interval.refresh();
    });
    sim.advance(30 * MS);
    log.expect(&["15 refreshed", "15 interval", "25 interval"]);
}

#[test]
fn an_interval_runs_until_it_is_cleared_in_its_own_callback() {
    let (sim, log) = (Sim::new(), Log::default());
    let captured = Rc::new(());
    let (inner, held, mut count) = (log.clone(), captured.clone(), 0);
    let (mut called, mut ticked) = (note_time(&log, "interval"), Some(()));
    interval(2 * MS, move |handle| {
        let _ = &held;
        assert!(handle.is_armed());
        called();
        if ticked.take().is_some() {
            next_tick(inner.note("its tick"));
        }
        count += 1;
        if count == 3 {
            handle.clear();
            handle.refresh();
            assert!(!handle.is_armed());
        }
    });
    sim.advance(20 * MS);
    log.expect(&["2 interval", "its tick", "4 interval", "6 interval"]);
    assert_eq!(Rc::strong_count(&captured), 1);
}

#[test]
fn an_interval_may_be_refreshed_and_unreferenced_in_its_own_callback() {
    let (sim, log) = (Sim::new(), Log::default());
    let (mut called, mut count) = (note_time(&log, "interval"), 0);
    let handle = interval(MS, move |handle| {
        called();
        count += 1;
        handle.refresh();
        if count == 2 {
            handle.unref();
        }
    });
    sim.run_to_rest();
    log.expect(&["1 interval", "2 interval"]);
    assert!(handle.is_armed() && !handle.has_ref());
}

#[test]
fn many_timers_set_refreshed_and_cleared_run_as_a_list_would_say() {
    let (sim, log) = (Sim::with_seed(11), Log::default());
    for round in 0..20 {
        // What is expected: (deadline, order of arming, name).
        let (mut model, mut handles) = (Vec::new(), Vec::new());
        for name in 0..300_u64 {
            let after = 1 + sim.random(40);
            let inner = log.clone();
            handles.push((set_timeout(u32::try_from(after).unwrap() * MS, move || inner.add(name)), after));
            model.push((after, name, name));
        }
        for order in 300..900 {
            let name = sim.random(300);
            let (handle, after) = &handles[usize::try_from(name).unwrap()];
            if sim.random(3) == 0 {
                handle.clear();
                model.retain(|(_, _, other)| *other != name);
            } else {
                handle.refresh();
                if let Some(entry) = model.iter_mut().find(|(_, _, other)| *other == name) {
                    *entry = (*after, order, name);
                }
            }
        }
        sim.advance(50 * MS);
        model.sort_unstable();
        let names: Vec<_> = model.iter().map(|(_, _, name)| name.to_string()).collect();
        assert_eq!(log.take(), names, "round {round}");
    }
}

#[test]
fn timers_that_come_and_go_while_time_passes_run_as_a_list_would_say() {
    /// What a list knows of a timer: (deadline, order of arming), the time it takes, and whether it repeats.
    #[derive(Clone, Copy)]
    struct Known {
        key: (u64, u64),
        after: u64,
        repeats: bool,
    }
    let (sim, log) = (Sim::with_seed(5), Log::default());
    let (mut handles, mut list) = (Vec::<Timeout>::new(), Vec::<Option<Known>>::new());
    let (mut time, mut order, mut ran) = (0, 0, 0);
    for _ in 0..2_000 {
        for _ in 0..sim.random(8) {
            order += 1;
            let which = usize::try_from(sim.random(1 + handles.len() as u64)).unwrap();
            match (handles.get(which), sim.random(4)) {
                (Some(handle), 0) => {
                    handle.clear();
                    list[which] = None;
                }
                (Some(handle), 1 | 2) => {
                    handle.refresh();
                    if let Some(known) = &mut list[which] {
                        known.key = (time + known.after, order);
                    }
                }
                _ => {
                    let (after, repeats) = (1 + sim.random(60), sim.random(4) == 0);
                    let (inner, name) = (log.clone(), handles.len());
                    let wait = u32::try_from(after).unwrap() * MS;
                    let call = move || inner.add(format!("{} {name}", now().as_millis()));
                    handles.push(if repeats { set_interval(wait, call) } else { set_timeout(wait, call) });
                    list.push(Some(Known { key: (time + after, order), after, repeats }));
                }
            }
        }
        let until = time + sim.random(4);
        sim.advance(u32::try_from(until - time).unwrap() * MS);
        time = until;
        let mut expected = Vec::new();
        while let Some((key, which)) =
            list.iter().enumerate().filter_map(|(at, known)| Some((known.as_ref()?.key, at))).min()
            && key.0 <= time
        {
            expected.push(format!("{} {which}", key.0));
            order += 1;
            list[which] = list[which]
                .filter(|known| known.repeats)
                .map(|known| Known { key: (key.0 + known.after, order), ..known });
        }
        ran += expected.len();
        assert_eq!(log.take(), expected, "at {time} ms");
        let armed: Vec<bool> = handles.iter().map(Timeout::is_armed).collect();
        assert_eq!(armed, list.iter().map(Option::is_some).collect::<Vec<_>>());
        assert_eq!(metrics().timers, list.iter().flatten().count());
    }
    assert!(ran > 2_000, "{ran} ran");
}

#[test]
fn no_more_than_1_024_timers_run_between_two_polls() {
    let (sim, log) = (Sim::new(), Log::default());
    let inner = log.clone();
    set_timeout(MS, move || {
        inner.add("first");
        set_immediate(inner.note("immediate"));
    });
    for _ in 1..1_024 {
        set_timeout(MS, || ());
    }
    set_timeout(MS, log.note("next iteration"));
    set_timeout(2 * MS, log.note("later"));
    sim.advance(MS);
    log.expect(&["first", "immediate", "next iteration"]);
    sim.advance(MS);
    log.expect(&["later"]);
}

#[test]
fn timers_that_were_refreshed_do_not_hold_an_iteration_up_when_their_first_deadline_comes() {
    let (sim, log) = (Sim::new(), Log::default());
    let timers: Vec<Timeout> = (0..5_000).map(|_| set_timeout(10 * MS, log.note("ran"))).collect();
    sim.advance(9 * MS);
    timers.iter().for_each(Timeout::refresh);
    let before = metrics().iterations;
    sim.advance(MS);
    // One iteration puts 1,024 of them in their new places; only the number of iterations tells of it.
    assert!(metrics().iterations >= before + 5, "{} iterations", metrics().iterations - before);
    sim.advance(8 * MS);
    log.expect(&[]);
    sim.advance(MS);
    assert_eq!(log.take().len(), 5_000);
}

// ---- On the real clock

#[test]
fn a_timer_is_never_early() {
    on_own_thread(|| {
        now();
        // Nobody reads the clock while the loop does not run; a timer set then counts from when it is set.
        spin(30 * MS);
        let armed = Instant::now();
        set_timeout(20 * MS, move || assert!(armed.elapsed() >= 20 * MS, "after {:?}", armed.elapsed()));
        let refreshed =
            set_timeout(25 * MS, move || assert!(armed.elapsed() >= 55 * MS, "after {:?}", armed.elapsed()));
        spin(30 * MS);
        refreshed.refresh();
        run().unwrap();
    });
}

#[test]
fn a_timer_armed_by_a_timer_waits_for_the_next_iteration() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        set_timeout(MS, move || {
            set_immediate(inner.note("immediate"));
            set_timeout(Duration::ZERO, inner.note("armed by a timer"));
            // It is due before this phase ends.
            spin(3 * MS);
            inner.add("timer");
        });
        run().unwrap();
        log.expect(&["timer", "immediate", "armed by a timer"]);
    });
}

#[test]
fn a_timer_cleared_or_refreshed_while_it_waits_in_the_snapshot_does_not_run() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        set_immediate(move || {
            let others = Rc::new(RefCell::new(Vec::<Timeout>::new()));
            let (own, mut note) = (others.clone(), inner.note("first"));
            set_timeout(MS, move || {
                note();
                let others = own.take();
                others[0].clear();
                others[1].refresh();
            });
            others.borrow_mut().push(set_timeout(MS, inner.note("cleared")));
            others.borrow_mut().push(set_timeout(MS, inner.note("refreshed")));
            set_timeout(MS, inner.note("last"));
        });
        run().unwrap();
        log.expect(&["first", "last", "refreshed"]);
    });
}

#[test]
fn a_timer_that_has_ended_stays_ended() {
    on_own_thread(|| {
        let log = Log::default();
        let has_run = set_timeout(MS, log.note("once"));
        let cleared = set_timeout(MS, log.note("cleared"));
        assert!(has_run.is_armed() && cleared.is_armed());
        cleared.clear();
        run().unwrap();
        for ended in [&has_run, &cleared] {
            assert!(!ended.is_armed());
            ended.refresh();
            ended.unref().set_ref(true);
            ended.clear();
            ended.refresh();
        }
        assert!(!run_nowait().unwrap());
        log.expect(&["once"]);
    });
}

#[test]
fn a_timer_keeps_the_loop_unless_unref() {
    on_own_thread(|| {
        let log = Log::default();
        let timer = set_timeout(MS, log.note("timer"));
        let interval = set_interval(MS, log.note("interval"));
        assert!(timer.has_ref() && interval.has_ref());
        assert!(!timer.unref().has_ref());
        interval.unref();
        run().unwrap();
        log.take();
        // Unref'd ones run while something else keeps the loop.
        let ends = interval.clone();
        set_timeout(5 * MS, move || ends.clear());
        run().unwrap();
        assert!(log.take().contains(&"interval".to_owned()));
        let again = set_timeout(MS, log.note("ref again"));
        again.unref().unref().set_ref(true).set_ref(true);
        run().unwrap();
        log.expect(&["ref again"]);
    });
}

#[test]
fn dropping_the_handle_does_not_cancel_and_clearing_drops_the_callback_at_once() {
    on_own_thread(|| {
        let log = Log::default();
        drop(set_timeout(MS, log.note("timer")));
        drop(set_immediate(log.note("immediate")));
        let captured = Rc::new(());
        let hold = || {
            let captured = captured.clone();
            move || assert_eq!(Rc::strong_count(&captured), 0, "it was cleared")
        };
        set_timeout(MS, hold()).clear();
        set_interval(MS, hold()).clear();
        set_immediate(hold()).clear();
        assert_eq!(Rc::strong_count(&captured), 1);
        run().unwrap();
        // Either may be first: on a slow machine the millisecond is over before the loop runs.
        let mut lines = log.take();
        lines.sort();
        assert_eq!(lines, ["immediate", "timer"]);
    });
}

/// Arms an interval whose callback has its own handle.
fn interval(every: Duration, mut f: impl FnMut(&Timeout) + 'static) -> Timeout {
    let own = Rc::new(RefCell::new(None::<Timeout>));
    let inner = Rc::downgrade(&own);
    let keeps = own.clone();
    let handle = set_interval(every, move || {
        let _ = &keeps;
        let handle = inner.upgrade().and_then(|own| own.borrow().clone());
        f(&handle.expect("an interval lives until it is cleared"));
    });
    own.replace(Some(handle.clone()));
    handle
}

#[test]
fn an_interval_that_is_late_does_not_make_up_for_it() {
    on_own_thread(|| {
        let log = Log::default();
        let (inner, mut count) = (log.clone(), 0);
        interval(MS, move |handle| {
            count += 1;
            set_immediate(inner.note("immediate"));
            inner.add(count);
            if count == 1 {
                spin(5 * MS);
            } else {
                handle.clear();
            }
        });
        run().unwrap();
        log.expect(&["1", "immediate", "2", "immediate"]);
    });
}

#[test]
fn the_clock_stands_still_within_a_callback() {
    on_own_thread(|| {
        set_immediate(|| {
            let before = now();
            spin(2 * MS);
            assert_eq!(now(), before);
            set_immediate(move || assert!(now() >= before + 2 * MS));
        });
        run().unwrap();
    });
}

#[test]
fn a_tick_set_by_the_drop_of_a_callback_comes_before_the_next_callback() {
    struct Ticks(Log);
    impl Drop for Ticks {
        fn drop(&mut self) {
            next_tick(self.0.note("tick of the drop"));
        }
    }
    on_own_thread(|| {
        let log = Log::default();
        let ticks = Ticks(log.clone());
        let inner = log.clone();
        // It is dropped when it has returned, since it clears itself.
        interval(MS, move |handle| {
            let _ = &ticks;
            handle.clear();
            set_immediate(inner.note("immediate"));
            inner.add("interval");
        });
        run().unwrap();
        log.expect(&["interval", "tick of the drop", "immediate"]);
    });
}
