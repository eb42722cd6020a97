//! The layer `app`: what its parts promise, in the simulated world wherever a loop is needed.

// The way of a request.
mod chains;
mod failures;
mod going_on;
mod one_path;
mod order;

mod access_log;
mod answers;
mod asked;
mod bodies;
#[cfg(feature = "compression")]
mod compression;
mod conditions;
mod cookies;
mod dispositions;
mod drain;
mod express;
mod files;
#[cfg(feature = "compression")]
mod inflating;
mod large_json;
mod linear;
mod multipart;
mod negotiation;
mod prometheus;
mod query;
mod rate_limits;
mod redirects;
#[cfg(feature = "sessions")]
mod sessions;
#[cfg(feature = "sessions")]
mod signed;
mod sites;
mod sse;
#[path = "../support/mod.rs"]
mod support;
mod tester;
mod trust;
mod uploads;
mod watched_over;
