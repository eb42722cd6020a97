//! The bytes between a scripted peer and its end of a simulated connection. Delays are not made here: how long bytes are on
//! their way, and in which pieces they arrive, is decided by `Network` (`event_loop/driver/world/network.rs`) and applied in
//! `connection.rs` beside it; a peer that writes or reads slowly is in `peer.rs`.

use crate::event_loop::driver::world::Stream;
#[cfg(any(test, oneloop_veil))]
use crate::event_loop::driver::{VEILED, Veil};
#[cfg(any(test, oneloop_veil))]
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::ops::Deref;

/// A peer's end of a connection. In builds that veil simulated connections (see `Veil`), it veils the bytes that the peer
/// writes and unveils those that it reads, as a transport does for the program.
pub(super) struct Wire {
    stream: Stream,
    #[cfg(any(test, oneloop_veil))]
    veil: Option<RefCell<Veil>>,
}

impl Wire {
    pub fn new(stream: Stream) -> Wire {
        Wire {
            stream,
            #[cfg(any(test, oneloop_veil))]
            veil: VEILED.then(RefCell::default),
        }
    }

    pub fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut stream = &self.stream;
        #[cfg(any(test, oneloop_veil))]
        if let Some(veil) = &self.veil {
            return veil.borrow_mut().read(into, &mut |into| stream.read(into));
        }
        stream.read(into)
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = &self.stream;
        #[cfg(any(test, oneloop_veil))]
        if let Some(veil) = &self.veil {
            return veil.borrow_mut().write(bytes, &mut |bytes| stream.write(bytes));
        }
        stream.write(bytes)
    }

    /// Ends this side, with a FIN.
    pub fn finish(&self) -> io::Result<()> {
        #[cfg(any(test, oneloop_veil))]
        if let Some(veil) = &self.veil
            && self.stream.is_connected()
        {
            let mut stream = &self.stream;
            veil.borrow_mut().send_close_notice(&mut |bytes| stream.write(bytes))?;
        }
        self.stream.shutdown(Shutdown::Write)
    }
}

impl Deref for Wire {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}
