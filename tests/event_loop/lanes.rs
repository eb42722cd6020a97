//! Lanes of the worker pool: the program's jobs, files and look-ups do not wait for each other; and jobs that never end.

use crate::support::folder::Folder;
use crate::support::http::*;
use crate::support::own_thread::on_own_thread;
use oneloop::net::{self, Socket};
use oneloop::sim::Sim;
use oneloop::{http, worker};
use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Connects by name and says when the connection was there, in virtual time.
fn connect_by_name(sim: &Rc<Sim>, name: &str, record: &Record) -> Socket {
    let (clock, record, named) = (sim.clone(), record.clone(), name.to_owned());
    net::connect((name, 7777), move |_| record.add(format!("{named} at {:?}", clock.now())))
}

fn world() -> Rc<Sim> {
    let sim = Rc::new(Sim::new());
    for name in ["a.example", "b.example", "c.example"] {
        sim.set_host(name, &[IpAddr::from([127, 0, 0, 1])]);
    }
    sim
}

fn occupy_the_program_s_threads(sim: &Sim, ended: &Record) {
    sim.set_worker_latency(3 * SECOND);
    for number in 0..8 {
        let ended = ended.clone();
        worker::run(|| (), move |_| ended.add(format!("job {number}")));
    }
    sim.set_worker_latency(MS);
}

#[test]
fn jobs_of_the_program_do_not_hold_up_files() {
    let folder = Folder::new("lanes-files");
    let file = folder.file("line", "one line\n");
    let (sim, _server) = serve(move |_req, res| res.send_file(&file));
    let jobs = Record::default();
    occupy_the_program_s_threads(&sim, &jobs);
    let peer = sim.connect(PORT);
    peer.write(get("/line"));
    sim.advance(50 * MS);
    assert!(peer.text().ends_with("\r\n\r\none line\n"), "{}", peer.text());
    jobs.expect(&[]);
    sim.advance(10 * SECOND);
    assert_eq!(jobs.all().len(), 8);
}

#[test]
fn jobs_of_the_program_do_not_hold_up_look_ups() {
    let sim = world();
    let _peer = sim.listen(("127.0.0.1", 7777)).unwrap();
    let record = Record::default();
    occupy_the_program_s_threads(&sim, &Record::default());
    let _socket = connect_by_name(&sim, "localhost", &record);
    sim.advance(50 * MS);
    record.expect(&["localhost at 1ms"]);
}

#[test]
fn a_dead_resolver_holds_up_neither_files_nor_jobs() {
    let folder = Folder::new("lanes-resolver");
    let file = folder.file("line", "one line\n");
    let (sim, _server) = serve(move |_req, res| res.send_file(&file));
    sim.set_worker_latency(3600 * SECOND);
    for number in 0..20 {
        net::connect((format!("host{number}.example").as_str(), 7777), |_| ());
    }
    sim.set_worker_latency(MS);
    let peer = sim.connect(PORT);
    peer.write(get("/line"));
    let record = Record::default();
    let done = record.clone();
    worker::run(|| (), move |_| done.add("done"));
    sim.advance(50 * MS);
    assert!(peer.text().ends_with("\r\n\r\none line\n"), "{}", peer.text());
    record.expect(&["done"]);
}

#[test]
fn files_do_not_hold_up_jobs_nor_look_ups() {
    let folder = Folder::new("lanes-slow-disk");
    let file = folder.file("line", "one line\n");
    let sim = world();
    let _server = listen(move |_req, res| res.send_file(&file));
    sim.set_worker_latency(3 * SECOND);
    let peers: Vec<_> = (0..20).map(|_| send(&sim, get("/line"))).collect();
    sim.set_worker_latency(MS);
    let _peer = sim.listen(("127.0.0.1", 7777)).unwrap();
    let record = Record::default();
    let done = record.clone();
    worker::run(|| (), move |_| done.add("done"));
    let _socket = connect_by_name(&sim, "localhost", &record);
    sim.advance(50 * MS);
    record.expect(&["done", "localhost at 1ms"]);
    assert!(peers.iter().all(|peer| peer.text().is_empty()));
}

#[test]
fn two_look_ups_run_at_a_time() {
    let sim = world();
    let _peer = sim.listen(("127.0.0.1", 7777)).unwrap();
    sim.set_worker_latency(3 * SECOND);
    let record = Record::default();
    for name in ["a.example", "b.example", "c.example"] {
        connect_by_name(&sim, name, &record);
    }
    sim.advance(9 * SECOND);
    record.expect(&["a.example at 3s", "b.example at 3s", "c.example at 6s"]);
}

