//! An Upgrade that nobody wants (RFC 9110, 7.8). What is wanted stands in `tests/http/upgrade.rs`.

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, get_with, may, must, post_with};

pub fn rows() -> Vec<Row> {
    let offer = |lines: &str| get_with(&format!("Upgrade: {lines}"));
    vec![
        may("9110 7.8", "an offer may be ignored", offer("websocket\r\nConnection: Upgrade"))
            .sees("GET /a @h {Upgrade: websocket}")
            .without("Upgrade"),
        may(
            "9110 7.8",
            "one with more about it",
            offer("h2c\r\nConnection: upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk"),
        )
        .sees("GET /a @h {Upgrade: h2c, HTTP2-Settings: AAMAAABk}"),
        may("9110 7.8", "several", offer("a/1, b\r\nUpgrade: c\r\nConnection: upgrade"))
            .sees("GET /a @h {Upgrade: a/1, b, Upgrade: c}"),
        must("9110 7.8", "HTTP/1.0 offers nothing", "GET /a HTTP/1.0\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n")
            .sees_last("GET /a 1.0 {Upgrade: a}"),
        may(
            "9110 7.8",
            "an offer with content is a request with content",
            post_with("Upgrade: a\r\nConnection: upgrade\r\nContent-Length: 2", "ab"),
        )
        .sees("POST /a @h {Upgrade: a} \"ab\""),
        may("9110 7.8", "Upgrade without its connection option", offer("a")).sees("GET /a @h {Upgrade: a}"),
        may("9110 7.8", "the connection option without Upgrade", get_with("Connection: upgrade")).sees("GET /a @h"),
        must("9112 9.6", "an offer and close", offer("a\r\nConnection: upgrade, close"))
            .sees_last("GET /a @h {Upgrade: a}"),
        must("9110 7.8", "an offer of what is HTTP/1.1", offer("HTTP/1.1\r\nConnection: upgrade"))
            .sees("GET /a @h {Upgrade: HTTP/1.1}"),
        must(
            "9110 7.8",
            "100 comes first",
            post_with("Upgrade: a\r\nConnection: upgrade\r\nExpect: 100-continue\r\nContent-Length: 2", "ab"),
        )
        .informed(100)
        .sees("POST /a @h {Upgrade: a, Expect: 100-continue} \"ab\""),
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
