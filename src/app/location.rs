//! URLs that are sent to clients: what is encoded in them, and which of them stay on this host.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a URL cannot have as it is, in any of its parts (RFC 3986, 2). The backslash is among these, because browsers read it as
/// a slash.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'`').add(b'{').add(b'}');

/// Percent-encodes what a URL cannot have. What is encoded already stays as it is; a `%` without two digits is encoded.
pub(super) fn encoded(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for (number, piece) in url.split('%').enumerate() {
        if number > 0 {
            let digits = matches!(piece.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
            out += if digits { "%" } else { "%25" };
        }
        out.extend(utf8_percent_encode(piece, ENCODED));
    }
    out
}

/// Returns whether a URL is a path on this host: one slash, and no other slash behind it. `//evil.example` is another host, and
/// browsers read `/\` as `//`.
pub(super) fn is_on_this_host(url: &str) -> bool {
    url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\")
}
