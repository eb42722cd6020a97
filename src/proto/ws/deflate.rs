//! Messages are compressed and inflated (RFC 7692, 7.2), each for itself: nothing of a message is kept for the next one. So one
//! [`Deflater`] and one [`Inflater`] serve any number of connections.

use super::{Compressed, Fault, Message, Window};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The end of what a compressor has flushed, an empty block. The sender leaves it out (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// An empty block that is the last one: it ends a whole message, and nothing else.
const LAST: [u8; 5] = [1, 0, 0, 0xff, 0xff];
/// How much memory, in bytes, an inflater or a deflater keeps for its next message.
const KEPT: usize = 64 * 1024;
/// How many bytes a last block (`BFINAL`) of a message has at least, on average. To begin anew behind one takes as long as to inflate
/// some hundred bytes, and peers use one for a whole message, if at all.
const LAST_BLOCK: usize = 64;
/// How many bytes come out in one portion, which takes 0.25 ms at most.
const PORTION: usize = 256 * 1024;

/// Compresses messages.
///
/// ```
/// use oneloop::proto::ws::{Compressed, Deflater, Inflater, Message, Window};
///
/// let (mut deflater, mut inflater) = (Deflater::new(6, Window::Full), Inflater::new());
/// let text = "again ".repeat(100);
/// let content = deflater.deflate(text.as_bytes()).unwrap();
/// assert!(content.len() < 30);
/// assert_eq!(inflater.inflate(Compressed { text: true, content }, 1024), Ok(Message::Text(&*text)));
/// ```
#[derive(Debug)]
pub struct Deflater {
    compress: Compress,
    out: Vec<u8>,
}

impl Deflater {
    /// Makes a compressor, which takes some 300 KiB. `level`: how much work is done, from 1 (least) to 9. Other values count as the
    /// nearest one.
    pub fn new(level: u32, window: Window) -> Deflater {
        let level = Compression::new(level.clamp(1, 9));
        Deflater { compress: Compress::new_with_window_bits(level, false, window.bits()), out: Vec::new() }
    }

    /// The compressed form of a message, or `None` if it is not shorter than the message.
    pub fn deflate(&mut self, content: &[u8]) -> Option<&[u8]> {
        self.compress.reset();
        self.out.clear();
        self.out.shrink_to(KEPT);
        self.out.reserve(content.len() + TAIL.len());
        let status = self.compress.compress_vec(content, &mut self.out, FlushCompress::Sync);
        let is_whole = matches!(status, Ok(Status::Ok)) && self.compress.total_in() == content.len() as u64;
        let shorter = self.out.strip_suffix(&TAIL).filter(|shorter| shorter.len() < content.len());
        // Without room left the compressor may have more to say.
        shorter.filter(|_| is_whole && self.out.len() < self.out.capacity())
    }
}

/// Inflates messages.
#[derive(Debug)]
pub struct Inflater {
    decompress: Decompress,
    /// Room for what comes out, of which the first `made` bytes have.
    out: Vec<u8>,
    made: usize,
    /// Whether what was taken ends with a last block (`BFINAL`), behind which nothing is open.
    ended: bool,
    /// Whether more may come out of what was taken.
    has_more: bool,
    /// How many last blocks may still come in the middle of the message.
    last_blocks: usize,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater::new()
    }
}

impl Inflater {
    /// Makes an inflater, which takes some 50 KiB. It reads what was compressed with any window.
    pub fn new() -> Inflater {
        Inflater {
            decompress: Decompress::new_with_window_bits(false, Window::Full.bits()),
            out: Vec::new(),
            made: 0,
            ended: false,
            has_more: false,
            last_blocks: 0,
        }
    }

    /// Inflates a message. It stays in memory until the next call, or until [`give_back`](Inflater::give_back).
    ///
    /// # Errors
    /// [`TooLarge`](Fault::TooLarge) as soon as more than `limit` bytes have come out; [`Deflate`](Fault::Deflate) if this is no compressed
    /// message or not a whole one; [`Utf8`](Fault::Utf8) for a text that is none.
    pub fn inflate(&mut self, message: Compressed<'_>, limit: usize) -> Result<Message<'_>, Fault> {
        let Compressed { text, mut content } = message;
        self.begin(content.len(), limit);
        while !content.is_empty() || self.has_more {
            let taken = self.portion(content, limit)?;
            content = content.get(taken..).unwrap_or_default();
        }
        self.end(text, limit)
    }

    /// Begins a message whose content has this length, and comes in [portions](Inflater::portion).
    pub(crate) fn begin(&mut self, length: usize, limit: usize) {
        self.give_back();
        self.decompress.reset(false);
        (self.ended, self.has_more) = (false, false);
        self.last_blocks = length / LAST_BLOCK + 2;
        self.reserve(length.saturating_mul(4), limit);
    }

    /// Inflates what comes next in the message that has begun, until [`PORTION`] bytes have come out. Returns how much it has taken. The
    /// errors are those of [`inflate`](Inflater::inflate).
    pub(crate) fn portion(&mut self, content: &[u8], limit: usize) -> Result<usize, Fault> {
        self.take(content, limit, self.made.saturating_add(PORTION))
    }

    /// Whether more may come out of what was taken: then another portion follows, be it an empty one.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// How many bytes of the message have come out.
    pub(crate) fn made(&self) -> usize {
        self.made
    }

    /// The message, all of whose content was taken. The errors are those of [`inflate`](Inflater::inflate).
    pub(crate) fn end(&mut self, text: bool, limit: usize) -> Result<Message<'_>, Fault> {
        if !self.ended {
            // Behind whole content these are two empty blocks. Content that was cut takes them for a part of it.
            let length = self.made;
            for end in [&TAIL[..], &LAST] {
                if self.ended {
                    return Err(Fault::Deflate);
                }
                self.last_blocks = 2;
                self.take(end, limit, usize::MAX)?;
            }
            if !self.ended || self.made != length {
                return Err(Fault::Deflate);
            }
        }
        let out = self.out.get(..self.made).unwrap_or_default();
        if text {
            std::str::from_utf8(out).map(Message::Text).map_err(|_| Fault::Utf8)
        } else {
            Ok(Message::Binary(out))
        }
    }

