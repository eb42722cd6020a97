//! Which steps of a router apply to a path, and in which order. Plain data: no handlers, no requests, and nothing else of the
//! crate, so that `benches` can measure these files as they are.
//!
//! ```text
//!  path ── canonical ──► the one spelling ─┐
//!                                          ├─ trie ──► lists of step numbers ── cursors ──► the steps, in order
//!  patterns ── pattern ─► shapes, texts ───┘
//!        └──── conflicts ──► "`GET /users/me` can never run", when the program starts
//! ```
//! The order is Express's: that of registration, and nothing else. The trie only says which steps do not apply.
mod canonical;
mod conflicts;
mod cursors;
mod methods;
mod pattern;
mod program;
mod shape;
mod step;
mod texts;
mod trie;

pub use canonical::{canonical, decoded, is_canonical};
pub use cursors::Cursors;
pub use methods::{Method, Methods};
pub use pattern::{Pattern, join};
pub use program::Program;
pub use step::{Reach, Role, Span, Step, behind};
