//! What needs a process of its own for each case: a test here runs itself once more, as the program.

mod fd_exhaustion;
mod notices;
mod stdin;
#[cfg(unix)]
mod stopped;
#[path = "../support/mod.rs"]
mod support;
