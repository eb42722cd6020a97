//! The value of `Content-Disposition` (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but `attr-char` (RFC 8187, 3.2.1).
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

/// Says that the content is a file with this name. What is not ASCII is `?` in `filename`, for old clients, and the whole name is
/// in `filename*`. That parameter is also there if the name has `%` and two digits, which some clients decode.
pub(super) fn attachment(name: &str) -> String {
    // The client chooses the folder, whatever the name says.
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
