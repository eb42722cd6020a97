//! Field lines: names, values, blanks, line ends, folding, sizes (RFC 9112, 5; RFC 9110, 5).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, get_with, must, ours, post_with, should};

pub fn rows() -> Vec<Row> {
    [lines(), values(), ends(), sizes()].into_iter().flatten().collect()
}

fn lines() -> Vec<Row> {
    let bad = |says, lines: &str| should("9112 2.2", says, get_with(lines)).refused(400);
    vec![
        must("9110 5.1", "names have no case, and come as they were sent", get_with("x-A: b"))
            .sees("GET /a @h {x-A: b}"),
        should("9110 5.1", "unknown fields are passed on", get_with("Never-Heard-Of: b"))
            .sees("GET /a @h {Never-Heard-Of: b}"),
        must("9110 5.3", "lines of one name keep their order", get_with("A: 1\r\nB: x\r\na: 2"))
            .sees("GET /a @h {A: 1, B: x, a: 2}"),
        must("9110 5.6.2", "all of a token's characters are a name's", get_with("!#$%&'*+-.^_`|~9: b"))
            .sees("GET /a @h {!#$%&'*+-.^_`|~9: b}"),
        must("9112 5.1", "a blank before the colon", get_with("A : b")).refused(400),
        must("9112 5.1", "a tab before the colon", get_with("A\t: b")).refused(400),
        must("9112 5.1", "blanks before the colon of Content-Length", post_with("Content-Length : 2", "ab"))
            .refused(400),
        must("9112 5.1", "and of Transfer-Encoding", post_with("Transfer-Encoding\t: chunked", "0\r\n\r\n"))
            .refused(400),
        must("9112 5.1", "a blank within a name", get_with("A b: c")).refused(400),
        bad("an empty name", ": b"),
        bad("no colon", "Ab"),
        bad("a NUL in a name", "A\0: b"),
        bad("a name of more than ASCII", "\u{c4}: b"),
        bad("a parenthesis in a name", "A(b): c"),
        bad("a name in quotes", "\"A\": c"),
        bad("a slash in a name", "A/b: c"),
        bad("a control character in a name", "A\u{1}: c"),
        bad("DEL in a name", "A\u{7f}: c"),
        must("9112 5.2", "a folded value", get_with("A: b\r\n c")).refused(400),
        must("9112 5.2", "a value folded with a tab", get_with("A: b\r\n\tc")).refused(400),
        must("9112 5.2", "a value folded at its start", get_with("A:\r\n b")).refused(400),
        must("9112 5.2", "a folded line of blanks", get_with("A: b\r\n ")).refused(400),
        must("9112 5.2", "a folded Transfer-Encoding", post_with("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"))
            .refused(400),
    ]
}

