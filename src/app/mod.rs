//! What Express is to Node: routes, middleware, errors, and what requests and responses are asked for most (feature `app`).
//!
//! ```text
//!   App ── compiles ─► Program: an ordered list of steps, and a trie that says which of them apply to a path
//!                         │
//!   Server ─ Dispatch ─► Journey (in the exchange): step ─ next.run() ─► step ─ … ─► an answer
//!                         └── an error or a panic ─► the error handlers behind, else the default page
//! ```
//! Handlers are those of [`http`](crate::http): `|req, res|`, on the same [`Request`](crate::http::Request) and
//! [`Response`](crate::http::Response), to which this layer adds methods. A step of a chain has a third argument, `next`.
//!
//! Everything that a peer can make grow has a limit, and an answer for when it is reached. No parser here looks at a byte more
//! than a fixed number of times, and none is a regular expression.

mod media_names;
#[cfg(feature = "json")]
mod pairs;
mod request;
