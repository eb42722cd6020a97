//! The worker pool: work on other threads, results on the loop.

use crate::support::own_thread::on_own_thread;
use oneloop::{next_tick, run, set_immediate, set_timeout, worker};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

type Log = Rc<RefCell<Vec<String>>>;

fn note(log: &Log, text: impl ToString) -> impl FnOnce() + 'static {
    let (log, text) = (log.clone(), text.to_string());
    move || log.borrow_mut().push(text)
}

#[test]
fn work_is_done_elsewhere_and_its_result_comes_back_to_the_loops_thread() {
    on_own_thread(|| {
        let here = thread::current().id();
        let result: Rc<Cell<Option<(ThreadId, ThreadId)>>> = Rc::default();
        let told = result.clone();
        worker::run(|| thread::current().id(), move |worked| told.set(Some((worked.unwrap(), thread::current().id()))));
        assert!(result.get().is_none(), "done was called from inside worker::run");
        run().unwrap();
        let (worked, told) = result.get().expect("the loop ended before the job");
        assert_ne!(worked, here);
        assert_eq!(told, here);
    });
}

#[test]
fn done_is_called_in_the_poll_phase() {
    on_own_thread(|| {
        let log = Log::default();
        let inner = log.clone();
        worker::run(
            || (),
            move |_| {
                set_timeout(Duration::ZERO, note(&inner, "timer"));
                set_immediate(note(&inner, "immediate"));
                next_tick(note(&inner, "tick"));
                note(&inner, "done")();
            },
        );
        run().unwrap();
        assert_eq!(*log.borrow(), ["done", "tick", "immediate", "timer"]);
    });
}

#[test]
fn each_result_goes_to_its_own_done() {
    on_own_thread(|| {
        let sum = Rc::new(Cell::new(0));
        for number in 0..100_u64 {
            let sum = sum.clone();
            worker::run(
                move || number * 2,
                move |result| {
                    assert_eq!(result.unwrap(), number * 2);
                    sum.set(sum.get() + number);
                },
            );
        }
        run().unwrap();
        assert_eq!(sum.get(), 4950);
    });
}

#[test]
fn a_panic_in_the_work_comes_back_as_an_error_and_the_thread_goes_on() {
    on_own_thread(|| {
        worker::set_pool_size(1, 10);
        let log = Log::default();
        let inner = log.clone();
        worker::run(
            || -> u32 { panic!("no seed {}", 7) },
            move |result| {
                let error = result.unwrap_err();
                assert!(error.is_panic() && !error.is_queue_full());
                note(&inner, &error)();
            },
        );
        let inner = log.clone();
        worker::run(|| "still there", move |result| note(&inner, result.unwrap())());
        run().unwrap();
        assert_eq!(*log.borrow(), ["the work panicked on its worker thread: no seed 7", "still there"]);
    });
}

/// A job that says when it begins and then waits until it is let go.
fn held() -> (impl FnOnce() + Send + 'static, Receiver<()>, Sender<()>) {
    let (begins, began) = channel();
    let (let_go, gate) = channel::<()>();
    let work = move || {
        begins.send(()).unwrap();
        let _ = gate.recv();
    };
    (work, began, let_go)
}

#[test]
fn a_full_queue_comes_back_as_an_error_but_never_synchronously() {
    on_own_thread(|| {
        worker::set_pool_size(1, 1);
        let log = Log::default();
        let (work, began, let_go) = held();
        worker::run(work, |_| ());
        began.recv().unwrap();
        let inner = log.clone();
        worker::run(|| (), move |result| note(&inner, format!("waited: {}", result.is_ok()))());
        let inner = log.clone();
        worker::run(
            || panic!("a refused job must not run"),
            move |result: Result<(), _>| {
                let error = result.unwrap_err();
                assert!(error.is_queue_full() && !error.is_panic());
                assert!(error.to_string().contains("worker::set_pool_size"), "{error}");
                assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
                note(&inner, "refused")();
                // Only now may the others go on: the refusal does not wait for them.
                let_go.send(()).unwrap();
            },
        );
        assert!(log.borrow().is_empty(), "done was called from inside worker::run");
        run().unwrap();
        assert_eq!(*log.borrow(), ["refused", "waited: true"]);
    });
}

#[test]
fn jobs_that_find_a_thread_do_not_count_as_waiting() {
    on_own_thread(|| {
        worker::set_pool_size(4, 1);
        let together = Arc::new(Barrier::new(4));
        let ended = Rc::new(Cell::new(0));
        for _ in 0..4 {
            let (together, ended) = (together.clone(), ended.clone());
            worker::run(
                move || {
                    together.wait();
                },
                move |result| {
                    result.unwrap();
                    ended.set(ended.get() + 1);
                },
            );
        }
        run().unwrap();
        assert_eq!(ended.get(), 4);
    });
}

#[test]
fn four_jobs_run_at_a_time() {
    on_own_thread(|| {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let together = Arc::new(Barrier::new(4));
        for _ in 0..16 {
            let (running, most, together) = (running.clone(), most.clone(), together.clone());
            let work = move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // With fewer than four threads nobody would come out of here.
                together.wait();
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
            };
            worker::run(work, |result| result.unwrap());
        }
        run().unwrap();
        assert_eq!(most.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn the_loop_stays_for_a_job_and_goes_on_meanwhile() {
    on_own_thread(|| {
        let log = Log::default();
        let (work, began, let_go) = held();
        let inner = log.clone();
        worker::run(work, move |_| note(&inner, "done")());
        began.recv().unwrap();
        let inner = log.clone();
        // Nothing else holds the loop while this timer waits.
        set_timeout(Duration::from_millis(1), move || {
            note(&inner, "timer")();
            let_go.send(()).unwrap();
        })
        .unref();
        run().unwrap();
        assert_eq!(*log.borrow(), ["timer", "done"]);
    });
}

#[test]
fn done_may_hand_over_the_next_job() {
    on_own_thread(|| {
        fn step(left: u32, steps: Rc<Cell<u32>>) {
            if left > 0 {
                worker::run(
                    move || left - 1,
                    move |result| {
                        steps.set(steps.get() + 1);
                        step(result.unwrap(), steps);
                    },
                );
            }
        }
        let steps = Rc::new(Cell::new(0));
        step(20, steps.clone());
        run().unwrap();
        assert_eq!(steps.get(), 20);
    });
}

/// Tells of its drop, by name.
struct Told(&'static str, Arc<Mutex<Sender<&'static str>>>);

impl Told {
    fn must_not_run(&self) {
        panic!("{} ran", self.0);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.1.lock().unwrap().send(self.0).unwrap();
    }
}

#[test]
fn a_loop_that_ends_drops_what_waits_and_what_still_comes() {
    let (tell, told) = channel();
    let tell = Arc::new(Mutex::new(tell));
    let (work, began, let_go) = held();
    let name = |name| Told(name, tell.clone());
    let (result, done, waiting_work, waiting_done) =
        (name("result"), name("done"), name("waiting work"), name("waiting done"));
    thread::spawn(move || {
        worker::set_pool_size(1, 10);
        let run_result = move || {
            work();
            result
        };
        worker::run(run_result, move |_| done.must_not_run());
        worker::run(move || waiting_work.must_not_run(), move |_| waiting_done.must_not_run());
        began.recv().unwrap();
    })
    .join()
    .unwrap();
    let mut dropped: Vec<_> = told.try_iter().collect();
    dropped.sort_unstable();
    assert_eq!(dropped, ["done", "waiting done", "waiting work"]);
    let_go.send(()).unwrap();
    assert_eq!(told.recv().unwrap(), "result");
}
