//! A toy cipher that stands for TLS in tests. With it, the tests of sockets and of HTTP show that nothing above the transport
//! counts the bytes of the socket or waits for them. It is used only by the tests of this file and by builds with
//! `--cfg oneloop_veil`: there all connections of the simulated world are veiled, the program's end by its transport, the
//! other end by the peer's `Wire`.
//!
//! Bytes are sent in frames: a length in two bytes, and that many bytes, encrypted (see `Mask`). The reader gets the bytes of
//! a frame only when the whole frame was received. A frame without bytes is the close notice, which ends a side in order.
//!
//! The socket may take a part of a frame. So bytes count as written only when the socket has taken all of their frame.
//! Until then the caller has to offer them again, in front of the bytes that follow them.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _};

/// Whether all connections of the simulated world are veiled.
pub(crate) const VEILED: bool = cfg!(oneloop_veil);

/// The size of a connection's buffer that has room for `plaintext` bytes in their frames.
pub(super) fn buffer(plaintext: usize) -> usize {
    if VEILED { plaintext.saturating_add(plaintext / 16) } else { plaintext }
}

/// The most bytes of a frame. The number is small, so that a slow peer takes several frames within the shortest window
/// over which a test measures a rate. It is a prime, so that it divides the size of no buffer.
const FRAME: usize = 61;
/// The most bytes that are read at once from the socket.
const READ: usize = 4_096;
/// How many bytes may be sealed (put into frames) before the socket takes them.
const SEALED: usize = 16 * 1024;

type Read<'a> = &'a mut dyn FnMut(&mut [u8]) -> io::Result<usize>;
type Write<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<usize>;

/// One end of a veiled connection.
#[derive(Default)]
pub(crate) struct Veil {
    received: VecDeque<u8>,
    /// The bytes of the frame that is being given to the reader.
    opened: VecDeque<u8>,
    read_mask: Mask,
    /// True if the close notice was received, or if the connection ended without it.
    ended: bool,
    sealed: VecDeque<u8>,
    frames: VecDeque<Frame>,
    /// The number of plaintext bytes that the socket has taken and no call of `write` has reported. The next call reports them.
    gone: usize,
    write_mask: Mask,
    close_notice_sent: bool,
    /// The error of a read that returned bytes before it failed: the next read returns the error. The same for writes
    /// that sent bytes.
    read_failed: Option<io::Error>,
    write_failed: Option<io::Error>,
}

