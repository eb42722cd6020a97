//! Requests and answers that are nearly valid: by the grammar, with what parsers disagree on in each place, and then spoilt.
#![allow(dead_code, reason = "each test uses a part of it")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One of these, and mostly the first.
fn mostly(usual: &'static str, others: &'static [&'static str]) -> impl Strategy<Value = String> {
    let others = select(others).prop_map(str::to_owned);
    prop_oneof![3 => Just(usual.to_owned()), 1 => others]
}

fn line_end() -> impl Strategy<Value = &'static str> {
    prop_oneof![60 => Just("\r\n"), 1 => select(&["\n", "x\n", "\t\n", "\r", "\r\r\n", " \r\n", "\r\n ", "\n\r\n", "\0\r\n", ""][..])]
}

fn method() -> impl Strategy<Value = String> {
    mostly(
        "POST",
        &["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "post", "SOURCE", "G@T", "M-SEARCH"],
    )
}

fn target() -> impl Strategy<Value = String> {
    mostly(
        "/",
        &[
            "/a/b?c=d",
            "*",
            "/a%20b",
            "http://a/",
            "http://a",
            "https://b:1?q",
            "a:1",
            "a",
            "/a b",
            "/\u{e9}",
            "/a#b",
            "//a",
            "http://u@a/",
            "ftp://a/",
            "/\"<>",
            "/{}|^",
            "",
        ],
    )
}

fn version() -> impl Strategy<Value = String> {
    mostly(
        "HTTP/1.1",
        &["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.10", "HTTP/1.", "HTTP/11", ""],
    )
}

fn host() -> impl Strategy<Value = String> {
    let odd = &[
        "",
        "Host:\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a b\r\n",
        "Host : a\r\n",
        "host:\ta\t\r\n",
        "Host: a:80\r\n",
        "Host: [::1]:1\r\n",
        "Host: a, b\r\n",
        "Host: u@a\r\n",
        "\u{212a}ost: a\r\n",
    ];
    prop_oneof![20 => Just("Host: a\r\n".to_owned()), 1 => select(&odd[..]).prop_map(str::to_owned)]
}

/// Fields that say how the content is framed; `{}` is its length.
fn framing() -> impl Strategy<Value = String> {
    let lengths = &[
        "Content-Length: {}\r\n",
        "Content-Length: 0{}\r\n",
        "Content-Length: +{}\r\n",
        "Content-Length: -{}\r\n",
        "Content-Length: {}, {}\r\n",
        "Content-Length: {},\r\n",
        "Content-Length: {}\r\nContent-Length: {}\r\n",
        "Content-Length: {}\r\nContent-Length: 3\r\n",
        "Content-Length: 0x{}\r\n",
        "Content-Length: {}.0\r\n",
        "Content-Length : {}\r\n",
        "Content-Length:{}\r\n",
        "Content-Length:\t{} \r\n",
        "Content-Length: {}\t\r\n",
        "Content-Length:\r\n",
        "Content-Length: {} {}\r\n",
        "Content_Length: {}\r\n",
        " Content-Length: {}\r\n",
        "X: y\r\n Content-Length: {}\r\n",
        "Content-Length:\r\n {}\r\n",
        "Content-Length: \u{b}{}\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 18446744073709551615\r\n",
        "Content-Length: {}e0\r\n",
        "content-length: {}\r\n",
        "Content-Length: {};\r\n",
        "Content-Length\0: {}\r\n",
        "Content-Length: \"{}\"\r\n",
        "Content-Length: 1_0\r\n",
        "Content-Length: {}\r\nContent-Length:\r\n",
        "Content-Length: 00000000000000000000{}\r\n",
    ];
    let codings = &[
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: CHUNKED\r\n",
        "Transfer-Encoding:chunked\t\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: , chunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding: chun\u{212a}ed\r\n",
        "Transfer_Encoding: chunked\r\n",
        "Transfer-Encoding: chunked \u{c}\r\n",
        "Transfer-Encoding:\r\n",
        "\r\nTransfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\0\r\n",
        "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: {}\r\n",
    ];
    prop_oneof![
        4 => Just(String::new()),
        5 => Just("Content-Length: {}\r\n".to_owned()),
        6 => Just("Transfer-Encoding: chunked\r\n".to_owned()),
        2 => select(&lengths[..]).prop_map(str::to_owned),
        2 => select(&codings[..]).prop_map(str::to_owned),
    ]
}

fn others() -> impl Strategy<Value = String> {
    let good = &[
        "X: y\r\n",
        "X:\r\n",
        "X: \t y \t\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "Connection: keep-alive, close\r\n",
        "Connection: upgrade\r\nUpgrade: h2c\r\n",
        "Connection: content-length\r\n",
        "Expect: 100-continue\r\n",
        "Expect: other\r\n",
        "Trailer: T\r\n",
        "TE: trailers\r\n",
        "Proxy-Connection: close\r\n",
    ];
    let bad = &[
        "X: \u{e9}\r\n",
        "X: a\0b\r\n",
        "X: a\r\n b\r\n",
        "X y\r\n",
        ": y\r\n",
        "X: y\n",
        "X: y\r",
        "X\t: y\r\n",
        "(X): y\r\n",
        "X: \u{7f}\r\n",
    ];
    let field = prop_oneof![12 => select(&good[..]), 1 => select(&bad[..])];
    vec(field, 0..3).prop_map(|fields| fields.concat())
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let within = &["", "hello", "0\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"];
    prop_oneof![4 => select(&within[..]).prop_map(|text| text.as_bytes().to_vec()), 1 => vec(any::<u8>(), 0..40)]
}

/// A chunked content, by the grammar and a little beside it.
pub fn chunks() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        30 => Just("{}".to_owned()),
        1 => select(&["0{}", "0x{}", "+{}", "-{}", " {}", "{} ", "{}\t", "{}_", "0000000000000000{}", "1000000000000000{}", ""][..])
            .prop_map(str::to_owned),
    ];
    let extension = prop_oneof![
        8 => Just(""),
        1 => select(&[
            ";", ";a", ";a=b", "; a = b", ";a=\"b\"", ";a=\"b;\\\"c\"", ";a=\"\r\n", ";a;b;c", " ;a", ";a=", ";=b", ";\n", ";a\0",
            ";\u{e9}", ";a=\"\n\"",
        ][..]),
    ];
    let chunk =
        (content(), size, extension, line_end(), line_end()).prop_map(|(data, size, extension, first, second)| {
            let size = size.replace("{}", &format!("{:x}", data.len()));
            if data.is_empty() {
                return Vec::new();
            }
            [size.as_bytes(), extension.as_bytes(), first.as_bytes(), &data, second.as_bytes()].concat()
        });
    let last =
        prop_oneof![8 => Just("0"), 1 => select(&["00", "0;a", "0 ", "", "0000000000000000", "00000000000000000"][..])];
    let trailers = prop_oneof![
        4 => Just(""),
        1 => select(&[
            "T: t\r\n", "T: t\r\nU:\r\n", "Content-Length: 5\r\n", "T : t\r\n", "T: t\n", " T: t\r\n", "T\r\n", "Host: b\r\n",
            "T: a\r\n b\r\n", "T: \u{e9}\r\n", "Transfer-Encoding: chunked\r\n", "T: \t t \t\r\n",
        ][..]),
    ];
    (vec(chunk, 0..4), last, line_end(), trailers, line_end()).prop_map(|(chunks, last, first, trailers, second)| {
        [&chunks.concat()[..], last.as_bytes(), first.as_bytes(), trailers.as_bytes(), second.as_bytes()].concat()
    })
}

