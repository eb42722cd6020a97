//! `method SP request-target SP HTTP-version CRLF` (RFC 9112, 3), read in one piece or one byte at a time.

use super::{
    fault::Fault,
    field_line::expect_lf,
    limits::HeadLimits,
    scan::StartLine,
    version::{Version, VersionScan},
};
use crate::proto::octet::{self, PATH, TARGET, TOKEN};

/// The longest method, in bytes. The longest registered one has 17 (`UPDATEREDIRECTREF`).
pub(super) const MAX_METHOD: usize = 32;

/// The words of a request line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    /// The position of the first `?` in the target.
    pub(super) question: Option<usize>,
    pub(super) version: Version,
    /// How many bytes the line has, its end included.
    pub(super) len: usize,
}

/// Reads the line at the start of `text`. `None` if the line is incomplete, if [`RequestLineScan`] would refuse it, or if its
/// minor version is above 1.
#[inline]
pub(super) fn read<'a>(text: &'a [u8], limits: &HeadLimits) -> Option<Words<'a>> {
    // Most requests have this method.
    let method_len = if text.starts_with(b"GET ") { 3 } else { run(text, TOKEN) };
    let (method, rest) = text.split_at_checked(method_len)?;
    let words = rest.strip_prefix(b" ")?;
    let path = run(words, PATH);
    let question = (words.get(path) == Some(&b'?')).then_some(path);
    let query = question.map_or(0, |_| run(words.get(path..).unwrap_or_default(), TARGET));
    let (target, rest) = words.split_at_checked(path + query)?;
    let (start, end) = (rest.first_chunk()?, rest.get(8..11)?);
    let version = match end {
        b"1\r\n" => Version::Http11,
        b"0\r\n" => Version::Http10,
        _ => return None,
    };
    let fits =
        start == b" HTTP/1." && (1..=MAX_METHOD).contains(&method.len()) && (1..=limits.target).contains(&target.len());
    let len = method.len() + target.len() + " ".len() + " HTTP/1.1\r\n".len();
    fits.then_some(Words { method, target, question, version, len })
}

/// Reads the same line, one byte at a time.
///
/// ```text
///              CR            LF                tchar       SP            SP             CR (after 8 bytes)
///  Start ────────► LeadingCr ──► LeadingLf ──────────► Method ──► Target ──► Version ──────────────► the line has ended
///    └──────────────────── tchar ─────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestLineScan {
    state: State,
    /// In the state `Method`: the position where the method begins. In the later states: the position where the target begins. At
    /// most a line end, a method and a blank precede the target, so the position fits into one byte.
    target: u8,
    version: VersionScan,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Start,
    LeadingCr,
    LeadingLf,
    Method,
    Target,
    Version,
}

impl StartLine for RequestLineScan {
    fn step(&mut self, byte: u8, at: u32, limits: &HeadLimits) -> Result<bool, Fault> {
        match self.state {
            State::Start if byte == b'\r' => self.state = State::LeadingCr,
            State::Start | State::LeadingLf if octet::is(byte, TOKEN) => {
                // In the state `Method`, the field holds the position where the method begins.
                self.target = at as u8;
                self.state = State::Method;
            }
            State::Start | State::LeadingLf => return Err(Fault::Method),
            State::LeadingCr => {
                expect_lf(byte)?;
                self.state = State::LeadingLf;
            }
            State::Method => self.method(byte, at)?,
            State::Target => self.target(byte, at, limits)?,
            State::Version if self.version.is_whole() => {
                return match byte {
                    b'\r' => Ok(true),
                    b'\n' => Err(Fault::BareLf),
                    _ => Err(Fault::Version),
                };
            }
            State::Version => self.version.step(byte)?,
        }
        Ok(false)
    }

    fn too_large(&self) -> Fault {
        match self.state {
            State::Target => Fault::TargetTooLong,
            _ => Fault::HeadTooLarge,
        }
    }
}

impl RequestLineScan {
    fn method(&mut self, byte: u8, at: u32) -> Result<(), Fault> {
        let len = at - u32::from(self.target);
        match byte {
            b' ' => {
                self.target = (at + 1) as u8;
                self.state = State::Target;
                Ok(())
            }
            _ if !octet::is(byte, TOKEN) => Err(Fault::Method),
            _ if len as usize >= MAX_METHOD => Err(Fault::MethodTooLong),
            _ => Ok(()),
        }
    }

    fn target(&mut self, byte: u8, at: u32, limits: &HeadLimits) -> Result<(), Fault> {
        let len = at - u32::from(self.target);
        match byte {
            b' ' if len > 0 => {
                self.state = State::Version;
                Ok(())
            }
            b'\r' | b'\n' if len > 0 => Err(Fault::VersionMissing),
            _ if !octet::is(byte, TARGET) => Err(Fault::TargetByte),
            _ if len as usize >= limits.target => Err(Fault::TargetTooLong),
            _ => Ok(()),
        }
    }
}

/// Returns how many bytes at the start of `text` belong to `class`, a class of [`octet`].
#[inline]
fn run(text: &[u8], class: u8) -> usize {
    text.iter().position(|&byte| !octet::is(byte, class)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Words<'_>> {
        read(line.as_bytes(), &HeadLimits { target: 8, ..HeadLimits::default() })
    }

    #[test]
    fn a_line_is_taken_apart() {
        let words =
            |line| words(line).map(|words| (words.method, words.target, words.question, words.version, words.len));
        let (http10, http11) = (Version::Http10, Version::Http11);
        assert_eq!(words("GET / HTTP/1.1\r\n"), Some((&b"GET"[..], &b"/"[..], None, http11, 16)));
        assert_eq!(words("a /?b?c HTTP/1.0\r\nHost"), Some((&b"a"[..], &b"/?b?c"[..], Some(1), http10, 18)));
        assert_eq!(words("O * HTTP/1.1\r\n\r\n"), Some((&b"O"[..], &b"*"[..], None, http11, 14)));
        assert_eq!(words("O ? HTTP/1.1\r\n\r\n"), Some((&b"O"[..], &b"?"[..], Some(0), http11, 14)));
    }

    #[test]
    fn what_is_no_whole_line_is_left_to_the_scan() {
        let whole = "GET /a?b HTTP/1.1\r\n";
        assert!(words(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(words(&whole[..end]), None, "{end}");
        }
        for line in [
            " / HTTP/1.1\r\n",
            "GET  HTTP/1.1\r\n",
            "GET  / HTTP/1.1\r\n",
            "GET / HTTP/1.1\n\n",
            "GET /\r\n\r\n\r\n\r\n\r\n",
            "GET /#a HTTP/1.1\r\n",
            "GET /?# HTTP/1.1\r\n",
            "GET /\u{e9} HTTP/1.1\r\n",
            "G(T / HTTP/1.1\r\n",
            "GET\t/ HTTP/1.1\r\n",
            "GET / HTTP/1.2\r\n",
            "GET / HTTP/2.0\r\n",
            "GET / HTTP/1.1 \r\n",
            "GET / http/1.1\r\n",
            "\r\nGET / HTTP/1.1\r\n",
        ] {
            assert_eq!(words(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_long_method_or_target_is_left_to_the_scan() {
        for (len, fits) in [(MAX_METHOD, true), (MAX_METHOD + 1, false)] {
            assert_eq!(words(&format!("{} / HTTP/1.1\r\n", "M".repeat(len))).is_some(), fits, "{len}");
        }
        for (len, fits) in [(8, true), (9, false)] {
            assert_eq!(words(&format!("GET {} HTTP/1.1\r\n", "/".repeat(len))).is_some(), fits, "{len}");
        }
    }
}
