//! Each path has one spelling, or is refused.

use crate::app::routing::{canonical, decoded};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use std::borrow::Cow;

#[test]
fn a_path_has_one_spelling() {
    for (path, spelled) in [
        ("/", "/"),
        ("/users/42", "/users/42"),
        ("/a.b/.c/..d/e..", "/a.b/.c/..d/e.."),
        ("/%61dmin", "/admin"),
        ("/%41%5a%30%2d%2E%5f%7e", "/AZ0-._~"),
        // Parameters and files are decoded whole: what they cannot tell apart, a guard must not tell apart either.
        ("/%40admin", "/@admin"),
        ("/a%3bb%2c%21%24%26%27%28%29%2a%2B%3D%3A", "/a;b,!$&'()*+=:"),
        // Its segments stay what they are.
        ("/a%2fb", "/a%2Fb"),
        ("/a%2Fb", "/a%2Fb"),
        ("//a//", "//a//"),
        // What no URI has as it is.
        ("/a\"<>^`{|}b", "/a%22%3C%3E%5E%60%7B%7C%7Db"),
        ("/[x]", "/%5Bx%5D"),
        ("/a?b#c d", "/a%3Fb%23c%20d"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        // Decoded once, not twice.
        ("/%2561", "/%2561"),
        ("/%252e%252e/", "/%252e%252e/"),
        ("/%0a", "/%0A"),
    ] {
        assert_eq!(canonical(path).as_deref(), Ok(spelled), "{path}");
    }
}

#[test]
fn a_path_that_somebody_could_read_in_another_way_is_refused() {
    for (path, why) in [
        ("", "NoSlash"),
        ("*", "NoSlash"),
        ("a/b", "NoSlash"),
        ("%2Fa", "NoSlash"),
        ("/\0", "Nul"),
        ("/a%00b", "Nul"),
        ("/%", "Malformed"),
        ("/%4", "Malformed"),
        ("/%4g", "Malformed"),
        ("/%%34", "Malformed"),
        ("/%+1", "Malformed"),
        ("/%u0041", "Malformed"),
        ("/%c3%a", "Malformed"),
        ("/\\", "Backslash"),
        ("/a%5cb", "Backslash"),
        ("/..%5C..", "Backslash"),
        ("/.", "Dots"),
        ("/..", "Dots"),
        ("/a/../b", "Dots"),
        ("/a/./b", "Dots"),
        ("/./", "Dots"),
        ("/a/..", "Dots"),
        ("/%2e%2E/b", "Dots"),
        ("/a/.%2e/b", "Dots"),
        ("/%2e", "Dots"),
        ("/%ff", "Utf8"),
        ("/%c3", "Utf8"),
        ("/%c3/%a9", "Utf8"),
        // Overlong forms of `.` and `/`, and half of a surrogate pair.
        ("/%c0%ae%c0%ae/", "Utf8"),
        ("/%c0%af", "Utf8"),
        ("/%ed%a0%80", "Utf8"),
    ] {
        assert_eq!(canonical(path).map_err(|why| format!("{why:?}")), Err(why.to_owned()), "{path}");
    }
}

#[test]
fn a_path_that_is_canonical_already_is_not_copied() {
    for path in ["/", "/a/b.c", "//", "/.well-known/x", "/a%20b/%2F", "/caf%C3%A9"] {
        assert!(matches!(canonical(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
    }
}

/// A path as a client might write it.
fn any_path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "[/a-z]",
        2 => prop::sample::select(vec!["/", ".", "..", "%2e", "%2F", "%5c", "\\", "%", "%4", "%00", "+", "@", "\u{e9}", "%C3%A9"])
            .prop_map(String::from),
        2 => any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| format!("/{}", parts.concat()))
}

/// What the path says, segment by segment, by the RFC's decoding alone. `None` if it is to be refused.
fn said(path: &str) -> Option<Vec<String>> {
    let malformed = |text: &str| {
        text.split('%')
            .skip(1)
            .any(|rest| rest.len() < 2 || !rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit()))
    };
    let decode = |segment: &str| -> Option<String> {
        let text = percent_decode_str(segment).decode_utf8().ok()?;
        (!matches!(&*text, "." | "..") && !text.contains(['\\', '\0'])).then(|| text.into_owned())
    };
    if malformed(path) { None } else { path.strip_prefix('/')?.split('/').map(decode).collect() }
}

proptest! {
    #[test]
    fn two_paths_have_the_same_spelling_exactly_if_they_say_the_same(
        path in any_path(), choices in prop::collection::vec(0_u8..3, 64),
    ) {
        let said_by = |path: &str| said(path);
        let spelled = canonical(&path);
        prop_assert_eq!(spelled.is_ok(), said_by(&path).is_some(), "{:?}", spelled);
        let Ok(spelled) = spelled else { return Ok(()) };
        // What it says is left as it was, and once more changes nothing.
        prop_assert_eq!(said_by(&spelled), said_by(&path));
        prop_assert_eq!(canonical(&spelled), Ok(Cow::Borrowed(&*spelled)));
        // Any other spelling comes to this one.
        let mut choices = choices.iter().cycle();
        let mut spell = |byte: u8| match (byte, choices.next()) {
            (b'%', _) | (0x80.., _) | (_, Some(1)) => format!("%{byte:02x}"),
            (_, Some(2)) => format!("%{byte:02X}"),
            _ => char::from(byte).to_string(),
        };
        let said = said_by(&path).unwrap_or_default();
        let segment = |text: &String| text.bytes().map(|byte| if byte == b'/' { "%2f".into() } else { spell(byte) }).collect::<String>();
        let other = said.iter().map(segment).map(|segment| format!("/{segment}")).collect::<String>();
        let again = canonical(&other);
        prop_assert_eq!(again.as_deref(), Ok(&*spelled), "{}", other);
        // What a parameter or a file is given is what was said.
        let read = spelled.split('/').skip(1).map(|segment| decoded(segment).into_owned()).collect::<Vec<_>>();
        prop_assert_eq!(read, said);
    }
}
