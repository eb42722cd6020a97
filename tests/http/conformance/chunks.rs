//! The chunked transfer coding: sizes, extensions, ends, trailers (RFC 9112, 7.1; RFC 9110, 6.5).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, must, must_not, ours, post_with, should};

pub fn rows() -> Vec<Row> {
    [sizes(), extensions(), ends(), trailers()].into_iter().flatten().collect()
}

fn chunked(content: &str) -> Vec<u8> {
    post_with("Transfer-Encoding: chunked", content)
}

fn sizes() -> Vec<Row> {
    let bad = |says, content: &str| should("9112 7.1", says, chunked(content)).broken_off(400);
    vec![
        must("9112 7.1", "no chunk but the last", chunked("0\r\n\r\n")).sees("POST /a @h"),
        must("9112 7.1", "chunks are one content", chunked("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"))
            .sees("POST /a @h \"abc\""),
        must(
            "9112 7.1",
            "sizes are hexadecimal, in either case",
            chunked("a\r\n0123456789\r\nB\r\n0123456789x\r\n0\r\n\r\n"),
        )
        .sees("POST /a @h \"01234567890123456789x\""),
        must("9112 7.1", "sizes may have leading zeros", chunked("0002\r\nab\r\n000\r\n\r\n"))
            .sees("POST /a @h \"ab\""),
        must("9112 7.1", "data is bytes, line ends and all", chunked("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"))
            .sees("POST /a @h \"\\r\\n0\\r\\n\\r\\n\""),
        must("9112 7.1", "one more than 64 bits hold", chunked("10000000000000000\r\nab")).broken_off(400),
        must("9112 7.1", "more zeros than anyone sends", chunked("00000000000000002\r\nab")).broken_off(400),
        must("9112 7.1", "what would be 2 in 64 bits", chunked("10000000000000002\r\nab\r\n0\r\n\r\n")).broken_off(400),
        bad("no size", "\r\nab"),
        bad("an empty size with an extension", ";a\r\nab"),
        bad("a plus", "+2\r\nab"),
        bad("a minus", "-2\r\nab"),
        bad("0x", "0x2\r\nab"),
        bad("no digit", "g\r\nab"),
        bad("a digit too many that is none", "2g\r\nab"),
        bad("an underscore", "1_0\r\nab"),
        bad("a blank before it", " 2\r\nab"),
        bad("a comma", "2,\r\nab"),
        bad("a NUL", "2\0\r\nab"),
        bad("a byte of more than ASCII", "2\u{e9}\r\nab"),
        ours("9112 7.1", "a blank behind it", chunked("2 \r\nab\r\n0\r\n\r\n")).broken_off(400),
        ours("9112 7.1", "a tab behind it", chunked("2\t\r\nab\r\n0\r\n\r\n")).broken_off(400),
        should(
            "9110 15.5.14",
            "content larger than the handler takes",
            chunked(&format!("65\r\n{}\r\n0\r\n\r\n", "x".repeat(101))),
        )
        .broken_off(413),
        should("9110 15.5.14", "also in many chunks", chunked(&("a\r\n0123456789\r\n".repeat(11) + "0\r\n\r\n")))
            .broken_off(413),
    ]
}

fn extensions() -> Vec<Row> {
    let good = |says, first: &str| {
        must("9112 7.1.1", says, chunked(&format!("2{first}\r\nab\r\n0\r\n\r\n"))).sees("POST /a @h \"ab\"")
    };
    let bad = |says, first: &str| {
        should("9112 7.1.1", says, chunked(&format!("2{first}\r\nab\r\n0\r\n\r\n"))).broken_off(400)
    };
    vec![
        good("an extension is ignored", ";a"),
        good("one with a value", ";a=b"),
        good("one with a quoted value", ";a=\"b;\\\"c\\\\\\\"d\""),
        must("9110 5.6.4", "a quoted-pair is one byte of the value", chunked("2;a=\"\\\"\"\r\nab\r\n0\r\n\r\n"))
            .sees("POST /a @h \"ab\""),
        good("an empty quoted value", ";a=\"\""),
        good("several", ";a;b=c;d=\"e\";f"),
        must("9112 7.1.1", "one behind the last chunk's size", chunked("2\r\nab\r\n0;a=b\r\n\r\n"))
            .sees("POST /a @h \"ab\""),
        must("9110 5.6.3", "bad blanks are removed", chunked("2 \t; a \t= b ; c = \"d\" ;e\r\nab\r\n0\r\n\r\n"))
            .sees("POST /a @h \"ab\""),
        bad("no name", ";"),
        bad("no name before the value", ";=b"),
        bad("no value", ";a="),
        bad("a quote that does not end", ";a=\"b"),
        bad("a CR in a quoted value", ";a=\"\r\n\""),
        bad("junk behind a quoted value", ";a=\"b\"c"),
        bad("no semicolon", " a"),
        bad("a NUL", ";a\0"),
        bad("a control character in a quoted value", ";a=\"\u{1}\""),
        bad("obs-text in a quoted value", ";a=\"\u{fc}\""),
        bad("obs-text in a quoted pair", ";a=\"\\\u{fc}\""),
        ours("9112 2.2", "an extension that ends with LF alone", chunked("2;a\nab\r\n0\r\n\r\n")).broken_off(400),
        ours("9112 7.1.1", "a LF within one", chunked("2;a\n\r\nab\r\n0\r\n\r\n")).broken_off(400),
        must(
            "9112 7.1.1",
            "more of them than we wish to read",
            chunked(&format!("2;{}\r\nab\r\n0\r\n\r\n", "a".repeat(17_000))),
        )
        .broken_off(413),
    ]
}

