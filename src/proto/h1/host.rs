//! `uri-host [ ":" port ]`, as the Host field and request-targets have it.

use std::net::Ipv6Addr;

use super::octet::{self, HEX, NAME_OF_HOST};

/// What the grammar of RFC 9110, 7.2 says about a Host value or an authority without user information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// The host part is not empty.
    pub(super) named: bool,
    /// There is a colon with at least one digit behind it.
    pub(super) port: bool,
}

/// Reads `uri-host [ ":" port ]`; `None` where the text is not that. Both parts may be empty (RFC 3986, 3.2.2, 3.2.3).
///
/// Digits at the end are a port if a colon precedes them: no host can end with a colon.
pub(super) fn read(text: &[u8]) -> Option<Host> {
    let (host, digits) = match text.iter().rposition(|byte| !byte.is_ascii_digit()) {
        Some(at) if text.get(at) == Some(&b':') => (text.get(..at)?, text.get(at + 1..)?),
        _ => (text, &[][..]),
    };
    if !is_port(digits) {
        return None;
    }
    let valid = match host {
        [b'[', inside @ .., b']'] => is_ip_literal(inside),
        _ => octet::all(host, NAME_OF_HOST) || is_encoded_name(host),
    };
    valid.then_some(Host { named: !host.is_empty(), port: !digits.is_empty() })
}

/// Whether so many digits are nothing, or a number of 16 bits: no port is beyond that, so a sixth digit has no use.
fn is_port(digits: &[u8]) -> bool {
    match digits {
        [first, _, _, _, _] => *first < b'6' || digits <= b"65535",
        _ => digits.len() < 5,
    }
}

/// A registered name with percent-encodings, which must be whole.
#[cold]
fn is_encoded_name(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if octet::is(byte, NAME_OF_HOST) {
            at += 1;
        } else if byte == b'%' && text.get(at + 1..at + 3).is_some_and(|digits| octet::all(digits, HEX)) {
            at += 3;
        } else {
            return false;
        }
    }
    true
}

/// What stands between brackets: an IPv6 address, or RFC 3986's `IPvFuture`.
fn is_ip_literal(text: &[u8]) -> bool {
    match text {
        [b'v' | b'V', rest @ ..] => {
            let Some(dot) = rest.iter().position(|&byte| byte == b'.') else {
                return false;
            };
            let (version, address) = rest.split_at(dot);
            !version.is_empty()
                && octet::all(version, HEX)
                && address.len() > 1
                && address.iter().all(|&byte| byte == b':' || octet::is(byte, NAME_OF_HOST))
        }
        _ => std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_rfc_3986_has_them() {
        for (text, named, port) in [
            ("", false, false),
            (":", false, false),
            (":80", false, true),
            ("a", true, false),
            ("a:", true, false),
            ("example.org:8080", true, true),
            ("127.0.0.1:7777", true, true),
            ("a_b~c!$&'()*+,;=", true, false),
            ("b%c3%bccher.example", true, false),
            ("[::1]", true, false),
            ("[::1]:65535", true, true),
            ("[::ffff:127.0.0.1]:1", true, true),
            ("[v1.fe:80]", true, false),
        ] {
            assert_eq!(read(text.as_bytes()), Some(Host { named, port }), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "a b",
            "a/b",
            "a@b",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:000080",
            "a:99999999999999999999",
            "a:-1",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:x",
            "[g::1]",
            "[1.2.3.4]",
            "[v.a]",
            "[v1.]",
            "[vx.a]",
            "[::1%25eth0]",
            "%",
            "%4",
            "%41%zz",
            "a?",
            "a#",
            "a\"",
            "<a>",
            "a\\b",
            "\u{fc}",
            "a, b",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
