use crate::net::Chunk;
use crate::proto::ws::{FrameHead, Opcode};
use std::fmt;
use std::rc::Rc;

/// A message that is encoded once, to be sent to many sockets, or many times. A clone shares the bytes.
///
/// A `Frame` saves copying the content and making its head again for each [`send`](super::WebSocket::send) in a loop.
/// [`publish`](super::Endpoint::publish) makes its frame once by itself, so it needs none, unless the same message is published
/// several times. Sent by a client's socket ([`connect`](super::connect)) the frame is encoded anew, since each frame of a client
/// has a mask of its own (RFC 6455, 5.3).
///
/// ```
/// use oneloop::{http, ws};
///
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// let endpoint = ws::mount(&server, "/news");
/// let rules = ws::Frame::text("Be kind. Water the plants.");
/// endpoint.on_open(move |socket, _req| socket.send(&rules).ignore());
/// ```
#[derive(Clone)]
pub struct Frame(Rc<Encoded>);

/// The forms of a message as they are sent. There is one form so far: neither compressed nor masked.
struct Encoded {
    text: bool,
    /// Where the content begins, behind the frame's head.
    content: usize,
    plain: Rc<[u8]>,
}

/// The longest head of a frame without a mask, in bytes.
const HEAD: usize = 10;

impl Frame {
    /// A text message.
    ///
    /// ```
    /// assert!(oneloop::ws::Frame::text("hello").is_text());
    /// ```
    pub fn text(text: impl AsRef<str>) -> Frame {
        Frame::new(true, text.as_ref().as_bytes())
    }

    /// A binary message.
    ///
    /// ```
    /// let frame = oneloop::ws::Frame::binary([1, 2, 3]);
    /// assert_eq!((frame.is_text(), frame.as_bytes()), (false, &[1, 2, 3][..]));
    /// ```
    pub fn binary(bytes: impl AsRef<[u8]>) -> Frame {
        Frame::new(false, bytes.as_ref())
    }

    pub(super) fn new(text: bool, content: &[u8]) -> Frame {
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        let mut plain = Vec::with_capacity(content.len() + HEAD);
        FrameHead { last: true, compressed: false, opcode, mask: None, length: content.len() as u64 }
            .encode(&mut plain);
        let begin = plain.len();
        plain.extend_from_slice(content);
        Frame(Rc::new(Encoded { text, content: begin, plain: plain.into() }))
    }

    /// Returns whether this is a text message.
    pub fn is_text(&self) -> bool {
        self.0.text
    }

    /// The content of the message, without the frame's head.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.plain.get(self.0.content..).unwrap_or_default()
    }

    /// The bytes that a server sends.
    pub(super) fn plain(&self) -> Chunk<'static> {
        self.0.plain.clone().into()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("text", &self.is_text()).field("length", &self.as_bytes().len()).finish()
    }
}