/// A head, with the framing that it claims for a content of that length.
fn head(length: usize) -> impl Strategy<Value = String> {
    let line = (method(), target(), version(), line_end())
        .prop_map(|(method, target, version, end)| format!("{method} {target} {version}{end}"));
    // Half of the lines are beyond doubt, or little would come behind one.
    let line = prop_oneof![3 => Just("POST / HTTP/1.1\r\n".to_owned()), 2 => line];
    (line, host(), framing(), others(), line_end()).prop_map(move |(line, host, framing, others, end)| {
        line + &host + &framing.replace("{}", &length.to_string()) + &others + end
    })
}

/// A request with content, of which the head may say something else.
pub fn request() -> impl Strategy<Value = Vec<u8>> {
    (content(), chunks(), 0..12).prop_flat_map(|(content, chunks, odd)| {
        head(if odd == 0 { chunks.len() } else { content.len() }).prop_map(move |head| {
            let lower = head.to_ascii_lowercase();
            // Mostly as announced; but who reads the head otherwise finds another content.
            let content = match () {
                () if (odd == 1) != lower.contains("transfer") => &chunks[..],
                () if odd == 2 || lower.contains("content-length") => &content[..],
                () => &[],
            };
            [head.as_bytes(), content].concat()
        })
    })
}

#[derive(Clone, Debug)]
pub enum Spoil {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Repeat(Index, Index),
    Truncate(Index),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let byte = prop_oneof![3 => select(&b"\r\n\0 \t:,;/?=\"1290HaCfx\x0b\x7f\x80\xc3"[..]), 1 => any::<u8>()];
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), byte.clone()).prop_map(|(at, byte)| Spoil::Replace(at, byte)),
        3 => (at(), byte).prop_map(|(at, byte)| Spoil::Insert(at, byte)),
        3 => at().prop_map(Spoil::Remove),
        1 => (at(), at()).prop_map(|(from, to)| Spoil::Repeat(from, to)),
        1 => at().prop_map(Spoil::Truncate),
    ]
}

