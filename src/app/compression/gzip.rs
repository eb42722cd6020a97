//! Content as gzip (RFC 1952), as it comes.

use crate::http::stages::{Coder, Then};
use flate2::{Compress, Crc, FlushCompress, Status};
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

/// How many compressors are kept for later answers: to make one takes as long as to compress 1 KiB.
const KEPT: usize = 4;
// Values in the header (RFC 1952, 2.3.1).
const DEFLATE: u8 = 8;
const HAS_NAME: u8 = 8;
const UNKNOWN_SYSTEM: u8 = 255;
/// The longest file name in the header of a gzip stream, in bytes. Its length is random: see [`Works::length`].
const NAME: u64 = 100;
/// How many bytes of output there is room for at a time.
const ROOM: usize = 16 * 1024;

/// The compressors of a middleware.
pub struct Works {
    level: u32,
    /// Whether the header has a name of a random length.
    named: bool,
    names: RandomState,
    begun: Cell<u64>,
    running: Cell<usize>,
    kept: RefCell<Vec<Compress>>,
}

impl Works {
    pub fn new(level: u32, named: bool) -> Rc<Works> {
        Rc::new(Works {
            level,
            named,
            names: RandomState::new(),
            begun: Cell::new(0),
            running: Cell::new(0),
            kept: RefCell::default(),
        })
    }

    /// The length of the next name: from 1 to [`NAME`]. The keys of `RandomState` are random and secret, so nobody can predict
    /// the length.
    fn length(&self) -> usize {
        let begun = self.begun.get();
        self.begun.set(begun.wrapping_add(1));
        1 + (self.names.hash_one(begun) % NAME) as usize
    }
}

/// The compression of one answer.
pub struct Gzip {
    works: Rc<Works>,
    /// `Some` until it is dropped.
    compress: Option<Compress>,
    crc: Crc,
    begun: bool,
}

impl Gzip {
    /// Begins to compress an answer. `None` if `at_most` answers are being compressed already.
    pub fn begin(works: &Rc<Works>, at_most: usize) -> Option<Gzip> {
        if works.running.get() >= at_most {
            log::debug!(target: "oneloop::app", "an answer is not compressed, since {at_most} are being compressed");
            return None;
        }
        works.running.set(works.running.get() + 1);
        let kept = works.kept.borrow_mut().pop();
        let compress = kept.unwrap_or_else(|| Compress::new(flate2::Compression::new(works.level), false));
        Some(Gzip { works: works.clone(), compress: Some(compress), crc: Crc::new(), begun: false })
    }

    fn write_header(&mut self, out: &mut Vec<u8>) {
        let flags = if self.works.named { HAS_NAME } else { 0 };
        out.extend_from_slice(&[0x1f, 0x8b, DEFLATE, flags, 0, 0, 0, 0, 0, UNKNOWN_SYSTEM]);
        if self.works.named {
            out.resize(out.len() + self.works.length(), b'a');
            out.push(0);
        }
    }
}

impl Coder for Gzip {
    fn code(&mut self, bytes: &[u8], then: Then, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.write_header(out);
        }
        let Some(compress) = &mut self.compress else { return };
        self.crc.update(bytes);
        let flush = match then {
            Then::More => FlushCompress::None,
            Then::Flush => FlushCompress::Sync,
            Then::End => FlushCompress::Finish,
        };
        let mut rest = bytes;
        loop {
            out.reserve(ROOM.min(rest.len() + 64));
            let before = compress.total_in();
            let status = compress.compress_vec(rest, out, flush);
            rest = rest.get((compress.total_in() - before) as usize..).unwrap_or_default();
            // The compressor can have more output only if it has filled the room.
            let over = if then == Then::End { false } else { rest.is_empty() && out.len() < out.capacity() };
            match status {
                Ok(Status::Ok) if !over => {}
                _ => break,
            }
        }
        if then == Then::End {
            out.extend_from_slice(&self.crc.sum().to_le_bytes());
            out.extend_from_slice(&self.crc.amount().to_le_bytes());
        }
    }
}

impl Drop for Gzip {
    fn drop(&mut self) {
        self.works.running.set(self.works.running.get() - 1);
        if let Some(mut compress) = self.compress.take() {
            let mut kept = self.works.kept.borrow_mut();
            if kept.len() < KEPT {
                compress.reset();
                kept.push(compress);
            }
        }
    }
}
