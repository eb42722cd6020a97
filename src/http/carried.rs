//! What an exchange asks of its carrier. Each of these methods does nothing once the exchange is over.

use super::exchange::Exchange;
use super::hot_files::HotFiles;
use crate::event_loop::Loop;
use crate::net::{Address, Chunk, CloseReason, FilePart, Flow};
use std::rc::Rc;

impl Exchange {
    /// Sends a part of the content, or all of it, through the stages of the response.
    #[inline]
    pub fn send(self: &Rc<Self>, chunk: Chunk<'_>, last: bool) -> Flow {
        #[cfg(feature = "app")]
        if let Some(stages) = self.stages() {
            return self.send_staged(stages, chunk, last);
        }
        self.give(chunk, last)
    }

    pub fn send_file(self: &Rc<Self>, part: FilePart, last: bool) -> Flow {
        #[cfg(feature = "app")]
        if let Some(stages) = self.stages() {
            return self.send_file_staged(stages, part, last);
        }
        self.give_file(part, last)
    }

    /// Sends a part of a file past the stages.
    pub fn give_file(&self, part: FilePart, last: bool) -> Flow {
        self.with_carrier(|carrier| carrier.send_file(self, part, last)).unwrap_or(Flow::Closed)
    }

    /// Returns whether a file of this type can be sent without being read into memory.
    pub fn sends_files(&self, media_type: &str) -> bool {
        #[cfg(feature = "app")]
        if let Some(stages) = self.stages()
            && stages.may_code(self.head(), &self.outgoing().head().borrow(), media_type)
        {
            return false;
        }
        let _ = media_type;
        self.with_carrier(|carrier| carrier.sends_files(self)).unwrap_or(false)
    }

    pub fn send_head(&self) {
        #[cfg(feature = "app")]
        if let Some(stages) = self.stages() {
            self.begin_staged(stages);
        }
        self.with_carrier(|carrier| carrier.send_head(self));
    }

    #[cfg(feature = "app")]
    pub fn tell_drain(&self) {
        self.with_carrier(|carrier| carrier.tell_drain(self));
    }

    pub fn inform(&self, status: u16, fields: &[(&str, &str)]) {
        self.with_carrier(|carrier| carrier.inform(self, status, fields));
    }

    pub fn wake(&self) {
        self.with_carrier(|carrier| carrier.wake(self));
    }

    pub fn cut(&self, reason: CloseReason) {
        self.with_carrier(|carrier| carrier.cut(self, reason));
    }

    /// Returns whether nothing more can be sent: the exchange is over, or about to be.
    pub fn is_closed(&self) -> bool {
        self.with_carrier(|carrier| carrier.is_closed(self)).unwrap_or(true)
    }

    /// Returns whether the peer has ended its side, as far as is known.
    pub fn has_peer_ended(&self) -> bool {
        self.with_carrier(|carrier| carrier.has_peer_ended(self)).unwrap_or(false)
    }

    /// The bytes that the program has sent and that the kernel has not taken.
    pub fn pending(&self) -> usize {
        #[cfg(feature = "app")]
        let waiting = self.stages().map_or(0, |stages| stages.waiting());
        #[cfg(not(feature = "app"))]
        let waiting = 0;
        waiting + self.with_carrier(|carrier| carrier.pending(self)).unwrap_or(0)
    }

    pub fn peer(&self) -> Option<Address> {
        self.with_carrier(|carrier| carrier.peer(self))
    }

    #[cfg(feature = "tls")]
    pub fn tls(&self) -> Option<crate::secure::Info> {
        self.with_carrier(|carrier| carrier.tls()).flatten()
    }

    /// Returns whether the request has come by a connection with TLS that is still there.
    #[cfg(feature = "tls")]
    pub fn is_secure(&self) -> bool {
        self.with_carrier(|carrier| carrier.is_secure()).unwrap_or(false)
    }

    pub fn hot_files(&self) -> Option<Rc<HotFiles>> {
        self.with_carrier(|carrier| carrier.hot_files().clone())
    }

    pub fn lp(&self) -> Option<Rc<Loop>> {
        self.with_carrier(|carrier| carrier.lp().clone())
    }

    pub fn is_server_closing(&self) -> bool {
        self.with_carrier(|carrier| carrier.is_closing()).unwrap_or(true)
    }
}