    /// Frees the memory of the last message, if it was large.
    pub fn give_back(&mut self) {
        self.made = 0;
        self.out.truncate(KEPT);
        self.out.shrink_to(KEPT);
    }

    /// Makes room for `count` bytes, and at least one, as far as `limit` and one byte more: that byte shows that a message is too large.
    fn reserve(&mut self, count: usize, limit: usize) {
        let most = limit.saturating_add(1).saturating_sub(self.out.len());
        self.out.reserve_exact(count.clamp(1, most.max(1)));
    }

    /// Makes room for more of a message, a portion at a time, since the memory has to be written once before.
    fn grow(&mut self, limit: usize) {
        if self.out.len() == self.out.capacity() {
            self.reserve(self.out.len().max(1024), limit);
        }
        self.out.resize(self.out.capacity().min(self.out.len().saturating_add(PORTION)), 0);
    }

    /// Inflates these bytes until there are `until` bytes of the message. Returns how many it has taken: all of them, or there are so many.
    /// Behind a last block within the message the rest is the beginning of the next block (RFC 7692, 7.2.3.4).
    fn take(&mut self, content: &[u8], limit: usize, until: usize) -> Result<usize, Fault> {
        let mut bytes = content;
        if self.ended && !bytes.is_empty() {
            self.go_on_behind_a_last_block()?;
        }
        while self.made < until {
            if self.made == self.out.len() {
                self.grow(limit);
            }
            let end = self.out.len().min(until);
            let room = self.out.get_mut(self.made..end).unwrap_or_default();
            let (taken, made) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self.decompress.decompress(bytes, room, FlushDecompress::Sync);
            let taken = usize::try_from(self.decompress.total_in() - taken).unwrap_or(usize::MAX);
            self.made += usize::try_from(self.decompress.total_out() - made).unwrap_or_default();
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.made > limit {
                return Err(Fault::TooLarge);
            }
            match status {
                Err(_) => return Err(Fault::Deflate),
                Ok(Status::StreamEnd) if bytes.is_empty() => {
                    (self.ended, self.has_more) = (true, false);
                    return Ok(content.len());
                }
                Ok(Status::StreamEnd) => self.go_on_behind_a_last_block()?,
                Ok(_) if self.made == end => {}
                Ok(_) if bytes.is_empty() => {
                    self.has_more = false;
                    return Ok(content.len());
                }
                // With bytes to take and room for what they make it has to go on.
                Ok(_) if taken == 0 => return Err(Fault::Deflate),
                Ok(_) => {}
            }
        }
        self.has_more = true;
        Ok(content.len() - bytes.len())
    }

