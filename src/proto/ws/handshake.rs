//! The texts of the opening handshake (RFC 6455, 4).

use super::sha1::sha1;
use crate::proto::{base64, octet};

/// The version of the protocol that RFC 6455 describes, as `Sec-WebSocket-Version` has it.
pub const VERSION: &str = "13";

/// What the server appends to the key of the client (1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`. `None` if the key is not 16 bytes in base64 (RFC 6455, 4.2.1).
///
/// ```
/// use oneloop::proto::ws::accept;
///
/// assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ==").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
/// assert_eq!(accept(b"short"), None);
/// ```
pub fn accept(key: &[u8]) -> Option<String> {
    is_key(key).then(|| base64::encode(&sha1(&[key, GUID].concat())))
}

/// The value of a `Sec-WebSocket-Key`: 16 bytes that nobody can foresee, in base64.
///
/// ```
/// assert_eq!(oneloop::proto::ws::key(b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
/// ```
pub fn key(nonce: &[u8; 16]) -> String {
    base64::encode(nonce)
}

/// Returns whether a key has the form of 16 bytes in base64: 22 digits and two signs of padding. Four bits of the last digit are
/// not used. Some clients set them; any value is accepted, since the bits mean nothing (RFC 4648, 3.5, allows that).
fn is_key(key: &[u8]) -> bool {
    let digits = key.strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(|digit| base64::is_digit(*digit))
}

/// The first of `ours` that the client offers, in the values of its `Sec-WebSocket-Protocol` fields. Names are compared with their
/// case (4.1).
///
/// ```
/// use oneloop::proto::ws::choose_protocol;
///
/// let offered = [&b"mqtt, v1.chat"[..], b"v2.chat"];
/// assert_eq!(choose_protocol(&["v2.chat", "v1.chat"], offered), Some("v2.chat"));
/// assert_eq!(choose_protocol(&["stomp"], offered), None);
/// ```
pub fn choose_protocol<'a, 'b>(ours: &[&'a str], offered: impl IntoIterator<Item = &'b [u8]>) -> Option<&'a str> {
    let place = |name: &[u8]| ours.iter().position(|ours| ours.as_bytes() == name);
    let first = offered.into_iter().flat_map(octet::list).filter_map(place).min()?;
    ours.get(first).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        for key in [
            "dGhlIHNhbXBsZSBub25jZQ==",
            "AAAAAAAAAAAAAAAAAAAAAA==",
            "AAAAAAAAAAAAAAAAAAAAAB==",
            "+/+/+/+/+/+/+/+/+/+/+w==",
        ] {
            assert!(accept(key.as_bytes()).is_some(), "{key}");
        }
        for key in [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ== ",
            "dGhlIHNhbXBsZSBub25jZQA==",
            "dGhlIHNhbXBsZSBub25j-_==",
        ] {
            assert_eq!(accept(key.as_bytes()), None, "{key}");
        }
    }
}
