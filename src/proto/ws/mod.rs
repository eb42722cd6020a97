//! The WebSocket protocol (RFC 6455): frames and messages of both sides, and the texts of the handshake.
//!
//! This module does not read from or write to connections. The caller gives received bytes to a [`Decoder`], and sends a
//! [`FrameHead`] with the content after it. The same frames could be carried by a stream of HTTP/2 (RFC 8441).
//!
//! ```text
//!   bytes ─► Decoder ─► Event: Message, Ping, Pong, Close; or a Fault, which has the code of the close frame that answers it
//!   FrameHead + content ─► bytes
//!   Event::Compressed ─► Inflater ─► Message;  content ─► Deflater ─► content of a compressed message (feature `deflate`)
//! ```
//!
//! # What is refused
//! | what comes | close code | RFC 6455 |
//! |---|---|---|
//! | a reserved bit, an unknown opcode | 1002 | 5.2 |
//! | `RSV1`, the bit of compression, if that was not agreed, or in a continuation or a control frame | 1002 | 5.2; RFC 7692, 6.1 |
//! | a control frame in fragments, or of more than 125 bytes | 1002 | 5.5 |
//! | a continuation of nothing, a message within another | 1002 | 5.4 |
//! | a frame of a client that is not masked, a frame of a server that is | 1002 | 5.1 |
//! | a length that is not in its shortest form, or has the highest bit set | 1002 | 5.2 |
//! | a message of more bytes than the limit, by the head of the frame | 1009 | 7.4.1 |
//! | text that is not UTF-8, at the first byte that shows it | 1007 | 8.1 |
//! | a message that cannot be inflated, or not to its end | 1007 | RFC 7692, 7.2.2 |
//! | a message that becomes larger than the limit, before more is inflated | 1009 | 7.4.1 |
//! | a close frame with half a code, or with one that must not be sent | 1002 | 5.5.1, 7.4 |
//! | a close frame whose reason is not UTF-8 | 1007 | 5.5.1 |

mod answer;
mod close;
mod decoder;
#[cfg(feature = "deflate")]
mod deflate;
mod extension;
mod fault;
mod handshake;
mod head;
mod mask;
mod memory;
#[cfg(test)]
mod memory_tests;
mod sha1;
pub mod status;
mod text;
mod url;

pub use answer::{Agreement, Question, Refusal, is_of_handshake, is_protocol};
pub use close::{CloseFrame, REASON, fitting_reason, is_close_code};
pub use decoder::{Compressed, Decoder, Event, Message, Step};
#[cfg(feature = "deflate")]
pub use deflate::{Deflater, Inflater};
pub use extension::{NoAnswer, PermessageDeflate, Window};
pub use fault::Fault;
pub use handshake::{VERSION, accept, choose_protocol, key};
pub use head::{CONTROL, FrameHead, Opcode, Role};
pub use mask::{MaskKey, mask};
pub(crate) use memory::Memory;
pub use url::websocket_url;
