//! The loop of this thread.

use super::driver::{Driver, Os};
use super::{Kind, Loop, PanicInfo, PanicPolicy};
use crate::notice;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    static CURRENT: Holder = const { Holder(RefCell::new(None)) };
}

/// Holds the loop of a thread, and ends it with the thread. Handles that outlive it find no loop and do nothing.
struct Holder(RefCell<Option<Rc<Loop>>>);

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(lp) = self.0.take() {
            report_never_run(&lp);
            lp.teardown();
        }
    }
}

/// When a thread ends, logs that something waits for its loop although the loop was never run. Most likely a call of
/// `run` is missing. A panic before that call cannot be told apart from this, since a thread has caught its panic before
/// its thread-locals are dropped.
fn report_never_run(lp: &Loop) {
    if lp.waits_for_run() {
        let sources = lp.registry.snapshot();
        let count = |kind| sources.iter().filter(|source| source.kind() == kind).count();
        let connections = [("connections", count(Kind::Connection))];
        let others = connections.into_iter().chain(lp.awaited()).filter(|(_, count)| *count > 0);
        let others: String = others.map(|(what, count)| format!(", {what}: {count}")).collect();
        notice::warn!(
            target: "oneloop::loop",
            "a thread ends and its event loop never ran (listening servers: {}, timers: {}{others}): oneloop::run() was forgotten, or a panic came first",
            count(Kind::Listener),
            lp.timers.armed()
        );
    }
}

/// This thread's loop, made at the first call. `None` while the thread ends.
///
/// # Panics
/// If the operating system cannot create a poll instance (because no file descriptor was left at the very beginning).
pub(crate) fn current() -> Option<Rc<Loop>> {
    CURRENT
        .try_with(|holder| {
            if let Some(lp) = &*holder.0.borrow() {
                return lp.clone();
            }
            let os = Os::new().unwrap_or_else(|error| panic!("oneloop: cannot make an event loop: {error}"));
            let lp = Loop::new(Driver::Os(os));
            *holder.0.borrow_mut() = Some(lp.clone());
            lp
        })
        .ok()
}

/// The wall clock of this thread's loop, or of the system if the thread has none.
#[cfg(feature = "tls")]
pub(crate) fn wall() -> std::time::SystemTime {
    let wall = CURRENT.try_with(|holder| Some(holder.0.borrow().as_ref()?.wall()));
    wall.ok().flatten().unwrap_or_else(std::time::SystemTime::now)
}

/// A loop that replaces this thread's own loop until this value is dropped.
pub(crate) struct Installed {
    lp: Rc<Loop>,
    before: Option<Rc<Loop>>,
}

impl Installed {
    pub(crate) fn lp(&self) -> &Rc<Loop> {
        &self.lp
    }
}

/// Creates a loop on `driver`, and puts it in the place of this thread's loop.
///
/// # Panics
/// If this thread's loop is running.
pub(crate) fn install(driver: Driver) -> Installed {
    let lp = Loop::new(driver);
    let before = CURRENT.with(|holder| {
        if holder.0.borrow().as_ref().is_some_and(|lp| lp.is_running()) {
            panic!("oneloop: this thread's loop is running; a simulation needs a thread of its own");
        }
        holder.0.replace(Some(lp.clone()))
    });
    Installed { lp, before }
}

impl Drop for Installed {
    fn drop(&mut self) {
        self.lp.teardown();
        let before = self.before.take();
        let _ = CURRENT.try_with(|holder| holder.0.replace(before));
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread is ending and its loop is gone")
}

/// Runs this thread's loop until nothing is left that could call back (no open socket or server, no timer that was not
/// `unref`'d, …) or [`stop`] was called. See the [module's docs](super) for the phases.
///
/// A server program ends by a signal: SIGINT and SIGTERM end it at once, in the middle of its answers, unless it listens to
/// them (module `signals`, feature `signals`) and closes its servers. As the first process of a container (number 1) it
/// *must* listen to SIGTERM: the kernel does not deliver that signal to process 1 if it has no listener.
///
/// # Errors
/// If the loop is running already (a callback called `run`), or if the operating system cannot wait for events.
///
/// # Panics
/// With [`PanicPolicy::Resume`], a panic of a callback comes out of this call.
pub fn run() -> io::Result<()> {
    current().ok_or_else(gone)?.run()
}

/// Runs one iteration, which waits for events if there is nothing else to do. Returns whether there is anything left to
/// wait for.
///
/// # Errors
/// As [`run`].
pub fn run_once() -> io::Result<bool> {
    current().ok_or_else(gone)?.run_single(true)
}

/// Runs one iteration without waiting. Returns whether there is anything left to wait for.
///
/// ```
/// // A program with a loop of its own, as a game, lets ours go on between two frames.
/// oneloop::set_immediate(|| println!("in the first frame"));
/// for _frame in 0..3 {
///     oneloop::run_nowait()?;
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`run`].
pub fn run_nowait() -> io::Result<bool> {
    current().ok_or_else(gone)?.run_single(false)
}

/// Makes [`run`] return after the iteration that is running. Everything that is open stays open, and `run` may be called
/// again. If the loop is not running, the next `run` returns before its first iteration.
///
/// ```
/// use std::time::Duration;
/// oneloop::set_interval(Duration::from_millis(1), || println!("again"));
/// oneloop::set_timeout(Duration::from_millis(5), oneloop::stop);
/// oneloop::run()?; // returns, though the interval would go on
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stop() {
    if let Some(lp) = current() {
        lp.stop();
    }
}

/// The loop's clock: the time since the loop was made, read once at the end of each turn, and not at each call. Timers that
/// are set in one callback are therefore set at the same instant. (Outside of [`run`] it is read at each call.) To measure
/// how long something takes, use [`clock`].
pub fn now() -> Duration {
    current().map_or(Duration::ZERO, |lp| lp.now().into())
}

/// The time since the loop was made, read at this call: it moves on within a callback, where [`now`] stands still. Use it
/// to measure how long a callback, or a request, takes:
///
/// ```
/// let began = oneloop::clock();
/// let sum: u64 = (1..=1000).sum();
/// let took = oneloop::clock() - began; // by `now()` this would be zero within a callback
/// # let _ = (sum, took);
/// ```
///
/// In a simulated world this clock is virtual, like all clocks there.
pub fn clock() -> Duration {
    current().map_or(Duration::ZERO, |lp| lp.exact_now())
}

/// Sets what happens after a panic in a callback (promise 5). Default: [`PanicPolicy::Catch`].
pub fn set_panic_policy(policy: PanicPolicy) {
    if let Some(lp) = current() {
        lp.panics.policy.set(policy);
    }
}

/// Calls `f` for each panic of a callback, at once. A loop has one such listener; a new one replaces it.
///
/// ```
/// use oneloop::event_loop::on_panic;
/// on_panic(|panic| eprintln!("{panic:?}")); // for a service that counts crashes
/// oneloop::set_immediate(|| panic!("on purpose"));
/// oneloop::run()?; // goes on: the panic costs its callback only
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn on_panic(f: impl FnMut(&PanicInfo<'_>) + 'static) {
    if let Some(lp) = current() {
        lp.panics.set_listener(Box::new(f));
    }
}
