//! Signals of the operating system, as callbacks of the loop (feature `signals`, Unix).
//!
//! ```
//! use oneloop::signals;
//!
//! # fn main() -> std::io::Result<()> {
//! let server = (); // …, with timers and sockets that keep the loop going
//! # signals::on(signals::SIGTERM, |_| oneloop::stop())?.set_ref(true);
//! # signal_hook::low_level::raise(signals::SIGTERM)?;
//! signals::on(signals::SIGTERM, move |_| {
//!     println!("asked to end");
//!     drop(server);
//!     oneloop::stop();
//! })?;
//! oneloop::run()
//! # }
//! ```
//!
//! A signal is delivered to each loop of the process that listens to it, at the end of the poll phase, by a plain callback:
//! the restrictions of signal handlers do not apply to it. Several signals of one kind that come between two iterations are
//! delivered as one, as everywhere in Unix.
//!
//! The first listener of the process for a signal replaces the signal's default action. When the last listener has ended
//! (cleared, or its loop has ended), the signal has its default action again: a `SIGTERM` then ends the process. (`SIGPIPE` is an
//! exception: without a listener it is ignored, as in every Rust program.)
//!
//! # In a container
//! The first process of a container has the number 1, and the kernel does not deliver signals to it whose action is the
//! default. Without a listener, a `SIGTERM` (`docker stop`, a pod that ends) does *nothing*, and after 10 or 30 seconds the
//! program is killed in the middle of its answers. Listen to the signal, and close the servers; [`run`](crate::run) returns
//! when the last answer has been sent:
//!
//! ```no_run
//! use oneloop::{http, signals};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = http::create_server(|_req, res| res.end("hi\n"));
//! server.listen(7777, ())?;
//! for signal in [signals::SIGTERM, signals::SIGINT] {
//!     let server = server.clone();
//!     signals::on(signal, move |_| server.close(()))?;
//! }
//! oneloop::run()
//! # }
//! ```
//!
//! If you do not want to listen to signals, let an init process be number 1 (`docker run --init`).

use crate::callback::{Lendable, Site, discard};
use crate::event_loop::driver::{Driver, Ready};
use crate::event_loop::{Kind, Loop, Source, Token, current};
use mio::Interest;
use signal_hook::consts::FORBIDDEN;
use signal_hook::flag::register_conditional_default;
use signal_hook::low_level::signal_name;
use signal_hook_mio::v1_0 as hook;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
    SIGWINCH,
};

/// Calls `f` with the signal's number each time the signal comes, in the poll phase, after the sockets. Listeners of one signal
/// are called in the order in which they were added; a listener that is added by another one is first called at the next signal.
///
/// As with Node's `process.on('SIGTERM')`, a listener for a signal does not keep the loop running, unless you call
/// [`SignalHandle::set_ref`] with `true`. A panic in `f` is treated like a panic of any callback; `f` stays a listener, because
/// otherwise the process could no longer be asked to end.
///
/// In a simulation no signal ever comes, and the default actions of the process's signals are not changed.
///
/// # Errors
/// If the number is not that of a signal; if nobody can listen to the signal (`SIGKILL`, `SIGSTOP`) or it must be handled before
/// a loop can do so (`SIGSEGV`, `SIGILL`, `SIGFPE`); or if the process has no file descriptor left.
#[track_caller]
pub fn on(signal: i32, f: impl FnMut(i32) + 'static) -> io::Result<SignalHandle> {
    let site = Location::caller();
    check(signal)?;
    let Some(lp) = current() else {
        discard(f);
        return Ok(SignalHandle(None));
    };
    let watch = Watch::of(&lp);
    let defaults = match lp.driver() {
        Driver::Os(os) => {
            let defaults = Defaults::suspend(signal)?;
            watch.add_signal(os.registry(), signal)?;
            Some(defaults)
        }
        Driver::Sim(_) => None,
    };
    let listener = Rc::new(Listener {
        signal,
        site,
        callback: Lendable::new(Box::new(f)),
        active: Cell::new(true),
        referenced: Cell::new(false),
        defaults: Cell::new(defaults),
        watch: Rc::downgrade(&watch),
        lp: Rc::downgrade(&lp),
    });
    watch.listeners.borrow_mut().push(listener.clone());
    Ok(SignalHandle(Some(listener)))
}

