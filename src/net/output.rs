use super::FilePart;
use super::chunk::{Chunk, LARGE, Piece};
use super::large_buffers::LargeBuffers;
use std::collections::VecDeque;
use std::fs::File;
use std::io::IoSlice;

/// Small writes are gathered in one buffer up to this size, in bytes. Then the next buffer begins, so that no buffer grows
/// without end.
const BUFFER: usize = 64 * 1024;
/// The most pieces that one system call gives to the kernel.
const PIECES: usize = 16;
/// Shared chunks of at least this many bytes are not copied. To copy smaller ones costs less than a piece of their own: of those, one
/// system call gives only few to the kernel.
const SHARED: usize = 1024;
/// A buffer of at most this many bytes is kept when its bytes have been sent.
const SPARE: usize = 1024;

/// The bytes of one stream that the kernel has not taken yet. A stream has an `Output` only while there are such bytes. Then the
/// loop keeps it for another stream: see `Outputs`.
#[derive(Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    /// An empty buffer, for the next bytes that are copied.
    spare: Vec<u8>,
    len: usize,
    /// How many of these bytes are in files.
    in_files: usize,
}

impl Output {
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many of the bytes are in memory, not in files.
    pub fn held(&self) -> usize {
        self.len - self.in_files
    }

    pub fn push_file(&mut self, part: FilePart) {
        self.len += part.len;
        self.in_files += part.len;
        self.push_piece(Piece::file(part));
    }

    pub fn push(&mut self, chunk: Chunk<'_>, start: usize, buffers: &LargeBuffers) {
        let rest = chunk.as_bytes().get(start..).unwrap_or_default();
        if rest.len() < if chunk.is_shared() { SHARED } else { LARGE } {
            self.append(rest);
        } else {
            self.len += rest.len();
            self.push_piece(chunk.into_piece(start, buffers));
        }
    }

    fn push_piece(&mut self, piece: Piece) {
        if self.pieces.capacity() == 0 {
            // Most outputs have one piece only. By itself the queue would make room for four.
            self.pieces.reserve_exact(1);
        }
        self.pieces.push_back(piece);
    }

    pub fn append(&mut self, bytes: &[u8]) {
        self.edit(|buffer| buffer.extend_from_slice(bytes));
    }

    /// Lets `f` append to the last buffer.
    pub fn edit(&mut self, f: impl FnOnce(&mut Vec<u8>)) {
        if self.pieces.back_mut().and_then(|piece| piece.appendable(BUFFER)).is_none() {
            let buffer = std::mem::take(&mut self.spare);
            self.push_piece(Piece::owned(buffer));
        }
        if let Some(buffer) = self.pieces.back_mut().and_then(|piece| piece.appendable(BUFFER)) {
            let before = buffer.len();
            f(buffer);
            self.len += buffer.len() - before;
        }
    }

    /// A copy of all bytes; `None` if some are in files.
    #[cfg(feature = "tls")]
    pub fn copy(&self) -> Option<Vec<u8>> {
        (self.in_files == 0).then(|| self.pieces.iter().flat_map(|piece| piece.bytes()).copied().collect())
    }

    /// The next bytes for the kernel, if they are in a file: the file, the offset in it, and the number of bytes.
    pub fn next_in_file(&self) -> Option<(&File, u64, usize)> {
        let next = self.pieces.iter().find(|piece| piece.len() > 0)?;
        next.in_file().map(|(file, offset)| (file, offset, next.len()))
    }

