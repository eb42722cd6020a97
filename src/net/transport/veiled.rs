//! The transport of connections in a simulated world that is veiled: see [`Veil`]. It uses the interface of transports as
//! TLS will: the bytes of the socket are not those of the stream, they come in frames, and some of them are the transport's
//! own.

use crate::event_loop::driver::{Io, SHORT_READ_ENDS, Veil};
use std::io;

pub(in crate::net) struct Veiled {
    io: Io,
    veil: Veil,
    /// True if our FIN must still be sent, after the close notice.
    owes_fin: bool,
    /// True if the last read got fewer bytes from the socket than it had room for.
    drained: bool,
}

impl Veiled {
    pub fn new(io: Io) -> Veiled {
        Veiled { io, veil: Veil::default(), owes_fin: false, drained: false }
    }

    pub fn io(&self) -> &Io {
        &self.io
    }

    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (io, drained) = (&self.io, &mut self.drained);
        // The result of an earlier read is out of date: input may have come since, and its event may have been reported
        // already.
        *drained = false;
        self.veil.read(into, &mut |into| {
            let count = io.read(into)?;
            *drained = SHORT_READ_ENDS && count < into.len();
            Ok(count)
        })
    }

    pub fn is_drained(&self) -> bool {
        self.drained
    }

    pub fn has_plaintext(&self) -> bool {
        self.veil.has_plaintext()
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.veil.write(bytes, &mut |bytes| self.io.write(bytes))
    }

    pub fn wants_write(&self) -> bool {
        self.veil.wants_write()
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.veil.flush(&mut |bytes| self.io.write(bytes))?;
        if self.owes_fin && !self.veil.wants_write() {
            self.owes_fin = false;
            self.io.shutdown_write()?;
        }
        Ok(())
    }

    pub fn send_close_notice(&mut self) -> io::Result<()> {
        self.veil.send_close_notice(&mut |bytes| self.io.write(bytes))
    }

    pub fn shutdown(&mut self) -> io::Result<()> {
        self.owes_fin = true;
        self.send_close_notice()?;
        self.flush()
    }
}
