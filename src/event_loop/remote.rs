//! The ways in from other threads: `Remote`, the messages of channels, and the results of worker jobs.

use super::driver::Waker;
use super::jobs::JobResult;
use super::{Loop, current};
use crate::callback::{Site, discard};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one turn takes of it, so that others have theirs although a thread posts faster than the loop can take.
const BUDGET: usize = 1024;

/// What another thread sent, in one order.
pub(super) enum Posted {
    Closure(Site, Box<dyn FnOnce() + Send>),
    /// For a channel, by its number.
    Message(usize, Box<dyn Any + Send>),
    /// The last sender of a channel is gone.
    HungUp(usize),
}

/// What other threads reach.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Remotes and channels that keep the loop alive.
    referenced: AtomicUsize,
    waker: Waker,
}

#[derive(Default)]
struct State {
    posted: VecDeque<Posted>,
    results: VecDeque<(usize, JobResult)>,
    /// Remotes and channels that keep the loop alive no longer, once what they posted before has run.
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

    /// User code never runs under the lock, so that it cannot be poisoned by it.
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
    /// Nothing keeps the loop alive: says so, where other threads could still send something.
    #[cold]
    pub(super) fn report_ways_in(&self) {
        // One is the loop's own, and each job that still runs has one.
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

    /// The turn of what other threads sent.
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
    /// Takes something in, unless the loop has ended.
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

    /// Adds one to the number of senders and remotes for which the loop goes on.
    pub fn refer(&self) {
        self.referenced.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes one away from that number. The loop does so itself, behind what was posted before, so that it does not end
    /// before it has run that.
    pub fn release(&self) {
        self.lock().released += 1;
        self.waker.wake();
    }

    /// The last sender of a channel is gone.
    pub fn hang_up(&self, channel: usize, referenced: bool) {
        let mut state = self.lock();
        if !state.ended {
            state.posted.push_back(Posted::HungUp(channel));
            state.released += usize::from(referenced);
            drop(state);
            self.waker.wake();
        }
    }

    /// What a program would wait for: who keeps the loop alive, and what was sent and has not been received.
    pub fn awaited(&self) -> usize {
        let state = self.lock();
        let sent = state.posted.iter().filter(|posted| !matches!(posted, Posted::HungUp(_))).count();
        self.referenced().saturating_sub(state.released) + sent
    }

    /// Takes the result of a job in; from any thread.
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

/// A way into a loop from any thread: [`post`](Remote::post) hands it a closure to run. See [`remote`].
pub struct Remote {
    inbox: Arc<Inbox>,
    referenced: bool,
}

/// A [`Remote`] for this thread's loop, to be given to other threads.
///
/// ```
/// let remote = oneloop::remote();
/// # let mut remote = remote; remote.set_ref(true);
/// std::thread::spawn(move || remote.post(|| println!("on the loop's thread")));
/// oneloop::run().unwrap();
/// ```
///
/// # Panics
/// Where this thread is ending and its loop is gone.
pub fn remote() -> Remote {
    match current() {
        Some(lp) => Remote { inbox: lp.inbox.clone(), referenced: false },
        None => panic!("oneloop::remote() was called while its thread ends: the loop is gone"),
    }
}

impl Remote {
    /// Has `f` called by the loop, in its poll phase. What was posted by one thread runs in order. Where the loop has
    /// ended, `f` comes back.
    ///
    /// # Errors
    /// The closure, where the loop has ended: its thread is over, or its `Sim` was dropped.
    #[track_caller]
    pub fn post<F: FnOnce() + Send + 'static>(&self, f: F) -> Result<(), F> {
        let site = Location::caller();
        self.inbox.post(f, |f| Posted::Closure(site, Box::new(f)))
    }

    /// Says whether the loop goes on for as long as this `Remote` is there (false at first, and for a clone).
    pub fn set_ref(&mut self, on: bool) -> &mut Self {
        if self.referenced != on {
            self.referenced = on;
            if on { self.inbox.refer() } else { self.inbox.release() }
        }
        self
    }

    /// Lets the loop end while this `Remote` is there.
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
