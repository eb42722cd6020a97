//! The clients of a load, on the loop of a second thread.

use super::report::{Asked, Report};
use super::visitor::Visitor;
use super::{Experiment, Plan};
use oneloop::net::{self, Socket};
use oneloop::{set_interval, set_timeout};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many ordinary clients there are. Each asks for a greeting,
const CLIENTS: usize = 20;
/// once in this time.
const EVERY: Duration = Duration::from_millis(50);
/// How long they are alone at first, so that there is something to compare with,
const CALM: Duration = Duration::from_millis(800);
/// and how long they go on after the trouble.
const AFTER: Duration = Duration::from_millis(300);
/// A load ends after this time in any case.
const LONGEST: Duration = Duration::from_secs(12);

/// How many slow clients there are. Each sends a byte of its request
const SLOW: usize = 1_000;
/// once in this time,
const BYTE_EVERY: Duration = Duration::from_millis(250);
/// for this long.
const SLOW_FOR: Duration = Duration::from_millis(1_500);
/// How many connections are made in each millisecond: fewer than the backlog of a listening socket holds.
const BATCH: usize = 20;
/// How many connections the flood makes.
const FLOOD: usize = 2_000;
/// How many file descriptors this program needs for everything else.
const RESERVE: usize = 200;
/// How often the slow reader reads what is there, which comes to about 4 MiB a second.
const READ_EVERY: Duration = Duration::from_millis(15);

struct Load {
    plan: Plan,
    began: Instant,
    report: RefCell<Report>,
    trouble: Cell<Option<Instant>>,
    over: Cell<bool>,
    /// Connections of the trouble that are still open.
    open: RefCell<Vec<Socket>>,
}

/// Runs a plan to its end. All its connections are closed by then, since the loop ends when nothing is left.
pub fn run(plan: Plan) -> Report {
    let report = RefCell::new(Report { clients: CLIENTS, ..Report::default() });
    let load = Rc::new(Load {
        plan,
        began: Instant::now(),
        report,
        trouble: Cell::new(None),
        over: Cell::new(false),
        open: RefCell::default(),
    });
    for number in 0..CLIENTS {
        let load = load.clone();
        let visitor = Visitor::new(plan.target, plan.experiment.is_between_requests());
        // At different times: real visitors do not come in step.
        set_timeout(EVERY * number as u32 / CLIENTS as u32, move || visit(&load, &visitor));
    }
    let troubling = load.clone();
    set_timeout(CALM, move || trouble(&troubling));
    set_timeout(LONGEST, oneloop::stop).unref();
    if let Err(error) = oneloop::run() {
        log::error!("the load's loop failed: {error}");
    }
    load.report.take()
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// Asks for a path, reads the answer to its end, and passes it to `done`.
fn ask(target: SocketAddr, path: &str, done: impl FnOnce(Vec<u8>) + 'static) -> Socket {
    let request = request(path);
    let socket = net::connect(target, move |socket| socket.write(request.as_str()).ignore());
    let received = Rc::new(RefCell::new(Vec::new()));
    let receiving = received.clone();
    socket.on_data(move |_, bytes| receiving.borrow_mut().extend_from_slice(bytes));
    socket.on_close(move |_, _| done(received.take()));
    socket
}

/// Sends one request of an ordinary client, and schedules the next.
fn visit(load: &Rc<Load>, visitor: &Rc<Visitor>) {
    let at = Instant::now();
    if load.over.get() || at > load.began + LONGEST {
        visitor.leave();
        return;
    }
    let (asking, again) = (load.clone(), visitor.clone());
    visitor.ask(move |answered| {
        let took = at.elapsed();
        if answered {
            asking.report.borrow_mut().asked.push(Asked { at, took });
        } else {
            asking.report.borrow_mut().failed += 1;
        }
        set_timeout(EVERY.saturating_sub(took), move || visit(&asking, &again));
    });
}

fn trouble(load: &Rc<Load>) {
    load.trouble.set(Some(Instant::now()));
    match load.plan.experiment {
        Experiment::Block => one_request(load, "/block"),
        Experiment::Worker => one_request(load, "/worker"),
        Experiment::Slices => one_request(load, "/slices"),
        Experiment::Ticks => one_request(load, "/ticks"),
        Experiment::SlowClients => slow_clients(load),
        Experiment::AcceptFlood => flood(load),
        Experiment::SlowReader => slow_reader(load),
    }
}

/// The trouble is over. The ordinary clients go on for a while.
fn over(load: &Rc<Load>) {
    let began = load.trouble.get().unwrap_or(load.began);
    load.report.borrow_mut().trouble = Some((began, Instant::now()));
    let load = load.clone();
    set_timeout(AFTER, move || load.over.set(true));
}

fn one_request(load: &Rc<Load>, path: &str) {
    let asking = load.clone();
    ask(load.plan.target, path, move |answer| {
        let text = String::from_utf8_lossy(&answer);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        let mut report = asking.report.borrow_mut();
        report.made = 1;
        report.received = answer.len() as u64;
        report.answer = body.unwrap_or_default();
        drop(report);
        over(&asking);
    });
}

/// How many of the wanted connections there can be: each needs a descriptor here and one at the server.
fn affordable(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let limit = line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(1024_usize);
    wanted.min(limit.saturating_sub(RESERVE) / 2)
}

/// Makes connections in batches, passes each to `made`, and calls `done` when all have been begun.
fn connect_many(load: &Rc<Load>, left: usize, made: fn(&Rc<Load>, &Socket), done: fn(&Rc<Load>)) {
    if left == 0 {
        done(load);
        return;
    }
    let batch = BATCH.min(left);
    for _ in 0..batch {
        let connecting = load.clone();
        let socket = net::connect(load.plan.target, move |socket| {
            connecting.report.borrow_mut().made += 1;
            made(&connecting, socket);
        });
        load.open.borrow_mut().push(socket);
    }
    let load = load.clone();
    set_timeout(Duration::from_millis(1), move || connect_many(&load, left - batch, made, done));
}

fn slow_clients(load: &Rc<Load>) {
    let begin =
        |_: &Rc<Load>, socket: &Socket| socket.write("GET /hello HTTP/1.1\r\nHost: localhost\r\nSlow: ").ignore();
    connect_many(load, affordable(SLOW), begin, |load| {
        let writing = load.clone();
        let trickle = set_interval(BYTE_EVERY, move || {
            for socket in &*writing.open.borrow() {
                socket.write("z").ignore();
            }
        });
        let load = load.clone();
        set_timeout(SLOW_FOR, move || {
            trickle.clear();
            let open = load.open.take();
            for socket in &open {
                socket.reset();
            }
            over(&load);
        });
    });
}

/// Opens many connections, and closes each as soon as it is made.
fn flood(load: &Rc<Load>) {
    connect_many(
        load,
        affordable(FLOOD),
        |_, socket| socket.reset(),
        |load| {
            load.open.take();
            over(load);
        },
    );
}

fn slow_reader(load: &Rc<Load>) {
    let request = request("/download");
    let socket = net::connect(load.plan.target, move |socket| socket.write(request.as_str()).ignore());
    let received = Rc::new(Cell::new(0_u64));
    let counting = received.clone();
    socket.on_data(move |socket, bytes| {
        counting.set(counting.get() + bytes.len() as u64);
        socket.pause();
        let again = socket.clone();
        set_timeout(READ_EVERY, move || again.resume());
    });
    let load = load.clone();
    socket.on_close(move |_, _| {
        let mut report = load.report.borrow_mut();
        report.made = 1;
        report.received = received.get();
        drop(report);
        over(&load);
    });
}
