//! Content that tells where it belongs.

/// Bytes that tell their place. The first are computed and then repeated, since tests are not optimised. The period is a prime, so
/// that a piece of a usual size never looks like another.
pub fn pattern(length: usize) -> Vec<u8> {
    const PERIOD: usize = 65_521;
    let first: Vec<u8> = (0..length.min(PERIOD)).map(|at| (at ^ (at >> 8)) as u8).collect();
    let mut bytes = first.repeat(length.div_ceil(PERIOD));
    bytes.truncate(length);
    bytes
}
