//! The interface between a stream and the carrier of its bytes. Above it there is plaintext only: a stream reads and writes
//! plaintext, and counts plaintext as read, written and pending. Below it there is a socket.
//!
//! | method of a transport | rule |
//! |---|---|
//! | `read` | It returns plaintext, and whether the transport and its socket have no more input. If they may have more, the stream reads again without an event. A read of a transport that has messages of its own may end in other ways: see [`Own`] |
//! | `write` | All bytes that it takes were given to the kernel. The stream keeps the others, and offers them again before later output |
//! | `wants_write`, `flush` | The transport's own bytes (a handshake, the close notice of the next row) are sent when the kernel takes them |
//! | `send_close_notice` | Sends the close notice: a message before an orderly close, by which the peer knows that nothing is missing. TLS: `close_notify` |
//! | `shutdown` | Sends the close notice, then our FIN |

#[cfg(feature = "tls")]
pub(super) mod tls;
#[cfg(any(test, oneloop_veil))]
mod veiled;

#[cfg(any(test, oneloop_veil))]
use crate::event_loop::driver::VEILED;
use crate::event_loop::driver::{Io, SHORT_READ_ENDS};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
#[cfg(feature = "tls")]
use std::rc::Rc;
#[cfg(feature = "tls")]
use tls::Tls;
#[cfg(any(test, oneloop_veil))]
use veiled::Veiled;

/// The carrier of a stream's bytes. See the [module's docs](self).
pub(super) enum Transport {
    /// The socket itself.
    Plain(Io),
    #[cfg(feature = "tls")]
    Tls(Box<Tls>),
    /// A toy in place of TLS, for tests in the simulated world.
    #[cfg(any(test, oneloop_veil))]
    Veiled(Box<Veiled>),
}

/// The result of one read.
pub(super) enum Received {
    /// `count` bytes of plaintext.
    Bytes {
        count: usize,
        /// True if no more input is left. An event reports when more has come.
        drained: bool,
    },
    /// The end of the peer's side.
    End,
    Nothing,
    Failed(io::Error),
    #[cfg(feature = "tls")]
    Own(Own),
}

/// The result of a read that has found messages of the transport itself.
#[cfg(feature = "tls")]
pub(super) enum Own {
    /// The transport has used this many bytes of the socket, and there was no plaintext in them. True if the kernel has no more now: an
    /// event reports when more have come.
    Read(usize, bool),
    /// The handshake is over: from now on the transport takes output.
    Secured,
    /// The transport reads no more before the kernel takes what the transport has to send. An event reports when the kernel does.
    Blocked,
    /// Other handshakes come first: the transport reads on when there is budget for it.
    Later,
    /// A step of the handshake is to be taken on another thread: the stream asks for one. It reads on when the session has come back.
    Step,
    /// The session has gone to another thread, or is on its way.
    Away,
    /// The transport cannot go on. It has sent the peer the message that says why.
    Broken(io::Error),
}

/// The bytes that one write offers.
pub(super) enum Plaintext<'a> {
    Bytes(&'a [u8]),
    /// Several pieces, to be sent in this order.
    Pieces(&'a [IoSlice<'a>]),
    /// A part of a file: the offset of its first byte, and the number of bytes.
    File(&'a File, u64, usize),
}

