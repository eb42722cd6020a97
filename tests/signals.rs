//! Signals as callbacks of the loop.
#![cfg(unix)]

mod support;

use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::signals::{self, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2};
use oneloop::{next_tick, run, run_nowait, run_once, set_immediate, set_timeout};
use signal_hook::low_level::raise;
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

type Log = Rc<RefCell<Vec<String>>>;

fn note(log: &Log, text: &str) -> impl FnMut(i32) + 'static {
    let (log, text) = (log.clone(), text.to_string());
    move |signal| log.borrow_mut().push(format!("{text} {signal}"))
}

/// A signal reaches every loop of the process, so one test at a time.
fn on_own_thread(test: impl FnOnce() + Send + 'static) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    support::own_thread::on_own_thread(test);
}

#[test]
fn a_signal_calls_its_listeners_in_order_from_the_loop() {
    on_own_thread(|| {
        let log = Log::default();
        signals::on(SIGUSR1, note(&log, "first")).unwrap();
        signals::on(SIGUSR2, note(&log, "other")).unwrap();
        let last = signals::on(SIGUSR1, note(&log, "second")).unwrap();
        last.set_ref(true);
        raise(SIGUSR1).unwrap();
        assert!(log.borrow().is_empty());
        run_once().unwrap();
        assert_eq!(*log.borrow(), [format!("first {SIGUSR1}"), format!("second {SIGUSR1}")]);
        raise(SIGUSR1).unwrap();
        raise(SIGUSR1).unwrap();
        run_once().unwrap();
        assert_eq!(log.borrow().len(), 4, "two signals between two iterations are one");
    });
}

#[test]
fn it_comes_in_the_poll_phase_after_what_else_came() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        signals::on(SIGUSR1, move |_| {
            let note = |text: &'static str| {
                let log = inner.clone();
                move || log.borrow_mut().push(text.to_string())
            };
            set_timeout(Duration::ZERO, note("timer"));
            set_immediate(note("immediate"));
            next_tick(note("tick"));
            note("signal")();
        })
        .unwrap();
        raise(SIGUSR1).unwrap();
        let (sent, remote) = (std::sync::Arc::new(Mutex::new(Vec::new())), oneloop::remote());
        let posted = sent.clone();
        remote.post(move || posted.lock().unwrap().push("posted")).map_err(|_| ()).unwrap();
        let (inner, posted) = (log.clone(), sent.clone());
        signals::on(SIGUSR1, move |_| inner.borrow_mut().push(format!("{:?}", posted.lock().unwrap()))).unwrap();
        run_nowait().unwrap();
        run().unwrap();
        assert_eq!(*log.borrow(), ["signal", "tick", "[\"posted\"]", "immediate", "timer"]);
    });
}

#[test]
fn a_listener_does_not_keep_the_loop_alive_unless_asked() {
    on_own_thread(|| {
        let seen = Rc::new(Cell::new(0));
        let inner = seen.clone();
        let handle = signals::on(SIGHUP, move |_| inner.set(inner.get() + 1)).unwrap();
        assert!(!handle.has_ref());
        run().unwrap();
        handle.set_ref(true).set_ref(true);
        assert!(handle.has_ref() && run_nowait().unwrap());
        assert!(!handle.unref().has_ref() && !run_nowait().unwrap());
        handle.set_ref(true);
        let ends = handle.clone();
        signals::on(SIGHUP, move |_| ends.clear()).unwrap();
        raise(SIGHUP).unwrap();
        run().unwrap();
        assert_eq!(seen.get(), 1);
        assert!(!handle.set_ref(true).has_ref() && !run_nowait().unwrap(), "a cleared handle holds nothing");
    });
}

#[test]
fn a_listener_may_clear_itself_and_others_and_add() {
    on_own_thread(|| {
        let log = Log::default();
        let own = Rc::new(RefCell::new(Vec::<signals::SignalHandle>::new()));
        let (inner, handles) = (log.clone(), own.clone());
        let captured = Rc::new(());
        let held = captured.clone();
        let first = signals::on(SIGUSR1, move |signal| {
            let _ = &held;
            note(&inner, "first")(signal);
            handles.take().iter().for_each(signals::SignalHandle::clear);
            signals::on(SIGUSR1, note(&inner, "added")).unwrap();
        })
        .unwrap();
        let second = signals::on(SIGUSR1, note(&log, "cleared before its turn")).unwrap();
        own.borrow_mut().extend([first, second]);
        raise(SIGUSR1).unwrap();
        run_nowait().unwrap();
        assert_eq!(*log.borrow(), [format!("first {SIGUSR1}")]);
        assert_eq!(Rc::strong_count(&captured), 1, "a cleared listener is dropped");
        raise(SIGUSR1).unwrap();
        run_nowait().unwrap();
        assert_eq!(log.borrow()[1..], [format!("added {SIGUSR1}")]);
    });
}

