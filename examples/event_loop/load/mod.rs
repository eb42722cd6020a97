//! The loads: clients that use real loopback sockets, on a second thread with a loop of its own. They time themselves, so
//! they report what they have waited, and not what the server thinks.

mod clients;
mod report;
mod visitor;

use oneloop::{Remote, Timeout, event_loop, metrics, now, remote, set_interval};
use report::Report;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// How often the server's buffers and connections are counted, to find their peaks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    Block,
    Worker,
    Slices,
    Ticks,
    SlowClients,
    AcceptFlood,
    SlowReader,
}

impl Experiment {
    pub const ALL: &[Experiment] = &[
        Experiment::Block,
        Experiment::Worker,
        Experiment::Slices,
        Experiment::Ticks,
        Experiment::SlowClients,
        Experiment::AcceptFlood,
        Experiment::SlowReader,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Experiment::Block => "block",
            Experiment::Worker => "worker",
            Experiment::Slices => "slices",
            Experiment::Ticks => "ticks",
            Experiment::SlowClients => "slow-clients",
            Experiment::AcceptFlood => "accept-flood",
            Experiment::SlowReader => "slow-reader",
        }
    }

    /// Returns whether it is about requests and not about connections. Then the ordinary clients keep their connections, as
    /// browsers do. In the others, each request has a new one: on a thread pool, a client that has a connection has a
    /// thread already.
    pub fn is_between_requests(self) -> bool {
        matches!(self, Experiment::Block | Experiment::Worker | Experiment::Slices | Experiment::Ticks)
    }

    /// Returns whether it has a meaning for a thread pool.
    pub fn is_for_pool(self) -> bool {
        !matches!(self, Experiment::Worker | Experiment::Slices | Experiment::Ticks)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub experiment: Experiment,
    pub target: SocketAddr,
    pub on_pool: bool,
}

/// Runs one load at a time.
#[derive(Default)]
pub struct Desk {
    running: Rc<RefCell<Option<Running>>>,
}

struct Running {
    done: Box<dyn FnOnce(String)>,
    looking: Timeout,
    peaks: Rc<Peaks>,
}

/// The largest numbers of the server while the load ran.
#[derive(Default)]
struct Peaks {
    buffered: Cell<usize>,
    connections: Cell<usize>,
    /// How many connections there were before.
    before: Cell<usize>,
}

thread_local! {
    /// The load that is running. The load's thread posts a closure that finds it here, because its callback cannot leave
    /// this thread.
    static DESK: RefCell<Option<Rc<RefCell<Option<Running>>>>> = const { RefCell::new(None) };
}

impl Desk {
    /// Begins a load; `done` gets the results as JSON. Returns false if one is running already.
    pub fn run(&self, plan: Plan, done: impl FnOnce(String) + 'static) -> bool {
        if self.running.borrow().is_some() {
            return false;
        }
        let peaks = Rc::new(Peaks::default());
        peaks.before.set(metrics().connections);
        let watched = peaks.clone();
        let looking = set_interval(LOOK_EVERY, move || {
            event_loop::mark_turn_as_own();
            let metrics = metrics();
            watched.buffered.set(watched.buffered.get().max(metrics.buffered));
            watched.connections.set(watched.connections.get().max(metrics.connections));
        });
        *self.running.borrow_mut() = Some(Running { done: Box::new(done), looking, peaks });
        DESK.set(Some(self.running.clone()));
        // The moment at which the loop's clock was zero.
        let zero = Instant::now() - now();
        let home = remote();
        let started = thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || deliver(&home, clients::run(plan), plan, zero));
        if started.is_err() {
            *self.running.borrow_mut() = None;
        }
        started.is_ok()
    }
}

fn deliver(home: &Remote, report: Report, plan: Plan, zero: Instant) {
    let _ = home.post(move || {
        event_loop::mark_turn_as_own();
        let running = DESK.with_borrow(|desk| desk.as_ref().and_then(|desk| desk.borrow_mut().take()));
        let Some(Running { done, looking, peaks }) = running else { return };
        looking.clear();
        let connections = peaks.connections.get().saturating_sub(peaks.before.get());
        done(report.to_json(plan, zero, connections, peaks.buffered.get()));
    });
}
