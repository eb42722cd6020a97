//! The Host field, and which host a request is for (RFC 9112, 3.2; RFC 9110, 7.2).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, must};

pub fn rows() -> Vec<Row> {
    let host =
        |says, value: &str, saw| must("9110 7.2", says, format!("GET / HTTP/1.1\r\nHost:{value}\r\n\r\n")).sees(saw);
    let bad =
        |says, value: &str| must("9112 3.2", says, format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n")).refused(400);
    vec![
        must("9112 3.2", "HTTP/1.1 without Host", "GET / HTTP/1.1\r\n\r\n").refused(400),
        must("9112 3.2", "another name is not Host", "GET / HTTP/1.1\r\nHosts: h\r\n\r\n").refused(400),
        must("9112 3.2", "HTTP/1.0 needs none", "GET / HTTP/1.0\r\n\r\n").sees_last("GET / 1.0"),
        must("9112 3.2", "but may have one", "GET / HTTP/1.0\r\nHost: h\r\n\r\n").sees_last("GET / 1.0 @h"),
        must("9112 3.2", "twice", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n").refused(400),
        must("9112 3.2", "twice the same", "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\nhost: h\r\n\r\n").refused(400),
        must("9112 3.2", "twice, once empty", "GET / HTTP/1.1\r\nHost:\r\nHost: h\r\n\r\n").refused(400),
        must("9112 3.2", "twice in HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n").refused(400),
        must("9112 3.2", "invalid in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n").refused(400),
        must("9112 3.2", "an empty value is valid", "GET / HTTP/1.1\r\nHost:\r\n\r\n").sees("GET / @"),
        must("9112 3.2", "blanks only are empty", "GET / HTTP/1.1\r\nHost: \t \r\n\r\n").sees("GET / @"),
        must("9110 5.1", "its name has no case", "GET / HTTP/1.1\r\nhOsT: h\r\n\r\n").sees("GET / @h"),
        must("9112 3.2", "it need not be the first", "GET / HTTP/1.1\r\nX: y\r\nHost: h\r\n\r\n")
            .sees("GET / @h {X: y}"),
        host("a name", " example.org", "GET / @example.org"),
        host("a name and a port", " example.org:8080", "GET / @example.org:8080"),
        host("an empty port", " example.org:", "GET / @example.org:"),
        host("an IPv4 address", " 127.0.0.1:80", "GET / @127.0.0.1:80"),
        host("an IPv6 address", " [::1]:80", "GET / @[::1]:80"),
        host("what RFC 3986 has for later", " [v1.a:b]", "GET / @[v1.a:b]"),
        host("underscores, which it allows", "\ta_b \t", "GET / @a_b"),
        host("percent-encoded bytes", " b%c3%bccher", "GET / @b%c3%bccher"),
        bad("a blank inside", "a b"),
        bad("a list", "a, b"),
        bad("a list without blanks is one name with a comma and a port", "a:1,b:2"),
        bad("user information", "u@h"),
        bad("a scheme", "http://h"),
        bad("a path", "h/a"),
        bad("a query", "h?a"),
        bad("a fragment", "h#a"),
        bad("a port that is no number", "h:x"),
        bad("a port of more than 16 bits", "h:65536"),
        bad("a port with a sign", "h:+80"),
        bad("two ports", "h:80:80"),
        bad("an IPv6 address without brackets", "::1"),
        bad("a bracket that does not close", "[::1"),
        bad("junk behind the bracket", "[::1]x"),
        bad("no address in the brackets", "[h]"),
        bad("a percent sign without its digits", "h%4"),
        bad("a double quote", "\"h\""),
        bad("a backslash", "h\\i"),
        must("9112 3.2.2", "an absolute target overrides Host", "GET http://t/ HTTP/1.1\r\nHost: h\r\n\r\n")
            .sees("GET http://t/ @t"),
        must("9112 3.2.2", "also an empty one", "GET http://t/ HTTP/1.1\r\nHost:\r\n\r\n").sees("GET http://t/ @t"),
        must("9112 3.2", "an absolute target does not replace Host", "GET http://t/ HTTP/1.1\r\n\r\n").refused(400),
        must("9112 3.2", "nor does it allow an invalid one", "GET http://t/ HTTP/1.1\r\nHost: a b\r\n\r\n")
            .refused(400),
        must("9112 3.2", "nor two", "GET http://t/ HTTP/1.1\r\nHost: t\r\nHost: t\r\n\r\n").refused(400),
        must("9112 3.2.2", "in HTTP/1.0 it may stand alone", "GET http://t/ HTTP/1.0\r\n\r\n")
            .sees_last("GET http://t/ 1.0 @t"),
        must("9112 3.2", "a folded Host", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n").refused(400),
    ]
}

#[test]
fn holds_in_memory_however_the_bytes_are_split() {
    replay_in_memory(&rows());
}

#[test]
fn holds_over_a_real_socket() {
    replay_over_a_socket(&rows());
}
