//! The value of `Content-Disposition` (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that have to be encoded: all but `attr-char` (RFC 8187, 3.2.1).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The value that says that the content is a file with this name. For old clients, `filename` has `?` in place of each character
/// beyond ASCII; `filename*` has the whole name. That parameter is also there if the name has `%` and two digits, which some
/// clients decode.
pub(super) fn attachment(name: &str) -> String {
    // If the name has folders in front, they are ignored: the client chooses the folder.
    let name = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default();
    let name: String = name.chars().filter(|character| !character.is_control()).collect();
    if name.is_empty() {
        return "attachment".to_owned();
    }
    let mut value = String::from("attachment; filename=");
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        value += &name;
    } else {
        value.push('"');
        for character in name.chars() {
            match character {
                '"' => value += "\\\"",
                character => value.push(if character.is_ascii() { character } else { '?' }),
            }
        }
        value.push('"');
    }
    if !name.is_ascii() || looks_encoded(&name) {
        value += "; filename*=UTF-8''";
        value.extend(utf8_percent_encode(&name, ENCODED));
    }
    value
}

fn looks_encoded(name: &str) -> bool {
    name.as_bytes()
        .windows(3)
        .any(|three| matches!(three, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}
