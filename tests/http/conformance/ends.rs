//! Where the peer's bytes end: half-closes, and messages that never become whole (RFC 9112, 6.3, 8 and 9.5).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, get_with, may, must, must_not, ours, post_with, should};

pub fn rows() -> Vec<Row> {
    const HEAD: &str = "GET /a HTTP/1.1\r\nHost: h\r\n";
    vec![
        must_not("9110 5.3", "no handler sees a request before its head is whole", HEAD).then_fin().silently_closed(),
        ours("9112 9.5", "a half-close behind a request: it is answered", get_with("A: b"))
            .then_fin()
            .sees("GET /a @h {A: b}"),
        ours("9112 9.5", "and one behind content", post_with("Content-Length: 2", "ab"))
            .then_fin()
            .sees("POST /a @h \"ab\""),
        ours("9112 9.5", "and one behind chunks", post_with("Transfer-Encoding: chunked", "2\r\nab\r\n0\r\n\r\n"))
            .then_fin()
            .sees("POST /a @h \"ab\""),
        ours("9112 9.5", "and one behind a request that closes", get_with("Connection: close"))
            .then_fin()
            .sees_last("GET /a @h"),
        must("9112 2.2", "and one behind what is refused", "GET / HTTP/1.1\r\n\r\n").then_fin().refused(400),
        should("9112 9.5", "a half-close and no request", "").then_fin().silently_closed(),
        should("9112 9.5", "a half-close behind an empty line", "\r\n").then_fin().silently_closed(),
        may("9112 8", "a half-close within the request line", "GET /a HT").then_fin().silently_closed(),
        may("9112 8", "a half-close behind the request line", "GET /a HTTP/1.1\r\n").then_fin().silently_closed(),
        may("9112 8", "a half-close within a field", "GET /a HTTP/1.1\r\nHo").then_fin().silently_closed(),
        may("9112 8", "a half-close behind a field", HEAD).then_fin().silently_closed(),
        may("9112 8", "a half-close before the head's last LF", format!("{HEAD}\r")).then_fin().silently_closed(),
        must("9112 6.3", "a half-close before any of the content", post_with("Content-Length: 2", ""))
            .then_fin()
            .silently_broken_off(),
        must("9112 6.3", "a half-close within the content", post_with("Content-Length: 3", "ab"))
            .then_fin()
            .silently_broken_off(),
        may("9112 8", "a half-close before any chunk", post_with("Transfer-Encoding: chunked", ""))
            .then_fin()
            .silently_broken_off(),
        may("9112 8", "a half-close within a size", post_with("Transfer-Encoding: chunked", "2"))
            .then_fin()
            .silently_broken_off(),
        may("9112 8", "a half-close within a chunk", post_with("Transfer-Encoding: chunked", "2\r\na"))
            .then_fin()
            .silently_broken_off(),
        may("9112 8", "a half-close before the last chunk", post_with("Transfer-Encoding: chunked", "2\r\nab\r\n"))
            .then_fin()
            .silently_broken_off(),
        must(
            "9112 8",
            "a half-close before the end of the trailers",
            post_with("Transfer-Encoding: chunked", "0\r\nA: b\r\n"),
        )
        .then_fin()
        .silently_broken_off(),
        may("9112 8", "a half-close before the last LF", post_with("Transfer-Encoding: chunked", "0\r\n\r"))
            .then_fin()
            .silently_broken_off(),
        should("9110 15.5.9", "a head that does not go on", HEAD).then_silence(31).refused(408),
        should("9110 15.5.9", "a request line that does not go on", "G").then_silence(31).refused(408),
        should("9110 15.5.9", "content that does not come", post_with("Content-Length: 3", "ab"))
            .then_silence(301)
            .broken_off(408),
        should("9110 15.5.9", "a chunk that does not come", post_with("Transfer-Encoding: chunked", "2\r\n"))
            .then_silence(301)
            .broken_off(408),
        should("9112 9.5", "a connection without a request", "").then_silence(66).silently_closed(),
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