#[test]
fn every_loop_of_the_process_that_asked_gets_it() {
    on_own_thread(|| {
        let loops: Vec<_> = (0..3)
            .map(|_| {
                let (is_ready, ready) = channel();
                let thread = thread::spawn(move || {
                    let seen = Rc::new(Cell::new(0));
                    let inner = seen.clone();
                    let handle = Rc::new(RefCell::new(None::<signals::SignalHandle>));
                    let ends = handle.clone();
                    let on = signals::on(SIGUSR2, move |_| {
                        inner.set(inner.get() + 1);
                        ends.take().unwrap().clear();
                    });
                    on.as_ref().unwrap().set_ref(true);
                    handle.replace(on.ok());
                    is_ready.send(()).unwrap();
                    run().unwrap();
                    seen.get()
                });
                ready.recv().unwrap();
                thread
            })
            .collect();
        raise(SIGUSR2).unwrap();
        for thread in loops {
            assert_eq!(thread.join().unwrap(), 1);
        }
    });
}

#[test]
fn a_panic_costs_that_call_only() {
    on_own_thread(|| {
        set_panic_policy(PanicPolicy::Catch);
        let log = Log::default();
        let inner = log.clone();
        signals::on(SIGUSR1, move |signal| {
            note(&inner, "called")(signal);
            panic!("a listener");
        })
        .unwrap();
        signals::on(SIGUSR1, note(&log, "next")).unwrap();
        for _ in 0..2 {
            raise(SIGUSR1).unwrap();
            run_nowait().unwrap();
        }
        assert_eq!(log.borrow().len(), 4, "{log:?}");
    });
}

#[test]
fn after_a_resumed_panic_the_other_listeners_are_still_told() {
    on_own_thread(|| {
        let log = Log::default();
        signals::on(SIGUSR1, |_| panic!("a listener")).unwrap();
        signals::on(SIGUSR1, note(&log, "next")).unwrap();
        raise(SIGUSR1).unwrap();
        assert!(std::panic::catch_unwind(run_nowait).is_err());
        assert!(log.borrow().is_empty());
        run_nowait().unwrap();
        assert_eq!(*log.borrow(), [format!("next {SIGUSR1}")]);
    });
}

#[test]
fn a_signal_that_came_with_a_panic_elsewhere_is_not_lost() {
    on_own_thread(|| {
        let log = Log::default();
        signals::on(SIGUSR1, note(&log, "told")).unwrap();
        raise(SIGUSR1).unwrap();
        oneloop::remote().post(|| panic!("a post")).map_err(|_| ()).unwrap();
        assert!(std::panic::catch_unwind(run_nowait).is_err());
        assert!(log.borrow().is_empty());
        run_nowait().unwrap();
        assert_eq!(*log.borrow(), [format!("told {SIGUSR1}")]);
    });
}

#[test]
fn what_cannot_be_listened_to_is_an_error_that_says_so() {
    on_own_thread(|| {
        for signal in [9, 11, 0, -1, 128, i32::MAX] {
            assert_eq!(signals::on(signal, |_| ()).unwrap_err().kind(), ErrorKind::InvalidInput, "{signal}");
        }
        assert_eq!(signals::on(9, |_| ()).unwrap_err().to_string(), "nobody can listen to SIGKILL");
    });
}

/// Runs one of the programs below in a process of its own, whose end is what is tested.
fn child(program: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child", "--test-threads=1"])
        .env("ONELOOP_TEST_CHILD", program)
        .output()
        .unwrap()
        .status
}

#[test]
fn the_child() {
    let listen = || signals::on(SIGTERM, |_| ()).unwrap();
    match std::env::var("ONELOOP_TEST_CHILD").as_deref() {
        Ok("listens") => {
            listen();
            raise(SIGTERM).unwrap();
            run_nowait().unwrap();
        }
        Ok("one of two cleared") => {
            listen().clear();
            let kept = listen();
            let cleared = listen();
            cleared.clear();
            cleared.clear();
            raise(SIGTERM).unwrap();
            drop(kept);
        }
        Ok("cleared") => {
            listen().clear();
            raise(SIGTERM).unwrap();
        }
        Ok("its loop has ended") => {
            thread::spawn(move || drop(listen())).join().unwrap();
            raise(SIGTERM).unwrap();
        }
        _ => {}
    }
}

#[test]
fn the_default_action_is_back_when_nobody_listens_any_more() {
    assert!(child("listens").success());
    assert!(child("one of two cleared").success());
    assert_eq!(child("cleared").signal(), Some(SIGTERM));
    assert_eq!(child("its loop has ended").signal(), Some(SIGTERM));
}
