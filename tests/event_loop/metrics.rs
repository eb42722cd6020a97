//! What a loop says of itself: its metrics and its report of slow turns.
//!
//! A slow machine makes any turn slow, so these tests ask only for the turns that they hold up themselves.

use crate::support::own_thread::on_own_thread;
use oneloop::event_loop::{Phase, SlowTurn, metrics, on_slow, set_exact_timing, set_slow_threshold};
use oneloop::sim::Sim;
use oneloop::{http, net, next_tick, remote, run, run_nowait, run_once, set_immediate, set_timeout, worker};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

/// Holds the loop.
fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() <= time {
        std::hint::spin_loop();
    }
}

#[track_caller]
fn post(f: impl FnOnce() + Send + 'static) {
    remote().post(f).map_err(|_| ()).unwrap();
}

/// Collects reports of turns over 5 ms.
fn reports() -> Rc<RefCell<Vec<SlowTurn>>> {
    let reports: Rc<RefCell<Vec<SlowTurn>>> = Rc::default();
    let inner = reports.clone();
    set_slow_threshold(5 * MS);
    on_slow(move |slow| inner.borrow_mut().push(slow.clone()));
    reports
}

/// Those whose last callback was registered at this line.
fn at_line(reports: &RefCell<Vec<SlowTurn>>, line: u32) -> Vec<SlowTurn> {
    let is_here = |slow: &&SlowTurn| slow.registered.file().ends_with("metrics.rs") && slow.registered.line() == line;
    reports.borrow().iter().filter(is_here).cloned().collect()
}

#[test]
fn all_time_is_either_idle_or_active() {
    on_own_thread(|| {
        let first = metrics();
        set_immediate(|| spin(20 * MS));
        run().unwrap();
        let busy = metrics();
        assert!(busy.active - first.active >= 20 * MS, "{busy:?}");
        assert_eq!(busy.idle + busy.active, busy.at);
        let utilisation = busy.utilisation_since(&first);
        let (active, idle) = ((busy.active - first.active).as_secs_f64(), (busy.idle - first.idle).as_secs_f64());
        assert!((utilisation - active / (active + idle)).abs() < 1e-9, "{utilisation}");
        assert!(utilisation > 0.0 && utilisation <= 1.0);
        assert_eq!(busy.utilisation_since(&busy), 0.0);

        set_timeout(20 * MS, || ());
        run().unwrap();
        let waited = metrics();
        assert!(waited.idle > busy.idle, "waiting for a timer is idle");
        assert_eq!(waited.idle + waited.active, waited.at);
    });
}

#[test]
fn iterations_events_and_delays_are_counted() {
    on_own_thread(|| {
        let first = metrics();
        for _ in 0..3 {
            run_nowait().unwrap();
        }
        let second = metrics();
        assert_eq!(second.iterations - first.iterations, 3);
        assert_eq!(second.events, first.events);
        assert_eq!(second.loop_delay.since(&first.loop_delay).count(), 3);
        post(|| ());
        run_nowait().unwrap();
        assert_eq!(metrics().events - second.events, 1);

        set_immediate(|| {
            set_immediate(|| ());
            spin(20 * MS);
        });
        run().unwrap();
        assert!(metrics().loop_delay.max() >= 20 * MS);
    });
}

#[test]
fn what_is_open_is_counted() {
    on_own_thread(|| {
        let counts = || (metrics().timers, metrics().jobs);
        assert_eq!(counts(), (0, 0));
        let timer = set_timeout(MS, || ());
        let cleared = set_timeout(MS, || ());
        timer.unref();
        worker::run(|| (), |_| ());
        worker::run(|| (), |_| ());
        assert_eq!(counts(), (2, 2));
        cleared.clear();
        assert_eq!(counts(), (1, 2));
        timer.set_ref(true);
        run().unwrap();
        assert_eq!(counts(), (0, 0));
        let readings = metrics();
        assert_eq!((readings.listeners, readings.connections, readings.ready, readings.buffered), (0, 0, 0, 0));
        assert!(readings.closes.is_empty());
    });
}

