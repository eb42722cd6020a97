//! The logger of a test program: it keeps what each thread says, for the tests that ask. There is one for all tests of
//! a process.

use log::{Level, LevelFilter, Metadata, Record};
use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static LOGGED: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// What was said by one call.
#[derive(Clone, Debug)]
pub struct Line {
    pub level: Level,
    pub target: String,
    pub text: String,
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("oneloop")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line =
                Line { level: record.level(), target: record.target().to_owned(), text: record.args().to_string() };
            let _ = LOGGED.try_with(|logged| logged.borrow_mut().push(line));
        }
    }

    fn flush(&self) {}
}

/// From now on what this thread says at `debug` and above is kept, for [`lines`].
pub fn keep_log() {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(LevelFilter::Debug);
    });
    LOGGED.take();
}

/// What this thread has said since the last time, at this level and above.
pub fn lines(least: Level) -> Vec<Line> {
    LOGGED.take().into_iter().filter(|line| line.level <= least).collect()
}

/// The warnings and errors of this thread since the last time, as `LEVEL target text`.
pub fn logged() -> Vec<String> {
    lines(Level::Warn).iter().map(|line| format!("{} {} {}", line.level, line.target, line.text)).collect()
}

#[track_caller]
pub fn expect_logged(part: &str) {
    let lines = logged();
    assert!(lines.iter().any(|line| line.contains(part)), "{part:?} is not in {lines:#?}");
}
