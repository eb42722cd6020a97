//! The head of a frame (RFC 6455, 5.2).

use super::{Fault, MaskKey};

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of the message that has begun.
    Continuation,
    /// A text, or its first fragment.
    Text,
    /// Bytes, or their first fragment.
    Binary,
    /// The sender closes the connection.
    Close,
    /// The receiver has to answer with a pong that has the same content.
    Ping,
    /// An answer to a ping, or a sign of life.
    Pong,
}

impl Opcode {
    fn number(self) -> u8 {
        match self {
            Opcode::Continuation => 0,
            Opcode::Text => 1,
            Opcode::Binary => 2,
            Opcode::Close => 8,
            Opcode::Ping => 9,
            Opcode::Pong => 10,
        }
    }

    fn of(number: u8) -> Option<Opcode> {
        Some(match number {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    /// Returns whether this is a control frame (5.5): it may come between the fragments of a message, and is short.
    pub fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// The side of a connection. A client masks its frames, and a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that has asked for the connection.
    Client,
    /// The side that was asked.
    Server,
}

/// The most bytes of content that a control frame may have.
pub const CONTROL: usize = 125;

/// The reserved bit that compression uses, and those that nothing uses.
const RSV1: u8 = 0x40;
const OTHER_BITS: u8 = 0x30;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether the frame is the last of its message.
    pub last: bool,
    /// Whether the message is compressed (`RSV1`; RFC 7692, 6). Only its first frame says so.
    pub compressed: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key of the mask, if the content is masked.
    pub mask: Option<MaskKey>,
    /// The length of the content, in bytes.
    pub length: u64,
}

impl FrameHead {
    /// Reads the head of a frame that has come to a `receiver`. Returns the head and how many bytes it has itself, or `None` if
    /// more bytes are needed. The first two bytes are checked as soon as they have come. `may_compress`: compression was agreed.
    ///
    /// # Errors
    /// If a frame with this head is never allowed, whatever frames came before it.
    #[inline]
    pub fn parse(bytes: &[u8], receiver: Role, may_compress: bool) -> Result<Option<(FrameHead, usize)>, Fault> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        let (last, masked, code) = (first & 0x80 != 0, second & 0x80 != 0, second & 0x7f);
        let compressed = first & RSV1 != 0;
        if first & OTHER_BITS != 0 || compressed && !may_compress {
            return Err(Fault::ReservedBit);
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(Fault::Opcode)?;
        if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Fault::ReservedBit);
        }
        if opcode.is_control() {
            if !last {
                return Err(Fault::FragmentedControl);
            }
            if usize::from(code) > CONTROL {
                return Err(Fault::LongControl);
            }
        }
        match (receiver, masked) {
            (Role::Server, false) => return Err(Fault::Unmasked),
            (Role::Client, true) => return Err(Fault::Masked),
            _ => {}
        }
        let Some((length, rest)) = parse_length(code, rest)? else { return Ok(None) };
        let (mask, rest) = match (masked, rest.split_first_chunk::<4>()) {
            (false, _) => (None, rest),
            (true, Some((key, rest))) => (Some(*key), rest),
            (true, None) => return Ok(None),
        };
        Ok(Some((FrameHead { last, compressed, opcode, mask, length }, bytes.len() - rest.len())))
    }

    /// Appends the head as it is sent.
    ///
    /// ```
    /// use oneloop::proto::ws::{FrameHead, Opcode};
    ///
    /// let mut frame = Vec::new();
    /// let head = FrameHead { last: true, compressed: false, opcode: Opcode::Text, mask: None, length: 5 };
    /// head.encode(&mut frame);
    /// frame.extend(b"Hello");
    /// assert_eq!(frame, b"\x81\x05Hello");
    /// ```
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let first = self.opcode.number() | if self.last { 0x80 } else { 0 } | if self.compressed { RSV1 } else { 0 };
        if self.length < 126 {
            out.extend_from_slice(&[first, masked | self.length as u8]);
        } else if let Ok(length) = u16::try_from(self.length) {
            let [high, low] = length.to_be_bytes();
            out.extend_from_slice(&[first, masked | 126, high, low]);
        } else {
            out.extend_from_slice(&[first, masked | 127]);
            out.extend_from_slice(&self.length.to_be_bytes());
        }
        if let Some(key) = &self.mask {
            out.extend_from_slice(key);
        }
    }
}

