//! Sans-I/O codecs: bytes in, events out.
//!
//! This layer owns the rules of the wire and nothing else. It imports nothing of ours, no sockets, no clock, no
//! shared ownership, and it calls nobody back, so that every rule can be tested with a byte string.
//!
//! | module | what it speaks |
//! |---|---|
//! | [`h1`] | HTTP/1.1 and HTTP/1.0 as an origin server (RFC 9110, RFC 9112) |
//!
//! The modules are public for those who build their own servers and tests on them, and stand outside semantic
//! versioning until 1.0. Three types are stable all the same, since [`http`](crate::http) re-exports them:
//! [`Fault`](crate::http::Fault), [`FieldError`](crate::http::FieldError) and [`Version`](crate::http::Version). They are
//! plain values without ties to a parser, so copies of them in `http` would only have to be converted. A change to one of
//! them is a change to `http`, and a test fails if `http` re-exports more.
pub mod h1;
