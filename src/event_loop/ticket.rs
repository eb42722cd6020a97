use super::Loop;
use super::jobs::JobResult;
use super::remote::Inbox;
use crate::callback::Site;
use std::sync::Arc;

/// The way back of one job: brings its result to the loop that waits for it, from any thread.
pub(crate) struct Ticket {
    inbox: Arc<Inbox>,
    id: usize,
}

impl Ticket {
    /// Delivers the result. If the loop has ended, the result is dropped.
    pub fn give(self, result: JobResult) {
        self.inbox.give(self.id, result);
    }

    /// Returns whether the loop has ended: nobody waits for the result any more.
    pub fn is_void(&self) -> bool {
        self.inbox.has_ended()
    }
}

impl Loop {
    /// Stores the callback for the result of a job. `referenced`: the loop keeps running until the result is there. The
    /// ticket must be given back by all means, since the loop may wait for it.
    pub(crate) fn expect_job(&self, site: Site, referenced: bool, done: impl FnOnce(JobResult) + 'static) -> Ticket {
        Ticket { inbox: self.inbox.clone(), id: self.jobs.park(site, self.now(), referenced, Box::new(done)) }
    }
}
