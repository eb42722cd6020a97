//! The parts that the measuring programs share: the traffic ([`traffic`], [`websocket`]), the machine ([`machine`]), servers as child
//! processes ([`child`]), servers of others ([`installed`]), the `hello` that users get ([`hello`]), medians ([`figures`]), counts
//! of instructions ([`callgrind`]), the library's router by itself ([`routing`]), and the parts of the trials under attack ([`trial`]).
//!
//! ```text
//!  benches/micro.rs     benches/throughput/     src/bin/{instructions,recorder}.rs     src/bin/{fairness,files,slow,soak}.rs
//!        │                      │                            │      └─ callgrind            │
//!        └─ traffic             └─ child hello traffic machine figures ─┘                   └─ trial, on all of these
//! ```
//!
//! Only [`trial`] uses `oneloop` itself. The server under test is always another process: for the measurements of speed the
//! binary that users get, for the trials a program of ours.

pub mod callgrind;
pub mod child;
pub mod figures;
pub mod hello;
pub mod installed;
pub mod machine;
/// The router of the library, which does not export it: its files, as they are.
#[path = "../../src/app/routing/mod.rs"]
pub mod routing;
pub mod traffic;
pub mod trial;
pub mod websocket;
