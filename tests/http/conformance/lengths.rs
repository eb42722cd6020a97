//! Content-Length (RFC 9112, 6.2 and 6.3; RFC 9110, 8.6).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, must, ours, post_with, should};

pub fn rows() -> Vec<Row> {
    let bad =
        |says, value: &str| must("9112 6.3", says, post_with(&format!("Content-Length:{value}"), "ab")).refused(400);
    vec![
        must("9112 6.3", "so many bytes are the content", post_with("Content-Length: 2", "ab"))
            .sees("POST /a @h \"ab\""),
        must("9112 6.3", "none, and there is no content", post_with("A: b", "")).sees("POST /a @h {A: b}"),
        must("9112 6.3", "none, and what follows is the next request", post_with("A: b", "\0")).then_refused(400),
        must("9112 6.3", "0", post_with("Content-Length: 0", "")).sees("POST /a @h"),
        must("9112 6.3", "blanks around it are no part of it", post_with("Content-Length: \t2 \t", "ab"))
            .sees("POST /a @h \"ab\""),
        must("9110 5.1", "its name has no case", post_with("cONTENT-lENGTH:2", "ab")).sees("POST /a @h \"ab\""),
        must("9110 8.6", "leading zeros are digits", post_with("Content-Length: 0002", "ab")).sees("POST /a @h \"ab\""),
        must(
            "9110 8.6",
            "more zeros than a number of 64 bits has digits",
            post_with(&format!("Content-Length: {}2", "0".repeat(40)), "ab"),
        )
        .sees("POST /a @h \"ab\""),
        must("9112 6.3", "content is bytes, not text", post_with("Content-Length: 4", "\0\r\n\u{7f}"))
            .sees("POST /a @h \"\\x00\\r\\n\\x7f\""),
        must(
            "9112 6.3",
            "content that looks like a request is content",
            post_with("Content-Length: 18", "GET / HTTP/1.1\r\n\r\n"),
        )
        .sees("POST /a @h \"GET / HTTP/1.1\\r\\n\\r\\n\""),
        must("9112 6.3", "any method may have content", b"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
            .sees("GET /a @h \"ab\""),
        must("9112 6.3", "also one that is not read", b"PUT /early HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
            .cut_short(200)
            .content("early"),
        should("9112 2.2", "a line end behind the content is none of it", post_with("Content-Length: 2", "ab\r\n"))
            .sees("POST /a @h \"ab\""),
        must("9110 8.6", "one more than 64 bits hold", post_with("Content-Length: 18446744073709551616", "ab"))
            .refused(400),
        must("9110 8.6", "any number of digits", post_with(&format!("Content-Length: {}", "9".repeat(300)), "ab"))
            .refused(400),
        bad("an empty one", ""),
        bad("a plus", " +2"),
        bad("a minus", " -2"),
        bad("a minus zero", " -0"),
        bad("hexadecimal", " 0x2"),
        bad("hexadecimal digits", " a"),
        bad("junk behind it", " 2a"),
        bad("a blank inside", " 1 2"),
        bad("a tab inside", " 1\t2"),
        bad("a fraction", " 2.0"),
        bad("an exponent", " 1e1"),
        bad("quotes", " \"2\""),
        bad("an underscore", " 1_0"),
        bad("a vertical tab", " \u{b}2"),
        bad("digits that are not ASCII", " \u{663}"),
        bad("a semicolon", " 2;a=b"),
        bad("a list of different ones", " 2, 3"),
        ours("9112 6.3", "a list of equal ones, which may be accepted", post_with("Content-Length: 2, 2", "ab"))
            .refused(400),
        ours("9112 6.3", "a list with an empty element", post_with("Content-Length: 2,", "ab")).refused(400),
        must("9112 6.3", "twice", post_with("Content-Length: 2\r\nContent-Length: 3", "ab")).refused(400),
        ours(
            "9112 6.3",
            "twice the same, which may be accepted",
            post_with("Content-Length: 2\r\ncontent-length: 2", "ab"),
        )
        .refused(400),
        must("9112 6.3", "twice, once invalid", post_with("Content-Length: x\r\nContent-Length: 2", "ab")).refused(400),
        must("9112 6.3", "twice, once empty", post_with("Content-Length:\r\nContent-Length: 2", "ab")).refused(400),
        must("9112 6.3", "twice 0", post_with("Content-Length: 0\r\nContent-Length: 0", "")).refused(400),
        must("9112 6.3", "in HTTP/1.0", "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nab")
            .sees_last("POST /a 1.0 \"ab\""),
        must("9112 6.3", "invalid in HTTP/1.0", "POST /a HTTP/1.0\r\nContent-Length: x\r\n\r\nab").refused(400),
        ours("9112 6.3", "a name that only looks like it", post_with("Content_Length: 2", ""))
            .sees("POST /a @h {Content_Length: 2}"),
        should(
            "9110 15.5.14",
            "content larger than the handler takes",
            post_with("Content-Length: 101", &"x".repeat(101)),
        )
        .broken_off(413),
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
