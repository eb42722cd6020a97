use super::FilePart;
use super::large_buffers::LargeBuffers;
use std::borrow::Cow;
use std::fs::File;
use std::rc::Rc;

/// Chunks of at least this many bytes are not copied: neither behind the head of their message, nor into the cork, nor into the
/// output of a stream. (Into the output, shared ones need not even be as large: see `Output`.)
pub(crate) const LARGE: usize = 16 * 1024;

/// The result of a write: it tells whether to go on writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a full output asks the writer to wait for `drain`"]
pub enum Flow {
    /// Write more, if there is more.
    Ready,
    /// The bytes were taken, but much is pending now: wait for `drain` (or `close`) before you write more, if you can.
    ///
    /// This tells nothing about the peer. Bytes written in one turn are offered to the kernel only at the end of the turn,
    /// so a large burst is `Full` even if the peer reads fast: do not close a connection because of it, and do not skip
    /// messages. For peers that read too slowly there is [`Socket::set_pending_limit`](super::Socket::set_pending_limit),
    /// which counts only the bytes that the kernel has refused.
    Full,
    /// The bytes were dropped: the socket or the exchange (a request and its response) has ended. The listeners of `close`
    /// were called or will be.
    Closed,
}

impl Flow {
    /// Returns whether this is [`Flow::Full`].
    pub fn is_full(self) -> bool {
        self == Flow::Full
    }

    /// Does nothing. Call it if you do not need the result, because something else limits how much is written.
    pub fn ignore(self) {}
}

/// Bytes to be written. Many types convert into it. Fewer than 16 KiB are copied. From 16 KiB on, owned, shared and static
/// bytes are not copied; borrowed bytes are copied only as far as the kernel does not take them at once. Shared and static bytes
/// are not copied from 1 KiB on, if they are written outside of the connection's own turn, as when a message goes to many.
///
/// ```
/// use oneloop::net::Chunk;
/// use std::rc::Rc;
///
/// let page: Rc<[u8]> = Rc::from(&b"shared by all who ask"[..]);
/// let chunks: [Chunk; 6] = [
///     "text".into(),
///     String::from("owned").into(),
///     vec![1, 2, 3].into(),
///     page.into(),
///     Chunk::from_static(b"for ever, as what include_bytes! gives"),
///     ().into(), // nothing
/// ];
/// assert_eq!(chunks[0].as_bytes(), b"text");
/// assert!(chunks[5].is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Chunk<'a>(Kind<'a>);

#[derive(Clone, Debug)]
enum Kind<'a> {
    Borrowed(&'a [u8]),
    Static(&'static [u8]),
    Owned(Vec<u8>),
    Shared(Rc<[u8]>),
}

impl<'a> Chunk<'a> {
    /// Makes a chunk of bytes that live as long as the program. From 16 KiB on they are not copied.
    pub fn from_static(bytes: &'static [u8]) -> Chunk<'a> {
        Chunk(Kind::Static(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Borrowed(bytes) => bytes,
            Kind::Static(bytes) => bytes,
            Kind::Owned(bytes) => bytes,
            Kind::Shared(bytes) => bytes,
        }
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether the chunk has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether others may have these bytes too, so that a copy would be a second one.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.0, Kind::Shared(_) | Kind::Static(_))
    }

    /// Returns whether the bytes must be copied to be kept.
    pub(super) fn is_borrowed(&self) -> bool {
        matches!(self.0, Kind::Borrowed(_))
    }

    /// Makes a chunk that can be kept. Only borrowed bytes are copied.
    #[cfg(feature = "app")]
    pub(crate) fn into_static(self) -> Chunk<'static> {
        Chunk(match self.0 {
            Kind::Borrowed(bytes) => Kind::Owned(bytes.to_vec()),
            Kind::Static(bytes) => Kind::Static(bytes),
            Kind::Owned(bytes) => Kind::Owned(bytes),
            Kind::Shared(bytes) => Kind::Shared(bytes),
        })
    }

    /// The bytes, so that they can be changed. Only owned ones are not copied.
    pub(crate) fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Kind::Owned(bytes) => bytes,
            other => Chunk(other).as_bytes().to_vec(),
        }
    }

    /// Makes a piece that can be kept, of the bytes after the first `start` ones. Borrowed ones are copied, into one of the buffers.
    pub(super) fn into_piece(self, start: usize, buffers: &LargeBuffers) -> Piece {
        match self.0 {
            Kind::Borrowed(bytes) => Piece::new(Held::Copied(buffers.copy(bytes.get(start..).unwrap_or_default())), 0),
            Kind::Static(bytes) => Piece::new(Held::Static(bytes), start),
            Kind::Owned(bytes) => Piece::new(Held::Owned(bytes), start),
            Kind::Shared(bytes) => Piece::new(Held::Shared(bytes), start),
        }
    }
}

