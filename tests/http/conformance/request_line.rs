//! The request line: methods, the four forms of target, versions, and what is none of them (RFC 9112, 2 and 3).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, must, must_not, ours, should};

pub fn rows() -> Vec<Row> {
    [forms(), methods(), targets(), versions(), lines(), lengths()].into_iter().flatten().collect()
}

fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: h\r\n\r\n").into_bytes()
}

fn forms() -> Vec<Row> {
    vec![
        must("9112 3.2.1", "the origin form is accepted", line("GET /a/b?c=d?e HTTP/1.1")).sees("GET /a/b?c=d?e @h"),
        must("9112 3.2.1", "a path may begin with two slashes", line("GET //x/y HTTP/1.1")).sees("GET //x/y @h"),
        must("9112 3.2.1", "a query may be empty", line("GET /a? HTTP/1.1")).sees("GET /a? @h"),
        must("9112 3.2.1", "a path is not normalised", line("GET /a/../b/%2e HTTP/1.1")).sees("GET /a/../b/%2e @h"),
        must(
            "9112 3.2.2",
            "the absolute form is accepted, and its host is the host",
            line("GET http://t/a?b HTTP/1.1"),
        )
        .sees("GET http://t/a?b @t"),
        must("9112 3.2.2", "an absolute target may lack a path", line("GET http://t:80 HTTP/1.1"))
            .sees("GET http://t:80 @t:80"),
        must("9110 4.2.3", "a scheme has no case", line("GET HTTP://t/a HTTP/1.1")).sees("GET HTTP://t/a @t"),
        must("9112 3.2.2", "an absolute target may have an IPv6 host", line("GET http://[::1]:80/ HTTP/1.1"))
            .sees("GET http://[::1]:80/ @[::1]:80"),
        ours(
            "9110 7.4",
            "whether an https target came over a secured connection is the handler's to know, who knows the \
            gateway",
            line("GET https://t/ HTTP/1.1"),
        )
        .sees("GET https://t/ @t"),
        must("9110 4.2.1", "an http target without a host is invalid", line("GET http:///a HTTP/1.1")).refused(400),
        must("9110 4.2.1", "a port is no host", line("GET http://:80/a HTTP/1.1")).refused(400),
        should("9110 4.2.4", "user information in a target is an error", line("GET http://u@t/ HTTP/1.1")).refused(400),
        should("9110 4.2.4", "and so is a password", line("GET http://u:p@t/ HTTP/1.1")).refused(400),
        ours("9112 3.2.2", "a scheme that is not ours", line("GET ftp://t/a HTTP/1.1")).refused(400),
        ours("9112 3.2.2", "an absolute target needs its two slashes", line("GET http:/a HTTP/1.1")).refused(400),
        must("9112 3.2.2", "a port of an absolute target is a number", line("GET http://t:x/ HTTP/1.1")).refused(400),
        must("9112 3.2.3", "the authority form is for CONNECT only", line("GET t:80 HTTP/1.1")).refused(400),
        must("9112 3.2.4", "the asterisk form is for OPTIONS", line("OPTIONS * HTTP/1.1")).sees("OPTIONS * @h"),
        must_not("9110 7.1", "the asterisk form is for no other method", line("GET * HTTP/1.1")).refused(400),
        must_not("9110 9.1", "methods have case: this is not OPTIONS", line("options * HTTP/1.1")).refused(400),
        should("9112 3.2", "a target begins with a slash", line("GET a HTTP/1.1")).refused(400),
        should("9112 3.2", "a query alone is no target", line("GET ?a HTTP/1.1")).refused(400),
    ]
}

