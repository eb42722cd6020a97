//! Bytes that say whose they are: a mix-up of two messages shows.

use super::random::{Random, mix};
use std::sync::OnceLock;

/// The longest content, in bytes.
pub const LONGEST: usize = 200_000;
/// Contents are windows of one block, which differ by where they begin.
const BLOCK: usize = 4 * LONGEST;

fn block() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut random = Random::new(1);
        (0..BLOCK).map(|_| b'a' + random.below(26) as u8).collect()
    })
}

fn window(whose: u64, length: usize) -> &'static [u8] {
    let from = mix(whose) as usize % (BLOCK - LONGEST);
    &block()[from..from + length]
}

/// What the handler of a request sends.
pub fn of_response(id: u32, length: usize) -> &'static [u8] {
    window(2 * u64::from(id), length)
}

/// What a peer sends with a request.
pub fn of_request(id: u32, length: usize) -> &'static [u8] {
    window(2 * u64::from(id) + 1, length)
}

/// What a peer sends after an upgrade.
pub fn of_tunnel(id: u32, length: usize) -> &'static [u8] {
    window(mix(u64::from(id)), length)
}
