use super::frame::Frame;
use crate::net::Chunk;
use crate::proto::ws::{Message, Opcode};
use std::borrow::Cow;
use std::rc::Rc;

/// The content of one message to be sent. Strings become text messages, and bytes become binary ones. Owned and shared content is
/// not copied if it has 16 KiB or more. What is sent many times is a [`Frame`].
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
    /// True if this message is sent uncompressed on every socket.
    #[cfg(feature = "deflate")]
    uncompressed: bool,
    /// The frame, if it was encoded before.
    frame: Option<&'a Frame>,
}

impl<'a> Payload<'a> {
    fn new(text: bool, chunk: Chunk<'a>) -> Payload<'a> {
        Payload {
            text,
            chunk,
            #[cfg(feature = "deflate")]
            uncompressed: false,
            frame: None,
        }
    }

    /// Returns whether this is a text message.
    pub fn is_text(&self) -> bool {
        self.text
    }

    /// The bytes of the message.
    pub fn as_bytes(&self) -> &[u8] {
        self.chunk.as_bytes()
    }

    /// The same message, which is never compressed (feature `deflate`), such as one with a secret: the length of a compressed message
    /// tells something of its content.
    ///
    /// ```
    /// # let server = oneloop::http::create_server(|_req, res| res.end("hello\n"));
    /// # let endpoint = oneloop::ws::mount(&server, "/");
    /// use oneloop::ws::Payload;
    ///
    /// endpoint.on_open(|socket, _req| {
    ///     let token = "kept secret, beside what the client has sent";
    ///     socket.send(Payload::from(token).uncompressed()).ignore();
    /// });
    /// ```
    #[cfg(feature = "deflate")]
    pub fn uncompressed(mut self) -> Payload<'a> {
        (self.uncompressed, self.frame) = (true, None);
        self
    }

    #[cfg(feature = "deflate")]
    pub(super) fn may_compress(&self) -> bool {
        !self.uncompressed
    }

    /// The frame that was encoded before, if there is one.
    pub(super) fn frame(&self) -> Option<&'a Frame> {
        self.frame
    }

    /// A frame of this message, for many sockets.
    pub(super) fn into_frame(self) -> Frame {
        let frame = self.frame.cloned().unwrap_or_else(|| Frame::new(self.text, self.chunk.as_bytes()));
        #[cfg(feature = "deflate")]
        if self.uncompressed {
            return frame.uncompressed();
        }
        frame
    }

    pub(super) fn opcode(&self) -> Opcode {
        if self.text { Opcode::Text } else { Opcode::Binary }
    }

    pub(super) fn into_parts(self) -> (Opcode, Chunk<'a>) {
        (self.opcode(), self.chunk)
    }
}

macro_rules! payloads {
    ($text:literal: $($kind:ty),*) => {$(
        impl<'a> From<$kind> for Payload<'a> {
            fn from(message: $kind) -> Self {
                Payload::new($text, message.into())
            }
        }
    )*};
}
payloads!(true: &'a str, &'a String, String, Rc<str>, Cow<'a, str>);
payloads!(false: &'a [u8], &'a Vec<u8>, Vec<u8>, Rc<[u8]>);

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(message: &'a [u8; N]) -> Self {
        Payload::new(false, message.into())
    }
}

impl<'a> From<&'a Frame> for Payload<'a> {
    fn from(frame: &'a Frame) -> Self {
        Payload {
            #[cfg(feature = "deflate")]
            uncompressed: frame.is_uncompressed(),
            frame: Some(frame),
            ..Payload::new(frame.is_text(), frame.as_bytes().into())
        }
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
