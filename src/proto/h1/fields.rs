//! A list of fields in one buffer.

use super::field_error::{self, FieldError};
use crate::proto::octet;

/// An ordered list of fields (RFC 9110, 5), kept as one buffer and ranges into it. It can be used again without a new allocation.
///
/// Names are ASCII. They keep their case and order as received; a look-up ignores case. Values are bytes. Bytes above ASCII are
/// opaque (obs-text of RFC 9110, 5.5), but nearly always UTF-8; the only control character in values is HTAB. Each look-up has
/// two forms: one for bytes, and one for text, which skips a value that is not UTF-8 or returns `None`.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The names and values as bytes. A value is checked for UTF-8 only when it is looked up as text: most values never are.
    text: Vec<u8>,
    lines: Vec<Line>,
}

/// Where one field stands in the text, in bytes: `name..colon` and `value..end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) name: u32,
    pub(super) colon: u32,
    pub(super) value: u32,
    pub(super) end: u32,
}

impl Fields {
    /// An empty list, which holds no memory.
    pub const fn new() -> Self {
        Fields { text: Vec::new(), lines: Vec::new() }
    }

    /// The number of fields; a field that is given twice counts twice.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// All fields in order, names with their case as received. Fields whose value is not UTF-8 are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter_bytes().filter_map(|(name, value)| Some((name, text(value)?)))
    }

    /// All fields in order, names with their case as received.
    pub fn iter_bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines.iter().map(|line| (self.ascii(line.name, line.colon), self.bytes(line.value, line.end)))
    }

    /// The value of the first field of that name, which is compared without case (RFC 9110, 5.1). `None` if there is none, or if
    /// the value of the first one is not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_bytes(name).and_then(text)
    }

    /// The value of the first field of that name, which is compared without case.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.lines.iter().find(|line| self.is_named(line, name)).map(|line| self.bytes(line.value, line.end))
    }

    /// The values of all fields of that name, in order (RFC 9110, 5.3 says when they may be joined). Values that are not UTF-8
    /// are left out.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.get_all_bytes(name).filter_map(text)
    }

    /// The values of all fields of that name, in order.
    pub fn get_all_bytes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines.iter().filter(move |line| self.is_named(line, name)).map(|line| self.bytes(line.value, line.end))
    }

    /// The value of a field that is there once; where there are two, one reader would take the first and another the last, so there is
    /// none. A second one counts whatever its bytes are.
    pub(crate) fn only_bytes(&self, name: &str) -> Option<&[u8]> {
        let mut named = self.lines.iter().filter(|line| self.is_named(line, name));
        let line = named.next().filter(|_| named.next().is_none())?;
        Some(self.bytes(line.value, line.end))
    }

    /// Like [`only_bytes`](Fields::only_bytes), for a value that is text.
    pub(crate) fn only(&self, name: &str) -> Option<&str> {
        self.only_bytes(name).and_then(text)
    }

    /// The elements of the lists in all fields of that name, in order, without empty ones (RFC 9110, 5.6.1.2).
    pub(crate) fn elements<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all_bytes(name).flat_map(octet::list)
    }

    /// Adds a field at the end; blanks around the value are dropped. If the name is not a token or the value has a control
    /// character, the field is refused and nothing changes (RFC 9110, 5.1 and 5.5).
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = field_error::checked(name, value.as_ref())?;
        let start = self.text.len();
        let colon = start + name.len();
        let end = u32::try_from(colon + value.len()).map_err(|_| FieldError::TooLong)?;
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(value);
        self.mark(Line { name: start as u32, colon: colon as u32, value: colon as u32, end });
        Ok(())
    }

    /// Forgets all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
    }

    /// How many bytes of memory the list holds.
    pub fn capacity(&self) -> usize {
        self.text.capacity() + self.lines.capacity() * size_of::<Line>()
    }

    /// Gives back the memory that the present fields do not need; all of it if there are none.
    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.lines.shrink_to_fit();
    }

    fn is_named(&self, line: &Line, name: &str) -> bool {
        (line.colon - line.name) as usize == name.len()
            && self.bytes(line.name, line.colon).eq_ignore_ascii_case(name.as_bytes())
    }

    /// A part of the text. All ranges in `lines` lie within the text, so the empty default is never returned.
    #[inline]
    pub(super) fn bytes(&self, start: u32, end: u32) -> &[u8] {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// A part of the text that is known to be ASCII: a name, or a part of the request line.
    #[inline]
    pub(super) fn ascii(&self, start: u32, end: u32) -> &str {
        text(self.bytes(start, end)).unwrap_or_default()
    }

    /// Removes all fields and stores a new text. Then [`mark`](Self::mark) adds the fields that stand in it.
    #[inline]
    pub(super) fn load(&mut self, text: &[u8]) {
        self.clear();
        self.text.extend_from_slice(text);
    }

    /// Adds a field that stands in the text already.
    #[inline]
    pub(super) fn mark(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds fields that stand in the text already.
    #[inline]
    pub(super) fn mark_all(&mut self, lines: impl Iterator<Item = Line>) {
        self.lines.extend(lines);
    }

    pub(super) fn text_mut(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }
}

/// Returns a value as text, if it is UTF-8.
#[inline]
fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}
