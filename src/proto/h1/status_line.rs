//! `HTTP-version SP status-code SP [ reason-phrase ] CRLF` (RFC 9112, 4), read in one piece or one byte at a time.
//!
//! The blank after the status code may be absent if no reason phrase follows: some servers leave it out, and nothing depends on
//! it.

use super::{
    fault::Fault,
    limits::HeadLimits,
    scan::StartLine,
    version::{Version, VersionScan},
};
use crate::proto::octet::{self, VALUE};

/// The parts of a status line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) version: Version,
    pub(super) status: u16,
    /// Where the reason phrase stands in the line, in bytes.
    pub(super) reason: (u32, u32),
    /// How many bytes the line has, its end included.
    pub(super) len: usize,
}

/// Reads the line at the start of `text`. `None` if the line is incomplete, if [`StatusLineScan`] would refuse it, or if its
/// minor version is above 1.
pub(super) fn read(text: &[u8]) -> Option<Parts> {
    let (start, rest) = text.split_at_checked(b"HTTP/1.1 200".len())?;
    let version = match start.get(..9)? {
        b"HTTP/1.1 " => Version::Http11,
        b"HTTP/1.0 " => Version::Http10,
        _ => return None,
    };
    let status = start
        .get(9..)?
        .iter()
        .try_fold(0, |status, byte| byte.is_ascii_digit().then(|| status * 10 + u16::from(byte - b'0')))?;
    if !is_status(status) {
        return None;
    }
    let phrase = rest.strip_prefix(b" ").unwrap_or_default();
    let from = text.len() - if phrase.is_empty() { rest.len() } else { phrase.len() };
    let reason = phrase.iter().position(|&byte| !octet::is(byte, VALUE)).unwrap_or(phrase.len());
    let to = from + reason;
    let len = to + 2;
    let ended = text.get(to..len)? == b"\r\n" && len <= u32::MAX as usize;
    ended.then_some(Parts { version, status, reason: (from as u32, to as u32), len })
}

/// Returns whether a status code is of one of the five classes, 1xx to 5xx (RFC 9110, 15). Other codes have no defined meaning.
fn is_status(status: u16) -> bool {
    (100..=599).contains(&status)
}

/// Reads the same line, one byte at a time.
///
/// ```text
///            SP             CR, or SP              CR
///  Version ──────► Status ──────────────► Reason ──────► the line has ended
///   (8 bytes)      (3 digits)
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StatusLineScan {
    state: State,
    version: VersionScan,
    /// How many digits of the status code were read.
    digits: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Version,
    Status,
    Reason,
}

impl StartLine for StatusLineScan {
    fn step(&mut self, byte: u8, _: u32, _: &HeadLimits) -> Result<bool, Fault> {
        match (self.state, byte) {
            (State::Version, b' ') if self.version.is_whole() => self.state = State::Status,
            (State::Version, _) if self.version.is_whole() => return Err(Fault::StatusLine),
            (State::Version, _) => self.version.step(byte)?,
            (State::Status, _) if self.digits < 3 => self.digit(byte)?,
            (State::Status, b' ') => self.state = State::Reason,
            (State::Status | State::Reason, b'\r') => return Ok(true),
            (State::Status | State::Reason, b'\n') => return Err(Fault::BareLf),
            (State::Reason, _) if octet::is(byte, VALUE) => {}
            (State::Status | State::Reason, _) => return Err(Fault::StatusLine),
        }
        Ok(false)
    }

    fn too_large(&self) -> Fault {
        Fault::HeadTooLarge
    }
}

impl StatusLineScan {
    fn digit(&mut self, byte: u8) -> Result<(), Fault> {
        let fits = if self.digits == 0 { matches!(byte, b'1'..=b'5') } else { byte.is_ascii_digit() };
        self.digits += 1;
        if fits { Ok(()) } else { Err(Fault::StatusCode) }
    }
}
