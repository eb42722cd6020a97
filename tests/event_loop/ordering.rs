//! Promises 2 and 3: callbacks come from the loop, in Node's order. And the ways to run a loop, and its end.

use crate::support::log::Log;
use crate::support::own_thread::on_own_thread;
use oneloop::event_loop::metrics;
use oneloop::{
    Timeout, net, next_tick, remote, run, run_nowait, run_once, set_immediate, set_interval, set_timeout, stop,
};
use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
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

/// Then it looks before it waits, and a look that finds nothing is no wait.
#[test]
fn run_once_waits_also_where_several_sources_were_ready_at_once() {
    on_own_thread(|| {
        let log = Log::default();
        let server = net::create_server(|socket| {
            socket.on_data(|_, _| ());
        });
        server.listen(0, || ()).unwrap();
        let port = server.address().unwrap().port().unwrap();
        let mut peers = [(); 2].map(|()| TcpStream::connect(("127.0.0.1", port)).unwrap());
        let round = || {
            let before = metrics().events;
            run_nowait().unwrap();
            metrics().events - before
        };
        while round() > 0 || metrics().connections < 2 {}
        while round() < 2 {
            for peer in &mut peers {
                peer.write_all(b"x").unwrap();
            }
        }
        set_timeout(2 * MS, log.note("timer"));
        assert!(run_once().unwrap());
        log.expect(&["timer"]);
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