#[test]
fn a_turn_over_the_threshold_is_reported_once_with_its_registration_site() {
    on_own_thread(|| {
        let reports = reports();
        let line = line!() + 1;
        set_timeout(MS, || spin(10 * MS));
        set_timeout(30 * MS, || ());
        run().unwrap();
        let found = at_line(&reports, line);
        assert_eq!(found.len(), 1, "{reports:?}");
        let slow = &found[0];
        assert_eq!((slow.phase, slow.callbacks, slow.label.as_str()), (Phase::Timers, 1, ""));
        assert!(slow.took >= 10 * MS && slow.waited_at_most >= slow.took, "{slow:?}");
        assert!(slow.slowest.is_none());
    });
}

#[test]
fn the_last_turn_of_a_run_is_reported_as_well() {
    on_own_thread(|| {
        let reports = reports();
        let line = line!() + 1;
        set_immediate(|| spin(10 * MS));
        run().unwrap();
        let found = at_line(&reports, line);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].phase, found[0].waiting), (Phase::Check, 0));
    });
}

#[test]
fn the_report_says_how_many_the_next_poll_found_ready() {
    on_own_thread(|| {
        let reports = reports();
        let line = line!() + 1;
        set_immediate(|| {
            post(|| ());
            spin(10 * MS);
        });
        run_once().unwrap();
        assert!(at_line(&reports, line).is_empty(), "only the next wait knows who waited");
        run_nowait().unwrap();
        assert_eq!(at_line(&reports, line)[0].waiting, 1);
    });
}

#[test]
fn below_the_threshold_nothing_is_reported() {
    on_own_thread(|| {
        let reports = reports();
        for threshold in [Duration::from_secs(3600), Duration::MAX] {
            set_slow_threshold(threshold);
            set_immediate(|| spin(10 * MS));
            run().unwrap();
        }
        assert!(reports.borrow().is_empty());
    });
}

#[test]
fn the_callbacks_of_a_turn_are_counted_and_its_ticks_are_not() {
    on_own_thread(|| {
        let reports = reports();
        // Two callbacks of one turn: what other threads sent.
        let remote = remote();
        remote.post(|| next_tick(|| ())).map_err(|_| ()).unwrap();
        let line = line!() + 1;
        remote.post(|| next_tick(|| spin(10 * MS))).map_err(|_| ()).unwrap();
        run_nowait().unwrap();
        run_nowait().unwrap();
        let found = at_line(&reports, line);
        assert_eq!(found.len(), 1, "{reports:?}");
        assert_eq!((found[0].phase, found[0].callbacks), (Phase::Poll, 2));
    });
}

#[test]
fn exact_timing_names_the_slowest_callback_of_a_turn() {
    on_own_thread(|| {
        let reports = reports();
        set_exact_timing(true);
        let remote = remote();
        remote.post(|| ()).map_err(|_| ()).unwrap();
        let slow_line = line!() + 1;
        remote.post(|| spin(200 * MS)).map_err(|_| ()).unwrap();
        let last_line = line!() + 1;
        remote.post(|| ()).map_err(|_| ()).unwrap();
        run_nowait().unwrap();
        run_nowait().unwrap();
        let found = at_line(&reports, last_line);
        assert_eq!(found.len(), 1);
        let slowest = found[0].slowest.as_ref().expect("exact timing is on");
        assert_eq!((slowest.registered.line(), slowest.what.as_str()), (slow_line, "a posted closure"));
        assert!(slowest.took >= 200 * MS && found[0].took >= slowest.took);

        // What one turn measured is not told of another.
        set_slow_threshold(Duration::MAX);
        set_immediate(|| spin(50 * MS));
        run().unwrap();
        set_slow_threshold(5 * MS);
        let line = line!() + 1;
        set_immediate(|| spin(10 * MS));
        run().unwrap();
        assert_eq!(at_line(&reports, line)[0].slowest.as_ref().unwrap().registered.line(), line);
        set_immediate(|| ());
        run().unwrap();
        set_exact_timing(false);
        let line = line!() + 1;
        set_immediate(|| spin(10 * MS));
        run().unwrap();
        assert!(at_line(&reports, line)[0].slowest.is_none());
    });
}

