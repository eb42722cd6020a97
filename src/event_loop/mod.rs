//! The loop.
mod driver;
