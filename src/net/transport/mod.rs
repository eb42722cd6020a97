//! The transport seam: what carries the bytes of a stream. Above it there is plaintext only: that is what a stream reads and
//! writes, and what it counts as read, written and pending. Below it there is a socket.
//!
//! | what a transport does | rule |
//! |---|---|
//! | `read` | It gives plaintext, and tells whether it and the socket are drained. Where they are not, the stream reads again without an event |
//! | `write` | Bytes that it takes are with the kernel, all of them. The stream keeps the others, and offers them again, in front of what follows |
//! | `wants_write`, `flush` | Bytes of its own (a handshake, a goodbye) are sent when the kernel takes some |
//! | `say_goodbye` | In front of an orderly close: what tells the peer that nothing is missing. TLS: `close_notify` |
//! | `shutdown` | The goodbye, then our FIN |

#[cfg(any(test, oneloop_veil))]
mod veiled;

use crate::event_loop::driver::Io;
#[cfg(any(test, oneloop_veil))]
use crate::event_loop::driver::VEILED;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
#[cfg(any(test, oneloop_veil))]
use veiled::Veiled;

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
    /// A toy in place of TLS, for tests in the simulated world.
    #[cfg(any(test, oneloop_veil))]
    Veiled(Box<Veiled>),
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

#[cfg(any(test, oneloop_veil))]
impl<'a> Plaintext<'a> {
    /// Bytes for a transport that takes one piece at a time, and no file.
    fn first(&self) -> &'a [u8] {
        match self {
            Plaintext::Bytes(bytes) => bytes,
            Plaintext::Pieces(pieces) => {
                pieces.iter().map(|piece| &**piece).find(|piece| !piece.is_empty()).unwrap_or_default()
            }
            Plaintext::File(..) => &[],
        }
    }
}

impl Transport {
    pub fn new(io: Io) -> Transport {
        #[cfg(any(test, oneloop_veil))]
        if VEILED && matches!(io, Io::Sim(_)) {
            return Transport::Veiled(Box::new(Veiled::new(io)));
        }
        Transport::Plain(io)
    }

    /// The socket below, for its addresses and options.
    pub fn io(&self) -> &Io {
        match self {
            Transport::Plain(io) => io,
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.io(),
        }
    }

    #[inline(always)]
    pub fn read(&mut self, into: &mut [u8]) -> Received {
        loop {
            let received = match self {
                Transport::Plain(io) => io.read(into),
                #[cfg(any(test, oneloop_veil))]
                Transport::Veiled(veiled) => veiled.read(into),
            };
            return match received {
                Ok(0) => Received::End,
                Ok(count) => Received::Bytes { count, drained: self.is_drained(count, into.len()) },
                Err(error) => match refused(error) {
                    Ok(()) => Received::Nothing,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Received::Failed(error),
                },
            };
        }
    }

    /// Returns whether a read that brought `count` bytes, of the `room` that there was, has brought all that is here.
    #[inline(always)]
    fn is_drained(&self, count: usize, room: usize) -> bool {
        match self {
            Transport::Plain(_) => SHORT_READ_ENDS && count < room,
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.is_drained() && !veiled.has_plaintext(),
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
                #[cfg(any(test, oneloop_veil))]
                (Transport::Veiled(veiled), plaintext) => veiled.write(plaintext.first()),
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
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(_) => false,
        }
    }

    /// Returns whether it has bytes of its own to send, which [`Transport::flush`] does when the kernel takes some.
    pub fn wants_write(&self) -> bool {
        match self {
            Transport::Plain(_) => false,
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.wants_write(),
        }
    }

    pub fn flush(&mut self) {
        let flushed: io::Result<()> = match self {
            Transport::Plain(_) => Ok(()),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.flush(),
        };
        // What fails now is told by the next write or read.
        drop(flushed);
    }

    /// Tells the peer, before a close, that no more bytes follow. For a plain socket the close itself tells this.
    pub fn say_goodbye(&mut self) {
        let said: io::Result<()> = match self {
            Transport::Plain(_) => Ok(()),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.say_goodbye(),
        };
        drop(said);
    }

    /// Ends our side, with the goodbye before. What the peer still sends can be read.
    pub fn shutdown(&mut self) {
        let ended = match self {
            Transport::Plain(io) => io.shutdown_write(),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.shutdown(),
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
