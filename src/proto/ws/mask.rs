//! The mask of a client's frames (RFC 6455, 5.3).

/// A key with which a client masks the content of a frame.
pub type MaskKey = [u8; 4];

/// Masks content, or unmasks it: both are the same. `bytes` are those that come after the first `before` bytes of the frame's
/// content.
///
/// ```
/// use oneloop::proto::ws::mask;
///
/// let mut bytes = *b"\x7f\x9f\x4d\x51\x58";
/// mask(&mut bytes, [0x37, 0xfa, 0x21, 0x3d], 0);
/// assert_eq!(&bytes, b"Hello");
/// ```
#[inline]
pub fn mask(bytes: &mut [u8], key: MaskKey, before: u64) {
    let mut key = key;
    key.rotate_left((before % 4) as usize);
    // The loop works on words of 8 bytes instead of single bytes. The compiler uses wider ones where the machine has them.
    let word = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    let (half, rest) = rest.as_chunks_mut::<4>();
    for chunk in half {
        *chunk = (u32::from_ne_bytes(*chunk) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn every_length_from_every_place_is_masked_byte_by_byte() {
        let key = [0x11, 0x22, 0x44, 0x88];
        let all: Vec<u8> = (0..80).map(|byte| byte * 3).collect();
        let expected: Vec<u8> = all.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for before in 0..all.len() {
            for end in before..=all.len() {
                let mut bytes = all.clone();
                mask(&mut bytes[before..end], key, before as u64);
                assert_eq!(bytes[before..end], expected[before..end], "{before}..{end}");
                assert_eq!((&bytes[..before], &bytes[end..]), (&all[..before], &all[end..]));
            }
        }
    }
}
