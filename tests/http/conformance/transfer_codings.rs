//! Transfer-Encoding, alone and with Content-Length (RFC 9112, 6.1 and 6.3).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, get_with, must, ours, post_with, should};

pub fn rows() -> Vec<Row> {
    const CHUNKS: &str = "2\r\nab\r\n0\r\n\r\n";
    let coded = |value: &str| post_with(&format!("Transfer-Encoding:{value}"), CHUNKS);
    let bad = |says, value: &str| must("9112 6.3", says, coded(value)).refused(400);
    let unknown = |says, value: &str| should("9112 6.1", says, coded(value)).refused(501);
    vec![
        must("9112 6.1", "chunked", coded(" chunked")).sees("POST /a @h \"ab\""),
        must("9112 7", "codings have no case", coded(" cHuNkEd")).sees("POST /a @h \"ab\""),
        must("9110 5.1", "nor have names", post_with("tRANSFER-eNCODING: chunked", CHUNKS)).sees("POST /a @h \"ab\""),
        must("9110 5.5", "blanks around it are no part of it", coded(" \t chunked\t ")).sees("POST /a @h \"ab\""),
        must("9110 5.6.1.2", "empty elements of a list are ignored", coded(" , chunked,\t,")).sees("POST /a @h \"ab\""),
        must(
            "9110 5.6.1.2",
            "also in a line of their own",
            post_with("Transfer-Encoding:\r\nTransfer-Encoding: chunked", CHUNKS),
        )
        .sees("POST /a @h \"ab\""),
        must(
            "9112 6.1",
            "any method may have it",
            "GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        )
        .sees("GET /a @h"),
        must(
            "9112 9.3",
            "also one that is not read",
            format!("PUT /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}"),
        )
        .cut_short(200)
        .content("early"),
        unknown("gzip under chunked", " gzip, chunked"),
        unknown("in a line of its own", " gzip\r\nTransfer-Encoding: chunked"),
        unknown("one that nobody knows", " cow, chunked"),
        unknown("with parameters", " cow;a=b;c=\"d\", chunked"),
        unknown("identity, which is none any more", " identity, chunked"),
        unknown("a name that only begins like it", " chunkedx, chunked"),
        must("9112 6.3", "chunked is not the last", coded(" chunked, gzip")).refused(400),
        must("9112 6.3", "chunked is not the last, in two lines", coded(" chunked\r\nTransfer-Encoding: gzip"))
            .refused(400),
        must("9112 6.1", "chunked twice", coded(" chunked, chunked")).refused(400),
        must("9112 6.1", "chunked twice, in two lines", coded(" chunked\r\nTransfer-Encoding: chunked")).refused(400),
        bad("no chunked at all, and not even a name", " \u{b}chunked"),
        bad("empty", ""),
        bad("commas only", " ,,"),
        bad("in quotes", " \"chunked\""),
        bad("a blank inside", " chun ked"),
        bad("two names without a comma", " gzip chunked"),
        bad("a semicolon alone", " ;"),
        bad("junk behind it", " chunked\u{a0}"),
        should("9112 7.1", "chunked has no parameters", coded(" chunked;a=b")).refused(400),
        should("9112 7.1", "not even empty ones", coded(" chunked;")).refused(400),
        must(
            "9112 6.3",
            "gzip alone is no end of the content (501 says the same: it is not understood)",
            coded(" gzip"),
        )
        .refused(501),
        must("9112 6.3", "nor is identity alone", coded(" identity")).refused(501),
        ours("9112 6.3", "with Content-Length", post_with("Content-Length: 2\r\nTransfer-Encoding: chunked", CHUNKS))
            .refused(400),
        ours("9112 6.3", "before Content-Length", post_with("Transfer-Encoding: chunked\r\nContent-Length: 2", CHUNKS))
            .refused(400),
        ours(
            "9112 6.3",
            "with Content-Length: 0",
            post_with("Content-Length: 0\r\nTransfer-Encoding: chunked", CHUNKS),
        )
        .refused(400),
        ours(
            "9112 6.3",
            "an invalid one with Content-Length",
            post_with("Content-Length: 2\r\nTransfer-Encoding: x", "ab"),
        )
        .refused(400),
        must("9112 6.1", "in HTTP/1.0", format!("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}"))
            .refused(400),
        must(
            "9112 6.1",
            "in HTTP/1.0 with Content-Length",
            format!("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{CHUNKS}"),
        )
        .refused(400),
        must(
            "9112 6.1",
            "in HTTP/1.0 with keep-alive",
            format!("POST /a HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}"),
        )
        .refused(400),
        ours("9112 6.1", "a name that only looks like it", post_with("Transfer_Encoding: chunked", ""))
            .sees("POST /a @h {Transfer_Encoding: chunked}"),
        must("9112 5.1", "a name with a blank behind it", post_with("Transfer-Encoding : chunked", CHUNKS))
            .refused(400),
        must("9112 7.4", "TE is not Transfer-Encoding", get_with("TE: trailers\r\nConnection: TE"))
            .sees("GET /a @h {TE: trailers}"),
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
