//! The event loop: one for each thread, made when it is first used.
//!
//! It owns the sources (listeners, connections, signals) in a slab, the timers, the tick and immediate queues, the ready list and
//! the queues that other threads write to; it knows nothing of TCP or HTTP. It imports `callback` and `notice` only.
//!
//! # One iteration
//! The order is that of libuv since 1.45, and so of Node 20 and later.
//!
//! ```text
//!  run():  Err if this thread's loop is running; the tick queue; clock; due timers, once
//!     ┌──────────────────────────────────────────────────────────────────────────┐
//!     │ 1 pending  the ready list as it is now, 1,024 sources at most: streams   │
//!     │            written out of turn are flushed, deferred errors are told,    │
//!     │            sources that exceeded a budget go on; handshakes of TLS that  │
//!     │            wait, one signature at a time                                 │
//!     │ 2 poll     wait: not at all if there is something to do, else until the  │
//!     │            next timer or sweep. Then one turn for each ready source:     │
//!     │            accept, or read → protocol → callbacks → write. Deadlines of  │
//!     │            connections; what other threads sent; signals last            │
//!     │ 3 check    immediates, as many as there are now                          │
//!     │ 4 closing  on_close of sockets and servers; their slots are freed here   │
//!     │ 5 timers   due timers, by (deadline, order of setting): 1,024 at most    │
//!     └────────────────────── while alive and not stopped ◄──────────────────────┘
//!  after every callback that the loop makes: the tick queue, until it is empty
//!  alive = sources and timers that were not unref'd, immediates likewise, the ready list, closing sources,
//!          Remotes that were ref'd, channels with a sender, and worker jobs for a while (worker::set_grace)
//! ```
//!
//! An *iteration* is one round of the loop. A *turn* is the part of an iteration that one source (or one timer, or one
//! immediate) gets. A *tick* is a callback that [`next_tick`] queues.
//!
//! # Orderings that programs rely on
//! * Callbacks come from the loop, never from inside a call that you make.
//! * An immediate set in an I/O callback runs before a timer of 0 ms set there.
//! * Immediates set in the check phase wait for the next iteration; a timer armed by a timer waits as well.
//! * A timer cleared by another that is due at the same time does not run.
//! * The clock ([`now`]) is read after the wait, before the timers and at the end of each turn; it stands still within a
//!   callback, where [`clock`] goes on.
//!
//! # Seeing it
//! [`metrics`] has sums and the loop's delay; [`on_slow`] reports turns that held the loop; a recording
//! ([`start_recording`], [`recording`]) has the last iterations with their phases and turns, for a [`trace`] or a page.

mod alive;
mod call;
mod channel;
mod clock;
mod current;
pub(crate) mod driver;
mod heap;
#[cfg(feature = "tls")]
mod heavy;
mod iteration;
mod jobs;
mod metrics;
mod placement;
#[cfg(any(feature = "compression", feature = "deflate"))]
mod portions;
mod queues;
mod recorder;
mod registry;
mod remote;
mod silence;
mod slow;
mod sources;
mod ticket;
mod time;
mod timers;
pub mod trace;
mod turn;

pub use call::{PanicInfo, PanicPolicy};
pub use channel::{Sender, bounded_channel, channel};
pub use current::{clock, now, on_panic, run, run_nowait, run_once, set_panic_policy, stop};
pub use driver::Address;
pub use metrics::{Histogram, Metrics, metrics};
pub use queues::{Immediate, next_tick, set_immediate};
pub use recorder::{
    CallRecord, Iteration, Queues, Recording, RecordingSize, Slice, SourceKind, TurnRecord, mark_turn_as_own,
    recording, recording_part, start_recording, stop_recording,
};
pub use remote::{Remote, remote};
pub use slow::{SlowCallback, SlowTurn, on_slow, set_exact_timing, set_slow_threshold};
pub use timers::{Timeout, set_interval, set_interval_with, set_timeout};
pub use turn::Phase;

pub(crate) use channel::Hold;
#[cfg(feature = "tls")]
pub(crate) use current::wall;
pub(crate) use current::{Installed, current, install};
pub(crate) use jobs::{JobError, JobResult};
#[cfg(feature = "devtools")]
pub(crate) use metrics::AT_ONCE;
#[cfg(any(feature = "compression", feature = "deflate"))]
pub(crate) use portions::{PORTION, Portions};
pub(crate) use registry::{Due, Kind, Source, Token};
pub(crate) use silence::{Deadline, Moment, set_deadline};
pub(crate) use ticket::Ticket;
pub(crate) use time::Time;

