//! Looks up host names in the worker pool, because the operating system's resolver blocks.

use crate::callback::{Site, discard};
use crate::event_loop::driver::Lane;
use crate::event_loop::{JobError, JobResult, Loop};
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

/// The look-ups of a loop that are under way. All askers for one name share one look-up.
#[derive(Default)]
pub(super) struct LookUps(RefCell<BTreeMap<String, Vec<Weak<dyn Asker>>>>);

impl LookUps {
    pub fn ask(lp: &Rc<Loop>, site: Site, host: &str, asker: Weak<dyn Asker>) {
        let look_ups = lp.local(|_| Rc::<LookUps>::default());
        let host = host.to_ascii_lowercase();
        if let Some(askers) = look_ups.0.borrow_mut().get_mut(&host) {
            // Askers that have given up are removed before the list grows: a name server may be silent for a long time.
            if askers.len() == askers.capacity() {
                askers.retain(|asker| asker.strong_count() > 0);
            }
            askers.push(asker);
            return;
        }
        look_ups.0.borrow_mut().insert(host.clone(), vec![asker]);
        let resolve = lp.driver().resolver();
        let name = host.clone();
        let done = move |result| look_ups.tell(&host, &outcome(result));
        lp.run_job(Lane::LookUp, site, move || Box::new(resolve(&name, 0)), Box::new(done));
    }

    fn tell(&self, host: &str, found: &io::Result<Vec<SocketAddr>>) {
        let askers = self.0.borrow_mut().remove(host);
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
