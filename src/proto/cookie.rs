//! The `Cookie` field of a request (RFC 6265, 4.2), read as tolerantly as browsers write it.

use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The most pairs that are looked at. Browsers keep 50 to 180 cookies of one site, and programs a handful.
const MOST: usize = 100;

/// The names and values of the cookies in these fields, in order, as received: the text before and behind the first `=`, without the
/// blanks around each. Quotes are a part of a value, as they are in browsers. A pair without `=` or without a name is left out, and
/// what comes after 100 pairs is not looked at.
///
/// Blanks are those of ASCII, of which a field has space and tab only. A reader that also trims the blanks of Unicode takes `\u{a0}__Host-id`, which any page of the
/// domain can set, for `__Host-id`, which it cannot.
///
/// ```
/// use oneloop::proto::cookie::pairs;
///
/// let cookies: Vec<_> = pairs([&b"sid=31d4; theme=\"dark\";lang"[..]]).collect();
/// assert_eq!(cookies, [(&b"sid"[..], &b"31d4"[..]), (b"theme", b"\"dark\"")]);
/// ```
pub fn pairs<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let all = fields.into_iter().flat_map(|field| field.split(|&byte| byte == b';')).take(MOST);
    all.filter_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (pair.get(..equals)?.trim_ascii(), pair.get(equals + 1..)?.trim_ascii());
        (!name.is_empty()).then_some((name, value))
    })
}

/// The text that a value means: each `%` and two digits is a byte. A value in which a `%` stands for itself, or whose bytes are not
/// UTF-8, is taken as it is: it was written by somebody else. `None` if it is no text even then.
///
/// ```
/// use oneloop::proto::cookie::decoded;
///
/// assert_eq!(decoded(b"a%20b").as_deref(), Some("a b"));
/// assert_eq!(decoded(b"100%").as_deref(), Some("100%"));
/// ```
pub fn decoded(value: &[u8]) -> Option<Cow<'_, str>> {
    let raw = std::str::from_utf8(value).ok()?;
    let escapes = value.split(|&byte| byte == b'%').skip(1);
    let valid =
        escapes.into_iter().all(|after| matches!(after, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    let decoded = if valid { percent_decode(value).decode_utf8().ok() } else { None };
    Some(decoded.unwrap_or(Cow::Borrowed(raw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_pairs_are_looked_at() {
        let field = "a=b;".repeat(99) + "x;y=z;late=1";
        let names: Vec<_> = pairs([field.as_bytes()]).map(|(name, _)| name).collect();
        assert_eq!(names.len(), 99, "the pair without `=` counts as well");
        assert_eq!(pairs(["a=b;".repeat(70).as_bytes(), "c=d;".repeat(70).as_bytes()]).count(), 99);
    }

    #[test]
    fn a_value_is_decoded_if_all_of_it_can_be() {
        for (value, expected) in [
            ("", ""),
            ("a+b", "a+b"),
            ("%20%22%2c%3B%2f", " \",;/"),
            ("%e2%98%83", "\u{2603}"),
            ("%1", "%1"),
            ("%41%", "%41%"),
            ("%41%4", "%41%4"),
            ("%%41", "%%41"),
            ("%zz", "%zz"),
            ("%ff", "%ff"),
            ("%41%ff", "%41%ff"),
            ("\u{2603}%41", "\u{2603}A"),
        ] {
            assert_eq!(decoded(value.as_bytes()).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(decoded(b"\xff"), None);
    }
}