/// Reads the length of the content where the seven bits of the second byte do not suffice for it. Only the shortest form of a
/// length is valid.
#[inline]
fn parse_length(code: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, Fault> {
    let (length, least, rest) = match code {
        126 => match bytes.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), 126, rest),
            None => return Ok(None),
        },
        127 => match bytes.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), 1 << 16, rest),
            None => return Ok(None),
        },
        _ => return Ok(Some((u64::from(code), bytes))),
    };
    if length > i64::MAX as u64 {
        return Err(Fault::HugeLength);
    }
    if length < least {
        return Err(Fault::LongLength);
    }
    Ok(Some((length, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_again_and_no_shorter_part_of_it() {
        let opcodes = [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];
        for opcode in opcodes {
            for (last, mask, compressed) in [
                (true, None, false),
                (true, Some([1, 2, 3, 4]), false),
                (false, None, false),
                (true, None, true),
                (false, None, true),
            ] {
                for length in [0, 1, 125, 126, 127, 65_535, 65_536, u64::from(u32::MAX), i64::MAX as u64] {
                    let may_compress = matches!(opcode, Opcode::Text | Opcode::Binary);
                    if opcode.is_control() && (length > 125 || !last) || compressed && !may_compress {
                        continue;
                    }
                    let head = FrameHead { last, compressed, opcode, mask, length };
                    let receiver = if mask.is_some() { Role::Server } else { Role::Client };
                    let mut bytes = Vec::new();
                    head.encode(&mut bytes);
                    assert!(bytes.len() <= 14);
                    for end in 0..bytes.len() {
                        assert_eq!(FrameHead::parse(&bytes[..end], receiver, true), Ok(None), "{head:?} to {end}");
                    }
                    assert_eq!(FrameHead::parse(&bytes, receiver, true), Ok(Some((head, bytes.len()))));
                }
            }
        }
    }

    #[test]
    fn each_fault_of_a_head_is_seen_as_soon_as_it_is_there() {
        let mask = [0; 4];
        let cases: &[(&[u8], Role, Fault)] = &[
            (b"\xc1\x80", Role::Server, Fault::ReservedBit),
            (b"\xa1\x80", Role::Server, Fault::ReservedBit),
            (b"\x91\x80", Role::Server, Fault::ReservedBit),
            (b"\x83\x80", Role::Server, Fault::Opcode),
            (b"\x87\x80", Role::Server, Fault::Opcode),
            (b"\x8b\x80", Role::Server, Fault::Opcode),
            (b"\x8f\x80", Role::Server, Fault::Opcode),
            (b"\x09\x80", Role::Server, Fault::FragmentedControl),
            (b"\x89\xfe", Role::Server, Fault::LongControl),
            (b"\x88\xff", Role::Server, Fault::LongControl),
            (b"\x81\x05", Role::Server, Fault::Unmasked),
            (b"\x81\x85", Role::Client, Fault::Masked),
            (b"\x81\xfe\x00\x7d", Role::Server, Fault::LongLength),
            (b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", Role::Server, Fault::LongLength),
            (b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", Role::Server, Fault::HugeLength),
            (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", Role::Server, Fault::HugeLength),
            (b"GET / HTTP/1.1", Role::Server, Fault::ReservedBit),
        ];
        for &(bytes, receiver, fault) in cases {
            let whole = [bytes, &mask].concat();
            assert_eq!(FrameHead::parse(&whole, receiver, false), Err(fault), "{bytes:?}");
            assert_eq!(FrameHead::parse(bytes, receiver, false), Err(fault), "{bytes:?} alone");
        }
    }
    #[test]
    fn only_the_first_frame_of_a_message_says_that_it_is_compressed() {
        for first in [0xc1, 0xc2, 0x41, 0x42] {
            assert!(FrameHead::parse(&[first, 0], Role::Client, true).unwrap().unwrap().0.compressed, "{first:x}");
            assert_eq!(FrameHead::parse(&[first], Role::Client, true), Ok(None));
            assert_eq!(FrameHead::parse(&[first, 0], Role::Client, false), Err(Fault::ReservedBit), "{first:x}");
        }
        for first in [0xc0, 0x40, 0xc8, 0xc9, 0xca, 0xe1, 0xd1, 0xf2, 0xa1, 0x91] {
            assert_eq!(FrameHead::parse(&[first, 0], Role::Client, true), Err(Fault::ReservedBit), "{first:x}");
        }
    }
}
