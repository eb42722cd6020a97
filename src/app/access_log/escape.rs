//! Writes what peers send so that a line of the log stays one line, and a field one field.
//!
//! A log is read by people on terminals and by programs that split lines. So nothing of a peer goes into it but visible
//! ASCII: a line feed would begin a line that looks like another request, a quote would end a field, and an escape sequence
//! would be carried out by the terminal. (morgan wrote the user name of Basic credentials as it was: CVE-2026-5078.)

use std::fmt::{self, Write};

/// Writes the inside of a field in quotes, as Apache does: `"` and `\` get a backslash, and what is no visible ASCII becomes
/// `\xhh`, except blanks. An empty field is `-`.
pub(super) fn quoted(out: &mut String, bytes: &[u8]) {
    field(out, bytes, b"");
}

/// Writes a field that stands between blanks: as [`quoted`], with blanks as `\x20` too.
pub(super) fn word(out: &mut String, bytes: &[u8]) {
    field(out, bytes, b" ");
}

fn field(out: &mut String, bytes: &[u8], separators: &[u8]) {
    if bytes.is_empty() {
        out.push('-');
    }
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' if !separators.contains(&byte) => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
}

/// Writes a string of JSON, with its quotes (RFC 8259, section 7). All characters beyond ASCII are escaped too: some of them turn
/// the direction of the text on a terminal, or control it. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn json(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|char| json_char(out, char));
        if !chunk.invalid().is_empty() {
            json_char(out, char::REPLACEMENT_CHARACTER);
        }
    }
    out.push('"');
}

fn json_char(out: &mut String, char: char) {
    match char {
        '"' | '\\' => out.extend(['\\', char]),
        ' '..='~' => out.push(char),
        _ => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// The line that a program's own format writes. Its words are the program's, so they are left as they are but for what would
/// end the line or control a terminal: that becomes `\u{…}`.
pub(super) struct Line<'a>(pub &'a mut String);

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| self.write_char(char))
    }

    fn write_char(&mut self, char: char) -> fmt::Result {
        // Line and paragraph separators, and what turns the direction of the text.
        let turns = matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if char.is_control() || turns {
            write!(self.0, "{}", char.escape_unicode())
        } else {
            self.0.push(char);
            Ok(())
        }
    }
}
