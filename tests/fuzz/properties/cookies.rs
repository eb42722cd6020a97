//! Cookies: what a program sets comes back as it was, and a field is read in one way only.
//!
//! The input: a `Cookie` field; it is the value of a cookie that is set as well.

use oneloop::app::Cookie;
use oneloop::proto::cookie::{decoded, pairs};

/// As many pairs of a request are looked at.
const MOST: usize = 100;

pub fn holds(field: &[u8]) {
    let found: Vec<_> = pairs([field]).collect();
    assert!(found.len() <= MOST);
    for (name, value) in &found {
        assert!(!name.is_empty() && !name.contains(&b'='), "{name:?}");
        for part in [name, value] {
            assert!(!part.contains(&b';') && part.trim_ascii() == *part, "{part:?}");
        }
        let Some(text) = decoded(value) else {
            assert!(std::str::from_utf8(value).is_err(), "it is text: {value:?}");
            continue;
        };
        assert!(value.contains(&b'%') || text.as_bytes() == *value, "{value:?} has nothing to decode");
    }
    for at in (0..field.len()).filter(|&at| field[at] == b';') {
        let fields = [&field[..at], &field[at + 1..]];
        assert_eq!(pairs(fields).collect::<Vec<_>>(), found, "two fields are one that is longer");
    }
    comes_back(&String::from_utf8_lossy(field));
}

fn comes_back(value: &str) {
    let Ok(set) = Cookie::new("name", value).to_field() else { return };
    assert!(set.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{set:?} is a field");
    let sent = set.split(';').next().unwrap_or_default().as_bytes();
    let (name, sent) = pairs([&b"a=b"[..], sent]).nth(1).expect("it was set");
    assert_eq!((name, decoded(sent).as_deref()), (&b"name"[..], Some(value)), "{set}");
}