#[test]
fn more_threads_for_the_program_are_more_for_the_library_and_fewer_are_not_fewer() {
    for (threads, look_ups) in [(1, 2), (6, 3)] {
        let sim = world();
        worker::set_pool_size(threads, 1);
        let _peer = sim.listen(("127.0.0.1", 7777)).unwrap();
        sim.set_worker_latency(3 * SECOND);
        let record = Record::default();
        for name in ["a.example", "b.example", "c.example"] {
            connect_by_name(&sim, name, &record);
        }
        sim.advance(5 * SECOND);
        assert_eq!(record.all().len(), look_ups);
    }
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
fn real_jobs_that_wait_hold_up_neither_a_real_file_nor_a_real_name() {
    on_own_thread(|| {
        let folder = Folder::new("lanes-real");
        let file = folder.file("line", "one line\n");
        let mut gates = Vec::new();
        for number in 0..6 {
            let (work, began, let_go) = held();
            worker::run(work, |_| ());
            if number < 4 {
                began.recv().unwrap();
            }
            gates.push(let_go);
        }
        let server = http::create_server(move |_req, res| res.send_file(&file));
        server.listen(("127.0.0.1", 0), || ()).unwrap();
        let port = server.address().unwrap().port().unwrap();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(60 * SECOND)).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        });
        // The jobs are let go when both are there: without lanes, never.
        let watchdog = oneloop::set_timeout(60 * SECOND, || panic!("a job of the program holds up the library"));
        let closing = server.clone();
        net::connect(("localhost", port), move |socket| {
            socket.on_close(move |_, _| {
                gates.clear();
                watchdog.clear();
                closing.close(|| ());
            });
            let socket = socket.clone();
            let check = Rc::new(RefCell::new(Some(client)));
            oneloop::set_interval(MS, move || {
                let ended = check.borrow().as_ref().is_some_and(thread::JoinHandle::is_finished);
                if ended && let Some(client) = check.take() {
                    assert!(client.join().unwrap().ends_with("\r\n\r\none line\n"));
                    socket.destroy();
                }
            })
            .unref();
        });
        oneloop::run().unwrap();
    });
}

// ---- Jobs that never end

#[test]
fn run_ends_without_a_job_that_never_ends_and_says_which_it_was() {
    let sim = Sim::new();
    keep_log();
    sim.set_worker_latency(24 * 3600 * SECOND);
    let line = line!() + 1;
    worker::run(|| (), |_| unreachable!("the loop is not run so long"));
    sim.advance(5 * SECOND);
    worker::run(|| (), |_| unreachable!("the loop is not run so long"));
    assert_eq!(logged(), [""; 0]);
    oneloop::run().unwrap();
    assert_eq!(sim.now(), 300 * SECOND);
    let lines = logged();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let first = format!(
        "WARN oneloop::loop run() waits for nothing but the worker job given at tests/event_loop/lanes.rs:{line}:5 8s ago"
    );
    assert!(lines[0].starts_with(&first), "{}", lines[0]);
    assert!(lines[0].ends_with("for 292s more (worker::set_grace)"), "{}", lines[0]);
    assert!(lines[1].contains(&format!(
        "run() ends without the worker job given at tests/event_loop/lanes.rs:{line}:5 300s ago, "
    )));
    assert!(lines[1].ends_with("295s ago: it has waited 300s for nothing else"), "{}", lines[1]);
    // Nothing keeps it now.
    oneloop::run().unwrap();
    assert_eq!(sim.now(), 300 * SECOND);
}

#[test]
fn the_grace_can_be_set_and_begins_when_nothing_else_keeps_the_loop() {
    let sim = Sim::new();
    worker::set_grace(2 * SECOND);
    sim.set_worker_latency(3600 * SECOND);
    worker::run(|| (), |_| unreachable!());
    oneloop::set_timeout(100 * SECOND, || ());
    oneloop::run().unwrap();
    assert_eq!(sim.now(), 102 * SECOND);
}

#[test]
fn a_job_that_ends_gives_the_others_their_grace_anew() {
    let sim = Sim::new();
    worker::set_grace(2 * SECOND);
    let ended = Rc::new(Cell::new(0));
    for number in 1..=4 {
        sim.set_worker_latency(number * 1900 * MS);
        let ended = ended.clone();
        worker::run(|| (), move |_| ended.set(ended.get() + 1));
    }
    oneloop::run().unwrap();
    assert_eq!(ended.get(), 4);
}

#[test]
fn without_an_end_of_patience_a_job_is_waited_for() {
    let sim = Sim::new();
    worker::set_grace(Duration::MAX);
    sim.set_worker_latency(24 * 3600 * SECOND);
    let record = Record::default();
    let done = record.clone();
    worker::run(|| (), move |_| done.add("done"));
    oneloop::run().unwrap();
    record.expect(&["done"]);
}

#[test]
fn a_job_that_was_given_up_is_told_where_the_loop_runs_on() {
    let sim = Sim::new();
    worker::set_grace(SECOND);
    sim.set_worker_latency(60 * SECOND);
    let record = Record::default();
    let done = record.clone();
    worker::run(|| (), move |_| done.add("done"));
    oneloop::run().unwrap();
    record.expect(&[]);
    oneloop::set_timeout(120 * SECOND, || ());
    oneloop::run().unwrap();
    record.expect(&["done"]);
}

#[test]
fn a_real_job_that_never_ends_does_not_keep_the_loop() {
    on_own_thread(|| {
        worker::set_grace(20 * MS);
        let (work, began, _let_go) = held();
        worker::run(work, |_| unreachable!("it never ends"));
        began.recv().unwrap();
        oneloop::run().unwrap();
    });
}

// ---- No thread

const CHILD: &str = "ONELOOP_NO_THREAD";

/// Where a thread's stack needs more memory than there is, none can be started.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child_without_threads() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let told = Rc::new(Cell::new(false));
    let tell = told.clone();
    worker::run(
        || (),
        move |result| {
            let error = result.unwrap_err();
            assert!(error.is_no_thread() && !error.is_queue_full() && !error.is_panic());
            assert!(error.to_string().starts_with("no worker thread can be started: "), "{error}");
            assert!(error.source().is_some());
            tell.set(true);
        },
    );
    assert!(!told.get(), "done was called from inside worker::run");
    oneloop::run().unwrap();
    assert!(told.get());
    println!("the job was refused");
}

#[cfg(target_os = "linux")]
#[test]
fn where_no_thread_can_be_started_the_error_says_so() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lanes::child_without_threads", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("RUST_MIN_STACK", (1_u64 << 60).to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("the job was refused"), "{child:?}");
}
