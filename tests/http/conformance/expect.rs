//! Expect: 100-continue and others (RFC 9110, 10.1.1).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, may, must, must_not, should};

pub fn rows() -> Vec<Row> {
    let put =
        |path: &str, lines: &str, content: &str| format!("PUT {path} HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n{content}");
    vec![
        must(
            "9110 10.1.1",
            "100 before the content is read",
            put("/a", "Expect: 100-continue\r\nContent-Length: 2", "ab"),
        )
        .informed(100)
        .sees("PUT /a @h {Expect: 100-continue} \"ab\""),
        must(
            "9110 10.1.1",
            "also before chunks",
            put("/a", "Expect: 100-continue\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        )
        .informed(100)
        .sees("PUT /a @h {Expect: 100-continue}"),
        must_not(
            "9110 10.1.1",
            "the 100 does not wait for the content",
            put("/a", "Expect: 100-continue\r\nContent-Length: 2", ""),
        )
        .then_silence(301)
        .informed(100)
        .broken_off(408),
        must("9110 10.1.1", "it has no case", put("/a", "expect: 100-CONTINUE\r\nContent-Length: 2", "ab"))
            .informed(100)
            .sees("PUT /a @h {expect: 100-CONTINUE} \"ab\""),
        may("9110 10.1.1", "none where there is no content", put("/a", "Expect: 100-continue", ""))
            .sees("PUT /a @h {Expect: 100-continue}"),
        may("9110 10.1.1", "nor where its length is 0", put("/a", "Expect: 100-continue\r\nContent-Length: 0", ""))
            .sees("PUT /a @h {Expect: 100-continue}"),
        must(
            "9110 10.1.1",
            "HTTP/1.0 expects nothing",
            "PUT /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
        )
        .sees_last("PUT /a 1.0 {Expect: 100-continue} \"ab\""),
        should(
            "9110 10.1.1",
            "a final answer before the content says that it closes",
            put("/early", "Expect: 100-continue\r\nContent-Length: 2", ""),
        )
        .cut_short(200)
        .closes()
        .content("early"),
        may("9110 10.1.1", "another expectation is 417", put("/a", "Expect: tea", "")).refused(417),
        may("9110 10.1.1", "also beside 100-continue", put("/a", "Expect: 100-continue, tea\r\nContent-Length: 2", ""))
            .refused(417),
        may(
            "9110 10.1.1",
            "in whatever order and lines",
            put("/a", "Expect: tea\r\nExpect: 100-continue\r\nContent-Length: 2", ""),
        )
        .refused(417),
        may("9110 10.1.1", "100-continue has no value", put("/a", "Expect: 100-continue=yes\r\nContent-Length: 2", ""))
            .refused(417),
        may("9110 10.1.1", "an empty one expects nothing", put("/a", "Expect:\r\nContent-Length: 2", "ab"))
            .sees("PUT /a @h {Expect: } \"ab\""),
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
