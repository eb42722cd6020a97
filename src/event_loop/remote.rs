//! The ways by which other threads reach the loop: `Remote`, the messages of channels, and the results of worker jobs.

use super::driver::Waker;
use super::jobs::JobResult;
use super::{Loop, current};
use crate::callback::{Site, discard};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many messages one turn takes, so that other sources have their turns even if a thread posts faster than the loop can
/// take.
const BUDGET: usize = 1024;

/// Something that another thread sent. All such items are in one queue, so they arrive in the order in which they were sent.
pub(super) enum Posted {
    Closure(Site, Box<dyn FnOnce() + Send>),
    /// A message for the channel with this number.
    Message(usize, Box<dyn Any + Send>),
    /// The last sender of a channel is gone.
    HungUp(usize),
}

/// The part of a loop that other threads can reach.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// How many remotes and channels keep the loop alive.
    referenced: AtomicUsize,
    waker: Waker,
}

#[derive(Default)]
struct State {
    posted: VecDeque<Posted>,
    results: VecDeque<(usize, JobResult)>,
    /// How many remotes and channels stop keeping the loop alive as soon as everything that was posted before has run.
    released: usize,
    ended: bool,
}

impl Inbox {
    pub fn new(waker: Waker) -> Arc<Inbox> {
        Arc::new(Inbox { state: Mutex::default(), referenced: AtomicUsize::new(0), waker })
    }

    pub fn referenced(&self) -> usize {
        self.referenced.load(Ordering::Acquire)
    }

    /// User code never runs under this lock, so its panics cannot poison it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn end(&self) {
        let (posted, results) = {
            let mut state = self.lock();
            state.ended = true;
            (std::mem::take(&mut state.posted), std::mem::take(&mut state.results))
        };
        for posted in posted {
            discard(posted);
        }
        for (_, result) in results {
            discard(result);
        }
    }
}

impl Loop {
    /// Logs, when nothing keeps the loop alive, that other threads could still send something.
    #[cold]
    pub(super) fn report_ways_in(&self) {
        // One reference is the loop's own, and each running job has one.
        let remotes = Arc::strong_count(&self.inbox).saturating_sub(1 + self.jobs.len());
        let channels = Arc::weak_count(&self.inbox);
        if remotes + channels > 0 {
            log::debug!(
                target: "oneloop::loop",
                "run ends: nothing keeps the loop alive. Other threads could still send something (remotes: {remotes}, \
                 channels: {channels}), but none of these is ref'd: see Remote::set_ref",
            );
        }
    }

    /// The turn of the inbox: results of jobs, closures, messages.
    #[inline(never)]
    pub(super) fn run_inbox(&self) {
        let (mut posted, mut results, released) = {
            let mut state = self.inbox.lock();
            (std::mem::take(&mut state.posted), std::mem::take(&mut state.results), std::mem::take(&mut state.released))
        };
        while let Some((id, result)) = results.pop_front() {
            if let Some((site, done)) = self.jobs.take(id) {
                self.call(site, &"the result of a job", || done(result));
            }
            if self.is_halted() {
                break;
            }
        }
        let mut budget = BUDGET;
        while !self.is_halted()
            && budget > 0
            && let Some(next) = posted.pop_front()
        {
            budget -= 1;
            match next {
                Posted::Closure(site, f) => _ = self.call(site, &"a posted closure", f),
                Posted::Message(channel, message) => self.receive(channel, message),
                Posted::HungUp(channel) => self.channels.end(channel),
            }
        }
        if posted.is_empty() && results.is_empty() {
            self.inbox.referenced.fetch_sub(released, Ordering::AcqRel);
        } else {
            let mut state = self.inbox.lock();
            posted.append(&mut state.posted);
            results.append(&mut state.results);
            state.posted = posted;
            state.results = results;
            state.released += released;
            drop(state);
            self.inbox.waker.wake();
        }
    }
}

