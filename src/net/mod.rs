//! TCP and Unix sockets: servers, connections, flow control.
//!
//! This layer uses `event_loop`, `callback` and `notice`, and `secure` where there is TLS. `http` is built on it in the same way as a user's protocol would
//! be.
//!
//! ```text
//!   Server ── Acceptor ──accept──► Stream = io + transport + protocol          (one registration for its whole life)
//!               └─ no file descriptor left: the stream that has been idle longest makes room
//!
//!     read:   io.read → read buffer of the loop → Protocol::data → not consumed? → Input of the stream
//!     write:  own turn → cork of the loop → one send at its end → refused? → Output of the stream
//!             any other time → Output of the stream → ready list → flushed in phase 1
//!     close:  destroy(reason): fd closed at once → closing phase: Protocol::close → on_close, the last callback
//!   pipe:   Source → Sink, with backpressure, ends and failures
//!   connect: Dial = look-up → attempts, begun in turn, running side by side (RFC 8305) → the first that connects → Stream
//! ```
//!
//! # States of a stream
//! ```text
//!   Connecting ──► Open ──finish()──► Finishing ──output gone──► Lingering ──FIN, limits──► Closed
//!        │           │                    └───────── no linger ──────────────────────────────▲
//!        └───────────┴──────────────── destroy(reason) ──────────────────────────────────────┘
//! ```
//! During its life a stream reads and writes; these two halves end independently of each other. `stream/state.rs` shows
//! their states.
//!
//! # The protocol seam
//! A stream calls its `Protocol` through a cloned `Rc`, and gives it the bytes that were read. The stream keeps the bytes
//! that are not consumed. If bytes are left, the stream compares its protocol with the one that it called: a new protocol
//! (an upgrade) gets these bytes first.
//!
//! # The transport seam
//! A `Transport` carries the bytes of a stream: it reads, writes and ends our side. The stream sees plaintext only: all
//! bytes that it counts as read, written or pending are plaintext. There are two transports: the socket itself, and, with the
//! feature `tls`, TLS between the stream and its socket (`Stream::secure`).

mod accepted;
mod acceptor;
mod chunk;
mod connect;
mod connections;
mod context;
mod dial;
mod file_part;
mod handed_over;
#[cfg(feature = "tls")]
mod handshaking;
mod input;
mod large_buffers;
mod listen;
mod look_up;
mod output;
mod outputs;
mod overflow;
pub(crate) mod pipe;
mod place;
mod reason;
mod room;
mod send_watch;
mod server;
mod socket;
mod stream;
mod target;
#[cfg(feature = "tls")]
mod tls_error;
mod transport;

pub use crate::callback::OptionalCallback;
pub use crate::event_loop::Address;
pub use chunk::{Chunk, Flow};
pub use connect::connect;
pub use listen::Listen;
pub use overflow::Overflow;
pub use pipe::{KeepOpen, PipeError, Sink, Source, pipeline};
pub use reason::CloseReason;
pub use server::{Server, create_server};
pub use socket::Socket;
pub use target::Target;
#[cfg(feature = "tls")]
pub use tls_error::TlsError;

pub(crate) use accepted::Accepted;
pub(crate) use acceptor::{Acceptor, Owner};
pub(crate) use chunk::LARGE;
pub(crate) use context::Context;
pub(crate) use dial::Dial;
pub(crate) use file_part::FilePart;
pub(crate) use handed_over::HandedOver;
pub(crate) use large_buffers::LargeBuffers;
pub(crate) use send_watch::{SendLimits, SendWatch, too_slow};
#[cfg(feature = "tls")]
pub(crate) use stream::Unsent;
pub(crate) use stream::{Linger, Protocol, Stream};