/// signal-hook accepts numbers below this one. All systems have fewer signals.
const SIGNALS: i32 = 128;

fn check(signal: i32) -> io::Result<()> {
    if !(1..SIGNALS).contains(&signal) {
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("{signal} is not the number of a signal")));
    }
    if FORBIDDEN.contains(&signal) {
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("nobody can listen to {}", name(signal))));
    }
    Ok(())
}

fn name(signal: i32) -> &'static str {
    signal_name(signal).unwrap_or("a signal")
}

type Callback = Box<dyn FnMut(i32)>;

struct Listener {
    signal: i32,
    site: Site,
    callback: Lendable<Callback>,
    active: Cell<bool>,
    referenced: Cell<bool>,
    defaults: Cell<Option<Defaults>>,
    watch: Weak<Watch>,
    lp: Weak<Loop>,
}

impl Listener {
    fn end(&self) {
        if self.active.replace(false) {
            drop(self.defaults.take());
            if self.referenced.get()
                && let Some(lp) = self.lp.upgrade()
            {
                lp.release();
            }
            self.callback.discard();
        }
    }
}

/// A listener for a signal. Dropping it does **not** remove the listener; [`clear`](SignalHandle::clear) does.
#[derive(Clone)]
pub struct SignalHandle(Option<Rc<Listener>>);

impl SignalHandle {
    /// Removes the listener: it is dropped and no longer called. If it was the last one of the process, the signal has its
    /// default action again.
    pub fn clear(&self) {
        let Some(listener) = &self.0 else { return };
        if let Some(watch) = listener.watch.upgrade() {
            watch.listeners.borrow_mut().retain(|other| !Rc::ptr_eq(other, listener));
        }
        listener.end();
    }

    /// Lets the loop end while this listener is registered. This is the default.
    pub fn unref(&self) -> &Self {
        self.set_ref(false)
    }

    /// Sets whether this listener keeps the loop running (false by default).
    pub fn set_ref(&self, on: bool) -> &Self {
        if let Some(listener) = &self.0
            && let Some(lp) = listener.lp.upgrade()
            && listener.active.get()
            && listener.referenced.replace(on) != on
        {
            if on { lp.hold() } else { lp.release() }
        }
        self
    }

    /// Returns whether this listener keeps the loop running.
    pub fn has_ref(&self) -> bool {
        self.0.as_ref().is_some_and(|listener| listener.active.get() && listener.referenced.get())
    }
}

impl std::fmt::Debug for SignalHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let signal = self.0.as_ref().filter(|listener| listener.active.get()).map(|listener| name(listener.signal));
        f.debug_struct("SignalHandle").field("signal", &signal).field("has_ref", &self.has_ref()).finish()
    }
}

/// The source through which a loop gets its signals: one for all of its listeners.
struct Watch {
    token: Cell<Token>,
    hook: RefCell<Option<hook::Signals>>,
    listeners: RefCell<Vec<Rc<Listener>>>,
    /// Listeners that are still to be called for signals that came. After a turn the list is empty, unless a panic of a listener
    /// has stopped the loop.
    untold: RefCell<VecDeque<Rc<Listener>>>,
}

impl Watch {
    fn of(lp: &Rc<Loop>) -> Rc<Watch> {
        lp.local(|lp| {
            let watch = Rc::new(Watch {
                token: Cell::new(Token::NONE),
                hook: RefCell::default(),
                listeners: RefCell::default(),
                untold: RefCell::default(),
            });
            watch.token.set(lp.insert(watch.clone()));
            watch
        })
    }

