//! The fields of a message to be sent, stored as the bytes that will be sent.

use super::{
    field_error::{self, FieldError},
    framing,
};
use crate::proto::octet::{self, same_name};

/// An ordered list of fields to be sent, in a buffer that is used again for the next message.
///
/// Every field is checked when it is set, so that every field in the list can be sent. No value can contain a line end, so no
/// value can begin another field or another message.
#[derive(Clone, Debug)]
pub struct OutgoingFields {
    /// `Name: value` CR LF for each field, in order.
    lines: Vec<u8>,
    /// The bits of all names in `lines`: see `name_bit`. If the bit of a name is 0, there is no such name, and `lines` is not
    /// searched. When a field is added, its bit is usually 0.
    names: u64,
    /// Bits of the constants below.
    pub(super) flags: u8,
    length: Option<u64>,
}

/// A Date field was set.
pub(super) const DATE: u8 = 1;
/// A Transfer-Encoding field was set; it is `chunked`.
pub(super) const CHUNKED: u8 = 2;
/// A Content-Length field was set.
pub(super) const LENGTH: u8 = 4;
/// Connection has `close`.
pub(super) const CLOSE: u8 = 8;
/// Connection has `keep-alive`.
pub(super) const KEEP_ALIVE: u8 = 16;
/// Connection has an option about persistence.
pub(super) const PERSISTENCE: u8 = CLOSE + KEEP_ALIVE;

impl Default for OutgoingFields {
    fn default() -> Self {
        Self::new()
    }
}

impl OutgoingFields {
    /// An empty list, which holds no memory.
    pub const fn new() -> Self {
        OutgoingFields { lines: Vec::new(), names: 0, flags: 0, length: None }
    }

