//! The orderly end of our side.

use super::Tls;
use crate::secure::Want;
use std::io;

impl Tls {
    /// Tells the peer that nothing follows.
    pub fn send_close_notice(&mut self) -> io::Result<()> {
        if self.handshake.is_some() || self.broken || std::mem::replace(&mut self.notice_sent, true) {
            return Ok(());
        }
        let buffers = self.buffers.clone();
        let mut cork = buffers.cork.borrow_mut();
        cork.clear();
        let made = self.pump(Want::CloseNotice, &mut cork);
        self.send(&cork);
        made
    }

    /// Lets no close notice be sent: the connection closes for an error, and the peer must not take what it has got for complete.
    pub fn withhold_notice(&mut self) {
        self.notice_sent = true;
    }

    /// Tells the peer that nothing follows, and sends our FIN. During the handshake this waits for its end.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.owes_fin = true;
        let told = self.send_close_notice();
        self.flush()?;
        told
    }

    /// The handshake is over: sends the FIN that has waited for it.
    pub fn after_handshake(&mut self) {
        if self.owes_fin {
            // The next read reports an error.
            drop(self.shutdown());
        }
    }
}