fn is_final(error: &io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// A frame that the socket has not taken in full.
struct Frame {
    left: usize,
    plaintext: usize,
}

/// Encrypts the bytes of one direction: each is combined (XOR) with the next of a fixed sequence of numbers. So if a byte is
/// lost, sent twice or swapped, the bytes after it are decrypted wrongly, and the test that compares them fails.
#[derive(Default)]
struct Mask(u8);

impl Mask {
    fn apply(&mut self, byte: u8) -> u8 {
        self.0 = self.0.wrapping_mul(5).wrapping_add(113);
        byte ^ self.0
    }
}

impl Veil {
    pub fn read(&mut self, into: &mut [u8], read: Read<'_>) -> io::Result<usize> {
        if let Some(error) = self.read_failed.take() {
            return Err(error);
        }
        let mut count = 0;
        loop {
            count += self.give(into.get_mut(count..).unwrap_or_default());
            if count == into.len() || self.ended {
                return Ok(count);
            }
            // Reads no more than the caller asks for, so that a slow reader stays slow.
            let mut raw = [0; READ];
            let room = (into.len() - count).min(READ);
            match read(raw.get_mut(..room).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(more) => self.received.extend(raw.iter().take(more)),
                Err(error) if count == 0 => return Err(error),
                Err(error) => {
                    self.read_failed = Some(error).filter(is_final);
                    return Ok(count);
                }
            }
        }
    }

    fn give(&mut self, into: &mut [u8]) -> usize {
        let mut count = 0;
        while count < into.len() {
            self.open_frame();
            match self.opened.read(into.get_mut(count..).unwrap_or_default()) {
                Ok(more @ 1..) => count += more,
                _ => break,
            }
        }
        count
    }

    /// Returns whether the next read gives something without reading from the socket.
    pub fn has_plaintext(&self) -> bool {
        !self.opened.is_empty() || self.ended || self.read_failed.is_some() || self.next_frame().is_some()
    }

    /// The length of the next frame, if the whole frame was received.
    fn next_frame(&self) -> Option<usize> {
        let (high, low) = (self.received.front()?, self.received.get(1)?);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        (self.received.len() >= 2 + length).then_some(length)
    }

    fn open_frame(&mut self) {
        if !self.opened.is_empty() || self.ended {
            return;
        }
        let Some(length) = self.next_frame() else { return };
        self.ended = length == 0;
        self.received.drain(..2);
        let mask = &mut self.read_mask;
        self.opened.extend(self.received.drain(..length).map(|byte| mask.apply(byte)));
    }

    /// Returns how many of the offered bytes the socket has now taken, counted from the first. Some of them may have been
    /// offered by earlier calls already.
    pub fn write(&mut self, plaintext: &[u8], write: Write<'_>) -> io::Result<usize> {
        if let Some(error) = self.write_failed.take() {
            return Err(error);
        }
        let before = self.gone + self.frames.iter().map(|frame| frame.plaintext).sum::<usize>();
        for bytes in plaintext.get(before..).unwrap_or_default().chunks(FRAME) {
            if self.sealed.len() >= SEALED {
                break;
            }
            self.seal(bytes);
        }
        let flushed = self.flush(write);
        match (std::mem::take(&mut self.gone), flushed) {
            (0, Err(error)) => Err(error),
            (gone, flushed) => {
                self.write_failed = flushed.err().filter(is_final);
                Ok(gone)
            }
        }
    }

    fn seal(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.sealed.extend(length.to_be_bytes());
        let mask = &mut self.write_mask;
        self.sealed.extend(bytes.iter().map(|byte| mask.apply(*byte)));
        self.frames.push_back(Frame { left: 2 + bytes.len(), plaintext: bytes.len() });
    }

    /// Ends this side. With an error of the kind `WouldBlock`, the close notice is still to be flushed.
    pub fn send_close_notice(&mut self, write: Write<'_>) -> io::Result<()> {
        if !self.close_notice_sent {
            self.close_notice_sent = true;
            self.seal(&[]);
        }
        self.flush(write)
    }

    /// Returns whether a frame without plaintext (the close notice) has still to be sent.
    pub fn wants_write(&self) -> bool {
        self.frames.iter().any(|frame| frame.plaintext == 0)
    }

    /// Sends the sealed bytes.
    pub fn flush(&mut self, write: Write<'_>) -> io::Result<()> {
        while !self.sealed.is_empty() {
            let count = write(self.sealed.make_contiguous())?;
            self.sealed.drain(..count);
            self.count_sent(count);
        }
        Ok(())
    }

    fn count_sent(&mut self, mut count: usize) {
        while let Some(frame) = self.frames.front_mut() {
            if frame.left > count {
                frame.left -= count;
                return;
            }
            count -= frame.left;
            self.gone += frame.plaintext;
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A socket that takes some bytes, refuses the next write, and so on.
    fn reluctant<'a>(wire: &'a mut Vec<u8>, sizes: &'a [usize]) -> impl FnMut(&[u8]) -> io::Result<usize> + 'a {
        let mut calls = 0;
        move |bytes| {
            calls += 1;
            let size = sizes[calls % sizes.len()];
            if size == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = size.min(bytes.len());
            wire.extend_from_slice(&bytes[..count]);
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_the_socket_splits_it(
            length in 0_usize..40_000,
            mut sizes in proptest::collection::vec(0_usize..9_000, 1..6),
            reads in 1_usize..READ,
        ) {
            sizes.push(1);
            let bytes: Vec<u8> = (0..length).map(|at| (at / 7) as u8).collect();
            let (mut veil, mut wire, mut at) = (Veil::default(), Vec::new(), 0);
            while at < bytes.len() {
                let written = veil.write(&bytes[at..], &mut reluctant(&mut wire, &sizes));
                at += written.unwrap_or(0);
            }
            while veil.send_close_notice(&mut reluctant(&mut wire, &sizes)).is_err() {}
            prop_assert!(!veil.wants_write());
            let (mut other, mut got, mut into) = (Veil::default(), Vec::new(), vec![0; reads]);
            let (mut wire, mut calls) = (&wire[..], 0);
            let mut read = |into: &mut [u8]| {
                calls += 1;
                if calls % 3 == 0 { Err(ErrorKind::WouldBlock.into()) } else { wire.read(into) }
            };
            loop {
                match other.read(&mut into, &mut read) {
                    Ok(0) => break,
                    Ok(count) => got.extend_from_slice(&into[..count]),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            prop_assert!(other.ended && other.has_plaintext());
            prop_assert_eq!(got, bytes);
        }
    }
}
