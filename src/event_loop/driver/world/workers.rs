use super::{Job, Lane, Lanes, Refused, Resolver, World};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long a job takes. It is long enough that the loop mostly does other things first, as with real threads.
const LATENCY: Duration = Duration::from_millis(1);

/// The worker pool without threads. A job is run on the loop's thread, inside a wait, at the time at which a thread would
/// have finished it. The order in which jobs begin is that of the real pool.
pub(super) struct Workers {
    lanes: RefCell<Lanes>,
    latency: Cell<Duration>,
}

impl Workers {
    pub fn new() -> Workers {
        Workers { lanes: RefCell::default(), latency: Cell::new(LATENCY) }
    }
}

/// The host names that can be looked up.
pub(super) struct Hosts(RefCell<BTreeMap<String, Vec<IpAddr>>>);

impl Hosts {
    pub fn new() -> Hosts {
        let localhost = ("localhost".to_owned(), vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        Hosts(RefCell::new(BTreeMap::from([localhost])))
    }
}

impl World {
    pub fn spawn(&self, lane: Lane, job: Job) -> Result<(), (Job, Refused)> {
        let added = self.0.workers.lanes.borrow_mut().add(lane, job);
        added.map_err(|job| (job, Refused::QueueFull))?;
        self.begin_jobs();
        Ok(())
    }

    /// Begins all jobs for which a thread would be free.
    fn begin_jobs(&self) {
        loop {
            let begun = self.0.workers.lanes.borrow_mut().begin();
            let Some((lane, job)) = begun else { return };
            self.at(self.now().saturating_add(self.worker_latency()), move |world| {
                world.0.workers.lanes.borrow_mut().ended(lane);
                world.begin_jobs();
                job();
            });
        }
    }

    pub fn configure_pool(&self, threads: usize, queue: usize) {
        self.0.workers.lanes.borrow_mut().configure(threads, queue);
    }

    /// Sets how long each job takes from now on.
    pub fn set_worker_latency(&self, latency: Duration) {
        self.0.workers.latency.set(latency);
    }

    pub(super) fn worker_latency(&self) -> Duration {
        self.0.workers.latency.get()
    }

    /// Sets the addresses of a host. If there are none, the look-up of this host fails.
    pub fn set_host(&self, name: &str, addresses: &[IpAddr]) {
        self.0.hosts.0.borrow_mut().insert(name.to_ascii_lowercase(), addresses.to_vec());
    }

    pub fn resolver(&self) -> Resolver {
        // The job gets a copy because it has to be `Send`, although in a simulated world it stays on this thread.
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
