//! Sans-I/O codecs: bytes in, events out.
//!
//! This layer contains the rules of the wire format and nothing else. It imports no other module of the crate, and has no
//! sockets, no clock, no shared ownership and no callbacks. So every rule can be tested with a byte string.
//!
//! | module | protocol |
//! |---|---|
//! | [`h1`] | HTTP/1.1 and HTTP/1.0, both sides (RFC 9110, RFC 9112) |
//! | [`url`] | URLs of clients, and what a reference in a response names (RFC 3986) |
//! | [`ws`] | the WebSocket protocol, both sides (RFC 6455) |
//! | `parameters`, `media_type`, `negotiation` | what structured fields share; media types; what a client accepts (feature `app`) |
//! | `basic` | credentials of the Basic scheme (feature `app`) |
//! | `cookie`, `forwarded` | cookies of a request; what proxies say of it (feature `app`) |
//! | `multipart` | forms that have files (RFC 7578; feature `app`) |
//!
//! The modules are public for those who build their own servers and tests on them, and are not covered by semantic versioning
//! until 1.0. Some types are stable nevertheless, since [`http`](crate::http) re-exports them: [`Fault`](crate::http::Fault),
//! [`FieldError`](crate::http::FieldError) and [`Version`](crate::http::Version); and [`Message`](crate::ws::Message), by
//! [`ws`](crate::ws). They are plain values that do not depend on a
//! parser, so types of their own would bring nothing but conversions. A change to one of them is a change to `http`
//! or `ws`, and a test fails if `http` re-exports more.
pub(crate) mod authority;
pub(crate) mod base64;
#[cfg(feature = "app")]
pub mod basic;
#[cfg(feature = "app")]
pub mod cookie;
#[cfg(feature = "app")]
pub mod forwarded;
pub mod h1;
#[cfg(feature = "app")]
pub mod media_type;
#[cfg(feature = "app")]
pub mod multipart;
#[cfg(feature = "app")]
pub mod negotiation;
mod octet;
#[cfg(feature = "app")]
pub mod parameters;
pub mod url;
pub mod ws;
