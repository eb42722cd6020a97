//! What the measuring programs share: the traffic ([`traffic`]), the machine they run on ([`machine`]), the servers
//! they start as child processes ([`child`]), the `hello` that users get ([`hello`]), and medians ([`figures`]).
//!
//! ```text
//!  benches/micro.rs        benches/throughput/        src/bin/instructions.rs
//!        │                         │                            │
//!        └─ traffic                └─ child hello traffic machine figures ─┘
//! ```
//!
//! Nothing here depends on `oneloop`: the server under test is always another process, the binary that users get.

pub mod child;
pub mod figures;
pub mod hello;
pub mod machine;
pub mod traffic;
