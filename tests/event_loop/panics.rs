//! Promise 5: a panic in a callback costs that callback only.

use crate::support::log::Log;
use crate::support::logger::{keep_log, lines};
use crate::support::own_thread::on_own_thread;
use ::log::Level;
use oneloop::event_loop::{PanicPolicy, on_panic, set_panic_policy};
use oneloop::{next_tick, remote, run, run_nowait, run_once, set_immediate, set_interval, set_timeout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// An error that this thread has logged.
fn logged(part: &str) -> Option<String> {
    lines(Level::Error)
        .into_iter()
        .find(|line| line.text.contains(part))
        .map(|line| format!("{} {}", line.target, line.text))
}

fn caught(test: impl FnOnce(Log) + Send + 'static) {
    on_own_thread(|| {
        keep_log();
        set_panic_policy(PanicPolicy::Catch);
        let log = Log::default();
        let inner = log.clone();
        on_panic(move |panic| {
            assert!(panic.registered.file().ends_with("panics.rs"));
            inner.add(format!("{}: {}", panic.what, panic.message));
        });
        test(log);
    });
}

#[test]
fn a_panic_is_logged_and_told_and_the_loop_goes_on() {
    caught(|log| {
        let line = line!() + 1;
        set_timeout(MS, || panic!("rotten {}", "tomato"));
        set_timeout(MS, log.note("next timer"));
        run().unwrap();
        log.expect(&["a timer: rotten tomato", "next timer"]);
        let logged = logged("rotten tomato").expect("it is not in the log");
        assert!(logged.starts_with("oneloop::loop a timer panicked"), "{logged}");
        assert!(logged.contains(&format!("panics.rs:{line}:")), "{logged}");

        set_immediate(|| panic!("1"));
        set_immediate(log.note("next immediate"));
        next_tick(|| panic!("2"));
        next_tick(log.note("next tick"));
        remote().post(|| panic!("3")).map_err(|_| ()).unwrap();
        run().unwrap();
        log.expect(&["a tick: 2", "next tick", "a posted closure: 3", "an immediate: 1", "next immediate"]);
    });
}

#[test]
fn the_ticks_of_a_callback_that_panicked_still_run() {
    caught(|log| {
        let inner = log.clone();
        set_immediate(move || {
            next_tick(inner.note("tick"));
            panic!("after a tick");
        });
        run().unwrap();
        log.expect(&["an immediate: after a tick", "tick"]);
    });
}

#[test]
fn an_interval_that_panics_is_cleared() {
    caught(|log| {
        let interval = set_interval(MS, || panic!("every time"));
        run().unwrap();
        assert!(!interval.is_armed());
        log.expect(&["an interval: every time"]);
    });
}

#[test]
fn a_listener_of_panics_may_panic_and_replace_itself() {
    caught(|log| {
        let inner = log.clone();
        on_panic(move |_| {
            let log = inner.clone();
            on_panic(move |panic| log.add(format!("new: {}", panic.message)));
            panic!("the listener");
        });
        set_immediate(|| panic!("first"));
        set_immediate(|| panic!("second"));
        run().unwrap();
        log.expect(&["new: second"]);
        assert!(logged("the on_panic listener panicked: the listener").is_some());
    });
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the payload");
        }
    }
    caught(|log| {
        set_immediate(|| std::panic::panic_any(Bomb));
        let bomb = Bomb;
        set_timeout(MS, move || drop(bomb)).clear();
        set_immediate(log.note("next"));
        run().unwrap();
        log.expect(&["an immediate: (no message)", "next"]);
    });
}

#[test]
fn the_policy_resume_goes_on_with_the_unwind_out_of_run_and_loses_nothing() {
    caught(|log| {
        set_panic_policy(PanicPolicy::Resume);
        let inner = log.clone();
        set_immediate(move || {
            set_timeout(MS, || panic!("of a timer"));
            set_timeout(MS, inner.note("timer"));
            set_immediate(inner.note("immediate"));
        });
        let message = |caught: Box<dyn std::any::Any + Send>| *caught.downcast::<&str>().unwrap();
        assert_eq!(message(catch_unwind(run).unwrap_err()), "of a timer");
        run().unwrap();
        log.expect(&["immediate", "a timer: of a timer", "timer"]);

        set_immediate(|| panic!("of an immediate"));
        set_immediate(log.note("next immediate"));
        assert_eq!(message(catch_unwind(run_once).unwrap_err()), "of an immediate");
        log.expect(&["an immediate: of an immediate"]);
        run().unwrap();
        log.expect(&["next immediate"]);

        next_tick(|| panic!("of a tick"));
        next_tick(log.note("next tick"));
        assert_eq!(message(catch_unwind(run_nowait).unwrap_err()), "of a tick");
        run_nowait().unwrap();
        log.expect(&["a tick: of a tick", "next tick"]);

        let remote = remote();
        let seen = Arc::new(Mutex::new(0));
        let count = seen.clone();
        remote.post(|| panic!("of a post")).map_err(|_| ()).unwrap();
        remote.post(move || *count.lock().unwrap() += 1).map_err(|_| ()).unwrap();
        assert_eq!(message(catch_unwind(AssertUnwindSafe(run_once)).unwrap_err()), "of a post");
        assert_eq!(*seen.lock().unwrap(), 0);
        run_once().unwrap();
        assert_eq!(*seen.lock().unwrap(), 1);
    });
}