impl Inbox {
    /// Adds something to the queue. Gives it back if the loop has ended.
    pub fn post<T>(&self, what: T, into: impl FnOnce(T) -> Posted) -> Result<(), T> {
        let mut state = self.lock();
        if state.ended {
            return Err(what);
        }
        state.posted.push_back(into(what));
        drop(state);
        self.waker.wake();
        Ok(())
    }

    /// Adds one to the number of channels and remotes that keep the loop alive.
    pub fn refer(&self) {
        self.referenced.fetch_add(1, Ordering::AcqRel);
    }

    /// Subtracts one from the number that `refer` counts. The loop does the subtraction only after it has run everything
    /// that was posted before, so it does not end earlier.
    pub fn release(&self) {
        self.lock().released += 1;
        self.waker.wake();
    }

    /// Call this when the last sender of a channel is gone. `referenced`: the channel kept the loop alive.
    pub fn hang_up(&self, channel: usize, referenced: bool) {
        let mut state = self.lock();
        if !state.ended {
            state.posted.push_back(Posted::HungUp(channel));
            state.released += usize::from(referenced);
            drop(state);
            self.waker.wake();
        }
    }

    /// The number of things that a program could be waiting for: remotes and channels that keep the loop alive, and items
    /// that were sent and not yet received.
    pub fn awaited(&self) -> usize {
        let state = self.lock();
        let sent = state.posted.iter().filter(|posted| !matches!(posted, Posted::HungUp(_))).count();
        self.referenced().saturating_sub(state.released) + sent
    }

    pub fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Accepts the result of a job, on any thread.
    pub fn give(&self, id: usize, result: JobResult) {
        let mut state = self.lock();
        if state.ended {
            drop(state);
            discard(result);
            return;
        }
        state.results.push_back((id, result));
        drop(state);
        self.waker.wake();
    }
}

/// Reaches a loop from any thread: [`post`](Remote::post) hands it a closure to run. See [`remote`].
pub struct Remote {
    inbox: Arc<Inbox>,
    referenced: bool,
}

/// Returns a [`Remote`] for this thread's loop, to be given to other threads.
///
/// ```
/// let remote = oneloop::remote();
/// # let mut remote = remote; remote.set_ref(true);
/// std::thread::spawn(move || remote.post(|| println!("on the loop's thread")));
/// oneloop::run().unwrap();
/// ```
///
/// # Panics
/// If this thread is ending and its loop is gone.
pub fn remote() -> Remote {
    match current() {
        Some(lp) => Remote { inbox: lp.inbox.clone(), referenced: false },
        None => panic!("oneloop::remote() was called while its thread ends: the loop is gone"),
    }
}

impl Remote {
    /// Posts a closure, which the loop calls in its poll phase. Closures of one thread run in the order in which it posted
    /// them.
    ///
    /// # Errors
    /// Gives the closure back if the loop has ended: its thread is over, or its `Sim` was dropped.
    #[track_caller]
    pub fn post<F: FnOnce() + Send + 'static>(&self, f: F) -> Result<(), F> {
        let site = Location::caller();
        self.inbox.post(f, |f| Posted::Closure(site, Box::new(f)))
    }

    /// Sets whether this `Remote` keeps the loop running as long as it exists (false by default, also for a clone).
    pub fn set_ref(&mut self, on: bool) -> &mut Self {
        if self.referenced != on {
            self.referenced = on;
            if on { self.inbox.refer() } else { self.inbox.release() }
        }
        self
    }

    /// Lets the loop end while this `Remote` exists.
    pub fn unref(&mut self) -> &mut Self {
        self.set_ref(false)
    }

    /// Returns whether this `Remote` keeps the loop running.
    pub fn has_ref(&self) -> bool {
        self.referenced
    }
}

impl Clone for Remote {
    fn clone(&self) -> Remote {
        Remote { inbox: self.inbox.clone(), referenced: false }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if self.referenced {
            self.inbox.release();
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("has_ref", &self.referenced).finish()
    }
}
