//! Reads `uri-host [ ":" port ]`, the syntax of the Host field and of hosts in request-targets.

use std::net::Ipv6Addr;

use crate::proto::octet::{self, HEX, NAME_OF_HOST};

/// Which parts are present in a Host value, or in an authority without user information, by the grammar of RFC 9110, 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// True if the host part is not empty.
    pub(super) named: bool,
    /// True if there is a colon followed by at least one digit.
    pub(super) port: bool,
}

/// Reads `uri-host [ ":" port ]`; `None` if the text does not have this syntax. Both parts may be empty (RFC 3986, 3.2.2, 3.2.3).
///
/// Digits at the end are a port if a colon precedes them: no host can end with a colon.
#[inline]
pub(super) fn read(text: &[u8]) -> Option<Host> {
    let (before, digits) = text.split_at_checked(text.len() - digits_at_end(text))?;
    let (host, digits) = match before {
        [host @ .., b':'] => (host, digits),
        _ => (text, &[][..]),
    };
    if !is_port(digits) {
        return None;
    }
    let valid = octet::all(host, NAME_OF_HOST) || is_unusual(host);
    valid.then_some(Host { named: !host.is_empty(), port: !digits.is_empty() })
}

/// Returns whether `text` is a host, with or without a port, whose name is not empty.
pub(crate) fn is_host(text: &str) -> bool {
    read(text.as_bytes()).is_some_and(|host| host.named)
}

/// The number of decimal digits at the end of `text`, or 8 if there are more than 8: a port has at most 5.
#[inline]
fn digits_at_end(text: &[u8]) -> usize {
    let Some(last) = text.last_chunk() else {
        return text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    };
    // Checks all eight bytes at once. The XOR turns `0` to `9` into 0 to 9. When 0x76 is added to these, the sum stays below
    // 0x80; for every other byte the bit 0x80 of the result is set.
    let apart = u64::from_le_bytes(*last) ^ 0x3030_3030_3030_3030;
    let others = (((apart & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | apart) & 0x8080_8080_8080_8080;
    others.leading_zeros() as usize / 8
}

/// Returns whether `host` is an address in brackets, or a name with percent-encodings.
#[cold]
fn is_unusual(host: &[u8]) -> bool {
    match host {
        [b'[', inside @ .., b']'] => is_ip_literal(inside),
        _ => is_encoded_name(host),
    }
}

/// Returns whether there are no digits, or digits of a number that fits into the 16 bits of a port. Six or more digits are
/// refused.
fn is_port(digits: &[u8]) -> bool {
    match digits {
        [first, _, _, _, _] => *first < b'6' || digits <= b"65535",
        _ => digits.len() < 5,
    }
}

/// Returns whether `text` is a registered name in which two hexadecimal digits follow each `%`.
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

/// Returns whether `text`, the part between the brackets, is an IPv6 address or RFC 3986's `IPvFuture`.
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
            ("12345678", true, false),
            ("0123456789", true, false),
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

    /// `digits_at_end` reads eight bytes at once. It must tell every other byte from a digit, at every position.
    #[test]
    fn only_digits_are_counted_as_digits() {
        for len in 0..10 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = vec![b'5'; len];
                    text[at] = byte;
                    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
                    assert_eq!(digits_at_end(&text), digits.min(8), "{text:?}");
                }
            }
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
            "[::1]:000080",
            "a:00000080",
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
