//! Promises 2 and 3: callbacks come from the loop, in Node's order. And the ways to run a loop, and its end.

#[path = "support/log.rs"]
mod log;
#[path = "support/own_thread.rs"]
mod own_thread;

use log::Log;
use oneloop::event_loop::metrics;
use oneloop::{
    Timeout, next_tick, now, remote, run, run_nowait, run_once, set_immediate, set_interval, set_timeout, stop,
};
use own_thread::on_own_thread;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

/// Holds the thread until the real clock has moved on.
fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() <= time {
        std::hint::spin_loop();
    }
}

// ---- Callbacks come from the loop

#[test]
fn nothing_is_called_from_inside_the_call_that_asks_for_it() {
    on_own_thread(|| {
        let log = Log::default();
        let ask = {
            let log = log.clone();
            move || {
                let written = log.take();
                written.iter().for_each(|line| log.add(line));
                next_tick(log.note("tick"));
                set_immediate(log.note("immediate"));
                set_timeout(Duration::ZERO, log.note("timer"));
                let interval = set_interval(MS, log.note("interval"));
                interval.refresh();
                set_timeout(MS, move || interval.clear());
                remote().post(|| ()).map_err(|_| ()).unwrap();
                assert_eq!(log.take(), written);
            }
        };
        ask();
        set_timeout(MS, ask.clone());
        set_immediate(ask);
        run().unwrap();
        assert!(log.take().contains(&"interval".to_owned()));
    });
}

#[test]
fn the_phases_come_in_order() {
    on_own_thread(|| {
        let log = Log::default();
        let each_phase = {
            let log = log.clone();
            move || {
                let (log, mut remote) = (log.clone(), remote());
                set_timeout(Duration::ZERO, log.note("timers"));
                set_immediate(log.note("check"));
                next_tick(log.note("tick"));
                remote.set_ref(true);
                remote.post(move || LOG.with_borrow(|log| log.add("poll"))).map_err(|_| ()).unwrap();
                // The timer is due.
                spin(2 * MS);
            }
        };
        LOG.set(log.clone());
        each_phase();
        run_once().unwrap();
        log.expect(&["tick", "poll", "check", "timers"]);
        set_timeout(MS, each_phase.clone());
        run().unwrap();
        log.expect(&["tick", "poll", "check", "timers"]);
        set_immediate(each_phase);
        run().unwrap();
        log.expect(&["tick", "timers", "poll", "check"]);
    });
}

thread_local!(static LOG: RefCell<Log> = RefCell::default());

// ---- Ticks

#[test]
fn the_tick_queue_empties_after_every_callback() {
    on_own_thread(|| {
        let log = Log::default();
        let noisy = |name: &'static str, tick: &'static str| {
            let log = log.clone();
            move || {
                next_tick(log.note(tick));
                log.add(name);
            }
        };
        set_immediate(noisy("immediate 1", "its tick"));
        set_immediate(noisy("immediate 2", "its tick"));
        run().unwrap();
        log.expect(&["immediate 1", "its tick", "immediate 2", "its tick"]);

        let (one, two) = (noisy("timer 1", "its tick"), noisy("timer 2", "its tick"));
        set_immediate(move || {
            set_timeout(MS, one);
            set_timeout(MS, two);
        });
        run().unwrap();
        log.expect(&["timer 1", "its tick", "timer 2", "its tick"]);

        // Two closures that another thread sent: of one turn.
        let mut remote = remote();
        remote.set_ref(true);
        let (tell, told) = channel();
        for name in ["post 1", "post 2"] {
            let tell = tell.clone();
            let post = move || {
                let tick = tell.clone();
                next_tick(move || tick.send("its tick").unwrap());
                tell.send(name).unwrap();
            };
            remote.post(post).map_err(|_| ()).unwrap();
        }
        run_once().unwrap();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["post 1", "its tick", "post 2", "its tick"]);
    });
}

#[test]
fn ticks_that_ticks_set_come_before_anything_else() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        set_immediate(log.note("immediate"));
        next_tick(move || {
            let log = inner.clone();
            next_tick(move || {
                next_tick(log.note("3"));
                log.add("2");
            });
            inner.add("1");
        });
        next_tick(log.note("1b"));
        run().unwrap();
        log.expect(&["1", "1b", "2", "3", "immediate"]);
    });
}