use crate::callback::discard;
use call::Panics;
use channel::Channels;
use driver::{Driver, Event};
use jobs::Jobs;
use metrics::Counters;
use queues::{Immediates, Ticks};
use recorder::Recorder;
use registry::Registry;
use remote::Inbox;
use silence::Silence;
use slow::Slow;
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use timers::Timers;
use turn::Turn;

/// The loop of one thread: the whole of which the other files have the parts. Each of these files defines the state of its part,
/// and the methods of `Loop` that change it; `iteration.rs` has the iteration.
///
/// The order of the fields is deliberate (`repr(C)`): the fields that every turn uses come first, so that they share a
/// few cache lines. The kernel has evicted these lines since the last turn, so they must be loaded again.
#[repr(C)]
pub(crate) struct Loop {
    // ---- Every turn
    clock: Cell<Time>,
    silence: Silence,
    running: Cell<bool>,
    stopping: Cell<bool>,
    /// True after teardown: nothing that is handed to the loop now would ever be called or dropped.
    ended: Cell<bool>,
    exact_timing: Cell<bool>,
    signals: Cell<Token>,
    turn: Turn,
    registry: Registry,
    ticks: Ticks,
    recorder: Recorder,
    panics: Panics,
    // ---- Every iteration
    counters: Counters,
    /// Between two waits, this holds the events whose turns a panic has prevented. Otherwise it is empty, and kept for
    /// its capacity.
    events: Cell<Vec<Event>>,
    /// The ready list: sources that want a turn without an event of the driver. See [`Loop::make_ready`].
    ready: RefCell<VecDeque<Token>>,
    closing: RefCell<VecDeque<Token>>,
    #[cfg(feature = "tls")]
    heavy: heavy::Heavy,
    /// How many sources keep the loop alive.
    referenced: Cell<usize>,
    immediates: Immediates,
    timers: Timers,
    slow: Slow,
    driver: Driver,
    // ---- Now and then
    inbox: Arc<Inbox>,
    channels: Channels,
    jobs: Jobs,
    /// Objects that the layers above have once per loop (buffers, pools), by type.
    locals: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
}

impl Loop {
    pub(crate) fn new(driver: Driver) -> Rc<Loop> {
        let inbox = Inbox::new(driver.waker());
        Rc::new(Loop {
            driver,
            registry: Registry::new(),
            timers: Timers::new(),
            ticks: Ticks::default(),
            immediates: Immediates::default(),
            inbox,
            channels: Channels::default(),
            jobs: Jobs::default(),
            panics: Panics::default(),
            counters: Counters::default(),
            turn: Turn::new(),
            slow: Slow::default(),
            exact_timing: Cell::new(false),
            recorder: Recorder::default(),
            ready: RefCell::default(),
            closing: RefCell::default(),
            #[cfg(feature = "tls")]
            heavy: heavy::Heavy::default(),
            referenced: Cell::new(0),
            signals: Cell::new(Token::NONE),
            clock: Cell::new(Time::ZERO),
            silence: Silence::default(),
            running: Cell::new(false),
            stopping: Cell::new(false),
            ended: Cell::new(false),
            events: Cell::default(),
            locals: RefCell::default(),
        })
    }

    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.get()
    }

    /// Returns whether the loop was torn down: then only handles that still exist keep this value in memory.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    fn stop(&self) {
        self.stopping.set(true);
    }

    /// Returns the one `T` of this loop. The first call makes it with `make`.
    pub(crate) fn local<T: Any>(self: &Rc<Self>, make: impl FnOnce(&Rc<Self>) -> Rc<T>) -> Rc<T> {
        let found =
            self.locals.borrow().iter().find(|(id, _)| *id == TypeId::of::<T>()).map(|(_, local)| local.clone());
        if let Some(local) = found.and_then(|local| local.downcast::<T>().ok()) {
            return local;
        }
        let made = make(self);
        self.locals.borrow_mut().push((TypeId::of::<T>(), made.clone()));
        made
    }

    /// Ends the loop. All callbacks are dropped, and none is called any more. Handles that still exist are closed.
    fn teardown(&self) {
        self.ended.set(true);
        self.inbox.end();
        self.channels.teardown();
        for source in self.registry.take_all() {
            source.teardown();
            discard(source);
        }
        self.ready.take();
        self.closing.take();
        #[cfg(feature = "tls")]
        self.heavy.teardown();
        self.timers.teardown();
        self.immediates.teardown();
        self.ticks.teardown();
        self.jobs.teardown();
        self.panics.teardown();
        self.slow.teardown();
        let locals = self.locals.take();
        discard(locals);
    }
}
