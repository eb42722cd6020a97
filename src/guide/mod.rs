//! The guide: how things are done with this crate, one subject a page. Every program in it is run as a test.
//!
//! **Begin here**
//! * [Getting started](getting_started): a project, a server, its state, its test.
//! * [Coming from Node](from_node): the table of names, and what differs.
//! * From Express to oneloop (`from_express`, feature `app`): routes, middleware, and every method of Express.
//! * [Closures and `Rc`](closures): how callbacks share state, and what to do when the compiler refuses one.
//!
//! **Write a server**
//! * [Errors](errors): what answers a request that fails, and what the log says.
//! * [Streaming and backpressure](streaming): bodies, pipes, events, slow readers.
//! * [Files](files): send one, serve a folder, store an upload.
//! * [The HTTP client](client): ask other servers, from a handler or a program.
//! * [WebSockets](websockets): a chat, topics, who may connect, peers that do not read.
//! * HTTPS and TLS (`https`, feature `tls`): certificates, their renewal, clients, raw sockets.
//! * [Timers and order](timers): what runs when.
//! * [Threads and several loops](threads): blocking work, all cores, a way in from other threads.
//! * [Testing in memory](testing): a whole program on a virtual clock.
//!
//! **Run it**
//! * [Observing](observing): logs, metrics, slow callbacks, the page of the loop.
//! * [Limits and memory](limits): every limit with its default, and what a connection can cost.
//! * [Deploying](deploying): SIGTERM, containers, systemd, a proxy in front, restarts without a gap.
//!
//! **Decide and teach**
//! * [Performance](performance): the figures, and how to measure your own.
//! * [Event loop or threads](loop_or_threads): which design for which work.
//! * [A lesson](lesson): 45 minutes about event loops, for teachers.

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("from_node.md")]
pub mod from_node {}

#[cfg(feature = "app")]
#[doc = include_str!("from_express.md")]
pub mod from_express {}

#[doc = include_str!("closures.md")]
pub mod closures {}

#[doc = include_str!("errors.md")]
#[cfg_attr(feature = "app", doc = include_str!("errors_in_apps.md"))]
pub mod errors {}

#[doc = include_str!("streaming.md")]
pub mod streaming {}

#[doc = include_str!("files.md")]
pub mod files {}

#[doc = include_str!("client.md")]
pub mod client {}

#[doc = include_str!("websockets.md")]
pub mod websockets {}

#[cfg(feature = "tls")]
#[doc = include_str!("https.md")]
pub mod https {}

#[doc = include_str!("timers.md")]
pub mod timers {}

#[doc = include_str!("threads.md")]
pub mod threads {}

#[doc = include_str!("testing.md")]
#[cfg_attr(feature = "app", doc = include_str!("testing_apps.md"))]
pub mod testing {}

#[doc = include_str!("observing.md")]
pub mod observing {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("deploying.md")]
pub mod deploying {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("loop_or_threads.md")]
pub mod loop_or_threads {}

#[doc = include_str!("lesson.md")]
pub mod lesson {}