#[test]
fn ticks_that_wait_run_first_even_if_nothing_else_is_left() {
    on_own_thread(|| {
        let log = Log::default();
        next_tick(log.note("run"));
        run().unwrap();
        next_tick(log.note("run_nowait"));
        assert!(!run_nowait().unwrap());
        log.expect(&["run", "run_nowait"]);
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

// ---- Immediates

#[test]
fn immediates_set_in_the_check_phase_wait_for_the_next_iteration() {
    on_own_thread(|| {
        let log = Log::default();
        let iteration = || metrics().iterations;
        let inner = log.clone();
        set_immediate(move || {
            let first = iteration();
            let log = inner.clone();
            set_immediate(move || log.add(format!("{} later", iteration() - first)));
            inner.add("first");
        });
        set_immediate(log.note("second"));
        run().unwrap();
        log.expect(&["first", "second", "1 later"]);
    });
}

#[test]
fn an_immediate_set_in_an_io_callback_comes_before_a_timer_of_0_ms() {
    on_own_thread(|| {
        let mut remote = remote();
        remote.set_ref(true);
        let (tell, told) = channel();
        remote
            .post(move || {
                let (timer, immediate) = (tell.clone(), tell);
                set_timeout(Duration::ZERO, move || timer.send("timer").unwrap());
                // The timer is due when the check phase comes.
                spin(2 * MS);
                set_immediate(move || immediate.send("immediate").unwrap());
            })
            .map_err(|_| ())
            .unwrap();
        drop(remote);
        run().unwrap();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["immediate", "timer"]);
    });
}

#[test]
fn an_immediate_cleared_by_its_neighbour_does_not_run() {
    on_own_thread(|| {
        let log = Log::default();
        let neighbour = Rc::new(RefCell::new(None));
        let (inner, mut note) = (neighbour.clone(), log.note("first"));
        set_immediate(move || {
            note();
            let neighbour: oneloop::Immediate = inner.take().unwrap();
            neighbour.clear();
            neighbour.clear();
        });
        neighbour.replace(Some(set_immediate(log.note("cleared"))));
        set_immediate(log.note("third"));
        run().unwrap();
        log.expect(&["first", "third"]);
    });
}

#[test]
fn an_immediate_keeps_the_loop_unless_unref() {
    on_own_thread(|| {
        let log = Log::default();
        let immediate = set_immediate(log.note("immediate"));
        assert!(immediate.has_ref());
        assert!(!immediate.unref().has_ref());
        run().unwrap();
        log.expect(&[]);
        assert!(immediate.set_ref(true).set_ref(true).has_ref());
        run().unwrap();
        log.expect(&["immediate"]);
        // It has run: none of these holds the loop.
        immediate.unref().set_ref(true);
        immediate.clear();
        assert!(!run_nowait().unwrap());
    });
}

// ---- Timers

#[test]
fn timers_of_one_deadline_run_in_order_of_setting_and_others_by_deadline() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        // In a callback the clock stands still: equal times are equal deadlines.
        set_immediate(move || {
            for (after, name) in [(3, "3a"), (1, "1a"), (2, "2a"), (3, "3b"), (1, "1b"), (2, "2b"), (0, "0")] {
                set_timeout(after * MS, inner.note(name));
            }
        });
        run().unwrap();
        log.expect(&["1a", "1b", "0", "2a", "2b", "3a", "3b"]);
    });
}

#[test]
fn a_timer_of_0_is_one_of_1_ms() {
    on_own_thread(|| {
        set_immediate(|| {
            let armed = now();
            set_timeout(Duration::ZERO, move || assert!(now() >= armed + MS, "{armed:?} {:?}", now()));
            set_timeout(Duration::from_nanos(1), move || assert!(now() >= armed + MS));
        });
        run().unwrap();
    });
}

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
fn refresh_begins_the_time_anew() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        set_immediate(move || {
            let refreshed = set_timeout(10 * MS, inner.note("refreshed"));
            set_timeout(5 * MS, move || refreshed.refresh());
            set_timeout(12 * MS, inner.note("between"));
        });
        run().unwrap();
        log.expect(&["between", "refreshed"]);
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
        log.expect(&["immediate", "timer"]);
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
fn an_interval_runs_until_it_is_cleared_in_its_own_callback() {
    on_own_thread(|| {
        let log = Log::default();
        let (inner, mut count) = (log.clone(), 0);
        let last = Rc::new(Cell::new(now()));
        let captured = Rc::new(());
        let held = captured.clone();
        interval(2 * MS, move |handle| {
            let _ = &held;
            assert!(handle.is_armed());
            assert!(now() >= last.replace(now()) + 2 * MS);
            count += 1;
            next_tick(inner.note("its tick"));
            inner.add(count);
            if count == 3 {
                handle.clear();
                handle.refresh();
                assert!(!handle.is_armed());
            }
        });
        run().unwrap();
        log.expect(&["1", "its tick", "2", "its tick", "3", "its tick"]);
        assert_eq!(Rc::strong_count(&captured), 1);
    });
}