fn ends() -> Vec<Row> {
    let bad = |says, content: &str| should("9112 7.1", says, chunked(content)).broken_off(400);
    vec![
        bad("no line end behind the data", "2\r\nab0\r\n\r\n"),
        bad("data longer than its size", "2\r\nabc\r\n0\r\n\r\n"),
        bad("data shorter than its size", "3\r\nab\r\n0\r\n\r\n"),
        bad("CR alone behind the data", "2\r\nab\r0\r\n\r\n"),
        bad("two line ends behind the data", "2\r\nab\r\n\r\n0\r\n\r\n"),
        ours("9112 2.2", "LF alone behind the data", chunked("2\r\nab\n0\r\n\r\n")).broken_off(400),
        ours("9112 2.2", "a size that ends with LF alone", chunked("2\nab\r\n0\r\n\r\n")).broken_off(400),
        must("9112 2.2", "a size that ends with CR alone", chunked("2\rab\r\n0\r\n\r\n")).broken_off(400),
        ours("9112 2.2", "a size that ends with CR CR LF", chunked("2\r\r\nab\r\n0\r\n\r\n")).broken_off(400),
        ours("9112 2.2", "a last chunk that ends with LF alone", chunked("0\n\r\n")).broken_off(400),
        ours("9112 2.2", "an end of LF alone", chunked("0\r\n\n")).broken_off(400),
        must("9112 2.2", "an end of CR alone", chunked("0\r\n\rG")).broken_off(400),
        should("9112 2.2", "a line end behind the end is none of it", chunked("0\r\n\r\n\r\n")).sees("POST /a @h"),
        must(
            "9112 9.3",
            "bad chunks that nobody reads close the connection as well",
            "PUT /early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        )
        .cut_short(200)
        .closes_unannounced(),
    ]
}

fn trailers() -> Vec<Row> {
    let with = |lines: &str| chunked(&format!("2\r\nab\r\n0\r\n{lines}\r\n\r\n"));
    let bad = |says, lines: &str| should("9112 7.1.2", says, with(lines)).broken_off(400);
    let mut rows = vec![
        must_not("9110 6.5.1", "trailers are no fields: they are told apart", with("Sum: 2"))
            .sees("POST /a @h \"ab\" {Sum: 2}"),
        must("9112 7.1.2", "several, in order", with("Sum: 2\r\nB:\r\nsum: \t3 "))
            .sees("POST /a @h \"ab\" {Sum: 2, B: , sum: 3}"),
        must("9110 5.5", "a NUL in a value", with("A: b\0")).broken_off(400),
        must("9112 5.1", "a blank before the colon", with("A : b")).broken_off(400),
        must("9112 5.2", "a folded value", with("A: b\r\n c")).broken_off(400),
        must("9112 2.2", "a bare CR", with("A: b\rc")).broken_off(400),
        ours("9112 2.2", "a line that ends with LF alone", with("A: b\nC: d")).broken_off(400),
        should("9110 5.5", "obs-text is opaque data", with("A: \u{fc}")).sees("POST /a @h \"ab\" {A: \u{fc}}"),
        bad("no colon", "Ab"),
        bad("an empty name", ": b"),
        bad("a blank in front", " A: b"),
        must("9110 5.4", "larger than we wish to process", with(&format!("A: {}", "v".repeat(17_000)))).broken_off(431),
        must("9110 5.4", "more than we wish to process", with(&vec!["A: b"; 101].join("\r\n"))).broken_off(431),
    ];
    for forbidden in [
        "Content-Length: 2",
        "Transfer-Encoding: chunked",
        "Host: i",
        "Connection: close",
        "Expect: 100-continue",
        "Authorization: Basic YTpi",
        "Cookie: a=b",
        "Content-Type: text/plain",
        "Content-Encoding: gzip",
        "Range: bytes=0-1",
        "If-Match: *",
        "Trailer: A",
        "Upgrade: b",
        "TE: trailers",
    ] {
        rows.push(
            ours("9110 6.5.1", "what is about framing, routing, authentication or content", with(forbidden))
                .broken_off(400),
        );
    }
    rows
}

#[test]
fn holds_in_memory_however_the_bytes_are_split() {
    replay_in_memory(&rows());
}

#[test]
fn holds_over_a_real_socket() {
    replay_over_a_socket(&rows());
}
