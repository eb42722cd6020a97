use super::status;
use std::fmt;

/// The reason why received bytes are refused: they break the WebSocket protocol, or a message is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A bit is set that belongs to an extension which was not agreed (RFC 6455, 5.2), or that of compression where it may not be: in
    /// a control frame, or in a fragment that is not the first (RFC 7692, 6.1).
    ReservedBit,
    /// The opcode has no meaning.
    Opcode,
    /// A control frame is one of several fragments (5.5).
    FragmentedControl,
    /// A control frame has more than 125 bytes (5.5).
    LongControl,
    /// A fragment continues a message, and none has begun (5.4).
    NothingToContinue,
    /// A message begins before the one before it is whole (5.4).
    MessageWithinMessage,
    /// A client's frame is not masked (5.1).
    Unmasked,
    /// A server's frame is masked (5.1).
    Masked,
    /// The length of a frame is not written in the shortest form (5.2).
    LongLength,
    /// The length of a frame has its highest bit set (5.2).
    HugeLength,
    /// A message has more bytes than are allowed.
    TooLarge,
    /// A text is not UTF-8 (8.1).
    Utf8,
    /// A compressed message cannot be inflated (RFC 7692, 7.2.2).
    Deflate,
    /// A close frame has one byte: neither nothing nor a whole code (5.5.1).
    HalfCloseCode,
    /// A close frame has a code that must not be sent (7.4).
    CloseCode,
    /// The reason in a close frame is not UTF-8 (5.5.1).
    CloseReason,
}

impl Fault {
    /// The code of the close frame that is sent to the peer because of the fault (7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Fault::TooLarge => status::TOO_LARGE,
            Fault::Utf8 | Fault::Deflate | Fault::CloseReason => status::INVALID_DATA,
            _ => status::PROTOCOL_ERROR,
        }
    }

    /// What is wrong, in a few words that fit in a close frame.
    pub fn text(self) -> &'static str {
        match self {
            Fault::ReservedBit => "a reserved bit is set",
            Fault::Opcode => "an unknown opcode",
            Fault::FragmentedControl => "a control frame is fragmented",
            Fault::LongControl => "a control frame has more than 125 bytes",
            Fault::NothingToContinue => "a continuation of nothing",
            Fault::MessageWithinMessage => "a message begins within another",
            Fault::Unmasked => "a client's frame is not masked",
            Fault::Masked => "a server's frame is masked",
            Fault::LongLength => "a length is not in its shortest form",
            Fault::HugeLength => "a length has its highest bit set",
            Fault::TooLarge => "the message is too large",
            Fault::Utf8 => "the text is not UTF-8",
            Fault::Deflate => "the message cannot be inflated",
            Fault::HalfCloseCode => "half a close code",
            Fault::CloseCode => "a close code that must not be sent",
            Fault::CloseReason => "the close reason is not UTF-8",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Fault {}
