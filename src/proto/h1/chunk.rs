//! Content that is sent in chunks (RFC 9112, 7.1). Chunks that are received, with their sizes and extensions, are read by the
//! [`BodyDecoder`](super::BodyDecoder).

use super::{fields::Fields, trailer};

/// The bytes that follow the data of every chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Writes the line that precedes the `len` bytes of a chunk; [`CHUNK_END`] must follow these bytes. `len` must not be 0, because
/// an empty chunk would end the content: for empty data send nothing, not even [`CHUNK_END`].
pub fn chunk_start(out: &mut Vec<u8>, len: usize) {
    debug_assert!(len > 0, "an empty chunk would end the content");
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const MOST: usize = size_of::<usize>() * 2;
    let mut line = [0; MOST + 2];
    let mut at = MOST;
    let mut left = len;
    while left > 0 {
        at -= 1;
        line[at] = DIGITS[left & 15];
        left >>= 4;
    }
    line[MOST..].copy_from_slice(CHUNK_END);
    out.extend_from_slice(&line[at..]);
}

/// Writes one whole chunk, or nothing for empty data.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        chunk_start(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(CHUNK_END);
    }
}

/// Writes the last chunk and the trailer section. Fields that are not allowed in a trailer section
/// ([`is_allowed_trailer`](super::is_allowed_trailer)) are left out.
pub fn last_chunk(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.iter_bytes().filter(|(name, _)| trailer::is_allowed(name)) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
}
