//! The WebSocket protocol (RFC 6455): frames and messages of both sides, and the texts of the handshake.
//!
//! This module does not read from or write to connections. The caller gives received bytes to a [`Decoder`], and sends a
//! [`FrameHead`] with the content after it. The same frames could be carried by a stream of HTTP/2 (RFC 8441).
//!
//! ```text
//!   bytes ─► Decoder ─► Event: Message, Ping, Pong, Close; or a Fault, which has the code of the close frame that answers it
//!   FrameHead + content ─► bytes
//! ```
//!
//! # What is refused
//! | what comes | close code | RFC 6455 |
//! |---|---|---|
//! | a reserved bit (no extension is known here), an unknown opcode | 1002 | 5.2 |
//! | a control frame in fragments, or of more than 125 bytes | 1002 | 5.5 |
//! | a continuation of nothing, a message within another | 1002 | 5.4 |
//! | a frame of a client that is not masked, a frame of a server that is | 1002 | 5.1 |
//! | a length that is not in its shortest form, or has the highest bit set | 1002 | 5.2 |
//! | a message of more bytes than the limit, by the head of the frame | 1009 | 7.4.1 |
//! | text that is not UTF-8, at the first byte that shows it | 1007 | 8.1 |
//! | a close frame with half a code, or with one that must not be sent | 1002 | 5.5.1, 7.4 |
//! | a close frame whose reason is not UTF-8 | 1007 | 5.5.1 |

mod answer;
mod close;
mod decoder;
mod fault;
mod handshake;
mod head;
mod mask;
mod sha1;
pub mod status;
mod text;
mod url;

pub use answer::{Question, Refusal, is_of_handshake, is_protocol};
pub use close::{CloseFrame, REASON, fitting_reason, is_close_code};
pub use decoder::{Decoder, Event, Message, Step};
pub use fault::Fault;
pub use handshake::{VERSION, accept, choose_protocol, key};
pub use head::{CONTROL, FrameHead, Opcode, Role};
pub use mask::{MaskKey, mask};
pub use url::websocket_url;
