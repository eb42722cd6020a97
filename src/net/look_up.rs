//! Looks up host names in the worker pool, because the operating system's resolver blocks.

use crate::callback::{Site, discard};
use crate::event_loop::driver::Lane;
use crate::event_loop::{JobError, JobResult, Loop, Time};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

/// Something that needs the addresses of a host.
pub(super) trait Asker {
    /// The loop calls this once, with the result of the look-up. The addresses have port 0.
    fn resolved(self: Rc<Self>, found: &io::Result<Vec<SocketAddr>>);
}

/// How many names are remembered. With more, those that were looked up longest ago go.
const KNOWN: usize = 256;

/// The look-ups of a loop. All askers for one name share one that is under way.
#[derive(Default)]
pub(super) struct LookUps {
    under_way: RefCell<BTreeMap<String, Vec<Weak<dyn Asker>>>>,
    /// What was found, and when: for those who are content with that.
    known: RefCell<BTreeMap<String, (Time, Vec<SocketAddr>)>>,
}

impl LookUps {
    fn of(lp: &Rc<Loop>) -> Rc<LookUps> {
        lp.local(|_| Rc::default())
    }

    /// The addresses of a host, with port 0, if they were looked up less than `age` ago.
    pub fn known(lp: &Rc<Loop>, host: &str, age: Time) -> Option<Vec<SocketAddr>> {
        let look_ups = LookUps::of(lp);
        let known = look_ups.known.borrow();
        let (found, addresses) = known.get(&host.to_ascii_lowercase())?;
        (lp.now() < *found + age).then(|| addresses.clone())
    }

    /// Forgets the addresses of a host, because none of them can be reached.
    pub fn forget(lp: &Rc<Loop>, host: &str) {
        LookUps::of(lp).known.borrow_mut().remove(&host.to_ascii_lowercase());
    }

    fn remember(&self, host: &str, at: Time, found: &[SocketAddr]) {
        let mut known = self.known.borrow_mut();
        known.insert(host.to_owned(), (at, found.to_vec()));
        if known.len() > KNOWN
            && let Some(oldest) = known.iter().min_by_key(|(_, (at, _))| *at).map(|(host, _)| host.clone())
        {
            known.remove(&oldest);
        }
    }

    pub fn ask(lp: &Rc<Loop>, site: Site, host: &str, asker: Weak<dyn Asker>) {
        let look_ups = LookUps::of(lp);
        let host = host.to_ascii_lowercase();
        if let Some(askers) = look_ups.under_way.borrow_mut().get_mut(&host) {
            // Askers that have given up are removed before the list grows: a name server may be silent for a long time.
            if askers.len() == askers.capacity() {
                askers.retain(|asker| asker.strong_count() > 0);
            }
            askers.push(asker);
            return;
        }
        look_ups.under_way.borrow_mut().insert(host.clone(), vec![asker]);
        let resolve = lp.driver().resolver();
        let name = host.clone();
        let weak = Rc::downgrade(lp);
        let done = move |result| {
            let found = outcome(result);
            if let (Ok(found), Some(lp)) = (&found, weak.upgrade()) {
                look_ups.remember(&host, lp.now(), found);
            }
            look_ups.tell(&host, &found);
        };
        lp.run_job(Lane::LookUp, site, move || Box::new(resolve(&name, 0)), Box::new(done));
    }

    fn tell(&self, host: &str, found: &io::Result<Vec<SocketAddr>>) {
        let askers = self.under_way.borrow_mut().remove(host);
        for asker in askers.into_iter().flatten().filter_map(|asker| asker.upgrade()) {
            asker.resolved(found);
        }
    }
}

fn outcome(result: JobResult) -> io::Result<Vec<SocketAddr>> {
    match result {
        Ok(found) => match found.downcast::<io::Result<Vec<SocketAddr>>>() {
            Ok(found) => *found,
            Err(other) => {
                discard(other);
                Err(io::Error::other("the look-up gave something else"))
            }
        },
        Err(JobError::QueueFull(_)) => Err(io::Error::other("too many names are being looked up")),
        Err(JobError::NoThread(error)) => {
            Err(io::Error::new(error.kind(), format!("no thread for the look-up of its name can be started: {error}")))
        }
        Err(error) => Err(io::Error::other(format!("the look-up of its name failed: {error}"))),
    }
}
