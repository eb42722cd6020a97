//! Frames become messages.
//!
//! ```text
//!            ┌─ control: waits until all of it is there (131 bytes at most) ────────► Ping | Pong | Close
//!   head ────┤  data, a whole message, all of it there: lent as it stands ──────────► Message | Compressed
//!     ▲      └─ any other data: taken as it comes, into the memory of its message
//!     └──────────── the last byte of the last frame of the message ─────────────────► Message | Compressed
//! ```

use super::close::CloseFrame;
use super::head::{FrameHead, Opcode, Role};
use super::memory::{Allocated, Memory, ROOMY};
use super::text::IncomingText;
use super::{Fault, MaskKey, mask};

/// The most memory, in bytes, that a message gets when it begins, even if it announces more. It gets more memory only as its
/// bytes come.
const AT_FIRST: usize = 64 * 1024;
/// So many bytes are unmasked, checked and copied before the next ones, since they are then still in the processor's first cache.
/// A multiple of the length of the key.
const BLOCK: usize = 4 * 1024;

/// A message: a text, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message<'a> {
    /// Text, which is valid UTF-8.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The bytes of the message, whichever type it has.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }
}

/// A whole message that is still compressed. Its content is known, and text is checked, only when it is inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compressed<'a> {
    /// Whether the sender has said that it is text. Nobody has checked that yet.
    pub text: bool,
    /// The payloads of its frames, one after the other, without the four bytes that every sender leaves out (RFC 7692, 7.2.1).
    pub content: &'a [u8],
}

/// What a decoder has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing whole: more bytes are needed.
    NeedMore,
    /// A whole message, whether it came in one frame or in fragments.
    Message(Message<'a>),
    /// A whole message that is compressed. It comes only if that [was agreed](Decoder::with_compression).
    Compressed(Compressed<'a>),
    /// A ping, which a pong with the same content answers.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A close frame: the peer closes the connection. No frame may follow it.
    Close(CloseFrame<'a>),
}

/// The result of [`Decoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// How many bytes were consumed. The others have to be given again, with those that follow.
    pub consumed: usize,
    /// What was found.
    pub event: Event<'a>,
}

/// Reads the frames of one direction of a connection, and puts messages together. Text is checked as it comes: a byte that is not
/// UTF-8 is a fault at once.
///
/// A decoder takes no memory, except for a message that has come in part.
///
/// ```
/// use oneloop::proto::ws::{Decoder, Event, Message, Role};
///
/// let mut decoder = Decoder::new(Role::Client);
/// let mut bytes = *b"\x01\x03Hel\x80\x02l";
/// let step = decoder.decode(&mut bytes, 1024).unwrap();
/// assert_eq!((step.consumed, step.event), (8, Event::NeedMore)); // the message is not whole
/// let mut rest = *b"o";
/// let step = decoder.decode(&mut rest, 1024).unwrap();
/// assert_eq!(step.event, Event::Message(Message::Text("Hello")));
/// ```
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    /// Whether messages may come compressed.
    compression: bool,
    /// Whether `message` was lent to the caller. Its memory is freed by the next call.
    lent: bool,
    /// The data frame whose head was consumed, and whose content was not consumed to its end. `None` between frames.
    frame: Option<Frame>,
    message: Option<Box<Incoming>>,
}

/// A data frame whose head was consumed.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// How many bytes of the content are still to come.
    left: u64,
    /// The key, rotated so that its first byte belongs to the next byte of the content.
    mask: Option<MaskKey>,
    last: bool,
}

/// A message that has come in part.
#[derive(Debug)]
enum Incoming {
    Text(IncomingText),
    Binary(Vec<u8>),
    /// A compressed message. If it is text, that is checked when it is inflated.
    Compressed {
        text: bool,
        bytes: Vec<u8>,
    },
}

/// Where the next event is.
enum Found {
    Nothing,
    /// In the bytes that were given: the content of a frame with this head, from the first position to the second.
    There(FrameHead, usize, usize),
    /// In the decoder: the message that came in parts is whole now.
    Message,
}

impl Decoder {
    /// Makes a decoder for the frames that `receiver`, this side of the connection, gets.
    pub fn new(receiver: Role) -> Decoder {
        Decoder { role: receiver, compression: false, lent: false, frame: None, message: None }
    }

    /// Makes a decoder for a connection on which messages may come compressed (RFC 7692): such a message is a
    /// [`Compressed`](Event::Compressed).
    ///
    /// ```
    /// use oneloop::proto::ws::{Compressed, Decoder, Event, Role};
    ///
    /// let mut decoder = Decoder::with_compression(Role::Client);
    /// let mut bytes = *b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"; // RFC 7692, 7.2.3.1: "Hello"
    /// let step = decoder.decode(&mut bytes, 1024).unwrap();
    /// assert_eq!(step.event, Event::Compressed(Compressed { text: true, content: b"\xf2\x48\xcd\xc9\xc9\x07\x00" }));
    /// ```
    pub fn with_compression(receiver: Role) -> Decoder {
        Decoder { compression: true, ..Decoder::new(receiver) }
    }