    fn add_signal(&self, registry: &mio::Registry, signal: i32) -> io::Result<()> {
        let mut slot = self.hook.borrow_mut();
        if let Some(hook) = &*slot {
            return hook.add_signal(signal);
        }
        let mut hook = hook::Signals::new([signal])?;
        registry.register(&mut hook, mio::Token(self.token.get().number()), Interest::READABLE)?;
        *slot = Some(hook);
        Ok(())
    }

    /// For each signal that has come, adds its present listeners to the list `untold`.
    fn collect(&self) {
        let Some(hook) = &mut *self.hook.borrow_mut() else { return };
        let listeners = self.listeners.borrow();
        let mut untold = self.untold.borrow_mut();
        for signal in hook.pending() {
            log::debug!(target: "oneloop::loop", "{} came", name(signal));
            untold.extend(listeners.iter().filter(|listener| listener.signal == signal).cloned());
        }
    }

    fn tell(&self, lp: &Loop) {
        while !lp.is_halted() {
            let next = self.untold.borrow_mut().pop_front();
            let Some(listener) = next else { return };
            let signal = listener.signal;
            listener.callback.lend(|f| lp.call(listener.site, &name(signal), || f(signal)));
            if !listener.active.get() {
                listener.callback.discard();
            }
        }
        if !self.untold.borrow().is_empty() {
            lp.make_ready(self.token.get());
        }
    }
}

impl Source for Watch {
    fn turn(self: Rc<Self>, lp: &Rc<Loop>, _: Ready) {
        self.collect();
        self.tell(lp);
    }

    fn resume(self: Rc<Self>, lp: &Rc<Loop>) {
        self.tell(lp);
    }

    fn due(self: Rc<Self>, _: &Rc<Loop>) {}

    fn closed(self: Rc<Self>, _: &Rc<Loop>) {}

    fn teardown(&self) {
        drop(self.hook.take());
        self.untold.take();
        for listener in self.listeners.take() {
            listener.end();
        }
    }

    fn kind(&self) -> Kind {
        Kind::Signals
    }

    fn buffered(&self) -> usize {
        0
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.teardown();
    }
}

/// One listener's share in replacing a signal's default action, process-wide. Dropping the last share restores the default.
struct Defaults(i32);

struct Count {
    listeners: usize,
    /// Read by the signal handler itself, so the default action applies at once, even if all loops are busy.
    nobody_listens: Arc<AtomicBool>,
}

/// Locked when a listener is added or removed, never in the signal handler.
static COUNTS: Mutex<BTreeMap<i32, Count>> = Mutex::new(BTreeMap::new());

impl Defaults {
    fn counts() -> MutexGuard<'static, BTreeMap<i32, Count>> {
        COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn suspend(signal: i32) -> io::Result<Defaults> {
        let mut counts = Defaults::counts();
        if let Some(count) = counts.get_mut(&signal) {
            count.listeners += 1;
            count.nobody_listens.store(false, Ordering::SeqCst);
            return Ok(Defaults(signal));
        }
        let nobody_listens = Arc::new(AtomicBool::new(false));
        // SIGPIPE is left out: Rust's runtime ignores it, so restoring the system's default (end the process) would be wrong.
        // Real-time signals are left out because signal-hook does not know their default action.
        if signal != SIGPIPE && signal_name(signal).is_some() {
            register_conditional_default(signal, nobody_listens.clone())?;
        }
        counts.insert(signal, Count { listeners: 1, nobody_listens });
        Ok(Defaults(signal))
    }
}

impl Drop for Defaults {
    fn drop(&mut self) {
        if let Some(count) = Defaults::counts().get_mut(&self.0) {
            count.listeners -= 1;
            count.nobody_listens.store(count.listeners == 0, Ordering::SeqCst);
        }
    }
}