    /// Puts the next bytes for the kernel into `into`: at most `most` bytes, and none from the next file on. Returns the
    /// number of slices.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; PIECES], most: usize) -> usize {
        let (mut count, mut left) = (0, most);
        let pieces = self.pieces.iter().filter(|piece| piece.len() > 0).take_while(|piece| piece.in_file().is_none());
        for (slot, piece) in into.iter_mut().zip(pieces) {
            if left == 0 {
                break;
            }
            let bytes = piece.bytes();
            let bytes = bytes.get(..left).unwrap_or(bytes);
            *slot = IoSlice::new(bytes);
            left -= bytes.len();
            count += 1;
        }
        count
    }

    pub fn no_slices<'a>() -> [IoSlice<'a>; PIECES] {
        [IoSlice::new(&[]); PIECES]
    }

    /// Removes `count` bytes, which the kernel has taken.
    pub fn advance(&mut self, mut count: usize, buffers: &LargeBuffers) {
        self.len -= count.min(self.len);
        while let Some(piece) = self.pieces.front_mut() {
            let there = piece.len();
            let taken = count.min(there);
            if piece.in_file().is_some() {
                self.in_files -= taken;
            }
            if taken < there {
                return piece.advance(taken);
            }
            count -= taken;
            if let Some(buffer) = self.pieces.pop_front().and_then(|piece| piece.into_buffer(SPARE, buffers)) {
                self.spare = buffer;
            }
        }
    }

    /// How many bytes of memory it takes, with no bytes to be sent.
    pub fn memory(&self) -> usize {
        size_of::<Output>() + self.pieces.capacity() * size_of::<Piece>() + self.spare.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::driver::read_at;
    use proptest::prelude::*;
    use std::rc::Rc;
    use std::sync::Arc;

    /// Takes bytes as a connection does: those in memory up to the next file, or those of one file.
    fn drain(output: &mut Output, most: usize) -> Vec<u8> {
        let bytes = match output.next_in_file() {
            Some((file, offset, len)) => read(file, offset, len.min(most)),
            None => {
                let mut slices = Output::no_slices();
                let count = output.slices(&mut slices, most);
                slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
            }
        };
        assert!(bytes.len() <= most && !(bytes.is_empty() && output.len() > 0));
        output.advance(bytes.len(), &LargeBuffers::default());
        bytes
    }

    fn read(file: &File, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let count = read_at(file, &mut bytes, offset).unwrap();
        assert_eq!(count, len);
        bytes
    }

    proptest! {
        #[test]
        fn bytes_leave_in_the_order_in_which_they_came(
            sizes in proptest::collection::vec((0_usize..40_000, 0_u8..5), 0..12),
            step in 1_usize..50_000,
        ) {
            // The program's own file certainly exists and is long enough.
            let file = Arc::new(File::open(std::env::current_exe().unwrap()).unwrap());
            let (mut output, mut expected, mut got) = (Output::default(), Vec::new(), Vec::new());
            let mut pieces = Vec::new();
            for (number, (size, kind)) in sizes.into_iter().enumerate() {
                let mut bytes: Vec<u8> = (0..size).map(|i| (i + number) as u8).collect();
                let offset = 1000 * number as u64;
                if kind == 3 {
                    bytes = read(&file, offset, size);
                }
                expected.extend_from_slice(&bytes);
                pieces.push((size, kind == 3));
                match kind {
                    0 => output.append(&bytes),
                    1 => output.push(Chunk::from(&bytes), 0, &LargeBuffers::default()),
                    2 => output.push(Chunk::from(bytes), 0, &LargeBuffers::default()),
                    4 => output.push(Chunk::from(Rc::<[u8]>::from(bytes)), 0, &LargeBuffers::default()),
                    _ => output.push_file(FilePart { file: file.clone(), offset, len: size, unsent: None }),
                }
                got.extend(drain(&mut output, step));
                prop_assert_eq!(output.len(), expected.len() - got.len());
                prop_assert_eq!(output.held(), output.len() - left_in_files(&pieces, got.len()));
            }
            while output.len() > 0 {
                got.extend(drain(&mut output, step));
                prop_assert_eq!(output.held(), output.len() - left_in_files(&pieces, got.len()));
            }
            prop_assert!(got == expected, "{} bytes, {} expected", got.len(), expected.len());
        }
    }

    /// How many bytes in files are left after the first `gone` bytes of these pieces. A piece is its size, and true if it
    /// is in a file.
    fn left_in_files(pieces: &[(usize, bool)], mut gone: usize) -> usize {
        let mut left = 0;
        for (size, in_file) in pieces {
            let taken = gone.min(*size);
            gone -= taken;
            left += if *in_file { size - taken } else { 0 };
        }
        left
    }
}