fn spoilt((mut bytes, spoils): (Vec<u8>, Vec<Spoil>)) -> Vec<u8> {
    for spoil in spoils {
        let len = bytes.len().max(1);
        match spoil {
            Spoil::Replace(at, byte) => {
                let at = at.index(len);
                bytes.splice(at.min(bytes.len())..(at + 1).min(bytes.len()), [byte]);
            }
            Spoil::Insert(at, byte) => bytes.insert(at.index(bytes.len() + 1), byte),
            Spoil::Remove(at) if !bytes.is_empty() => drop(bytes.remove(at.index(len))),
            Spoil::Remove(_) => {}
            Spoil::Repeat(a, b) => {
                let (a, b) = (a.index(bytes.len() + 1), b.index(bytes.len() + 1));
                let again = bytes[a.min(b)..a.max(b)].to_vec();
                bytes.splice(a.max(b)..a.max(b), again);
            }
            Spoil::Truncate(at) => bytes.truncate(at.index(len)),
        }
    }
    bytes
}

/// What a peer sends: requests, some of them spoilt by single bytes; now and then anything.
pub fn wire() -> impl Strategy<Value = Vec<u8>> {
    let requests = vec(request(), 1..4).prop_map(|requests| requests.concat());
    let spoils = prop_oneof![2 => Just(Vec::new()), 1 => vec(spoil(), 1..3)];
    prop_oneof![40 => (requests, spoils).prop_map(spoilt), 1 => vec(any::<u8>(), 0..100)]
}

fn status_line() -> impl Strategy<Value = String> {
    let odd = &[
        "HTTP/1.0 200 OK",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 304 Not Modified",
        "HTTP/1.1 404 Not Found",
        "HTTP/1.1 205 Reset Content",
        "HTTP/1.1 200",
        "HTTP/1.1 200 ",
        "HTTP/1.1 200 \u{e9}\t!",
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        "HTTP/1.1 99 X",
        "HTTP/1.1 600 X",
        "HTTP/1.1 0200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 200\tOK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 200OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.1 101 Switching",
        "HTTP/1.1 100 Continue",
    ];
    let odd = (select(&odd[..]), line_end()).prop_map(|(line, end)| format!("{line}{end}"));
    prop_oneof![3 => Just("HTTP/1.1 200 OK\r\n".to_owned()), 2 => odd]
}

/// Informational responses, mostly none.
fn interim() -> impl Strategy<Value = String> {
    let one = select(
        &[
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
            "HTTP/1.1 102 X\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 199 X\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 100 X\r\n\r\n",
            "HTTP/1.1 150 X\r\nConnection: close\r\n\r\n",
        ][..],
    );
    prop_oneof![3 => Just(String::new()), 1 => vec(one, 1..3).prop_map(|all| all.concat())]
}

/// What a server sends to one request: some of it spoilt by single bytes. In front, a byte for the method.
pub fn answer() -> impl Strategy<Value = Vec<u8>> {
    let parts = (status_line(), framing(), others(), line_end());
    let whole = (interim(), parts, content(), chunks(), 0..12, any::<bool>());
    let whole = whole.prop_map(|(interim, (line, framing, others, end), content, chunks, odd, more)| {
        let length = if odd == 0 { chunks.len() } else { content.len() };
        let head = line + &framing.replace("{}", &length.to_string()) + &others + end;
        let content = if (odd == 1) != head.to_ascii_lowercase().contains("transfer") { &chunks } else { &content };
        let behind = if more && odd == 3 { &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..] } else { b"" };
        [interim.as_bytes(), head.as_bytes(), content, behind].concat()
    });
    let spoils = prop_oneof![2 => Just(Vec::new()), 1 => vec(spoil(), 1..3)];
    let wire = prop_oneof![40 => (whole, spoils).prop_map(spoilt), 1 => vec(any::<u8>(), 0..100)];
    (0..2u8, wire).prop_map(|(method, wire)| [&[method], &wire[..]].concat())
}

/// A chunked content, and what follows.
pub fn chunked() -> impl Strategy<Value = Vec<u8>> {
    let spoils = prop_oneof![1 => Just(Vec::new()), 1 => vec(spoil(), 1..3)];
    (chunks(), "[ -~]{0,9}", spoils)
        .prop_map(|(chunks, after, spoils)| spoilt(([&chunks[..], after.as_bytes()].concat(), spoils)))
}

/// So many bytes for the decisions of a property, and what it tests.
pub fn with_choices(count: usize, bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), count), bytes).prop_map(|(choices, bytes)| [choices, bytes].concat())
}
