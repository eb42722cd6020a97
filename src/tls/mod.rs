//! TLS for sockets: Node's module `tls` (feature `tls`). HTTP over it is [`https`](crate::https); the
//! [guide](crate::guide::https) shows both.
//!
//! | to | use |
//! |---|---|
//! | be a server | [`create_server`] with a [`Context`], which has the certificate |
//! | be a client | [`connect`] with a [`Client`], which knows whom to trust |
//! | make a connection secure that has begun plain | [`Socket::start_tls`](crate::net::Socket::start_tls) |
//!
//! What both sides do here: TLS 1.3 and 1.2, nothing older; no compression, no renegotiation, no early data (0-RTT), since each of
//! them has been the way of an attack. The cryptography is ring's, by rustls, unless you name another provider.
//!
//! # Promises
//! * A handshake that is not over within 10 s ends the connection, and one that fails says why, to both sides.
//! * However many clients come at once, the loop takes 8 steps of handshakes in one iteration; the others have their turn in the next
//!   one. (A step signs, which takes as long as a hundred requests.)
//! * Nothing counts as complete that somebody on the way may have cut: see
//!   [`set_allow_unclean_end`](crate::net::Socket::set_allow_unclean_end).
//! * An idle connection keeps no buffers.
//! * Settings that are replaced leave the connections alone that are there.

mod connect;
mod server;

pub use crate::net::TlsError;
pub use crate::secure::{
    Client, ClientBuilder, ClientCertificates, Context, ContextBuilder, Identity, Info, Protocol, Roots, SelfSigned,
    Side,
};
pub use connect::connect;
/// The cryptography of [`ContextBuilder::provider`] and [`ClientBuilder::provider`], with which other crates have to be made.
pub use rustls::crypto::CryptoProvider;
pub use server::create_server;