    /// Returns whether a message has come in part.
    pub fn is_within_message(&self) -> bool {
        !self.lent && self.message.is_some()
    }

    /// Returns whether a data frame has come in part. (A head or a control frame that is not whole is not consumed.)
    pub fn is_within_frame(&self) -> bool {
        self.frame.is_some()
    }

    /// Takes the next bytes, unmasks them in place, and returns the first event in them, or `NeedMore` if there is none. A
    /// message of more than `limit` bytes is refused when the head of its frame is read, before its content is consumed. (A compressed
    /// message may have a quarter more, for one that compressing makes larger. Whoever inflates it knows how long it is.) The events
    /// are the same however the bytes are split.
    ///
    /// A message that came in parts stays in memory until the next call, or until [`give_back`](Decoder::give_back).
    ///
    /// # Errors
    /// If the bytes break the rules of the protocol. Bytes that follow them cannot be read then.
    #[inline]
    pub fn decode<'a>(&'a mut self, bytes: &'a mut [u8], limit: usize) -> Result<Step<'a>, Fault> {
        self.decode_with(bytes, limit, &Allocated)
    }

    /// As [`decode`](Decoder::decode), but messages that come in parts use this memory where they can.
    #[inline]
    pub(crate) fn decode_with<'a>(
        &'a mut self,
        bytes: &'a mut [u8],
        limit: usize,
        memory: &impl Memory,
    ) -> Result<Step<'a>, Fault> {
        self.give_back_to(memory);
        let (consumed, found) = self.find(bytes, limit, memory)?;
        let event = match found {
            Found::Nothing => Event::NeedMore,
            Found::There(head, from, to) => event_of(&head, bytes.get(from..to).unwrap_or_default())?,
            Found::Message => {
                self.lent = true;
                match self.message.as_deref() {
                    Some(Incoming::Text(text)) => Event::Message(Message::Text(text.finish()?)),
                    Some(Incoming::Binary(bytes)) => Event::Message(Message::Binary(bytes)),
                    Some(Incoming::Compressed { text, bytes }) => {
                        Event::Compressed(Compressed { text: *text, content: bytes })
                    }
                    None => Event::NeedMore,
                }
            }
        };
        Ok(Step { consumed, event })
    }

    /// Frees the memory of the message that was lent last.
    #[inline]
    pub fn give_back(&mut self) {
        self.give_back_to(&Allocated);
    }

    /// Gives back the memory of the message that was lent last.
    #[inline]
    pub(crate) fn give_back_to(&mut self, memory: &impl Memory) {
        if self.lent {
            self.free(memory);
        }
    }

    #[cold]
    fn free(&mut self, memory: &impl Memory) {
        self.lent = false;
        if let Some(message) = self.message.take() {
            memory.give_back(message.into_bytes());
        }
    }

    /// Reads up to the end of the next event, or all bytes if there is no whole event. Returns how many bytes were consumed, and
    /// where the event is.
    #[inline]
    fn find(&mut self, bytes: &mut [u8], limit: usize, memory: &impl Memory) -> Result<(usize, Found), Fault> {
        let mut at = 0;
        loop {
            if self.frame.is_none() {
                let rest = bytes.get_mut(at..).unwrap_or_default();
                let Some((head, begin)) = FrameHead::parse(rest, self.role, self.compression)? else {
                    return Ok((at, Found::Nothing));
                };
                self.check_in_order(&head, limit)?;
                let alone = head.opcode.is_control() || head.last && self.message.is_none();
                let content =
                    usize::try_from(head.length).ok().and_then(|length| rest.get_mut(begin..)?.get_mut(..length));
                match content {
                    Some(content) if alone => {
                        if let Some(key) = head.mask {
                            mask(content, key, 0);
                        }
                        let (from, to) = (at + begin, at + begin + content.len());
                        return Ok((to, Found::There(head, from, to)));
                    }
                    _ if head.opcode.is_control() => return Ok((at, Found::Nothing)),
                    _ => self.begin_frame(&head),
                }
                at += begin;
            }
            let (taken, is_over) = self.take(bytes.get_mut(at..).unwrap_or_default(), limit, memory)?;
            at += taken;
            match is_over {
                Some(true) => return Ok((at, Found::Message)),
                Some(false) => {}
                None => return Ok((at, Found::Nothing)),
            }
        }
    }

    /// Checks whether the frame may come now, and whether its message is small enough.
    #[inline]
    fn check_in_order(&self, head: &FrameHead, limit: usize) -> Result<(), Fault> {
        match (head.opcode, &self.message) {
            (Opcode::Continuation, None) => return Err(Fault::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Fault::MessageWithinMessage),
            _ => {}
        }
        if head.opcode.is_control() {
            return Ok(());
        }
        let (before, compressed) = match self.message.as_deref() {
            Some(message) => (message.len(), message.is_compressed()),
            None => (0, head.compressed),
        };
        let limit = if compressed { compressed_limit(limit) } else { limit };
        if head.length > limit.saturating_sub(before) as u64 { Err(Fault::TooLarge) } else { Ok(()) }
    }

    fn begin_frame(&mut self, head: &FrameHead) {
        self.frame = Some(Frame { left: head.length, mask: head.mask, last: head.last });
        let begun = match head.opcode {
            Opcode::Text | Opcode::Binary if head.compressed => {
                Incoming::Compressed { text: head.opcode == Opcode::Text, bytes: Vec::new() }
            }
            Opcode::Text => Incoming::Text(IncomingText::default()),
            Opcode::Binary => Incoming::Binary(Vec::new()),
            _ => return,
        };
        self.message = Some(Box::new(begun));
    }

    /// Takes content of the data frame that has begun. Returns how many bytes were taken. If they complete the frame, also
    /// returns whether they complete its message.
    fn take(&mut self, bytes: &mut [u8], limit: usize, memory: &impl Memory) -> Result<(usize, Option<bool>), Fault> {
        let (Some(frame), Some(message)) = (&mut self.frame, &mut self.message) else { return Ok((0, None)) };
        let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
        let piece = bytes.get_mut(..count).unwrap_or_default();
        let limit = if message.is_compressed() { compressed_limit(limit) } else { limit };
        message.reserve(count, frame.left, limit, memory);
        for block in piece.chunks_mut(BLOCK) {
            if let Some(key) = frame.mask {
                mask(block, key, 0);
            }
            match &mut **message {
                Incoming::Text(text) => text.push(block)?,
                Incoming::Binary(bytes) | Incoming::Compressed { bytes, .. } => bytes.extend_from_slice(block),
            }
        }
        if let Some(key) = &mut frame.mask {
            key.rotate_left(count % 4);
        }
        frame.left -= count as u64;
        if frame.left > 0 {
            return Ok((count, None));
        }
        let last = frame.last;
        self.frame = None;
        if let Incoming::Text(text) = &**message
            && last
        {
            text.finish()?;
        }
        Ok((count, Some(last)))
    }
}

