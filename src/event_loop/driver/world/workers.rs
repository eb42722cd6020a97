use super::{Job, Resolver, World};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// As many as the real pool has.
const THREADS: usize = 4;
/// As many as may wait for the real pool.
const QUEUE: usize = 1024;
/// How long a job takes: long enough that what the loop does meanwhile happens before, as it mostly would.
const LATENCY: Duration = Duration::from_millis(1);

/// The worker pool without threads. A job is done on the loop's thread, inside a wait, at the time when a thread would
/// have ended it.
pub(super) struct Workers {
    threads: Cell<usize>,
    queue: Cell<usize>,
    latency: Cell<Duration>,
    busy: Cell<usize>,
    waiting: RefCell<VecDeque<Job>>,
}

impl Workers {
    pub fn new() -> Workers {
        Workers {
            threads: Cell::new(THREADS),
            queue: Cell::new(QUEUE),
            latency: Cell::new(LATENCY),
            busy: Cell::new(0),
            waiting: RefCell::default(),
        }
    }
}

/// The names that can be looked up.
pub(super) struct Hosts(RefCell<BTreeMap<String, Vec<IpAddr>>>);

impl Hosts {
    pub fn new() -> Hosts {
        let localhost = ("localhost".to_owned(), vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        Hosts(RefCell::new(BTreeMap::from([localhost])))
    }
}

impl World {
    pub fn spawn(&self, job: Job) -> Result<(), Job> {
        let workers = &self.0.workers;
        if workers.busy.get() < workers.threads.get() {
            self.start(job);
            return Ok(());
        }
        let mut waiting = workers.waiting.borrow_mut();
        if waiting.len() >= workers.queue.get() {
            return Err(job);
        }
        waiting.push_back(job);
        Ok(())
    }

    fn start(&self, job: Job) {
        let workers = &self.0.workers;
        workers.busy.set(workers.busy.get() + 1);
        self.at(self.now().saturating_add(workers.latency.get()), move |world| {
            let workers = &world.0.workers;
            workers.busy.set(workers.busy.get() - 1);
            let next = workers.waiting.borrow_mut().pop_front();
            if let Some(next) = next {
                world.start(next);
            }
            job();
        });
    }

    pub fn configure_pool(&self, threads: usize, queue: usize) {
        self.0.workers.threads.set(threads.max(1));
        self.0.workers.queue.set(queue.max(1));
    }

    /// How long each job takes from now on.
    pub fn set_worker_latency(&self, latency: Duration) {
        self.0.workers.latency.set(latency);
    }

    /// Gives a host its addresses. None: the look-up fails.
    pub fn set_host(&self, name: &str, addresses: &[IpAddr]) {
        self.0.hosts.0.borrow_mut().insert(name.to_ascii_lowercase(), addresses.to_vec());
    }

    pub fn resolver(&self) -> Resolver {
        // A copy: the job is `Send`, though here it stays on this thread.
        let hosts = self.0.hosts.0.borrow().clone();
        Box::new(move |host, port| {
            let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            if let Ok(address) = literal.parse::<IpAddr>() {
                return Ok(vec![SocketAddr::new(address, port)]);
            }
            match hosts.get(&host.to_ascii_lowercase()) {
                Some(addresses) if !addresses.is_empty() => {
                    Ok(addresses.iter().map(|address| SocketAddr::new(*address, port)).collect())
                }
                _ => Err(io::Error::new(ErrorKind::NotFound, format!("the simulated world has no host {host:?}"))),
            }
        })
    }
}
