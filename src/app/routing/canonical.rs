//! The one spelling of a path that guards, routes, mounts, files and logs all see.
//!
//! A client may write the same path in many ways: `/admin`, `/%61dmin`, `/%61d%6Din`. If a guard compares one spelling and a
//! route another, the guard can be walked round. That was the most frequent serious fault of web frameworks in 2025 and 2026. So
//! the path of a request is rewritten once, and nobody sees another one:
//!
//! | in the path | becomes |
//! |---|---|
//! | a byte that may stand in a segment as it is (`pchar` of RFC 3986, 3.3), encoded or not | the byte itself |
//! | any other byte, encoded or not | `%XX` with upper-case digits, so `%2f` becomes `%2F` and stays inside of its segment |
//! | `//` | stays: an empty segment, which no parameter and no file matches |
//! | a segment `.` or `..`, encoded or not; a backslash; a NUL; a malformed `%`; no UTF-8; no leading slash | refused: 400 |
//!
//! RFC 3986, 6.2.2.2 asks only for the decoding of unreserved bytes. That is too little here: parameters and file names are
//! decoded whole, so `/%40admin` and `/@admin` name one thing to them, and have to be one path to a guard as well. With one
//! spelling for each byte, two paths are equal exactly if their decoded segments are.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

/// Why a path is refused. The answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// It does not begin with a slash.
    NoSlash,
    /// A `%` without two hexadecimal digits behind it.
    Malformed,
    /// A NUL, encoded or not.
    Nul,
    /// A backslash, encoded or not: a slash to Windows.
    Backslash,
    /// A segment `.` or `..`.
    Dots,
    /// Its bytes, decoded, are not UTF-8.
    Utf8,
}

impl Display for BadPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPath::NoSlash => "the path does not begin with a slash",
            BadPath::Malformed => "the path has a `%` without two hexadecimal digits behind it",
            BadPath::Nul => "the path has a NUL",
            BadPath::Backslash => "the path has a backslash",
            BadPath::Dots => "the path has a segment `.` or `..`",
            BadPath::Utf8 => "the path is not UTF-8",
        })
    }
}

/// Returns whether a path is canonical for certain, as nearly all are.
#[inline]
pub fn is_canonical(path: &[u8]) -> bool {
    let of = |byte: u8| CLASSES[usize::from(byte)];
    let (eights, rest) = path.as_chunks::<8>();
    let mut class = PLAIN | NO_DOT;
    for &[a, b, c, d, e, f, g, h] in eights {
        class &= of(a) & of(b) & of(c) & of(d) & of(e) & of(f) & of(g) & of(h);
    }
    class = rest.iter().fold(class, |class, &byte| class & of(byte));
    let harmless = class & NO_DOT != 0 || !path.windows(2).any(|two| two == b"/.");
    class & PLAIN != 0 && harmless && path.starts_with(b"/")
}

/// Returns the canonical spelling of `path`.
pub fn canonical(path: &str) -> Result<Cow<'_, str>, BadPath> {
    if is_canonical(path.as_bytes()) { Ok(Cow::Borrowed(path)) } else { respelled(path) }
}

#[cold]
fn respelled(path: &str) -> Result<Cow<'_, str>, BadPath> {
    if !path.starts_with('/') {
        return Err(BadPath::NoSlash);
    }
    let mut spelled = String::with_capacity(path.len());
    spell(path, &mut spelled)?;
    if spelled.split('/').any(is_dots) {
        return Err(BadPath::Dots);
    }
    Ok(if spelled == path { Cow::Borrowed(path) } else { Cow::Owned(spelled) })
}

/// Returns whether a segment, in its canonical spelling, is `.` or `..`.
pub fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// Appends the canonical spelling of `text`, which is any part of a path.
pub fn spell(text: &str, spelled: &mut String) -> Result<(), BadPath> {
    let from = spelled.len();
    let mut bytes = text.bytes();
    while let Some(raw) = bytes.next() {
        let byte = match raw {
            b'/' => {
                spelled.push('/');
                continue;
            }
            b'%' => encoded(&mut bytes).ok_or(BadPath::Malformed)?,
            raw => raw,
        };
        match byte {
            0 => return Err(BadPath::Nul),
            b'\\' => return Err(BadPath::Backslash),
            byte if byte != b'/' && CLASSES[usize::from(byte)] & PLAIN != 0 => spelled.push(char::from(byte)),
            byte => spelled.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    let readable = percent_decode_str(spelled.get(from..).unwrap_or_default()).decode_utf8().is_ok();
    if readable { Ok(()) } else { Err(BadPath::Utf8) }
}

/// The byte that two hexadecimal digits say.
fn encoded(digits: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let mut digit = || char::from(digits.next()?).to_digit(16);
    let (high, low) = (digit()?, digit()?);
    u8::try_from(16 * high + low).ok()
}

fn digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase()
}

/// What a part of a canonical path says, decoded. Borrowed if nothing in it is encoded.
pub fn decoded(part: &str) -> Cow<'_, str> {
    percent_decode_str(part).decode_utf8_lossy()
}

/// `pchar` without `%`, and the slash.
const PLAIN: u8 = 1;
/// Any byte but the dot.
const NO_DOT: u8 = 2;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        // `proto` knows these bytes too, but a fuzz target and a bench compile this folder without the rest of the crate.
        let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let sub_delims = matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
        if unreserved || sub_delims || matches!(byte, b':' | b'@' | b'/') {
            table[at] |= PLAIN;
        }
        if byte != b'.' {
            table[at] |= NO_DOT;
        }
        at += 1;
    }
    table
}
