//! The two versions of HTTP/1.

use std::fmt;

/// The protocol version of a message (RFC 9112, 2.3).
///
/// A higher minor version of HTTP/1 is processed as [`Version::Http11`], as RFC 9110, 2.5 wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: one request per connection unless both sides say otherwise; no transfer codings.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        })
    }
}
