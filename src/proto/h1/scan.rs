//! The grammar of a head, one byte at a time: what decides when a head comes in pieces or is bad.

use super::{
    fault::Fault,
    field_line::{FieldLine, Part, expect_lf},
    limits::{HeadLimits, MAX_FIELDS},
    octet::{self, TARGET, TOKEN},
    request_line::MAX_METHOD,
};

/// How far a head was looked at, and what is due next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// The first byte not looked at yet.
    at: u32,
    /// Where the target begins: behind a line end and a method at most, so it fits.
    target: u8,
    /// How many field lines have begun, at most [`MAX_FIELDS`].
    fields: u8,
    state: State,
    /// How many bytes of the version were there, and [`OTHER_MAJOR`].
    version: u8,
}

/// The bit that marks a major version other than 1.
const OTHER_MAJOR: u8 = 0x80;

/// ```text
///              CR            LF                tchar       SP            SP
///  Start ────────► LeadingCr ──► LeadingLf ──────────► Method ──► Target ──► Version
///    └──────────────────── tchar ─────────────────────────┘                    │ CR (after 8 bytes)
///                                                                              ▼
///                                                     Fields: see `FieldLine`, which begins with the LF of this line
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    LeadingCr,
    LeadingLf,
    Method,
    Target,
    Version,
    Fields(FieldLine),
}

impl Scan {
    pub(super) fn is_new(&self) -> bool {
        self.at == 0
    }

    /// Looks at the bytes that came since the last call. `Some(len)` when the head has ended, with its length.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Fault> {
        let limit = limits.bytes.min(u32::MAX as usize);
        while let Some(&byte) = bytes.get(self.at as usize) {
            if self.at as usize >= limit {
                break;
            }
            #[cfg(test)]
            tests::STEPS.with(|steps| steps.set(steps.get() + 1));
            let ended = self.step(byte, limits)?;
            self.at += 1;
            if ended {
                return Ok(Some(self.at as usize));
            }
        }
        if self.at as usize >= limit {
            return Err(match self.state {
                State::Target => Fault::TargetTooLong,
                _ => Fault::HeadTooLarge,
            });
        }
        Ok(None)
    }

    /// Moves on by one byte; true at the last one. Each fault is raised here, at the first byte that cannot be right.
    fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<bool, Fault> {
        match self.state {
            State::Start if byte == b'\r' => self.state = State::LeadingCr,
            State::Start | State::LeadingLf if octet::is(byte, TOKEN) => {
                // The first byte of the target comes after the method and one blank at least.
                self.target = self.at as u8;
                self.state = State::Method;
            }
            State::Start | State::LeadingLf => return Err(Fault::Method),
            State::LeadingCr => {
                expect_lf(byte)?;
                self.state = State::LeadingLf;
            }
            State::Method => self.method(byte)?,
            State::Target => self.target(byte, limits)?,
            State::Version => self.version(byte)?,
            State::Fields(ref mut line) => {
                let part = line.step(byte)?;
                if part == Part::NameStart {
                    if usize::from(self.fields) >= limits.fields.min(MAX_FIELDS) {
                        return Err(Fault::TooManyFields);
                    }
                    self.fields += 1;
                }
                return Ok(part == Part::End);
            }
        }
        Ok(false)
    }

    fn method(&mut self, byte: u8) -> Result<(), Fault> {
        let len = self.at - u32::from(self.target);
        match byte {
            b' ' => {
                self.target = (self.at + 1) as u8;
                self.state = State::Target;
                Ok(())
            }
            _ if !octet::is(byte, TOKEN) => Err(Fault::Method),
            _ if len as usize >= MAX_METHOD => Err(Fault::MethodTooLong),
            _ => Ok(()),
        }
    }

    fn target(&mut self, byte: u8, limits: &HeadLimits) -> Result<(), Fault> {
        let len = self.at - u32::from(self.target);
        match byte {
            b' ' if len > 0 => {
                self.version = 0;
                self.state = State::Version;
                Ok(())
            }
            b'\r' | b'\n' if len > 0 => Err(Fault::VersionMissing),
            _ if !octet::is(byte, TARGET) => Err(Fault::TargetByte),
            _ if len as usize >= limits.target => Err(Fault::TargetTooLong),
            _ => Ok(()),
        }
    }

    /// `HTTP/1.` and a digit. Another major version is told from junk when its minor version has come.
    fn version(&mut self, byte: u8) -> Result<(), Fault> {
        let fits = match self.version & !OTHER_MAJOR {
            0 => byte == b'H',
            1 | 2 => byte == b'T',
            3 => byte == b'P',
            4 => byte == b'/',
            5 | 7 => byte.is_ascii_digit(),
            6 => byte == b'.',
            _ if byte == b'\n' => return Err(Fault::BareLf),
            _ => byte == b'\r',
        };
        match self.version {
            _ if !fits => return Err(Fault::Version),
            8 => self.state = State::Fields(FieldLine::LineCr),
            5 if byte != b'1' => self.version = 6 + OTHER_MAJOR,
            version if version == 7 + OTHER_MAJOR => return Err(Fault::VersionUnsupported),
            _ => self.version += 1,
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// How many bytes were looked at on this thread.
        pub(in super::super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }
}
