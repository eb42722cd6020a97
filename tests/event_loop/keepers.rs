//! Keepers: values that live on threads of their own. Jobs in order, bounded, and none lost.

use crate::support::http::*;
use crate::support::own_thread::on_own_thread;
use oneloop::sim::Sim;
use oneloop::worker::{self, Keeper, Keepers};
use oneloop::{metrics, run, set_timeout, stop};
use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::{fs, io};

/// What happens on the keepers' threads.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn add(&self, text: impl ToString) {
        self.0.lock().unwrap().push(text.to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A value that need not be `Send`: it counts its jobs, and tells of its drop.
struct Value {
    number: Rc<Cell<usize>>,
    diary: Diary,
}

impl Value {
    fn make(diary: &Diary) -> Result<Value, Infallible> {
        diary.add("made");
        Ok(Value { number: Rc::default(), diary: diary.clone() })
    }

    fn count(&mut self) -> usize {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.diary.add(format!("dropped after {}", self.number.get()));
    }
}

fn keeper(diary: &Diary) -> Keeper<Value> {
    let diary = diary.clone();
    Keeper::start(move || Value::make(&diary))
}

/// Gives a job whose result is recorded with its name.
fn count(keeper: &Keeper<Value>, record: &Record, name: &'static str) {
    let record = record.clone();
    keeper.run(Value::count, move |result| match result {
        Ok(number) => record.add(format!("{name}: {number}")),
        Err(error) => record.add(format!("{name}: {error}")),
    });
}

fn crash(keeper: &Keeper<Value>, record: &Record) {
    let record = record.clone();
    keeper.run(
        |value| {
            value.count();
            panic!("crash number {}", value.number.get())
        },
        move |result: Result<(), worker::Error>| {
            let error = result.unwrap_err();
            assert!(error.is_panic() && !error.is_undone() && !error.is_no_value());
            record.add(error);
        },
    );
}

// ---- Order and time

#[test]
fn the_value_is_made_at_the_start_and_stays_for_all_jobs() {
    let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
    let keeper = keeper(&diary);
    assert_eq!(diary.take(), [""; 0], "nothing happens inside of a call");
    sim.advance(SECOND);
    assert_eq!(diary.take(), ["made"]);
    for name in ["a", "b", "c"] {
        count(&keeper, &record, name);
    }
    record.expect(&[]);
    sim.run_to_rest();
    record.expect(&["a: 1", "b: 2", "c: 3"]);
    assert_eq!(diary.take(), [""; 0]);
}

#[test]
fn in_a_simulation_each_step_takes_the_time_of_a_job_one_after_the_other() {
    let (sim, diary) = (Rc::new(Sim::new()), Diary::default());
    sim.set_worker_latency(10 * MS);
    let record = Record::default();
    let keeper = keeper(&diary);
    for name in ["a", "b"] {
        let (clock, record) = (sim.clone(), record.clone());
        keeper.run(|_| (), move |_| record.add(format!("{name} at {:?}", clock.now())));
    }
    let (clock, closed) = (sim.clone(), record.clone());
    keeper.close(move || closed.add(format!("closed at {:?}", clock.now())));
    sim.run_to_rest();
    record.expect(&["a at 20ms", "b at 30ms", "closed at 40ms"]);
}

#[test]
fn several_keepers_work_side_by_side_and_begin_in_order() {
    let sim = Rc::new(Sim::new());
    sim.set_worker_latency(10 * MS);
    let record = Record::default();
    let keepers = Keepers::start(2, || Ok::<_, Infallible>(0));
    sim.advance(20 * MS);
    for name in ["a", "b", "c", "d", "e"] {
        let (clock, record) = (sim.clone(), record.clone());
        keepers.run(
            |jobs| {
                *jobs += 1;
                *jobs
            },
            move |result| record.add(format!("{name} at {:?}: {}", clock.now(), result.unwrap())),
        );
    }
    sim.run_to_rest();
    record.expect(&["a at 30ms: 1", "b at 30ms: 1", "c at 40ms: 2", "d at 40ms: 2", "e at 50ms: 3"]);
}

#[test]
fn jobs_of_a_keeper_hold_up_no_job_of_the_pool_nor_of_another_keeper() {
    let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
    let (slow, quick) = (keeper(&diary), keeper(&diary));
    sim.advance(SECOND);
    sim.set_worker_latency(3600 * SECOND);
    (0..8).for_each(|_| count(&slow, &record, "slow"));
    sim.set_worker_latency(MS);
    count(&quick, &record, "quick");
    let done = record.clone();
    worker::run(|| (), move |_| done.add("pool"));
    sim.advance(10 * MS);
    record.expect(&["quick: 1", "pool"]);
}

#[test]
fn real_jobs_run_on_one_thread_that_is_not_the_loop_s() {
    on_own_thread(|| {
        let record = Record::default();
        let keeper = Keeper::start(|| Ok::<_, Infallible>(Rc::new(thread::current().id())));
        let here = thread::current().id();
        for _ in 0..100 {
            let record = record.clone();
            keeper.run(
                move |made_on| (**made_on == thread::current().id(), thread::current().id() != here),
                move |result| {
                    assert_eq!(thread::current().id(), here);
                    record.add(format!("{:?}", result.unwrap()));
                },
            );
        }
        run().unwrap();
        assert_eq!(record.all(), ["(true, true)"; 100]);
    });
}

#[test]
fn real_keepers_work_side_by_side() {
    on_own_thread(|| {
        let together = Arc::new(Barrier::new(3));
        let keepers = Keepers::start(3, || Ok::<_, Infallible>(()));
        let met = Rc::new(Cell::new(0));
        for _ in 0..9 {
            let (together, met) = (together.clone(), met.clone());
            // With fewer than three threads nobody would come out of here.
            keepers.run(
                move |()| {
                    together.wait();
                },
                move |result| {
                    result.unwrap();
                    met.set(met.get() + 1);
                },
            );
        }
        run().unwrap();
        assert_eq!(met.get(), 9);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_job_wakes_one_of_the_real_threads_that_wait() {
    const THREADS: usize = 16;
    const JOBS: usize = 300;

    /// How often these threads have waited for something.
    fn waits(threads: &Mutex<Vec<PathBuf>>) -> usize {
        let status = |thread: &PathBuf| fs::read_to_string(Path::new("/proc").join(thread).join("status")).unwrap();
        let count = |status: String| {
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count.unwrap().trim().parse::<usize>().unwrap()
        };
        threads.lock().unwrap().iter().map(|thread| count(status(thread))).sum()
    }

    /// Gives one job after another.
    fn ask(keepers: Keepers<()>, left: usize) {
        if left > 0 {
            keepers.clone().run(|()| (), move |_| ask(keepers, left - 1));
        }
    }

    on_own_thread(|| {
        let threads: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
        let here = threads.clone();
        let keepers = Keepers::start(THREADS, move || {
            here.lock().unwrap().push(fs::read_link("/proc/thread-self")?);
            Ok::<_, io::Error>(())
        });
        // Each of them has a value when this is over.
        let together = Arc::new(Barrier::new(THREADS));
        for _ in 0..THREADS {
            let together = together.clone();
            keepers.run(
                move |()| {
                    together.wait();
                },
                |_| (),
            );
        }
        run().unwrap();
        assert_eq!(threads.lock().unwrap().len(), THREADS);
        let before = waits(&threads);
        ask(keepers.clone(), JOBS);
        run().unwrap();
        let waits = waits(&threads) - before;
        // If all of them woke for each job, it would be some thousands.
        assert!(waits < 3 * JOBS, "{waits} waits for {JOBS} jobs");
    });
}

#[test]
fn no_real_job_is_lost_and_none_is_out_of_order() {
    on_own_thread(|| {
        let keeper = Keeper::start(|| Ok::<_, Infallible>(Vec::new()));
        keeper.set_queue(100_000);
        let results = Rc::new(Cell::new(0));
        for number in 0..20_000_usize {
            let results = results.clone();
            keeper.run(
                move |all| {
                    all.push(number);
                    all.len()
                },
                move |result| {
                    assert_eq!(result.unwrap(), number + 1);
                    assert_eq!(results.replace(number + 1), number);
                },
            );
        }
        let in_order = Rc::new(Cell::new(false));
        let told = in_order.clone();
        keeper.run(|all| all.is_sorted() && all.len() == 20_000, move |result| told.set(result.unwrap()));
        run().unwrap();
        assert!(in_order.get() && results.get() == 20_000);
    });
}

// ---- The bound

#[test]
fn a_job_that_finds_the_queue_full_is_refused_with_503_at_once_and_the_others_are_done() {
    let keeper = Rc::new(Cell::new(None::<Keeper<()>>));
    let given = keeper.clone();
    let (sim, _server) = serve(move |_, res| {
        let keeper = given.take().unwrap();
        keeper.run(
            |()| (),
            move |result| match result {
                Ok(()) => res.end("done"),
                Err(error) => {
                    assert!(error.is_queue_full() && error.to_string().contains("Keeper::set_queue"), "{error}");
                    res.fail(error)
                }
            },
        );
        given.set(Some(keeper));
    });
    let new = Keeper::start(|| Ok::<_, Infallible>(()));
    new.set_queue(2);
    keeper.set(Some(new));
    sim.advance(SECOND);
    sim.set_worker_latency(SECOND);
    let peers: Vec<_> = (0..5).map(|_| send(&sim, get("/"))).collect();
    sim.advance(100 * MS);
    let seen = |peers: &[_]| peers.iter().map(statuses).collect::<Vec<_>>();
    assert_eq!(seen(&peers), [vec![], vec![], vec![], vec![503], vec![503]]);
    sim.advance(4 * SECOND);
    assert_eq!(seen(&peers), [[200], [200], [200], [503], [503]]);
}

#[test]
fn a_thousand_jobs_wait_by_default() {
    let (sim, diary) = (Sim::new(), Diary::default());
    let keeper = keeper(&diary);
    sim.advance(SECOND);
    let refused = Rc::new(Cell::new(0));
    for _ in 0..2000 {
        let refused = refused.clone();
        keeper.run(|_| (), move |result| refused.set(refused.get() + usize::from(result.is_err())));
    }
    assert_eq!((keeper.waiting(), metrics().jobs), (1024, 2000));
    sim.run_to_rest();
    assert_eq!((keeper.waiting(), metrics().jobs), (0, 0));
    assert_eq!(refused.get(), 2000 - 1024 - 1);
}

// ---- Panics, and values that cannot be made

#[test]
fn a_job_that_panics_gets_its_panic_and_the_next_one_a_new_value() {
    let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
    let keeper = keeper(&diary);
    count(&keeper, &record, "a");
    crash(&keeper, &record);
    count(&keeper, &record, "b");
    sim.run_to_rest();
    record.expect(&["a: 1", "the work panicked on its worker thread: crash number 2", "b: 1"]);
    assert_eq!(diary.take(), ["made", "dropped after 2", "made"]);
}

#[test]
fn a_real_panic_does_not_end_the_thread() {
    on_own_thread(|| {
        let (diary, record) = (Diary::default(), Record::default());
        let keeper = keeper(&diary);
        crash(&keeper, &record);
        count(&keeper, &record, "after");
        run().unwrap();
        record.expect(&["the work panicked on its worker thread: crash number 1", "after: 1"]);
    });
}

/// A keeper whose value can be made where the switch is on.
fn switched(works: &Arc<AtomicBool>, attempts: &Arc<AtomicUsize>) -> Keeper<()> {
    let (works, attempts) = (works.clone(), attempts.clone());
    Keeper::start(move || {
        attempts.fetch_add(1, Ordering::SeqCst);
        match works.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(std::io::Error::other("no such database")),
        }
    })
}

fn ask(keeper: &Keeper<()>, record: &Record) {
    let record = record.clone();
    keeper.run(
        |()| (),
        move |result| match result {
            Ok(()) => record.add("ok"),
            Err(error) => {
                assert!(error.is_no_value() && !error.is_closed() && error.source().unwrap().is::<std::io::Error>());
                record.add(error);
            }
        },
    );
}

const NO_VALUE: &str = "the keeper's value cannot be made: no such database";

#[test]
fn while_the_value_cannot_be_made_all_jobs_are_refused_and_later_ones_try_again() {
    let (sim, record) = (Sim::new(), Record::default());
    let (works, attempts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let keeper = switched(&works, &attempts);
    for _ in 0..3 {
        ask(&keeper, &record);
    }
    sim.advance(10 * MS);
    record.expect(&[NO_VALUE; 3]);
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    // Within the pause nobody tries again.
    ask(&keeper, &record);
    sim.advance(50 * MS);
    record.expect(&[NO_VALUE]);
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    // After it, a job makes the keeper try, and is done if that succeeds.
    works.store(true, Ordering::SeqCst);
    sim.advance(100 * MS);
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    ask(&keeper, &record);
    sim.run_to_rest();
    record.expect(&["ok"]);
    let log: Vec<_> = sim.log().iter().map(ToString::to_string).collect();
    assert_eq!(log.len(), 2, "{log:#?}");
    assert!(log[0].starts_with("ERROR oneloop::loop: the value of the keeper started at tests/event_loop/keepers.rs:"));
    assert!(log[0].ends_with(" cannot be made: no such database; its jobs are refused until it can"), "{}", log[0]);
    assert!(log[1].starts_with("INFO") && log[1].ends_with(" is there again"), "{}", log[1]);
}

#[test]
fn the_pause_between_two_attempts_doubles_up_to_ten_seconds() {
    let (sim, record) = (Sim::new(), Record::default());
    let attempts = Arc::new(AtomicUsize::new(0));
    let keeper = switched(&Arc::default(), &attempts);
    // A job every 10 ms, for 60 s: 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10, 10 s.
    for _ in 0..6000 {
        ask(&keeper, &record);
        sim.advance(10 * MS);
    }
    assert_eq!(record.take(), vec![NO_VALUE; 6000]);
    assert_eq!(attempts.load(Ordering::SeqCst), 12);
}

#[test]
fn a_make_that_panics_is_one_that_fails() {
    let (sim, record) = (Sim::new(), Record::default());
    let keeper = Keeper::<()>::start(|| -> Result<(), Infallible> { panic!("no disk") });
    let told = record.clone();
    keeper.run(|()| (), move |result| told.add(result.unwrap_err()));
    sim.run_to_rest();
    record.expect(&["the keeper's value cannot be made: it panicked: no disk"]);
}

#[test]
fn a_refusal_for_want_of_a_value_is_a_503() {
    let (sim, _server) = serve(|_, res| {
        let keeper = Keeper::<()>::start(|| Err("no such database"));
        keeper.run(|()| (), move |result| res.fail(result.unwrap_err()));
    });
    let peer = send(&sim, get("/"));
    sim.advance(SECOND);
    assert_eq!(statuses(&peer), [503]);
}

#[test]
fn one_of_several_that_cannot_be_made_leaves_the_jobs_to_the_others() {
    let (sim, record) = (Sim::new(), Record::default());
    let first = AtomicBool::new(true);
    let keepers =
        Keepers::start(2, move || if first.swap(false, Ordering::SeqCst) { Err("not this one") } else { Ok(()) });
    for _ in 0..20 {
        let told = record.clone();
        keepers.run(|()| (), move |result| told.add(result.is_ok()));
    }
    sim.run_to_rest();
    assert_eq!(record.take(), ["true"; 20]);
}

// ---- Groups

/// Writes down what a group does.
struct Journal(Diary);

fn grouped(diary: &Diary) -> Keeper<Journal> {
    let made = diary.clone();
    let write = |text: &'static str| {
        move |journal: &mut Journal| {
            journal.0.add(text);
            Ok::<_, Infallible>(())
        }
    };
    Keeper::start_grouped(move || Ok::<_, Infallible>(Journal(made.clone())), write("begin"), write("commit"))
}

fn write(keeper: &Keeper<Journal>, diary: &Diary, name: &'static str) {
    let diary = diary.clone();
    keeper.run(
        move |journal| {
            journal.0.add(name);
            assert!(name != "bad", "this job is bad");
        },
        move |result| match result {
            Ok(()) => diary.add(format!("{name} is told")),
            Err(error) => diary.add(format!("{name}: {error}")),
        },
    );
}

#[test]
fn all_that_wait_are_one_group_and_are_told_after_its_commit() {
    let (sim, diary) = (Sim::new(), Diary::default());
    let keeper = grouped(&diary);
    sim.advance(SECOND);
    write(&keeper, &diary, "a");
    // The first job found the keeper idle. These come while it works.
    ["b", "c", "d"].into_iter().for_each(|name| write(&keeper, &diary, name));
    sim.run_to_rest();
    let alone = ["begin", "a", "commit", "a is told"];
    let together = ["begin", "b", "c", "d", "commit", "b is told", "c is told", "d is told"];
    assert_eq!(diary.take(), [&alone[..], &together].concat());
}

#[test]
fn a_panic_ends_its_group_and_those_behind_it_are_the_next_one() {
    let (sim, diary) = (Sim::new(), Diary::default());
    let keeper = grouped(&diary);
    ["a", "bad", "c"].into_iter().for_each(|name| write(&keeper, &diary, name));
    sim.run_to_rest();
    assert_eq!(
        diary.take(),
        [
            "begin",
            "a",
            "bad",
            "a: the work's group failed: another job of the group panicked: this job is bad",
            "bad: the work panicked on its worker thread: this job is bad",
            "begin",
            "c",
            "commit",
            "c is told"
        ]
    );
}

#[test]
fn a_group_that_cannot_begin_or_commit_tells_its_jobs_and_gets_a_new_value() {
    for (begins, ran) in [(false, 0), (true, 3)] {
        let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
        let made = diary.clone();
        let failing = move |works: bool| {
            move |value: &mut Value| match works || value.diary.0.lock().unwrap().len() > 1 {
                true => Ok(()),
                false => Err("the disk is full"),
            }
        };
        let keeper = Keeper::start_grouped(move || Value::make(&made), failing(begins), failing(!begins));
        for _ in 0..3 {
            let record = record.clone();
            keeper.run(Value::count, move |result| {
                let error = result.unwrap_err();
                assert!(error.is_undone() && !error.is_panic());
                record.add(error);
            });
        }
        sim.run_to_rest();
        record.expect(&["the work's group failed: the disk is full"; 3]);
        count(&keeper, &record, "after");
        sim.run_to_rest();
        assert_eq!(record.take().last().unwrap(), "after: 1");
        assert_eq!(diary.take(), ["made".to_owned(), format!("dropped after {ran}"), "made".to_owned()]);
    }
}

#[test]
fn real_groups_take_all_that_wait() {
    on_own_thread(|| {
        let commits = Arc::new(AtomicUsize::new(0));
        let counted = commits.clone();
        let keeper = Keeper::start_grouped(
            || Ok::<_, Infallible>(()),
            |()| Ok::<_, Infallible>(()),
            move |()| {
                counted.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(())
            },
        );
        let (begins, began) = channel();
        let (let_go, gate) = channel::<()>();
        keeper.run(
            move |()| {
                begins.send(()).unwrap();
                let _ = gate.recv();
            },
            |result| result.unwrap(),
        );
        began.recv().unwrap();
        let told = Rc::new(Cell::new(0));
        for _ in 0..1000 {
            let told = told.clone();
            keeper.run(|()| (), move |result| told.set(told.get() + usize::from(result.is_ok())));
        }
        let_go.send(()).unwrap();
        run().unwrap();
        assert_eq!((told.get(), commits.load(Ordering::SeqCst)), (1000, 2));
    });
}

// ---- Ends

#[test]
fn close_does_what_waits_first_and_refuses_what_comes_later() {
    let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
    let keeper = keeper(&diary);
    count(&keeper, &record, "a");
    count(&keeper, &record, "b");
    let (closed, seen) = (record.clone(), diary.clone());
    keeper.close(move || closed.add(format!("closed: {:?}", seen.take())));
    count(&keeper.clone(), &record, "late");
    record.expect(&[]);
    sim.run_to_rest();
    let late = "late: the keeper was closed before this job was given";
    record.expect(&[late, "a: 1", "b: 2", "closed: [\"made\", \"dropped after 2\"]"]);
    // A second time it has nothing to wait for.
    let (again, told) = (record.clone(), record.clone());
    keeper.close(move || again.add("closed again"));
    keeper.run(|_| (), move |result| told.add(result.unwrap_err().is_closed()));
    sim.run_to_rest();
    record.expect(&["closed again", "true"]);
}

#[test]
fn a_real_close_comes_after_the_drop_of_all_values() {
    on_own_thread(|| {
        let (diary, record) = (Diary::default(), Record::default());
        let made = diary.clone();
        let keepers = Keepers::start(3, move || Value::make(&made));
        for _ in 0..10 {
            keepers.run(Value::count, |result| _ = result.unwrap());
        }
        let closed = record.clone();
        keepers.close(move || {
            let (made, dropped): (Vec<_>, Vec<_>) = diary.take().into_iter().partition(|line| line == "made");
            closed.add(!made.is_empty() && made.len() == dropped.len());
        });
        run().unwrap();
        record.expect(&["true"]);
    });
}

#[test]
fn the_last_handle_ends_the_keeper_once_its_jobs_are_done() {
    let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
    let keeper = keeper(&diary);
    count(&keeper, &record, "a");
    let other = keeper.clone();
    drop(keeper);
    sim.advance(SECOND);
    assert_eq!(diary.take(), ["made"]);
    count(&other, &record, "b");
    drop(other);
    assert_eq!(diary.take(), [""; 0], "nothing happens inside of a call");
    sim.run_to_rest();
    record.expect(&["a: 1", "b: 2"]);
    assert_eq!(diary.take(), ["dropped after 2"]);
}

#[test]
fn a_real_thread_ends_with_the_last_handle() {
    on_own_thread(|| {
        let (tell, told) = channel();
        struct Tell(std::sync::mpsc::Sender<&'static str>);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.send("dropped").unwrap();
            }
        }
        let tell = Mutex::new(tell);
        let keeper = Keeper::start(move || Ok::<_, Infallible>(Tell(tell.lock().unwrap().clone())));
        keeper.run(|tell| tell.0.send("ran").unwrap(), |_| ());
        drop(keeper);
        run().unwrap();
        assert_eq!((told.recv(), told.recv()), (Ok("ran"), Ok("dropped")));
    });
}

#[test]
fn a_keeper_may_be_dropped_or_closed_by_the_result_of_its_own_job() {
    let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
    let (first, second) = (keeper(&diary), keeper(&diary));
    let handle = first.clone();
    first.run(Value::count, move |_| drop(handle));
    drop(first);
    let (handle, closed) = (second.clone(), record.clone());
    second.run(Value::count, move |_| handle.close(move || closed.add("closed")));
    sim.run_to_rest();
    record.expect(&["closed"]);
    assert_eq!(diary.take().len(), 4);
}

#[test]
fn an_idle_keeper_does_not_keep_the_loop_running_and_a_job_does() {
    on_own_thread(|| {
        let (diary, record) = (Diary::default(), Record::default());
        let keeper = keeper(&diary);
        run().unwrap();
        count(&keeper, &record, "a");
        run().unwrap();
        record.expect(&["a: 1"]);
    });
}

#[test]
fn a_loop_that_is_stopped_tells_of_the_jobs_when_it_runs_again() {
    on_own_thread(|| {
        let (diary, record) = (Diary::default(), Record::default());
        let keeper = keeper(&diary);
        let (begins, began) = channel();
        let (let_go, gate) = channel::<()>();
        keeper.run(
            move |_| {
                begins.send(()).unwrap();
                let _ = gate.recv();
            },
            |result| result.unwrap(),
        );
        began.recv().unwrap();
        count(&keeper, &record, "a");
        count(&keeper, &record, "b");
        set_timeout(MS, stop);
        run().unwrap();
        record.expect(&[]);
        let_go.send(()).unwrap();
        run().unwrap();
        record.expect(&["a: 1", "b: 2"]);
    });
}

#[test]
fn a_loop_that_ends_drops_the_jobs_that_have_not_begun() {
    let (begins, began) = channel();
    let (let_go, gate) = channel::<()>();
    let diary = Diary::default();
    let inner = diary.clone();
    thread::spawn(move || {
        let keeper = keeper(&inner);
        keeper.run(
            move |_| {
                begins.send(()).unwrap();
                let _ = gate.recv();
            },
            |_| unreachable!("the loop does not run any more"),
        );
        keeper.run(|_| panic!("must not run"), |_: Result<(), _>| unreachable!("the loop does not run any more"));
        began.recv().unwrap();
        // The handle outlives the loop.
        std::mem::forget(keeper.clone());
        keeper.close(|| unreachable!("the loop does not run any more"));
    })
    .join()
    .unwrap();
    let_go.send(()).unwrap();
    let dropped = || diary.0.lock().unwrap().iter().any(|line| line == "dropped after 0");
    while !dropped() {
        thread::yield_now();
    }
    assert_eq!(diary.take(), ["made", "dropped after 0"]);
}

#[test]
fn a_handle_that_outlives_its_world_is_harmless() {
    let (diary, record) = (Diary::default(), Record::default());
    let sim = Sim::new();
    let keeper = keeper(&diary);
    count(&keeper, &record, "a");
    drop(sim);
    let _other = Sim::new();
    count(&keeper, &record, "b");
    keeper.close(|| unreachable!("its loop has ended"));
    run().unwrap();
    record.expect(&[]);
    assert_eq!(metrics().jobs, 0);
}

#[test]
fn a_stuck_job_of_a_keeper_is_given_up_after_the_grace_and_named() {
    let (sim, diary, record) = (Sim::new(), Diary::default(), Record::default());
    let keeper = keeper(&diary);
    sim.advance(SECOND);
    sim.set_worker_latency(24 * 3600 * SECOND);
    worker::set_grace(20 * SECOND);
    let line = line!() + 1;
    keeper.run(|_| (), move |_| record.add("late"));
    run().unwrap();
    assert_eq!(sim.now(), 21 * SECOND);
    let site = format!("the worker job given at tests/event_loop/keepers.rs:{line}:");
    assert!(sim.log().iter().all(|said| said.text.contains(&site)) && sim.log().len() == 2);
}
