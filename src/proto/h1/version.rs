//! The two versions of HTTP/1, and how a version is read.

use super::fault::Fault;
use std::fmt;

/// The protocol version of a message (RFC 9112, 2.3).
///
/// A higher minor version of HTTP/1 is processed as [`Version::Http11`], as RFC 9110, 2.5 requires.
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

/// Reads `HTTP/1.` and a digit, one byte at a time. Another major version is reported only after its minor version: until then
/// the bytes may still turn out to be junk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VersionScan {
    /// How many bytes of the version were read; plus [`OTHER_MAJOR`] if the major version is not 1.
    seen: u8,
}

/// The bit that marks a major version other than 1.
const OTHER_MAJOR: u8 = 0x80;

impl VersionScan {
    /// Returns whether all eight bytes were read.
    pub(super) fn is_whole(self) -> bool {
        self.seen == 8
    }

    /// Reads one byte. It may be called at most eight times.
    pub(super) fn step(&mut self, byte: u8) -> Result<(), Fault> {
        let fits = match self.seen & !OTHER_MAJOR {
            0 => byte == b'H',
            1 | 2 => byte == b'T',
            3 => byte == b'P',
            4 => byte == b'/',
            6 => byte == b'.',
            _ => byte.is_ascii_digit(),
        };
        match self.seen {
            _ if !fits => return Err(Fault::Version),
            5 if byte != b'1' => self.seen = 6 + OTHER_MAJOR,
            seen if seen == 7 + OTHER_MAJOR => return Err(Fault::VersionUnsupported),
            _ => self.seen += 1,
        }
        Ok(())
    }
}
