//! Random numbers for what a client sends: the keys of masks and of handshakes. (The masking itself is in `proto/ws/mask.rs`.)
//!
//! RFC 6455, 5.3 and 10.3, want masks that the author of the content cannot foresee: else he could make a client send bytes of his
//! choice, which a proxy may take for a request. They come from the standard library's [`RandomState`], so that no crate is needed: it
//! is a keyed hash (SipHash) whose key is made of random bytes of the operating system, and never leaves this thread. The hash
//! of a counter is then a number that nobody can compute without the key, not even from all the numbers before. It is no source for
//! secrets that must last: the library does not promise which hash it is. A mask must hold for the moment in which its frame is sent, and
//! the key of a handshake only has to differ from others.
//!
//! In a simulated world these are the only bytes that do not come from the seed. Neither lengths nor times depend on them.

use crate::proto::ws::MaskKey;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    /// The secret of this thread, and how many numbers it has given.
    static NUMBERS: (RandomState, Cell<u64>) = Default::default();
}

fn next() -> u64 {
    NUMBERS.with(|(secret, count)| {
        count.set(count.get().wrapping_add(1));
        secret.hash_one(count.get())
    })
}

/// The mask of the next frame.
pub(super) fn next_mask() -> MaskKey {
    (next() as u32).to_ne_bytes()
}

/// What the key of the next handshake is made of.
pub(super) fn next_nonce() -> [u8; 16] {
    (u128::from(next()) << 64 | u128::from(next())).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn masks_and_nonces_do_not_repeat() {
        // Of a thousand random numbers of 32 bits two are equal once in 9,000 runs, and ten never.
        assert!((0..1000).map(|_| next_mask()).collect::<HashSet<_>>().len() > 990);
        assert_eq!((0..1000).map(|_| next_nonce()).collect::<HashSet<_>>().len(), 1000);
    }
}
