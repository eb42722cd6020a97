//! The transport seam: what carries the bytes of a stream. Above it there is plaintext only: that is what a stream reads and
//! writes, and what it counts as read, written and pending. Below it there is a socket.
//!
//! | a transport has to | for |
//! |---|---|
//! | `read` plaintext, and tell whether another read may bring more at once | the read path |
//! | `write` plaintext; what it says that it took is with the kernel, all of it | the write path: what was not taken is pending |
//! | `shutdown`: end our side in order | the end of the output |

use crate::event_loop::driver::Io;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};

/// epoll and kqueue tell of what comes after a short read. Elsewhere only `WouldBlock` ends reading.
const SHORT_READ_ENDS: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
));

/// What carries the bytes of a stream. See the [module's docs](self).
pub(super) enum Transport {
    /// The socket itself.
    Plain(Io),
}

/// What one read brought.
pub(super) enum Received {
    /// So many bytes of plaintext.
    Bytes {
        count: usize,
        /// Nothing more is here: an event follows when there is.
        drained: bool,
    },
    /// The end of the peer's side.
    End,
    Nothing,
    Failed(io::Error),
}

/// What is to be written.
pub(super) enum Plaintext<'a> {
    Bytes(&'a [u8]),
    /// One behind the other.
    Pieces(&'a [IoSlice<'a>]),
    /// So many bytes of a file, from an offset on.
    File(&'a File, u64, usize),
}

impl Transport {
    pub fn new(io: Io) -> Transport {
        Transport::Plain(io)
    }

    /// The socket below, for its addresses and options.
    pub fn io(&self) -> &Io {
        match self {
            Transport::Plain(io) => io,
        }
    }

    #[inline(always)]
    pub fn read(&mut self, into: &mut [u8]) -> Received {
        loop {
            let received = match self {
                Transport::Plain(io) => io.read(into),
            };
            return match received {
                Ok(0) => Received::End,
                Ok(count) => Received::Bytes { count, drained: SHORT_READ_ENDS && count < into.len() },
                Err(error) => match refused(error) {
                    Ok(()) => Received::Nothing,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Received::Failed(error),
                },
            };
        }
    }

    /// Returns how many bytes it took. With none, the kernel takes none now, and an event follows when it does. A file that ends
    /// before its bytes is an error of the kind `UnexpectedEof`.
    #[inline(always)]
    pub fn write(&mut self, plaintext: &Plaintext<'_>) -> io::Result<usize> {
        loop {
            let written = match (&mut *self, plaintext) {
                (Transport::Plain(io), Plaintext::Bytes(bytes)) => io.write(bytes),
                (Transport::Plain(io), Plaintext::Pieces(pieces)) => io.write_vectored(pieces),
                (Transport::Plain(io), Plaintext::File(file, offset, len)) => send_file(io, file, *offset, *len),
            };
            return match written {
                Ok(count) => Ok(count),
                Err(error) => match refused(error) {
                    Ok(()) => Ok(0),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                },
            };
        }
    }

    /// Returns whether it takes [`Plaintext::File`]. A transport that transforms what it sends does not: the file has to be read.
    pub fn sends_files(&self) -> bool {
        match self {
            Transport::Plain(io) => io.sends_files(),
        }
    }

    /// Ends our side. What the peer still sends can be read.
    pub fn shutdown(&mut self) {
        let ended = match self {
            Transport::Plain(io) => io.shutdown_write(),
        };
        // It fails where the connection is gone, which reading tells.
        drop(ended);
    }
}

/// Takes `WouldBlock` for success: nothing can be done now.
#[cold]
fn refused(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}

fn send_file(io: &Io, file: &File, offset: u64, len: usize) -> io::Result<usize> {
    match io.send_file(file, offset, len)? {
        0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "the file has become shorter while it was sent")),
        count => Ok(count),
    }
}