fn values() -> Vec<Row> {
    let bad = |says, value: &str| must("9110 5.5", says, get_with(&format!("A: {value}"))).refused(400);
    let mut rows = vec![
        must("9112 5.1", "no blank before the value", get_with("A:b")).sees("GET /a @h {A: b}"),
        must("9112 5.1", "blanks around the value are not a part of it", get_with("A: \t b \t c\t \t"))
            .sees("GET /a @h {A: b \t c}"),
        must("9112 5.1", "a value may be empty", get_with("A:\r\nB: c")).sees("GET /a @h {A: , B: c}"),
        must("9112 5.1", "blanks only are empty", get_with("A: \t \r\nB: c")).sees("GET /a @h {A: , B: c}"),
        must("9112 5.1", "a value may have colons", get_with("A: b:c: d")).sees("GET /a @h {A: b:c: d}"),
        must("9110 5.5", "all that is visible is a value's", get_with("A: \"(),/:;<=>?@[\\]{}~"))
            .sees("GET /a @h {A: \"(),/:;<=>?@[\\]{}~}"),
        bad("NUL in a value", "b\0c"),
        bad("a value of NUL", "\0"),
        bad("a bare CR in a value", "b\rc"),
        bad("a bare CR at the end of a value", "b\r"),
        should("9110 5.5", "obs-text is opaque data: UTF-8 in a value", get_with("A: \u{fc}\r\nB: c"))
            .sees("GET /a @h {A: \u{fc}, B: c}"),
        should("9110 5.5", "a value that is all obs-text", b"GET /a HTTP/1.1\r\nHost: h\r\nA:\x80\xff\r\n\r\n")
            .sees("GET /a @h {A: \\x80\\xff}"),
        ours("9110 5.5", "obs-text in Connection", get_with("Connection: \u{fc}")).refused(400),
        ours("9110 5.5", "obs-text in Expect", get_with("Expect: \u{fc}")).refused(400),
        ours("9110 5.5", "obs-text in Upgrade", get_with("Upgrade: \u{fc}")).refused(400),
        must("9110 8.6", "obs-text in Content-Length", get_with("Content-Length: 1\u{b2}")).refused(400),
        must("9112 6.1", "obs-text in Transfer-Encoding", get_with("Transfer-Encoding: chunked\u{fc}")).refused(400),
    ];
    for byte in [1u8, 8, 0xb, 0xc, 0x1b, 0x1f, 0x7f] {
        let wire = [b"GET /a HTTP/1.1\r\nHost: h\r\nA: b", &[byte][..], b"c\r\n\r\n"].concat();
        rows.push(ours("9110 5.5", "controls in a value", wire).refused(400));
    }
    for (byte, seen) in
        [(0x80, "GET /a @h {A: b\\x80c}"), (0xa0, "GET /a @h {A: b\\xa0c}"), (0xff, "GET /a @h {A: b\\xffc}")]
    {
        let wire = [b"GET /a HTTP/1.1\r\nHost: h\r\nA: b", &[byte][..], b"c\r\n\r\n"].concat();
        rows.push(should("9110 5.5", "8-bit bytes in a value", wire).sees(seen));
    }
    rows
}

fn ends() -> Vec<Row> {
    vec![
        ours("9112 2.2", "a field line that ends with LF alone", get_with("A: b\nC: d")).refused(400),
        ours("9112 2.2", "an empty value that ends with LF alone", get_with("A:\nC: d")).refused(400),
        ours("9112 2.2", "a name that ends with LF", get_with("A\nC: d")).refused(400),
        must("9112 2.2", "a field line that ends with CR alone", get_with("A: b\rC: d")).refused(400),
        must("9112 2.2", "CR CR LF", get_with("A: b\r\r\nC: d")).refused(400),
        must("9112 2.2", "CR in a name", get_with("A\r: b")).refused(400),
        ours("9112 2.2", "a head that ends with CR LF LF", b"GET /a HTTP/1.1\r\nHost: h\r\n\n").refused(400),
        ours("9112 2.2", "a head that ends with LF LF", b"GET /a HTTP/1.1\nHost: h\n\n").refused(400),
        must("9112 2.2", "a head that ends with CR alone", b"GET /a HTTP/1.1\r\nHost: h\r\n\rG").refused(400),
        ours("9112 2.2", "a length that hides behind LF", post_with("A: b\nContent-Length: 2", "ab")).refused(400),
    ]
}

fn sizes() -> Vec<Row> {
    let many = |count: usize| get_with(&vec!["A: b"; count - 1].join("\r\n"));
    vec![
        must("9110 5.4", "a name of 1000 bytes", get_with(&format!("{}: b", "n".repeat(1000)))),
        must("9110 5.4", "a value of 8000 bytes", get_with(&format!("A: {}", "v".repeat(8000)))),
        must("9110 5.4", "a value larger than we wish to process", get_with(&format!("A: {}", "v".repeat(17_000))))
            .refused(431),
        must("9110 5.4", "a name larger than we wish to process", get_with(&format!("{}: b", "n".repeat(17_000))))
            .refused(431),
        must("9110 5.4", "blanks larger than we wish to process", get_with(&format!("A:{}b", " ".repeat(17_000))))
            .refused(431),
        must("9110 5.4", "100 fields", many(100)),
        must("9110 5.4", "more fields than we wish to process", many(101)).refused(431),
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
