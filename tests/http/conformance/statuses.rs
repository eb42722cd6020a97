//! Each status that the library answers by itself: with a Date, a length, a reason in words, and the close.

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, get_with, must, post_with, should};

pub fn rows() -> Vec<Row> {
    let explained = |section, says, wire: Vec<u8>, status, content| {
        should(section, says, wire).refused(status).content(content).with("Content-Type", "text/plain; charset=utf-8")
    };
    let line = |line: &str| format!("{line}\r\nHost: h\r\n\r\n").into_bytes();
    vec![
        // That it is there and of this form is looked at in every response.
        must("9110 6.6.1", "responses have a Date", get_with("A: b")).sees("GET /a @h {A: b}"),
        must("9110 5.6.7", "which is an IMF-fixdate", get_with("A: b")).sees("GET /a @h {A: b}"),
        explained(
            "9110 15.5",
            "400 says why in a representation",
            get_with("A : b"),
            400,
            "400 Bad Request: a field name is followed by whitespace\n",
        ),
        explained("9110 15.5", "408", Vec::from("GET"), 408, "408 Request Timeout: the request did not come in time\n")
            .then_silence(31),
        explained(
            "9110 15.5",
            "414",
            line(&format!("GET /{} HTTP/1.1", "x".repeat(17_000))),
            414,
            "414 URI Too Long: the request-target is too long\n",
        ),
        explained(
            "9110 15.5",
            "417",
            get_with("Expect: tea"),
            417,
            "417 Expectation Failed: this server cannot meet the expectation\n",
        ),
        explained(
            "9110 15.5",
            "431",
            get_with(&"A: b\r\n".repeat(100)),
            431,
            "431 Request Header Fields Too Large: the request has too many fields\n",
        ),
        explained(
            "9110 15.6",
            "501",
            get_with("Transfer-Encoding: x, chunked"),
            501,
            "501 Not Implemented: only the chunked transfer coding is implemented\n",
        ),
        explained(
            "9110 15.6",
            "505",
            line("GET / HTTP/2.0"),
            505,
            "505 HTTP Version Not Supported: only HTTP/1.0 and HTTP/1.1 are spoken here\n",
        ),
        should("9110 15.5", "413", post_with("Content-Length: 101", &"x".repeat(101)))
            .broken_off(413)
            .content("413 Content Too Large: the content is larger than this server takes\n"),
        should(
            "9110 15.5",
            "413 that closes, since the rest is too much",
            post_with("Content-Length: 1000000", &"x".repeat(101)),
        )
        .broken_off(413),
        must("9112 4", "a status without a registered reason", b"GET /no-reason HTTP/1.1\r\nHost: h\r\n\r\n")
            .sees("GET /no-reason @h")
            .status(299),
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