    fn go_on_behind_a_last_block(&mut self) -> Result<(), Fault> {
        self.last_blocks = self.last_blocks.checked_sub(1).ok_or(Fault::Deflate)?;
        self.decompress.reset(false);
        self.ended = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflate(content: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
        let mut inflater = Inflater::new();
        // Whatever came before leaves nothing behind.
        let _ = inflater.inflate(Compressed { text: true, content: b"\xf2\x48\xcd" }, 10);
        inflater.inflate(Compressed { text: false, content }, limit).map(|message| message.as_bytes().to_vec())
    }

    /// Content that cannot be compressed, the same each time.
    fn noise(length: usize) -> Vec<u8> {
        let mut number = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            (number >> 32) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn the_examples_of_the_rfc_say_hello() {
        for content in [
            &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],                        // 7.2.3.1: one block
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",             // 7.2.3.3: not compressed
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",                         // 7.2.3.4: BFINAL
            b"\xf3\x48\xcd\xc9\xc9\x07\x00",                             // the same without what follows it
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",     // 7.2.3.5: two blocks
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xcb\xc9\xc9\x07\x00\x00", // two blocks, of which the second is final
        ] {
            for limit in [5, 6, 100] {
                assert_eq!(inflate(content, limit).as_deref(), Ok(&b"Hello"[..]), "{content:x?}");
            }
            assert_eq!(inflate(content, 4), Err(Fault::TooLarge));
        }
        for empty in [&b"\x00"[..], b"\x02\x00", b"\x03\x00", b"\x03\x00\x00"] {
            assert_eq!(inflate(empty, 0).as_deref(), Ok(&b""[..]), "{empty:x?}");
        }
    }

    #[test]
    fn what_is_not_a_whole_message_is_refused() {
        let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        for end in 0..hello.len() {
            assert_eq!(inflate(&hello[..end], 100), Err(Fault::Deflate), "{end}");
        }
        for bad in
            [&b""[..], b"\x07", b"\xff\xff\xff", b"\x00\x05\x00\xfa\xff\x48", b"\xf2\x48\xcd\xc9\xc9\x07\x00\x07\x07"]
        {
            assert_eq!(inflate(bad, 100), Err(Fault::Deflate), "{bad:x?}");
        }
        let many = [3, 0].repeat(10_000);
        assert_eq!(inflate(&many, 100), Err(Fault::Deflate), "a last block in every two bytes");
    }

    #[test]
    fn a_message_in_portions_is_the_same_wherever_it_is_split() {
        let last_blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xcb\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00";
        let large = Deflater::new(6, Window::Full).deflate(&vec![b'a'; 3 * PORTION + 1]).unwrap().to_vec();
        for content in
            [&last_blocks[..13], last_blocks, b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xf2\x48\xcd", b"\x07", &large]
        {
            let whole = inflate(content, 1 << 20);
            for split in (0..=content.len()).step_by(content.len().div_ceil(30)) {
                let mut inflater = Inflater::new();
                inflater.begin(content.len(), 1 << 20);
                let (one, other) = content.split_at(split);
                let mut portions = 0;
                let told = [one, other].into_iter().try_for_each(|mut part| {
                    while !part.is_empty() || inflater.has_more() {
                        let made = inflater.made();
                        let taken = inflater.portion(part, 1 << 20)?;
                        part = &part[taken..];
                        portions += 1;
                        assert!(inflater.made() <= made + PORTION);
                    }
                    Ok(())
                });
                let told = told.and_then(|()| inflater.end(true, 1 << 20)).map(|message| message.as_bytes().to_vec());
                assert!(told == whole, "{content:x?} at {split}");
                assert!(portions <= content.len().min(2) + 3, "{portions} portions");
            }
        }
        // As many last blocks as in one piece, and no more.
        for (number, portion) in [(10, 1), (10, 7), (10_000, 64), (10_000, 1)] {
            let many = [3, 0].repeat(number);
            let mut inflater = Inflater::new();
            inflater.begin(many.len(), 100);
            let told = many.chunks(portion).try_for_each(|part| inflater.portion(part, 100).map(drop));
            assert_eq!(told, Err(Fault::Deflate), "{number} in portions of {portion}");
        }
    }

    #[test]
    fn text_is_checked_when_it_is_inflated() {
        let mut inflater = Inflater::new();
        let stored = b"\x00\x02\x00\xfd\xff\xc3\xa9\x00";
        assert_eq!(inflater.inflate(Compressed { text: true, content: stored }, 9), Ok(Message::Text("é")));
        let stored = b"\x00\x02\x00\xfd\xff\xc3\x28\x00";
        assert_eq!(inflater.inflate(Compressed { text: true, content: stored }, 9), Err(Fault::Utf8));
        assert_eq!(inflater.inflate(Compressed { text: false, content: stored }, 9), Ok(Message::Binary(b"\xc3\x28")));
    }

    #[test]
    fn whatever_is_compressed_inflates_to_itself_and_the_limit_is_exact() {
        for window in [Window::Smallest, Window::Full] {
            let (mut deflater, mut inflater) = (Deflater::new(2, window), Inflater::new());
            for length in [1, 2, 30, 1023, 1024, 70_000] {
                for content in [vec![b'a'; length], noise(length), noise(300).repeat(length.div_ceil(300))] {
                    let Some(small) = deflater.deflate(&content) else { continue };
                    let message = Compressed { text: false, content: small };
                    assert!(inflater.inflate(message, content.len()) == Ok(Message::Binary(&content)));
                    assert_eq!(inflater.inflate(message, content.len() - 1), Err(Fault::TooLarge));
                    assert!(inflater.out.capacity() <= content.len().max(KEPT), "no more memory than is allowed");
                }
            }
            assert_eq!(deflater.deflate(&noise(5_000)), None, "it does not become smaller");
            assert_eq!(deflater.deflate(b""), None);
            deflater.deflate(b"short");
            inflater.give_back();
            assert!(deflater.out.capacity() <= KEPT && inflater.out.capacity() <= KEPT);
        }
    }

    #[test]
    fn a_small_window_refers_to_nothing_further_back() {
        let far = noise(600).repeat(2);
        assert!(Deflater::new(9, Window::Smallest).deflate(&far).is_none());
        assert!(Deflater::new(9, Window::Full).deflate(&far).is_some_and(|small| small.len() < 700));
        let near = noise(200).repeat(2);
        assert!(Deflater::new(9, Window::Smallest).deflate(&near).is_some_and(|small| small.len() < 300));
    }
}
