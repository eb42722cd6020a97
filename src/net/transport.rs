//! The transport seam: what stands between a stream's bytes and its socket's. One transport so far, plain, which is the
//! socket itself; so that a stream has no word for it and no memory. A transport that transforms (TLS) will own its
//! state here, report `has_plaintext` and `wants_write`, and say goodbye with `close_notify`.

use crate::event_loop::driver::Io;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};

/// What one read brought.
pub(super) enum Received {
    Bytes(usize),
    End,
    Nothing,
    Failed(io::Error),
}

#[inline(always)]
pub(super) fn receive(io: &Io, into: &mut [u8]) -> Received {
    loop {
        return match io.read(into) {
            Ok(0) => Received::End,
            Ok(count) => Received::Bytes(count),
            Err(error) => match refused(error) {
                Ok(()) => Received::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Received::Failed(error),
            },
        };
    }
}

/// Takes `WouldBlock` for success: nothing is there now.
#[cold]
fn refused(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}

/// How many bytes the kernel took; 0: none now.
#[inline(always)]
pub(super) fn send(io: &Io, bytes: &[u8]) -> io::Result<usize> {
    taken(|| io.write(bytes))
}

pub(super) fn send_vectored(io: &Io, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    taken(|| io.write_vectored(pieces))
}

/// Returns whether [`send_file`] is for this connection. A transport that transforms what it sends has to read the file.
pub(super) fn sends_files(io: &Io) -> bool {
    io.sends_files()
}

/// The same as [`send`] for bytes of a file. That the file ends before is an error of the kind `UnexpectedEof`.
pub(super) fn send_file(io: &Io, file: &File, offset: u64, most: usize) -> io::Result<usize> {
    taken(|| match io.send_file(file, offset, most)? {
        0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "the file has become shorter while it was sent")),
        count => Ok(count),
    })
}

#[inline(always)]
fn taken(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        return match write() {
            Ok(count) => Ok(count),
            Err(error) => match refused(error) {
                Ok(()) => Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                failed => failed.map(|()| 0),
            },
        };
    }
}
