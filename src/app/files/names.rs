//! From a path to the names of a file and of the folders above it.

use percent_encoding::percent_decode_str;
use std::path::{Component, Path};

/// The only name with a dot at its beginning that is served, at the top of the folder (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// Returns the decoded names in a path, and whether a slash is at its end. `None` if no file can have this path: a name is empty,
/// `.` or `..`, has a separator or a NUL, is malformed or not UTF-8, or would mean something else to the system.
pub fn names(path: &str) -> Option<(Vec<String>, bool)> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Some((Vec::new(), true));
    }
    let (path, ends_with_slash) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
    path.split('/').map(name).collect::<Option<_>>().map(|names| (names, ends_with_slash))
}

fn name(encoded: &str) -> Option<String> {
    let is_byte = |digits: &str| digits.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if !encoded.split('%').skip(1).all(is_byte) {
        return None;
    }
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    let mut components = Path::new(&*name).components();
    let is_one =
        matches!(components.next(), Some(Component::Normal(only)) if only == &*name) && components.next().is_none();
    let is_plain = is_one && !name.contains(['/', '\\', '\0']) && (cfg!(not(windows)) || is_plain_on_windows(&name));
    is_plain.then(|| name.into_owned())
}

/// Returns whether Windows takes this name for the name of a file, and not for a drive, a stream of a file, a pattern or a
/// device. The name must not have an end that Windows leaves out, either.
fn is_plain_on_windows(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || "<>:\"|?*".contains(c);
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |device: &str| stem.strip_prefix(device).is_some_and(|rest| rest.chars().count() == 1);
    let is_device =
        ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&&*stem) || numbered("COM") || numbered("LPT");
    !name.contains(is_odd) && !name.ends_with(['.', ' ']) && !is_device
}

/// Returns whether a name is hidden. `at` is its place below the folder: 0 is at the top.
pub fn is_hidden(at: usize, name: &[u8]) -> bool {
    name.starts_with(b".") && !(at == 0 && name == WELL_KNOWN.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_names_that_it_says_decoded_once() {
        let cases: [(&str, &[&str], bool); 10] = [
            ("/", &[], true),
            ("", &[], true),
            ("/a", &["a"], false),
            ("/a/", &["a"], true),
            ("/a/b%20c", &["a", "b c"], false),
            ("/%61%2eb", &["a.b"], false),
            ("/%2561", &["%61"], false),
            ("/gr%C3%BCn", &["grün"], false),
            ("/a:b", &["a:b"], false),
            ("/...", &["..."], false),
        ];
        for (path, expected, slash) in cases {
            let (names, ends_with_slash) = names(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((names, ends_with_slash), (expected.iter().map(ToString::to_string).collect(), slash), "{path}");
        }
    }

    #[test]
    fn a_path_that_no_file_can_have_has_none() {
        for path in [
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/./",
            "/./a",
            "/a/.",
            "/..",
            "/../a",
            "/a/..",
            "/%2e%2E/a",
            "/.%2e",
            "/%2e",
            "/a%2Fb",
            "/a%2f..%2fb",
            "/a\\b",
            "/..\\a",
            "/a%5cb",
            "/a%00",
            "/%00.html",
            "/%",
            "/%4",
            "/%zz",
            "/a%e4",
            "/%c0%ae%c0%ae",
            "/%ff",
        ] {
            assert_eq!(names(path), None, "{path}");
        }
    }

    #[test]
    fn names_that_windows_takes_for_something_else_are_not_plain() {
        for name in [
            "c:", "a:stream", "con", "CON.txt", "nul .x", "com1", "LPT9.log", "COM¹", "a.", "a ", "a?", "a*b", "a\tb",
            "x|y",
        ] {
            assert!(!is_plain_on_windows(name), "{name}");
        }
        for name in ["a", "a.b", "console", "com", "com10", "nulls.txt", ".a", "a b", "lpt"] {
            assert!(is_plain_on_windows(name), "{name}");
        }
    }
}