#[test]
fn an_interval_may_be_refreshed_and_unreferenced_in_its_own_callback() {
    on_own_thread(|| {
        let log = Log::default();
        let (inner, mut count) = (log.clone(), 0);
        let handle = interval(MS, move |handle| {
            count += 1;
            inner.add(count);
            handle.refresh();
            if count == 2 {
                handle.unref();
            }
        });
        run().unwrap();
        log.expect(&["1", "2"]);
        assert!(handle.is_armed() && !handle.has_ref());
    });
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

// ---- Ways to run

#[test]
fn run_inside_a_callback_is_an_error_and_disturbs_nothing() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        set_immediate(move || {
            set_immediate(inner.note("next"));
            for error in [run().unwrap_err(), run_once().unwrap_err(), run_nowait().unwrap_err()] {
                assert!(error.to_string().contains("running already"), "{error}");
            }
            inner.add("still here");
        });
        run().unwrap();
        log.expect(&["still here", "next"]);
        run().unwrap();
    });
}

#[test]
fn run_begins_with_due_timers_and_run_once_does_not() {
    on_own_thread(|| {
        let log = Log::default();
        let arm = || {
            set_timeout(MS, log.note("timer"));
            set_immediate(log.note("immediate"));
            next_tick(log.note("tick"));
            spin(3 * MS);
        };
        arm();
        run().unwrap();
        log.expect(&["tick", "timer", "immediate"]);
        arm();
        run_once().unwrap();
        log.expect(&["tick", "immediate", "timer"]);
    });
}

#[test]
fn run_once_waits_and_run_nowait_does_not() {
    on_own_thread(|| {
        let log = Log::default();
        assert!(!run_once().unwrap() && !run_nowait().unwrap(), "nothing is left");
        let hour = set_timeout(Duration::from_secs(3600), log.note("an hour"));
        assert!(run_nowait().unwrap());
        hour.clear();
        set_timeout(2 * MS, log.note("timer"));
        assert!(!run_once().unwrap(), "it waits for the timer, which is the last");
        log.expect(&["timer"]);
        set_immediate(|| {
            set_immediate(|| ());
        });
        assert!(run_once().unwrap());
        assert!(!run_once().unwrap());
    });
}

#[test]
fn stop_ends_run_after_the_iteration_that_runs() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        set_immediate(move || {
            stop();
            next_tick(inner.note("tick"));
            set_immediate(inner.note("next run"));
            inner.add("stops");
        });
        set_immediate(log.note("same iteration"));
        run().unwrap();
        log.expect(&["stops", "tick", "same iteration"]);
        run().unwrap();
        log.expect(&["next run"]);

        stop();
        set_immediate(log.note("immediate"));
        run().unwrap();
        log.expect(&[]);
        run().unwrap();
        log.expect(&["immediate"]);
    });
}

#[test]
fn each_thread_has_a_loop_of_its_own() {
    on_own_thread(|| {
        let log = Log::default();
        set_immediate(log.note("here"));
        thread::spawn(|| {
            set_immediate(stop);
            run().unwrap();
        })
        .join()
        .unwrap();
        log.expect(&[]);
        run().unwrap();
        log.expect(&["here"]);
    });
}

#[test]
fn handles_that_outlive_the_loop_do_nothing() {
    struct Last(Timeout, oneloop::Immediate);
    impl Drop for Last {
        fn drop(&mut self) {
            let _ = run_nowait();
            self.0.refresh();
            self.0.unref().set_ref(true);
            self.0.clear();
            self.1.set_ref(true);
            self.1.clear();
            next_tick(|| ());
            set_timeout(MS, || ()).clear();
            set_immediate(|| ()).clear();
            stop();
        }
    }
    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });
    // Whichever of the two thread-locals is dropped first.
    thread::spawn(|| {
        LAST.set(None);
        LAST.set(Some(Last(set_timeout(MS, || ()), set_immediate(|| ()))));
    })
    .join()
    .unwrap();
    thread::spawn(|| {
        let last = Last(set_timeout(MS, || ()), set_immediate(|| ()));
        LAST.set(Some(last));
    })
    .join()
    .unwrap();
}
