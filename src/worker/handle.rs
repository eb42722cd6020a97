use super::Error;
use super::crew::{Crew, Job};
use super::member::Member;
use super::pool::typed;
use crate::callback::{Site, discard};
use crate::event_loop::driver::Home;
use crate::event_loop::{JobError, Loop, current};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// The part of a keeper that stays on the loop's thread. [`Keeper`](super::Keeper) and [`Keepers`](super::Keepers) are handles
/// of it. When the last handle is dropped, the crew is closed.
pub(super) struct Handle<T: 'static> {
    /// `None` if the handle was made while its thread was ending, so that there was no loop any more.
    lp: Option<Rc<Loop>>,
    crew: Arc<Crew<T>>,
    /// How many members the crew is to have: one thread each.
    size: usize,
    homes: RefCell<Vec<Home>>,
}

impl<T> Handle<T> {
    pub fn start(size: usize, crew: Crew<T>) -> Rc<Handle<T>> {
        let handle = Handle { lp: current(), crew: Arc::new(crew), size: size.max(1), homes: RefCell::default() };
        if let Some(lp) = &handle.lp {
            // If no thread can be started now, the first job tries it again, and is refused if that fails too.
            let _ = handle.complete(lp);
        }
        Rc::new(handle)
    }

    /// Starts a thread for each member that has none.
    fn complete(&self, lp: &Loop) -> io::Result<()> {
        let mut homes = self.homes.borrow_mut();
        while homes.len() < self.size {
            self.crew.join();
            let crew = self.crew.clone();
            match lp.driver().settle(Box::new(move || Box::new(Member::new(crew)))) {
                Ok(home) => homes.push(home),
                Err(error) => {
                    self.crew.leave(true);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    pub fn run<R: Send + 'static>(
        &self,
        site: Site,
        work: impl FnOnce(&mut T) -> R + Send + 'static,
        done: impl FnOnce(Result<R, Error>) + 'static,
    ) {
        let Some(lp) = self.lp.as_ref().filter(|lp| !lp.has_ended()) else {
            discard(work);
            discard(done);
            return;
        };
        let ticket = lp.expect_job(site, true, typed(done));
        let job = Job { ticket, work: Box::new(move |value| Box::new(work(value))) };
        let added = match self.complete(lp) {
            Err(error) if self.crew.is_deserted() => Err((job, JobError::NoThread(error))),
            _ => self.crew.add(job),
        };
        match added {
            Ok(()) => self.knock(),
            Err((job, error)) => job.refuse(error),
        }
    }

    pub fn close(&self, site: Site, done: impl FnOnce() + 'static) {
        let Some(lp) = self.lp.as_ref().filter(|lp| !lp.has_ended()) else { return discard(done) };
        self.crew.close(Some(lp.expect_job(site, true, move |_| done())));
        self.knock();
    }

    pub fn set_queue(&self, most: usize) {
        self.crew.set_bound(most);
    }

    pub fn waiting(&self) -> usize {
        self.crew.waiting()
    }

    fn knock(&self) {
        self.homes.borrow().iter().for_each(Home::knock);
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        self.crew.close(None);
        self.knock();
    }
}
