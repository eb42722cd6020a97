//! Methods and statuses that change how messages are framed: HEAD, 204, 205, 304, TRACE, CONNECT, OPTIONS (RFC 9110, 9 and 15).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, may, must, must_not, ours, should};

pub fn rows() -> Vec<Row> {
    let ask = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    let refused = |says, lines: &str, content: &str| {
        must_not("9110 9.3.2", says, format!("HEAD /a HTTP/1.1\r\n{lines}\r\n\r\n{content}"))
    };
    vec![
        must("9110 9.1", "GET", ask("GET", "/a")).sees("GET /a @h").content("seen").with("Content-Length", "4"),
        must_not("9110 9.3.2", "HEAD gets no content, and the fields of GET", ask("HEAD", "/a"))
            .sees("HEAD /a @h")
            .content("")
            .with("Content-Length", "4"),
        must_not("9110 9.3.2", "nor where its length is not known", ask("HEAD", "/parts"))
            .sees("HEAD /parts @h")
            .content("")
            .trailers(""),
        must_not("9110 9.3.2", "nor in HTTP/1.0", "HEAD /a HTTP/1.0\r\n\r\n").sees_last("HEAD /a 1.0").content(""),
        must_not("9110 9.3.2", "nor where the handler did not read", ask("HEAD", "/early")).cut_short(200).content(""),
        must("9110 9.3.2", "HEAD may have content", "HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
            .sees("HEAD /a @h \"ab\"")
            .content(""),
        refused("a refused HEAD gets no content either", "A: b", "").refused(400).content(""),
        refused("nor one whose field is bad", "Host: h\r\nA : b", "").refused(400).content(""),
        refused("nor one whose length is bad", "Host: h\r\nContent-Length: x", "").refused(400).content(""),
        refused("nor one whose chunks are bad", "Host: h\r\nTransfer-Encoding: chunked", "x")
            .broken_off(400)
            .content(""),
        refused("nor one whose coding is unknown", "Host: h\r\nTransfer-Encoding: x, chunked", "")
            .refused(501)
            .content(""),
        refused("nor one that expects too much", "Host: h\r\nExpect: tea", "").refused(417).content(""),
        must_not("9110 9.3.2", "nor one of another version", "HEAD /a HTTP/2.0\r\n\r\n").refused(505).content(""),
        must_not("9110 9.3.2", "nor one that is too long", ask("HEAD", &format!("/{}", "x".repeat(17_000))))
            .refused(414)
            .content(""),
        must_not("9110 9.3.2", "nor one behind an empty line", "\r\nHEAD /a HTTP/1.1\r\n\r\n").refused(400).content(""),
        must_not("9110 9.3.2", "nor one that does not come in time", "HEAD /a HTTP/1.1\r\nHo")
            .then_silence(31)
            .refused(408)
            .content(""),
        must_not("9112 6.1", "204 has no transfer coding", ask("GET", "/no-content"))
            .sees("GET /no-content @h")
            .status(204)
            .without("Transfer-Encoding"),
        must_not("9110 8.6", "204 has no length", ask("GET", "/no-content"))
            .sees("GET /no-content @h")
            .status(204)
            .without("Content-Length")
            .without("Transfer-Encoding"),
        must_not("9110 15.3.6", "205 has no content", ask("GET", "/reset-content"))
            .sees("GET /reset-content @h")
            .status(205)
            .with("Content-Length", "0"),
        must_not("9110 15.4.5", "304 has no content", ask("GET", "/not-modified"))
            .sees("GET /not-modified @h")
            .status(304)
            .without("Transfer-Encoding"),
        must_not("9110 15.4.5", "304 to HEAD", ask("HEAD", "/not-modified")).sees("HEAD /not-modified @h").status(304),
        must_not("9112 6.2", "chunks have no length", ask("GET", "/parts"))
            .sees("GET /parts @h")
            .without("Content-Length"),
        must("9112 6.1", "chunks are applied once", ask("GET", "/parts")).sees("GET /parts @h").content("seen"),
        should("9112 6.3", "content is delimited where it can be", ask("GET", "/parts"))
            .sees("GET /parts @h")
            .with("Transfer-Encoding", "chunked"),
        must("9112 6.3", "content of unknown length comes in chunks", ask("GET", "/parts"))
            .sees("GET /parts @h")
            .with("Transfer-Encoding", "chunked")
            .without("Content-Length")
            .content("seen")
            .trailers("Sum: 4"),
        must_not("9110 6.5.1", "no trailer of framing is sent", ask("GET", "/parts"))
            .sees("GET /parts @h")
            .trailers("Sum: 4"),
        should("9110 8.6", "a known length is said", ask("DELETE", "/a"))
            .sees("DELETE /a @h")
            .with("Content-Length", "4"),
        must("9110 15.2", "informational responses come first", ask("GET", "/hints"))
            .informed(103)
            .sees("GET /hints @h"),
        must_not("9110 15.2", "HTTP/1.0 gets none", "GET /hints HTTP/1.0\r\n\r\n").sees_last("GET /hints 1.0"),
        may("9110 9.3.8", "TRACE is the handler's: nothing is sent back by itself", ask("TRACE", "/a"))
            .sees("TRACE /a @h"),
        must("9110 9.3.7", "OPTIONS for the server", ask("OPTIONS", "*")).sees("OPTIONS * @h"),
        must("9110 9.3.7", "OPTIONS for a resource", ask("OPTIONS", "/a")).sees("OPTIONS /a @h"),
        may("9112 3.2.4", "OPTIONS through proxies", ask("OPTIONS", "http://t")).sees("OPTIONS http://t @t"),
        must("9110 9.3.7", "OPTIONS with content", "OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
            .sees("OPTIONS * @h \"ab\""),
        should("9110 9.1", "CONNECT is not implemented where nobody listens for it", ask("CONNECT", "t:443"))
            .refused(501),
        must("9110 9.3.6", "CONNECT without a port", ask("CONNECT", "t")).refused(400),
        must("9110 9.3.6", "with an empty one", ask("CONNECT", "t:")).refused(400),
        must("9110 9.3.6", "with one that is no number", ask("CONNECT", "t:x")).refused(400),
        must("9110 9.3.6", "with one of more than 16 bits", ask("CONNECT", "t:65536")).refused(400),
        must("9110 9.3.6", "with port 0, where nobody can be", ask("CONNECT", "t:0")).refused(400),
        must("9112 3.2.3", "without a host", ask("CONNECT", ":443")).refused(400),
        must("9112 3.2.3", "with a path", ask("CONNECT", "/a")).refused(400),
        must("9112 3.2.3", "with an absolute target", ask("CONNECT", "http://t:80")).refused(400),
        ours("9110 9.3.6", "with content", "CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\nContent-Length: 2\r\n\r\nab")
            .refused(400),
        ours(
            "9110 9.3.6",
            "with chunks",
            "CONNECT t:443 HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        )
        .refused(400),
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
