use crate::event_loop::Loop;
use crate::proto::ws::{Deflater, Inflater, Window};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The level by default. At level 6 content is only a little smaller, and compressing it takes twice the time.
const LEVEL: u32 = 2;
/// Content of fewer bytes is not compressed by default: it fits into one packet anyway.
const FROM: usize = 1024;
/// Content of more bytes is not compressed by default. To compress this much takes 0.1 to 0.3 ms for JSON, and 0.5 to 1.7 ms for
/// content that hardly shrinks.
const UP_TO: usize = 32 * 1024;

/// How the messages of a WebSocket are compressed (feature `deflate`): see [`Endpoint::compress`](super::Endpoint::compress) and
/// [`Connect::compress`](super::Connect::compress).
///
/// The loop itself compresses, while [`send`](super::WebSocket::send) or [`publish`](super::Endpoint::publish) runs. With the defaults that
/// holds it up for less than 2 ms: messages of more than 32 KiB are sent as they are.
///
/// ```
/// use oneloop::ws::Deflate;
///
/// let for_slow_networks = Deflate::new().level(6).from_bytes(256).up_to_bytes(128 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(super) level: u32,
    from: usize,
    up_to: usize,
}

impl Default for Deflate {
    fn default() -> Deflate {
        Deflate::new()
    }
}

impl Deflate {
    /// The defaults that each method here names.
    pub fn new() -> Deflate {
        Deflate { level: LEVEL, from: FROM, up_to: UP_TO }
    }

    /// How much work is done, from 1 (least) to 9; 2 by default. Other values count as the nearest one. JSON becomes 4 times smaller with
    /// 1, and 6 times with 2 and all above.
    ///
    /// ```
    /// let fast = oneloop::ws::Deflate::new().level(1);
    /// ```
    pub fn level(mut self, level: u32) -> Deflate {
        self.level = level.clamp(1, 9);
        self
    }

    /// The least message that is compressed, in bytes; 1 KiB by default.
    ///
    /// ```
    /// let nearly_all = oneloop::ws::Deflate::new().from_bytes(100);
    /// ```
    pub fn from_bytes(mut self, bytes: usize) -> Deflate {
        self.from = bytes;
        self
    }

    /// The most that is compressed, in bytes; 32 KiB by default. Larger messages are sent as they are: to compress one holds up the
    /// loop, for 3 to 10 ms per MiB of JSON, and 40 to 55 ms per MiB of what hardly shrinks (base64).
    ///
    /// ```
    /// let whole_tables = oneloop::ws::Deflate::new().up_to_bytes(256 * 1024);
    /// ```
    pub fn up_to_bytes(mut self, bytes: usize) -> Deflate {
        self.up_to = bytes;
        self
    }

    /// Whether a message of so many bytes is compressed.
    pub(super) fn takes(&self, length: usize) -> bool {
        (self.from.max(1)..=self.up_to).contains(&length)
    }
}

/// The compressors and the decompressor that all sockets of a loop share.
#[derive(Default)]
pub(super) struct Coders {
    /// Some 300 KiB each. There are as many as the program has levels and its clients windows.
    deflaters: RefCell<Vec<(u32, Window, Deflater)>>,
    /// Taken while a listener has the message that it lends.
    pub inflater: Cell<Option<Box<Inflater>>>,
}

impl Coders {
    pub fn of(lp: &Rc<Loop>) -> Rc<Coders> {
        lp.local(|_| Rc::default())
    }

    /// Calls `then` with the compressed form of a message, if it is shorter. It must not call user code.
    pub fn deflate<R>(&self, level: u32, window: Window, content: &[u8], then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let mut deflaters = self.deflaters.borrow_mut();
        let place = deflaters.iter().position(|(of, with, _)| (*of, *with) == (level, window));
        let place = place.unwrap_or_else(|| {
            deflaters.push((level, window, Deflater::new(level, window)));
            deflaters.len() - 1
        });
        deflaters.get_mut(place)?.2.deflate(content).map(then)
    }
}