#[cfg(any(test, oneloop_veil))]
impl<'a> Plaintext<'a> {
    /// The first piece, for a transport that takes one piece at a time. Empty for a file, which such a transport does not
    /// take.
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
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => tls.io(),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.io(),
        }
    }

    #[inline(always)]
    pub fn read(&mut self, into: &mut [u8]) -> Received {
        loop {
            let received = match self {
                Transport::Plain(io) => io.read(into),
                #[cfg(feature = "tls")]
                Transport::Tls(tls) => return tls.read(into),
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

    /// Returns whether no input is left after a read that put `count` bytes into a buffer of `room` bytes.
    #[inline(always)]
    fn is_drained(&self, count: usize, room: usize) -> bool {
        match self {
            Transport::Plain(_) => SHORT_READ_ENDS && count < room,
            #[cfg(feature = "tls")]
            Transport::Tls(_) => false,
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.is_drained() && !veiled.has_plaintext(),
        }
    }

    /// Returns how many bytes were taken. 0: the kernel takes none now, and an event reports when it takes some again. If a
    /// file ends before the part that is to be sent, the error is of the kind `UnexpectedEof`.
    #[inline(always)]
    pub fn write(&mut self, plaintext: &Plaintext<'_>) -> io::Result<usize> {
        loop {
            let written = match (&mut *self, plaintext) {
                (Transport::Plain(io), Plaintext::Bytes(bytes)) => io.write(bytes),
                (Transport::Plain(io), Plaintext::Pieces(pieces)) => io.write_vectored(pieces),
                (Transport::Plain(io), Plaintext::File(file, offset, len)) => send_file(io, file, *offset, *len),
                #[cfg(feature = "tls")]
                (Transport::Tls(tls), plaintext) => return tls.write(plaintext),
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

    /// Returns whether the transport takes [`Plaintext::File`]. A transport that transforms the bytes does not: then the
    /// caller has to read the file.
    pub fn sends_files(&self) -> bool {
        match self {
            Transport::Plain(io) => io.sends_files(),
            #[cfg(feature = "tls")]
            Transport::Tls(_) => false,
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(_) => false,
        }
    }

    /// Returns whether the transport has bytes of its own to send. [`Transport::flush`] sends them when the kernel takes
    /// some.
    pub fn wants_write(&self) -> bool {
        match self {
            Transport::Plain(_) => false,
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => tls.wants_write(),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.wants_write(),
        }
    }

    pub fn flush(&mut self) {
        let flushed: io::Result<()> = match self {
            Transport::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => tls.flush(),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.flush(),
        };
        // The next write or read reports this error.
        drop(flushed);
    }

    /// Sends the close notice: it tells the peer, before a close, that no more bytes follow. On a plain socket nothing is sent,
    /// because the close itself tells this.
    pub fn send_close_notice(&mut self) {
        let sent: io::Result<()> = match self {
            Transport::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => tls.send_close_notice(),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.send_close_notice(),
        };
        drop(sent);
    }

    /// Tells the peer that no more bytes follow ([`send_close_notice`](Transport::send_close_notice)), then sends our FIN. Bytes that the
    /// peer still sends can be read.
    pub fn shutdown(&mut self) {
        let ended = match self {
            Transport::Plain(io) => io.shutdown_write(),
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => tls.shutdown(),
            #[cfg(any(test, oneloop_veil))]
            Transport::Veiled(veiled) => veiled.shutdown(),
        };
        // This fails if the connection is gone, and then the next read reports that.
        drop(ended);
    }
}

#[cfg(feature = "tls")]
impl Transport {
    /// Puts TLS between a plain transport and its stream. `None` if the transport is none of a socket alone; it is closed then.
    pub fn secured(self, buffers: Rc<tls::Buffers>, begin: tls::Begin<'_>) -> Option<Transport> {
        match self {
            Transport::Plain(io) => Some(Transport::Tls(Box::new(Tls::begin(io, buffers, begin)))),
            _ => None,
        }
    }

    /// How many bytes the transport itself keeps.
    pub fn buffered(&self) -> usize {
        self.tls().map_or(0, Tls::buffered)
    }

    /// Returns whether it keeps bytes that have come: see [`Tls::is_holding`].
    pub fn is_holding(&self) -> bool {
        self.tls().is_some_and(Tls::is_holding)
    }

    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Transport::Tls(tls) => Some(tls),
            _ => None,
        }
    }

    pub fn tls_mut(&mut self) -> Option<&mut Tls> {
        match self {
            Transport::Tls(tls) => Some(tls),
            _ => None,
        }
    }
}

/// Turns `WouldBlock` into success: it means only that the socket is not ready now.
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
