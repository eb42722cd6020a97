use crate::net::Chunk;
use crate::proto::ws::{Message, Opcode};
use std::borrow::Cow;
use std::rc::Rc;

/// The content of one message to be sent. Strings become text messages, and bytes become binary ones. Owned and shared content is
/// not copied if it has 16 KiB or more.
///
/// ```
/// use oneloop::ws::{Message, Payload};
/// use std::rc::Rc;
///
/// let text: [Payload; 3] = ["text".into(), String::from("owned").into(), Rc::<str>::from("shared").into()];
/// let binary: [Payload; 3] = [b"bytes".into(), vec![1, 2, 3].into(), Message::Binary(&[1]).into()];
/// assert!(text.iter().all(|payload| payload.is_text()) && !binary.iter().any(|payload| payload.is_text()));
/// ```
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    text: bool,
    chunk: Chunk<'a>,
}

impl<'a> Payload<'a> {
    /// Returns whether this is a text message.
    pub fn is_text(&self) -> bool {
        self.text
    }

    /// The bytes of the message.
    pub fn as_bytes(&self) -> &[u8] {
        self.chunk.as_bytes()
    }

    pub(super) fn into_parts(self) -> (Opcode, Chunk<'a>) {
        (if self.text { Opcode::Text } else { Opcode::Binary }, self.chunk)
    }
}

macro_rules! payloads {
    ($text:literal: $($kind:ty),*) => {$(
        impl<'a> From<$kind> for Payload<'a> {
            fn from(message: $kind) -> Self {
                Payload { text: $text, chunk: message.into() }
            }
        }
    )*};
}
payloads!(true: &'a str, &'a String, String, Rc<str>, Cow<'a, str>);
payloads!(false: &'a [u8], &'a Vec<u8>, Vec<u8>, Rc<[u8]>);

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(message: &'a [u8; N]) -> Self {
        Payload { text: false, chunk: message.into() }
    }
}

impl<'a> From<Message<'a>> for Payload<'a> {
    fn from(message: Message<'a>) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes.into(),
        }
    }
}
