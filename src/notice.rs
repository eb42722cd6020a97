//! Messages of the library. They go to the program's logger through the `log` crate. Without a logger, warnings and errors go to
//! standard error, so that a failure is not silent. A simulated world (of a test with `sim`) stores them instead.
//!
//! ```text
//!   notice::warn!(target: "oneloop::http", …) ──► log::warn!(…)                      a logger decides
//!                                             ├─► no logger, warning or error ──────► standard error, once for each place (or step)
//!                                             └─► a world of `sim` on this thread ──► `Sim::log`
//! ```
//! All messages from `info` upwards go through this module. Messages at `debug` and `trace` go to `log` directly.
//!
//! Imports no other module of the library.

use log::{Level, LevelFilter};
use std::cell::{Cell, RefCell};
#[cfg(feature = "app")]
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
#[cfg(feature = "app")]
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "app")]
use std::sync::{Mutex, PoisonError};

/// How many lines a simulated world keeps; new ones replace the oldest.
const KEPT: usize = 1_000;

/// True if messages may go to standard error when there is no logger.
static STANDS_IN: AtomicBool = AtomicBool::new(true);
/// True once the hint on how to see more messages was printed.
static EXPLAINED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static WORLD: RefCell<Option<Rc<Kept>>> = const { RefCell::new(None) };
}

/// Sets whether warnings and errors of this library go to standard error if no logger is installed (true by default, for
/// the whole process).
///
/// Requests are answered 500 if their handler returns an `Err`, forgets the response, or sets a field that cannot be sent; the
/// log has the reason. Without a logger, the first of each kind is printed, with its route; of the failures of an app's steps,
/// the first of each step. Turn this off in a program that must print nothing. To see everything, install a logger, such as
/// `env_logger::init()`; then `RUST_LOG` decides. (A logger with all levels turned off counts as no logger.)
pub fn set_stderr_fallback(on: bool) {
    STANDS_IN.store(on, Ordering::Relaxed);
}

/// A line that was logged in a simulated world: see [`Sim::log`](crate::sim::Sim::log).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Error, warning or info. Messages at `debug` and `trace` are not stored.
    pub level: Level,
    /// The part of the library: `oneloop::loop`, `oneloop::net`, `oneloop::http`, `oneloop::ws`, or `oneloop::access` for the lines of an
    /// access log.
    pub target: &'static str,
    /// The text.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.level, self.target, self.text)
    }
}

/// The lines that were logged in a simulated world.
#[derive(Default)]
pub(crate) struct Kept {
    lines: RefCell<VecDeque<Line>>,
    /// How many lines have been dropped before the first one that is kept.
    forgotten: Cell<usize>,
}

impl Kept {
    /// Stores the messages of this thread from now on, until the result is dropped.
    pub fn begin() -> Keeping {
        let kept = Rc::new(Kept::default());
        let before = WORLD.with(|world| world.replace(Some(kept.clone())));
        Keeping { kept, before }
    }

    fn add(&self, line: Line) {
        let mut lines = self.lines.borrow_mut();
        if lines.len() == KEPT {
            lines.pop_front();
            self.forgotten.set(self.forgotten.get() + 1);
        }
        lines.push_back(line);
    }
}

/// While this exists, the messages of this thread are stored in `kept`. Its drop puts back the world `before`.
pub(crate) struct Keeping {
    kept: Rc<Kept>,
    before: Option<Rc<Kept>>,
}

impl Keeping {
    /// How many lines were logged so far, dropped lines included.
    pub fn count(&self) -> usize {
        self.kept.forgotten.get() + self.kept.lines.borrow().len()
    }

    /// The lines after the first `count`, except those that were dropped.
    pub fn lines_since(&self, count: usize) -> Vec<Line> {
        let gone = count.saturating_sub(self.kept.forgotten.get());
        self.kept.lines.borrow().iter().skip(gone).cloned().collect()
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let before = self.before.take();
        // If a newer simulated world has replaced this one in `WORLD`, the newer one stays in `WORLD` and goes on storing the
        // messages.
        let _ = WORLD.try_with(|world| {
            if world.borrow().as_ref().is_some_and(|kept| Rc::ptr_eq(kept, &self.kept)) {
                world.replace(before);
            }
        });
    }
}

/// Stores a message in the simulated world of this thread, if there is one. Otherwise prints it if there is no logger and this
/// place in the source has not printed before (`said`).
#[cold]
pub(crate) fn say(level: Level, target: &'static str, said: &AtomicBool, text: fmt::Arguments<'_>) {
    if is_unheard(level, target, text) && !said.swap(true, Ordering::Relaxed) {
        print(level, target, text);
    }
}

/// Logs a warning about the handler that the program has registered at `site`. Without a logger, the first warning about each
/// `site` is printed: two handlers that fail are two mistakes. So no more lines are printed than the program has handlers.
#[cfg(feature = "app")]
#[cold]
pub(crate) fn warn_of(site: &'static Location<'static>, target: &'static str, text: fmt::Arguments<'_>) {
    static SAID: Mutex<BTreeSet<&Location<'_>>> = Mutex::new(BTreeSet::new());
    log::warn!(target: target, "{text}");
    if is_unheard(Level::Warn, target, text) && SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(site) {
        print(Level::Warn, target, text);
    }
}

/// Returns whether neither a logger nor a simulated world gets a message, so that it may go to standard error. Stores it in the
/// simulated world of this thread, if there is one.
fn is_unheard(level: Level, target: &'static str, text: fmt::Arguments<'_>) -> bool {
    let world = WORLD.try_with(|world| world.borrow().clone()).ok().flatten();
    if let Some(kept) = world {
        kept.add(Line { level, target, text: text.to_string() });
        return false;
    }
    level <= Level::Warn && log::max_level() == LevelFilter::Off && STANDS_IN.load(Ordering::Relaxed)
}

fn print(level: Level, target: &str, text: fmt::Arguments<'_>) {
    let mut to = std::io::stderr().lock();
    // If standard error is closed, there is nowhere to report that.
    let _ = writeln!(to, "{level} {target}: {text}");
    if !EXPLAINED.swap(true, Ordering::Relaxed) {
        let _ = writeln!(
            to,
            "(No logger is installed, so the first line of each kind is printed. To see all of them: env_logger::init() and \
             RUST_LOG=oneloop=debug. To see none: oneloop::set_stderr_fallback(false).)"
        );
    }
}

macro_rules! at_level {
    ($level:ident, $target:expr, $($text:tt)+) => {{
        static SAID: ::std::sync::atomic::AtomicBool = ::std::sync::atomic::AtomicBool::new(false);
        match ::std::format_args!($($text)+) {
            text => {
                ::log::log!(target: $target, ::log::Level::$level, "{text}");
                $crate::notice::say(::log::Level::$level, $target, &SAID, text);
            }
        }
    }};
}

macro_rules! error_line {
    (target: $target:expr, $($text:tt)+) => { $crate::notice::at_level!(Error, $target, $($text)+) };
}

macro_rules! warn_line {
    (target: $target:expr, $($text:tt)+) => { $crate::notice::at_level!(Warn, $target, $($text)+) };
}

macro_rules! info_line {
    (target: $target:expr, $($text:tt)+) => { $crate::notice::at_level!(Info, $target, $($text)+) };
}

pub(crate) use {at_level, error_line as error, info_line as info, warn_line as warn};