    /// Sets a field, and removes all other fields of that name. If the field is refused, nothing has changed.
    #[inline]
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = field_error::checked(name, value.as_ref())?;
        let special = Special::of(name.as_bytes());
        special.check(value)?;
        if self.names & name_bit(name) != 0 {
            self.remove(name);
        }
        self.push(name, value, special);
        Ok(())
    }

    /// Adds a field at the end, and keeps those of the same name. Content-Length and Transfer-Encoding are refused if they were
    /// set before.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = field_error::checked(name, value.as_ref())?;
        let special = Special::of(name.as_bytes());
        special.check(value)?;
        match special {
            Special::ContentLength if self.has(name) => return Err(FieldError::ContentLength),
            Special::TransferEncoding if self.has(name) => return Err(FieldError::TransferEncoding),
            _ => self.push(name, value, special),
        }
        Ok(())
    }

    /// Adds an element to the first field of that name, which is a list (RFC 9110, 5.6.1), or sets the field if there is none. If
    /// one of the fields has the element already (without case), or `*`, which is said instead of all elements, nothing changes.
    #[cfg(feature = "app")]
    pub fn merge(&mut self, name: &str, element: &str) -> Result<(), FieldError> {
        let added = field_error::checked(name, element.as_bytes())?;
        let same = |line: &SetLine<'_>| line.name.eq_ignore_ascii_case(name.as_bytes());
        let is_there = |other: &[u8]| other == b"*" || other.eq_ignore_ascii_case(added);
        if self.lines().filter(same).any(|line| octet::list(line.value).any(is_there)) {
            return Ok(());
        }
        // A field that affects how the message is sent gets a line of its own, since `append` notes what the value of a line
        // means. An empty value has no element to which another one could be joined.
        let joined = Special::of(name.as_bytes()) == Special::No;
        let first = self.lines().find(|line| joined && same(line) && !line.value.is_empty()).map(|line| line.end - 2);
        let Some(behind) = first else { return self.append(name, added) };
        drop(self.lines.splice(behind..behind, b", ".iter().chain(added).copied()));
        Ok(())
    }

    /// Removes all fields of that name. Returns whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        if self.names & name_bit(name) == 0 {
            return false;
        }
        let mut removed = false;
        let mut at = 0;
        while let Some(line) = self.line_at(at) {
            let end = line.end;
            if line.name.eq_ignore_ascii_case(name.as_bytes()) {
                drop(self.lines.drain(at..end));
                removed = true;
            } else {
                at = end;
            }
        }
        if removed {
            match Special::of(name.as_bytes()) {
                Special::Date => self.flags &= !DATE,
                Special::TransferEncoding => self.flags &= !CHUNKED,
                Special::Connection => self.flags &= !PERSISTENCE,
                Special::ContentLength => {
                    self.flags &= !LENGTH;
                    self.length = None;
                }
                Special::No => {}
            }
        }
        removed
    }

    /// The value of the first field of that name. `None` if there is none, or if the value of the first one is not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of the first field of that name.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.find(name).and_then(|at| self.line_at(at)).map(|line| line.value)
    }

    /// Returns whether a field of that name was set.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// All fields in the order in which they will be sent. Fields that encoding adds are not among them.
    pub fn iter_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines().filter_map(|line| Some((std::str::from_utf8(line.name).ok()?, line.value)))
    }

    /// All fields whose value is UTF-8, in the order in which they will be sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter_bytes().filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
    }

    /// The Content-Length that was set.
    pub fn declared_length(&self) -> Option<u64> {
        self.length
    }

    /// Returns whether a field was set that affects how the message is sent.
    pub(super) fn has_special(&self) -> bool {
        self.flags != 0
    }

    /// Returns whether `Transfer-Encoding: chunked` was set.
    pub fn wants_chunked(&self) -> bool {
        self.flags & CHUNKED != 0
    }

    /// Returns whether `Connection: close` was set.
    pub fn wants_close(&self) -> bool {
        self.flags & CLOSE != 0
    }

    /// The lines as they will be sent.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// Forgets all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.names = 0;
        self.flags = 0;
        self.length = None;
    }

    /// How many bytes of memory the list holds.
    pub fn capacity(&self) -> usize {
        self.lines.capacity()
    }

    /// Gives back the memory that the present fields do not need.
    pub fn shrink(&mut self) {
        self.lines.shrink_to_fit();
    }

    #[inline]
    fn push(&mut self, name: &str, value: &[u8], special: Special) {
        self.lines.reserve(name.len() + value.len() + 4);
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value);
        self.lines.extend_from_slice(b"\r\n");
        self.names |= name_bit(name);
        if special != Special::No {
            self.note(value, special);
        }
    }

    fn note(&mut self, value: &[u8], special: Special) {
        match special {
            Special::No => {}
            Special::Date => self.flags |= DATE,
            Special::TransferEncoding => self.flags |= CHUNKED,
            Special::ContentLength => {
                self.flags |= LENGTH;
                self.length = framing::length(value);
            }
            Special::Connection => {
                for option in octet::list(value) {
                    if option.eq_ignore_ascii_case(b"close") {
                        self.flags |= CLOSE;
                    } else if option.eq_ignore_ascii_case(b"keep-alive") {
                        self.flags |= KEEP_ALIVE;
                    }
                }
            }
        }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = SetLine<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let line = self.line_at(at)?;
            at = line.end;
            Some(line)
        })
    }

    /// Returns where the first line with this name begins.
    fn find(&self, name: &str) -> Option<usize> {
        if self.names & name_bit(name) == 0 {
            return None;
        }
        let mut at = 0;
        loop {
            let rest = self.lines.get(at..)?;
            // What is looked for may be no name, and have a colon.
            let (start, behind) = rest.split_at_checked(name.len())?;
            if behind.first() == Some(&b':') && start.eq_ignore_ascii_case(name.as_bytes()) && !name.contains(':') {
                return Some(at);
            }
            at += rest.iter().position(|&byte| byte == b'\r')? + 2;
        }
    }

    /// Returns the line that begins at `start`. No name contains a colon and no value contains CR, so it is enough to search for
    /// the first colon and the first CR. A search for two bytes (CR LF) would take many times as long.
    fn line_at(&self, start: usize) -> Option<SetLine<'_>> {
        let rest = self.lines.get(start..)?;
        let line = rest.get(..rest.iter().position(|&byte| byte == b'\r')?)?;
        let (name, value) = line.split_at_checked(line.iter().position(|&byte| byte == b':')?)?;
        Some(SetLine { name, value: value.get(2..)?, start, end: start + line.len() + 2 })
    }
}

/// One field and where its line stands.
pub(super) struct SetLine<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The fields that encoding treats specially.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    No,
    Date,
    Connection,
    ContentLength,
    TransferEncoding,
}

impl Special {
    #[inline]
    pub(super) fn of(name: &[u8]) -> Special {
        match name.len() {
            4 if same_name(name, b"date") => Special::Date,
            10 if same_name(name, b"connection") => Special::Connection,
            14 if same_name(name, b"content-length") => Special::ContentLength,
            17 if same_name(name, b"transfer-encoding") => Special::TransferEncoding,
            _ => Special::No,
        }
    }

    #[inline]
    pub(super) fn check(self, value: &[u8]) -> Result<(), FieldError> {
        match self {
            Special::ContentLength if framing::length(value).is_none() => Err(FieldError::ContentLength),
            Special::TransferEncoding if !value.eq_ignore_ascii_case(b"chunked") => Err(FieldError::TransferEncoding),
            Special::Connection | Special::Date if !value.is_ascii() => Err(FieldError::Value),
            _ => Ok(()),
        }
    }
}

/// A bit for a name, without case: of its length, its first and its last byte. The common fields of responses have different ones.
#[inline]
fn name_bit(name: &str) -> u64 {
    let byte = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(byte | 0x20));
    let (first, last) = (byte(name.as_bytes().first()), byte(name.as_bytes().last()));
    1 << ((name.len() + 21 * first + last) & 63)
}