/// The most bytes that a message of `limit` bytes may have while it is compressed. Content that cannot be compressed becomes larger:
/// by an eighth and a few bytes in the worst of the settings that zlib has (its `deflateBound`), by less in all usual ones.
fn compressed_limit(limit: usize) -> usize {
    limit.saturating_add(limit / 4).saturating_add(64)
}

impl Incoming {
    fn is_compressed(&self) -> bool {
        matches!(self, Incoming::Compressed { .. })
    }

    fn len(&self) -> usize {
        match self {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(bytes) | Incoming::Compressed { bytes, .. } => bytes.len(),
        }
    }

    /// Makes room for `count` bytes that have come. To move few bytes, and those few times, it makes more room than that: for the
    /// bytes that the frame announces (`left`), up to [`AT_FIRST`] or [`ROOMY`] times what has come, and for at least twice as many
    /// as before, but never for more than `limit` in all, unless the memory has a buffer that is not much larger.
    fn reserve(&mut self, count: usize, left: u64, limit: usize, memory: &impl Memory) {
        let (len, capacity) = match self {
            Incoming::Text(text) => (text.len(), text.capacity()),
            Incoming::Binary(bytes) | Incoming::Compressed { bytes, .. } => (bytes.len(), bytes.capacity()),
        };
        let needed = len + count;
        if needed <= capacity {
            return;
        }
        let most = needed.saturating_mul(ROOMY);
        let announced = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(len).min(most.max(AT_FIRST));
        let room = needed.max(capacity * 2).max(announced).min(limit.max(needed));
        if let Some(buffer) = memory.take(room, most) {
            return memory.give_back(self.move_to(buffer));
        }
        match self {
            Incoming::Text(text) => text.reserve(room),
            Incoming::Binary(bytes) | Incoming::Compressed { bytes, .. } => bytes.reserve_exact(room - len),
        }
    }

    /// Moves what has come into an empty buffer, and returns the one that it was in.
    fn move_to(&mut self, mut buffer: Vec<u8>) -> Vec<u8> {
        match self {
            Incoming::Text(text) => text.move_to(buffer),
            Incoming::Binary(bytes) | Incoming::Compressed { bytes, .. } => {
                buffer.extend_from_slice(bytes);
                std::mem::replace(bytes, buffer)
            }
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Incoming::Text(text) => text.into_bytes(),
            Incoming::Binary(bytes) | Incoming::Compressed { bytes, .. } => bytes,
        }
    }
}

/// Returns the event for a whole frame that needs no other frame: a control frame, or a message in one frame.
#[inline]
fn event_of<'a>(head: &FrameHead, content: &'a [u8]) -> Result<Event<'a>, Fault> {
    Ok(match head.opcode {
        Opcode::Text | Opcode::Binary if head.compressed => {
            Event::Compressed(Compressed { text: head.opcode == Opcode::Text, content })
        }
        Opcode::Text => Event::Message(Message::Text(std::str::from_utf8(content).map_err(|_| Fault::Utf8)?)),
        Opcode::Binary => Event::Message(Message::Binary(content)),
        Opcode::Ping => Event::Ping(content),
        Opcode::Pong => Event::Pong(content),
        Opcode::Close => Event::Close(CloseFrame::parse(content)?),
        Opcode::Continuation => Event::NeedMore,
    })
}
