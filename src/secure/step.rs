//! A step of a handshake that is taken on another thread. All that it needs goes there, and comes back.

use super::{Ciphertext, Pumped, Session, Want};

/// A step to be taken.
pub(crate) struct Step {
    pub session: Session,
    /// What has come from the peer.
    pub input: Vec<u8>,
}

/// A step that was taken.
pub(crate) struct Stepped {
    pub session: Session,
    /// What is left of the input.
    pub input: Vec<u8>,
    /// What has been decrypted, if the handshake is over.
    pub plain: Vec<u8>,
    /// What the peer gets.
    pub out: Ciphertext,
    pub pumped: Pumped,
}

impl Step {
    /// Takes the step. One record of plaintext at most is decrypted, as by a read that has no room.
    pub fn take(self) -> Stepped {
        let Step { mut session, mut input } = self;
        let (mut plain, mut out) = (Vec::new(), Ciphertext::default());
        let mut take = |bytes: &[u8]| {
            plain.extend_from_slice(bytes);
            false
        };
        let pumped = session.pump(&mut input, &mut take, &mut out, Want::Input);
        input.drain(..pumped.used);
        Stepped { session, input, plain, out, pumped }
    }
}
