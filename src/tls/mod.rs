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
//! * However many clients come at once, the loop signs once in an iteration, or not at all: the other clients wait in a line, and those who are
//!   connected wait for one signature only. (With a key of ECDSA P-256 it takes as long as thirty requests; with one of RSA, several
//!   times that.) See [below](#handshakes-beside-requests).
//! * Nothing counts as complete that somebody on the way may have cut: see
//!   [`set_allow_unclean_end`](crate::net::Socket::set_allow_unclean_end).
//! * An idle connection keeps no buffers.
//! * Settings that are replaced leave the connections alone that are there.
//!
//! # Handshakes beside requests
//! In each iteration the loop works for 0.1 ms at handshakes, and finishes the step in which that passes: so it takes one step that signs, or
//! several that do not. A client that waits costs nothing until its turn comes. A request that comes at the wrong moment therefore waits for
//! one signature, with a key of ECDSA P-256 some 0.2 ms.
//!
//! With [`Handshakes::Workers`] the connection goes to a [worker thread](crate::worker) with what the client has sent, and comes back with the
//! answer. The loop goes on with other connections meanwhile. All else is as it is on the loop: the time of the handshake counts and ends the
//! connection, what the client sends meanwhile stays in the kernel, and a connection that closes is dropped when it comes back. Two threads
//! do this and nothing else, more with a larger [`set_pool_size`](crate::worker::set_pool_size); 16 connections are on their way at most, and
//! the others wait in line. So neither the program's jobs nor its files wait behind a thousand signatures. A thread that cannot be
//! started ends the connection with [`TlsFailed`](crate::net::CloseReason::TlsFailed). Each step goes this way until the handshake is
//! complete, so that a client of TLS 1.3 goes twice. Its second step costs little as a rule; but it is the one that signs if the client was
//! asked for another key share, and the one that checks a certificate of the client.
//!
//! | | take |
//! |---|---|
//! | a key of ECDSA P-256, which is the usual one | [`Handshakes::Inline`], the default: a step takes little longer than its way to a thread and back, which takes two wake-ups. (Beside as many handshakes as it could take, workers had the loop answer a quarter more requests.) |
//! | a key of RSA, above all of 4096 bits: a signature takes a millisecond or several, and each request beside it waits as long | [`Handshakes::Workers`]: beside as many handshakes as a CPU can sign, the loop answered five times as many requests |
//! | more clients than one thread can sign for | several [loops](crate::guide::threads), in threads or processes, over which the system spreads the clients |
//! | all CPUs are busy, or there is one only | [`Handshakes::Inline`]: a worker's signature takes the loop's time all the same, in slices that the system chooses |
//!
//! What helps in any case: tickets, which save the signature of a client that comes back. They are on by default. Clients sign rarely, and take
//! all their steps on the loop.

mod connect;
mod server;

pub use crate::net::TlsError;
pub use crate::secure::{
    Client, ClientBuilder, ClientCertificates, Context, ContextBuilder, Handshakes, Identity, Info, Protocol, Roots,
    SelfSigned, Side,
};
pub use connect::connect;
/// The cryptography of [`ContextBuilder::provider`] and [`ClientBuilder::provider`], with which other crates have to be made.
pub use rustls::crypto::CryptoProvider;
pub use server::create_server;
