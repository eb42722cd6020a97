//! The parts that Express adds to Node: routes, middleware, error handlers, and more methods of requests and responses (feature
//! `app`).
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
//!
//! # Bodies
//! A handler with a third argument gets the body: [`json`](json()), [`form`](form()), [`multipart`](multipart()), [`text`](text()) and [`raw`](raw()) make a
//! handler of it, which [`create_server`](crate::http::create_server) takes as well. What is no such body never reaches it:
//!
//! | the body | answer |
//! |---|--:|
//! | is in a GET, HEAD or TRACE request, where it means nothing | 400 |
//! | has another media type, none, or several. `Accept-Post`, `Accept-Patch` or `Accept` says which one is wanted | 415 |
//! | is too large. If its length is stated, nothing of it is read, and no `100 Continue` asks for it | 413 |
//! | is compressed otherwise than the program takes it (with feature `compression`: gzip); `Accept-Encoding` says how | 415 |
//! | is text in another charset than UTF-8 | 415 |
//! | cannot be parsed: JSON with line and column | 400 |
//! | is a form with too many fields; has too much of something else ([`UploadOptions`]) | 413 |
//! | is not what the type of the argument wants | 422 |
//!
//! These checks are made in this order. No answer quotes the body. The limits are
//!
//! | | bytes | and |
//! |---|--:|---|
//! | [`json`](json()) | 100 KiB | nested 128 deep |
//! | [`form`](form()) | 100 KiB | 1,000 fields |
//! | [`multipart`](multipart()) | 32 MiB | 16 MiB a file, and more: see [`UploadOptions`] |
//! | [`text`](text()), [`raw`](raw()) | 1 MiB | |
//!
//! and each has a function for other limits: [`json_up_to`], [`form_up_to`], [`multipart_with`], [`text_up_to`], [`raw_up_to`]. A
//! handler that decides late whether it wants the body calls [`read_json`](crate::http::Request::read_json),
//! [`read_form`](crate::http::Request::read_form), [`read_upload`](crate::http::Request::read_upload) or
//! [`read_text`](crate::http::Request::read_text).
//!
//! # Middlewares that are ready made
//! | | |
//! |---|---|
//! | [`cors`](cors()) | which other sites may read the answers. "Any, with cookies" cannot be written |
//! | [`same_origin`](same_origin()) | refuses what another site makes a visitor's browser send, without tokens |
//! | [`shield`](shield()) | fields that make browsers strict |
//! | [`rate_limit`](rate_limit()), [`rate_limit_by`] | how often a client may ask; 65,536 clients are known at most |
//! | `sessions::sessions` (feature `sessions`) | what the server remembers of a visitor, saved before the answer leaves |
//!
//! [`Response::sse`](crate::http::Response::sse) and [`Channel`] answer with streams of events. At most 64 KiB may be pending for a
//! reader; a channel has at most 10,000 readers, and keeps the last 256 events for readers that come back.

// How a request passes through the steps.
mod application;
mod chain;
mod compile;
mod failure;
mod journey;
mod locals;
mod next;
mod page;
mod registered;
mod route;
mod router;
mod routing;
// These tests are not within `routing`, because `benches` compiles the files of `routing` without the dependencies of the tests.
#[cfg(test)]
#[path = "routing/tests/mod.rs"]
mod routing_tests;
mod start_error;
mod vhost;
pub use application::{App, RouteInfo};
pub use failure::{Panicked, Unanswered};
pub use next::Next;
pub use route::Route;
pub use router::Router;

// What requests, responses and servers have more.
mod access_log;
mod body;
mod cookie;
mod disposition;
pub mod drain;
#[cfg(feature = "json")]
mod expected;
mod files;
mod health;
mod location;
mod media_names;
mod nonce;
#[cfg(feature = "json")]
mod pairs;
mod prometheus;
mod request;
mod response;
#[cfg(feature = "sessions")]
pub mod sessions;
#[cfg(feature = "sessions")]
mod signed;
mod sse;
mod trust;

pub use crate::http::local::is_local;
pub use crate::http::range::Selection;
pub use access_log::{AccessLog, CustomFormat, Format, access_log};
pub use body::{Form, FromForm, form, form_up_to, raw, raw_up_to, text, text_up_to};
pub use body::{Upload, UploadOptions, UploadedFile, multipart, multipart_with};
#[cfg(feature = "json")]
pub use body::{json, json_up_to};
pub use cookie::{Cookie, CookieError, SameSite};
pub use files::{Dotfiles, Files, Links};
pub use health::{health, ready, ready_if};
pub use prometheus::Prometheus;
#[cfg(feature = "sessions")]
pub use signed::{CookieKeys, KeyError};
pub use sse::{Channel, Event, EventError, Events};
pub use trust::{Trust, TrustError};

// The middlewares of the library.
#[cfg(feature = "compression")]
mod compression;
mod cors;
mod rate_limit;
mod request_id;
mod same_origin;
mod shield;
mod timeout;

#[cfg(feature = "compression")]
pub use compression::{Compression, compression};
pub use cors::{AnyOrigin, BadOrigin, Cors, SomeOrigins, cors};
pub use rate_limit::{Rate, rate_limit, rate_limit_by};
pub use request_id::{RequestId, request_id, request_id_from};
pub use same_origin::{same_origin, same_origin_or};
pub use shield::{Shield, shield};
pub use timeout::timeout;
