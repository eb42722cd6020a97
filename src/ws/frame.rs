use crate::net::Chunk;
#[cfg(feature = "deflate")]
use crate::proto::ws::Window;
use crate::proto::ws::{FrameHead, Opcode};
#[cfg(feature = "deflate")]
use std::cell::OnceCell;
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

/// The forms of a message as a server sends them.
struct Encoded {
    text: bool,
    /// Where the content begins, behind the frame's head.
    content: usize,
    plain: Rc<[u8]>,
    #[cfg(feature = "deflate")]
    uncompressed: bool,
    /// The compressed frame for each window, once it was needed; `None` if it would be no shorter.
    #[cfg(feature = "deflate")]
    deflated: [OnceCell<Option<Rc<[u8]>>>; 2],
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
        let (plain, begin) = encode(text, false, content);
        Frame::encoded(text, begin, plain.into(), false)
    }

    fn encoded(text: bool, content: usize, plain: Rc<[u8]>, _uncompressed: bool) -> Frame {
        Frame(Rc::new(Encoded {
            text,
            content,
            plain,
            #[cfg(feature = "deflate")]
            uncompressed: _uncompressed,
            #[cfg(feature = "deflate")]
            deflated: Default::default(),
        }))
    }

    /// The same message, which is never compressed: see [`Payload::uncompressed`](super::Payload::uncompressed).
    ///
    /// ```
    /// let secret = oneloop::ws::Frame::text("the code is 1234").uncompressed();
    /// assert_eq!(secret.as_bytes(), b"the code is 1234");
    /// ```
    #[cfg(feature = "deflate")]
    pub fn uncompressed(self) -> Frame {
        Frame::encoded(self.0.text, self.0.content, self.0.plain.clone(), true)
    }

    /// Returns whether this is a text message.
    pub fn is_text(&self) -> bool {
        self.0.text
    }

    /// The content of the message, without the frame's head.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.plain.get(self.0.content..).unwrap_or_default()
    }

    #[cfg(feature = "deflate")]
    pub(super) fn is_uncompressed(&self) -> bool {
        self.0.uncompressed
    }

    /// The bytes that a server sends to sockets of this window, if the message is compressed. `deflate` calls its argument with the
    /// compressed content, unless that is no shorter. It is called once for all sockets.
    #[cfg(feature = "deflate")]
    pub(super) fn deflated(
        &self,
        window: Window,
        deflate: impl FnOnce(&dyn Fn(&[u8]) -> Rc<[u8]>) -> Option<Rc<[u8]>>,
    ) -> Option<Chunk<'static>> {
        if self.0.uncompressed {
            return None;
        }
        let [smallest, full] = &self.0.deflated;
        let form = match window {
            Window::Smallest => smallest,
            Window::Full => full,
        };
        let frame = form.get_or_init(|| deflate(&|content| encode(self.0.text, true, content).0.into()));
        frame.clone().map(Chunk::from)
    }

    /// The bytes that a server sends if the message is not compressed.
    pub(super) fn plain(&self) -> Chunk<'static> {
        self.0.plain.clone().into()
    }
}

/// Encodes a frame. Returns its bytes, and where the content begins.
fn encode(text: bool, compressed: bool, content: &[u8]) -> (Vec<u8>, usize) {
    let opcode = if text { Opcode::Text } else { Opcode::Binary };
    let mut frame = Vec::with_capacity(content.len() + HEAD);
    FrameHead { last: true, compressed, opcode, mask: None, length: content.len() as u64 }.encode(&mut frame);
    let begin = frame.len();
    frame.extend_from_slice(content);
    (frame, begin)
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("text", &self.is_text()).field("length", &self.as_bytes().len()).finish()
    }
}

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_compressed_once_for_each_window() {
        let frame = Frame::text("again and again");
        let mut times = 0;
        for window in [Window::Full, Window::Smallest, Window::Full] {
            for frame in [&frame, &frame.clone()] {
                let form = frame.deflated(window, |encode| {
                    times += 1;
                    (window == Window::Full).then(|| encode(b"small"))
                });
                let form = form.map(|chunk| chunk.as_bytes().to_vec());
                assert_eq!(form.as_deref(), (window == Window::Full).then_some(&b"\xc1\x05small"[..]));
            }
        }
        assert_eq!(times, 2, "one of them was no shorter");
        let never = frame.uncompressed().deflated(Window::Full, |_| unreachable!());
        assert!(never.is_none());
    }
}
