//! What must hold for any bytes. Each function takes them as a fuzzer gives them and panics where it does not hold.
//!
//! The fuzz targets and the tests on stable (`tests/fuzzing/`) include this same folder.
//! Beside the targets: `choices` takes decisions from the first bytes, `message` frames a stream of requests with the
//! codec, `answers` what a client reads, `client` reads responses without it, `heads` reads a head in any split, `oracle` asks parsers of others, and `latin1` shows bytes as text.
#![allow(dead_code, reason = "each target uses a part of it")]

#[cfg(feature = "app")]
pub mod accept;
pub mod answers;
#[cfg(all(feature = "compression", feature = "json"))]
pub mod bodies;
pub mod body_decoder;
pub mod choices;
pub mod client;
#[cfg(feature = "app")]
pub mod conditions;
pub mod connection;
#[cfg(feature = "app")]
pub mod cookies;
pub mod deflate;
pub mod differential;
pub mod heads;
pub mod latin1;
pub mod message;
#[cfg(feature = "app")]
pub mod multipart;
pub mod oracle;
#[cfg(feature = "json")]
pub mod queries;
pub mod request_head;
pub mod response;
pub mod response_head;
#[cfg(feature = "app")]
pub mod routing;
#[cfg(feature = "tls")]
pub mod tls;
pub mod url;
pub mod websocket;