#[test]
fn exact_timing_names_a_slow_tick() {
    on_own_thread(|| {
        let reports = reports();
        set_exact_timing(true);
        let line = line!() + 1;
        set_immediate(|| {
            next_tick(|| ());
            next_tick(|| spin(200 * MS));
            next_tick(|| ());
        });
        run().unwrap();
        let found = at_line(&reports, line);
        assert_eq!(found[0].callbacks, 1);
        let slowest = found[0].slowest.as_ref().unwrap();
        assert_eq!((slowest.registered.line(), slowest.what.as_str()), (line + 2, "a tick"));
    });
}

#[test]
fn the_time_of_a_slow_listener_is_not_that_of_the_turn_after_it() {
    on_own_thread(|| {
        set_slow_threshold(20 * MS);
        let turns = Rc::new(RefCell::new(Vec::new()));
        let inner = turns.clone();
        on_slow(move |slow| {
            inner.borrow_mut().push(slow.phase);
            spin(30 * MS);
        });
        // The machine may hold up the turn after it; hardly every time.
        let innocent = (0..20).any(|_| {
            turns.borrow_mut().clear();
            set_immediate(|| {
                post(|| ());
                spin(30 * MS);
            });
            run_nowait().unwrap();
            run_nowait().unwrap();
            run_nowait().unwrap();
            *turns.borrow() == [Phase::Check]
        });
        assert!(innocent, "{turns:?}");
    });
}

#[test]
fn a_listener_of_reports_may_replace_itself() {
    on_own_thread(|| {
        let seen = Rc::new(Cell::new((0, 0)));
        let inner = seen.clone();
        set_slow_threshold(5 * MS);
        on_slow(move |_| {
            inner.set((inner.get().0 + 1, 0));
            let seen = inner.clone();
            on_slow(move |_| seen.set((seen.get().0, seen.get().1 + 1)));
        });
        for _ in 0..2 {
            set_immediate(|| spin(10 * MS));
            run().unwrap();
        }
        let (first, second) = seen.get();
        assert!(first == 1 && second >= 1, "{seen:?}");
    });
}

#[test]
fn a_slow_request_is_reported_with_its_method_and_target() {
    on_own_thread(|| {
        let reports = reports();
        let server = http::create_server(|req, res| {
            if req.path() == "/block" {
                spin(10 * MS);
            }
            res.end("done");
        });
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        let port = server.address().unwrap().port().unwrap();
        let client = net::connect(("127.0.0.1", port), |socket| {
            let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            socket.write(get("/block?for=10ms")).ignore();
        });
        client.on_data(|_, _| ());
        client.on_close(move |_, _| server.close(|| ()));
        run().unwrap();
        let blocked: Vec<_> =
            reports.borrow().iter().filter(|slow| slow.label == "GET /block?for=10ms").cloned().collect();
        assert_eq!(blocked.len(), 1, "{reports:?}");
        assert!(blocked[0].took >= 10 * MS && blocked[0].registered.file().ends_with("metrics.rs"), "{blocked:?}");
    });
}

#[test]
fn connections_their_bytes_and_the_reasons_of_their_ends_are_counted() {
    let sim = Sim::new();
    let server = http::create_server(|_req, res| res.end("hi"));
    server.listen(80, || ()).unwrap();
    let clients = [sim.connect(80), sim.connect(80)];
    clients[0].write("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTT");
    sim.settle();
    let open = metrics();
    assert_eq!((open.listeners, open.connections, open.buffered), (1, 2, "GET / HTT".len()));
    clients[1].write("GET");
    sim.settle();
    assert_eq!((metrics().buffered, metrics().largest_buffer), (12, 9));
    clients[0].reset();
    clients[1].finish();
    sim.settle();
    let closed = metrics();
    assert_eq!((closed.connections, closed.buffered), (0, 0));
    assert_eq!(closed.closes, [("reset", 1), ("truncated", 1)]);
}