fn methods() -> Vec<Row> {
    vec![
        must("9110 9.1", "a method has case", line("get /a HTTP/1.1")).sees("get /a @h"),
        must("9110 9.1", "any token is a method; what it means is the handler's", line("M-SEARCH /a HTTP/1.1"))
            .sees("M-SEARCH /a @h"),
        must("9110 9.1", "all of a token's characters", line("!#$%&'*+-.^_`|~09 /a HTTP/1.1"))
            .sees("!#$%&'*+-.^_`|~09 /a @h"),
        should(
            "9112 3",
            "a method longer than any that is implemented",
            line(&format!("{} / HTTP/1.1", "M".repeat(33))),
        )
        .refused(501),
        should("9112 2.2", "a byte that no token has", line("GE(T / HTTP/1.1")).refused(400),
        should("9112 2.2", "a method with a NUL", line("GE\0T / HTTP/1.1")).refused(400),
        should("9112 2.2", "a method of more than ASCII", line("G\u{c9}T / HTTP/1.1")).refused(400),
        should("9112 2.2", "a request line without a method", line(" / HTTP/1.1")).refused(400),
        should("9112 2.2", "a TLS hello", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03").refused(400),
        should("9112 2.2", "an HTTP response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").refused(400),
    ]
}

fn targets() -> Vec<Row> {
    let bad = |says, target: &str| should("9112 3.2", says, line(&format!("GET {target} HTTP/1.1"))).refused(400);
    vec![
        must("9110 4.1", "all that RFC 3986 allows", line("GET /-._~!$&'()*+,;=:@%41?/?[] HTTP/1.1"))
            .sees("GET /-._~!$&'()*+,;=:@%41?/?[] @h"),
        ours("9112 3.2", "a percent sign alone is left for who decodes", line("GET /%zz%4 HTTP/1.1"))
            .sees("GET /%zz%4 @h"),
        bad("a fragment is no part of a target", "/a#b"),
        bad("8-bit bytes have to be encoded", "/\u{fc}"),
        bad("a fragment behind the query is none either", "/?a#b"),
        bad("8-bit bytes have to be encoded in a query", "/?\u{fc}"),
        ours("9112 3.2", "what browsers send as it is belongs to a query", line("GET /?filter={\"a\":1}|^` HTTP/1.1"))
            .sees("GET /?filter={\"a\":1}|^` @h"),
        ours("9112 3.2", "and to a path", line("GET /<a>\\\"{b}|^` HTTP/1.1")).sees("GET /<a>\\\"{b}|^` @h"),
        ours("9112 3.2", "but not to an authority", line("GET http://a|b/ HTTP/1.1")).refused(400),
        bad("NUL", "/a\0b"),
        bad("a tab", "/a\tb"),
        bad("a vertical tab", "/a\u{b}b"),
        bad("DEL", "/\u{7f}"),
        bad("a bare CR", "/a\rb"),
        bad("a blank in a target, which is not mended", "/a b"),
    ]
}

fn versions() -> Vec<Row> {
    let bad = |says, version: &str| should("9112 2.3", says, line(&format!("GET / {version}"))).refused(400);
    let foreign = |says, version: &str| should("9110 15.6.6", says, line(&format!("GET / {version}"))).refused(505);
    vec![
        must("9112 2.3", "HTTP/1.1", line("GET / HTTP/1.1")).sees("GET / @h"),
        must("9112 2.3", "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n").sees_last("GET / 1.0"),
        should("9110 6.2", "the answer to HTTP/1.0 has our version", "GET / HTTP/1.0\r\n\r\n").sees_last("GET / 1.0"),
        should("9110 6.2", "a higher minor version is processed as HTTP/1.1", line("GET /a HTTP/1.2"))
            .sees("GET /a @h"),
        should("9110 6.2", "any higher one", line("GET /a HTTP/1.9")).sees("GET /a @h"),
        must("9112 3.2", "a higher one needs a Host as well", "GET /a HTTP/1.2\r\n\r\n").refused(400),
        foreign("HTTP/2.0", "HTTP/2.0"),
        foreign("HTTP/3.0", "HTTP/3.0"),
        foreign("HTTP/0.9 by name", "HTTP/0.9"),
        should("9110 15.6.6", "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").refused(505),
        should("9112 2.2", "HTTP/0.9, which has no version", "GET /\r\n").refused(400),
        should("9112 2.2", "and none with a blank either", "GET / \r\n\r\n").refused(400),
        bad("a version has case", "http/1.1"),
        bad("another protocol", "ICY/1.1"),
        bad("no minor version", "HTTP/1"),
        bad("an empty minor version", "HTTP/1."),
        bad("a minor version of two digits", "HTTP/1.10"),
        bad("a major version of two digits", "HTTP/11.1"),
        bad("a leading zero", "HTTP/01.1"),
        bad("a digit is due", "HTTP/1.x"),
        bad("a comma", "HTTP/1,1"),
        bad("no slash", "HTTP 1.1"),
        bad("a sign", "HTTP/+1.1"),
        bad("a blank inside", "HTTP/1. 1"),
        bad("junk behind it", "HTTP/1.1x"),
    ]
}

fn lines() -> Vec<Row> {
    vec![
        should("9112 2.2", "an empty line before a request line is ignored", b"\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n")
            .sees("GET /a @h"),
        ours("9112 2.2", "more than one", b"\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n").refused(400),
        ours("9112 2.2", "an empty line of LF alone", b"\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n").refused(400),
        must("9112 2.2", "an empty line of CR alone", b"\rGET /a HTTP/1.1\r\nHost: h\r\n\r\n").refused(400),
        ours("9112 3", "two blanks behind the method", line("GET  / HTTP/1.1")).refused(400),
        ours("9112 3", "two blanks behind the target", line("GET /  HTTP/1.1")).refused(400),
        ours("9112 3", "tabs for blanks", line("GET\t/\tHTTP/1.1")).refused(400),
        ours("9112 3", "a form feed for a blank", line("GET /\u{c}HTTP/1.1")).refused(400),
        ours("9112 3", "a blank before the method", line(" GET / HTTP/1.1")).refused(400),
        ours("9112 3", "a blank behind the version", line("GET / HTTP/1.1 ")).refused(400),
        should("9112 2.2", "a request line of one word", b"GET\r\n\r\n").refused(400),
        ours("9112 2.2", "a request line that ends with LF alone", b"GET / HTTP/1.1\nHost: h\r\n\r\n").refused(400),
        must("9112 2.2", "a request line that ends with CR alone", b"GET / HTTP/1.1\rHost: h\r\n\r\n").refused(400),
        ours("9112 2.2", "a request line that ends with CR CR LF", b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n").refused(400),
        must("9112 2.2", "a blank before the first field", b"GET / HTTP/1.1\r\n Host: h\r\n\r\n").refused(400),
        must("9112 2.2", "a line of blanks before the first field", b"GET / HTTP/1.1\r\n \r\nHost: h\r\n\r\n")
            .refused(400),
    ]
}

fn lengths() -> Vec<Row> {
    let long = |method: &str, length: usize| line(&format!("{method} /{} HTTP/1.1", "x".repeat(length - 1)));
    vec![
        should("9112 3", "a request line of 8000 bytes is read", long("GET", 8000 - "GET  HTTP/1.1\r\n".len())),
        must("9112 3", "a target longer than we wish to parse", long("GET", 17 * 1024)).refused(414),
        must("9112 3", "and so for any method", long("DELETE", 17 * 1024)).refused(414),
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