/// A part of an output queue. Its first `start` bytes have been written.
pub(super) struct Piece {
    held: Held,
    start: usize,
}

enum Held {
    Owned(Vec<u8>),
    /// A copy in a buffer of the library.
    Copied(Vec<u8>),
    Static(&'static [u8]),
    Shared(Rc<[u8]>),
    File(FilePart),
}

impl Piece {
    fn new(held: Held, start: usize) -> Piece {
        Piece { held, start }
    }

    pub fn owned(bytes: Vec<u8>) -> Piece {
        Piece::new(Held::Owned(bytes), 0)
    }

    pub fn file(part: FilePart) -> Piece {
        Piece::new(Held::File(part), 0)
    }

    /// The number of bytes that are left.
    pub fn len(&self) -> usize {
        match &self.held {
            Held::File(part) => part.len.saturating_sub(self.start),
            _ => self.bytes().len(),
        }
    }

    /// The file that holds the rest of this piece, and the offset in it. `None` if the rest is in memory.
    pub fn in_file(&self) -> Option<(&File, u64)> {
        match &self.held {
            Held::File(part) => Some((&part.file, part.offset + self.start as u64)),
            _ => None,
        }
    }

    /// The rest of this piece if it is in memory; empty if it is in a file.
    pub fn bytes(&self) -> &[u8] {
        let all: &[u8] = match &self.held {
            Held::Owned(bytes) | Held::Copied(bytes) => bytes,
            Held::Static(bytes) => bytes,
            Held::Shared(bytes) => bytes,
            Held::File(_) => &[],
        };
        all.get(self.start..).unwrap_or_default()
    }

    pub fn advance(&mut self, count: usize) {
        self.start += count;
    }

    /// The buffer, empty, if it is owned and has room for at most `most` bytes. A copy's goes back to where it came from.
    pub fn into_buffer(self, most: usize, buffers: &LargeBuffers) -> Option<Vec<u8>> {
        match self.held {
            Held::Owned(mut bytes) if bytes.capacity() <= most => {
                bytes.clear();
                Some(bytes)
            }
            Held::Copied(bytes) => {
                buffers.give_back(bytes);
                None
            }
            _ => None,
        }
    }

    /// The buffer, if it is owned and has fewer than `below` bytes: then more can be appended to it.
    pub fn appendable(&mut self, below: usize) -> Option<&mut Vec<u8>> {
        match &mut self.held {
            Held::Owned(bytes) if bytes.len() < below => Some(bytes),
            _ => None,
        }
    }
}

impl<'a> From<&'a str> for Chunk<'a> {
    fn from(text: &'a str) -> Self {
        Chunk(Kind::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a String> for Chunk<'a> {
    fn from(text: &'a String) -> Self {
        Chunk(Kind::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Chunk<'_> {
    fn from(text: String) -> Self {
        Chunk(Kind::Owned(text.into_bytes()))
    }
}

impl<'a> From<&'a [u8]> for Chunk<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Chunk(Kind::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Chunk<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Chunk(Kind::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Chunk<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Chunk(Kind::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Chunk<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Chunk(Kind::Owned(bytes))
    }
}

impl From<Rc<[u8]>> for Chunk<'_> {
    fn from(bytes: Rc<[u8]>) -> Self {
        Chunk(Kind::Shared(bytes))
    }
}

impl From<Rc<str>> for Chunk<'_> {
    fn from(text: Rc<str>) -> Self {
        Chunk(Kind::Shared(text.into()))
    }
}

impl<'a> From<Cow<'a, str>> for Chunk<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<()> for Chunk<'_> {
    fn from((): ()) -> Self {
        Chunk(Kind::Static(b""))
    }
}
