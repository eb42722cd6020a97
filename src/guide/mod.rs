//! The guide: how things are done with this crate, one subject a page. Every program in it is run as a test.
//!
//! * [Closures and `Rc`](closures): how callbacks share state, and what to do when the compiler refuses one.

#[doc = include_str!("closures.md")]
pub mod closures {}
