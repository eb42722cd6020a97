//! Answers that are compressed on their way out: which, how their heads say so, and that they are the same content, whole and in time.

use crate::support::http::*;
use flate2::read::MultiGzDecoder;
use oneloop::app::{App, Compression, compression, multipart, text_up_to};
use oneloop::http::{Error, Response};
use oneloop::net::CloseReason;
use oneloop::set_timeout;
use oneloop::sim::{Network, Reply, Sim};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const BROWSER: &str = "gzip, deflate, br, zstd";
const LINE: &str = "a line that comes again and again\n";

/// The content of a gzip file, which has to be whole and all that there is.
fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(bytes);
    decoder.read_to_end(&mut content).unwrap();
    assert!(decoder.into_inner().is_empty(), "bytes behind the end");
    content
}

/// What of a gzip file can be read from its beginning.
fn gunzip_begin(bytes: &[u8]) -> String {
    let mut content = Vec::new();
    let _ = MultiGzDecoder::new(bytes).read_to_end(&mut content);
    String::from_utf8(content).unwrap()
}

/// An app that compresses the answer of `/`.
fn world(options: Compression, answer: impl Fn(Response) + 'static) -> Sim {
    let sim = Sim::new();
    let mut app = App::new();
    app.with(compression(options));
    app.get("/", move |_req, res| answer(res));
    app.get("/error", |_req, _res| -> Result<(), Error> { Err(Error::new(400, LINE.repeat(100))) });
    app.listen(PORT, ()).unwrap();
    sim
}

fn ask(sim: &Sim, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
    let request = fields.iter().fold(sim.request(method, path), |request, (name, value)| request.header(name, value));
    request.send()
}

fn get(sim: &Sim) -> Reply {
    ask(sim, "GET", "/", &[("Accept-Encoding", BROWSER)])
}

fn is_coded(reply: &Reply) -> bool {
    let coded = reply.header("Content-Encoding") == Some("gzip");
    assert_eq!(coded, reply.body().starts_with(&[0x1f, 0x8b]) || coded && reply.body().is_empty());
    coded
}

#[test]
fn content_is_compressed_and_the_head_says_so() {
    let sim = world(Compression::new(), |res| {
        res.set_header("ETag", "\"a\"")
            .set_header("Accept-Ranges", "bytes")
            .set_header("Content-Digest", "sha-256=:x:");
        res.text(LINE.repeat(100));
    });
    let reply = get(&sim);
    assert!(is_coded(&reply) && gunzip(reply.body()) == LINE.repeat(100).as_bytes());
    assert_eq!(reply.header("Content-Length"), Some(&*reply.body().len().to_string()));
    assert_eq!((reply.header("Vary"), reply.header("ETag")), (Some("Accept-Encoding"), Some("W/\"a\"")));
    assert_eq!((reply.header("Accept-Ranges"), reply.header("Content-Digest")), (None, None));
    let plain = ask(&sim, "GET", "/", &[]);
    assert!(!is_coded(&plain) && plain.text() == LINE.repeat(100));
    assert_eq!((plain.header("Vary"), plain.header("ETag")), (Some("Accept-Encoding"), Some("\"a\"")));
    assert_eq!((plain.header("Accept-Ranges"), plain.header("Content-Digest")), (Some("bytes"), Some("sha-256=:x:")));
}

/// The cases of expressjs/compression and of tower-http's `CompressionLayer`, as a table. Where we differ from one of them: no
/// deflate and no brotli on the fly; the client's order counts (`identity;q=1, gzip;q=0.5`: Express agrees, tower-http too); 206 is
/// not compressed (Express compresses it, and so breaks it); `Vary` also for what is too short (as Express); SVG, fonts and
/// WebAssembly are compressed (tower-http excludes images).
#[test]
fn what_is_compressed() {
    const LONG: usize = 2000;
    let yes = |fields: &'static str| (fields, "gzip", true);
    let vary = |fields: &'static str| (fields, "gzip", false);
    let cases: [(&str, &str, bool, Option<&str>, usize); 44] = [
        // The type.
        with(yes("Content-Type: text/plain"), true, LONG),
        with(yes("Content-Type: Text/HTML; charset=utf-8"), true, LONG),
        with(yes("Content-Type: application/json"), true, LONG),
        with(yes("Content-Type: application/problem+json"), true, LONG),
        with(yes("Content-Type: application/javascript"), true, LONG),
        with(yes("Content-Type: application/wasm"), true, LONG),
        with(yes("Content-Type: image/svg+xml"), true, LONG),
        with(yes("Content-Type: font/ttf"), true, LONG),
        with(yes("Content-Type: application/x-ndjson"), true, LONG),
        with(vary(""), false, LONG),
        with(vary("Content-Type: nonsense"), false, LONG),
        with(vary("Content-Type: image/png"), false, LONG),
        with(vary("Content-Type: image/jpeg"), false, LONG),
        with(vary("Content-Type: video/mp4"), false, LONG),
        with(vary("Content-Type: application/zip"), false, LONG),
        with(vary("Content-Type: application/octet-stream"), false, LONG),
        with(vary("Content-Type: font/woff2"), false, LONG),
        with(vary("Content-Type: application/grpc"), false, LONG),
        with(vary("Content-Type: text/event-stream"), false, LONG),
        // The length.
        with(vary("Content-Type: text/plain"), true, 1023),
        with(yes("Content-Type: text/plain"), true, 1024),
        with(vary("Content-Type: text/plain"), true, 0),
        // Other fields.
        with(vary("Content-Type: text/plain|Cache-Control: no-transform"), false, LONG),
        with(vary("Content-Type: text/plain|Cache-Control: private, No-Transform"), false, LONG),
        with(yes("Content-Type: text/plain|Cache-Control: no-cache, x=no-transform"), true, LONG),
        with(vary("Content-Type: text/plain|Content-Encoding: br"), false, LONG),
        with(vary("Content-Type: text/plain|Content-Encoding: identity"), false, LONG),
        with(vary("Content-Type: text/plain|Content-Range: bytes 0-1999/4000"), true, LONG),
        // The client.
        asks("gzip", true),
        asks("GZIP", true),
        asks("gzip;q=0.5", true),
        asks("deflate, gzip", true),
        asks("gzip, deflate", true),
        asks("gzip;q=0.001", true),
        asks("*", true),
        asks("*;q=0.5, gzip;q=0", false),
        asks("gzip;q=0", false),
        asks("gzip;q=0, *", false),
        asks("identity", false),
        asks("identity;q=1, gzip;q=0.5", false),
        asks("identity;q=0.5, gzip;q=0.5", true),
        asks("deflate", false),
        asks("br;q=1.0, bogus", false),
        asks("", false),
    ];
    for (fields, accept, coded, vary, length) in cases {
        let sim = world(Compression::new(), move |res| {
            for (name, value) in fields.split('|').filter_map(|field| field.split_once(": ")) {
                res.set_header(name, value);
            }
            res.end(vec![b'a'; length]);
        });
        let reply = ask(&sim, "GET", "/", &[("Accept-Encoding", accept)]);
        let case = format!("{fields}, asked for {accept}, {length} bytes");
        assert_eq!((is_coded(&reply), reply.header("Vary")), (coded, vary), "{case}");
        let content = if coded { gunzip(reply.body()) } else { reply.body().to_vec() };
        assert_eq!(content, vec![b'a'; length], "{case}");
    }
}

/// An entity tag may have bytes above ASCII (RFC 9110, 8.8.3), and so may what stands beside `no-transform`.
#[test]
fn fields_that_are_no_text_count() {
    let sim = world(Compression::new(), |res| {
        res.set_header("ETag", b"\"\xff\"").text(LINE.repeat(100));
    });
    let reply = get(&sim);
    let tag = reply.headers().find(|(name, _)| *name == "ETag").map(|(_, tag)| tag);
    assert_eq!((is_coded(&reply), tag), (true, Some(&b"W/\"\xff\""[..])));
    let sim = world(Compression::new(), |res| {
        res.set_header("Cache-Control", b"x=\"\xff\", no-transform").text(LINE.repeat(100));
    });
    assert!(!is_coded(&get(&sim)));
}

fn with(
    (fields, accept, coded): (&'static str, &'static str, bool),
    vary: bool,
    length: usize,
) -> (&'static str, &'static str, bool, Option<&'static str>, usize) {
    (fields, accept, coded, vary.then_some("Accept-Encoding"), length)
}

fn asks(accept: &'static str, coded: bool) -> (&'static str, &'static str, bool, Option<&'static str>, usize) {
    ("Content-Type: text/plain", accept, coded, Some("Accept-Encoding"), 2000)
}

#[test]
fn statuses_without_the_whole_content_are_sent_as_they_are() {
    for status in [200, 203, 404, 500] {
        let sim = world(Compression::new(), move |res| res.set_status(status).text(LINE.repeat(100)));
        assert!(is_coded(&get(&sim)), "{status}");
    }
    for status in [204, 205, 206] {
        let sim = world(Compression::new(), move |res| res.set_status(status).text(LINE.repeat(100)));
        let reply = get(&sim);
        assert!(!is_coded(&reply) && reply.status() == status, "{status}");
    }
    let sim = world(Compression::new(), |res| res.text(LINE.repeat(100)));
    let page = ask(&sim, "GET", "/error", &[("Accept-Encoding", "gzip")]);
    assert!(is_coded(&page) && page.status() == 400 && gunzip(page.body()).starts_with(LINE.as_bytes()));
}

#[test]
fn a_head_request_gets_the_fields_that_get_gets() {
    for written in [false, true] {
        let sim = world(Compression::new(), move |res| {
            res.set_header("Content-Type", "text/plain").set_header("ETag", "\"a\"").set_header("Content-Length", 3400);
            if written {
                res.write(LINE.repeat(50)).ignore();
                return res.end(LINE.repeat(50));
            }
            res.end(LINE.repeat(100));
        });
        let fields = [("Accept-Encoding", "gzip")];
        let (get, head) = (ask(&sim, "GET", "/", &fields), ask(&sim, "HEAD", "/", &fields));
        assert!(is_coded(&get) && is_coded(&head));
        for name in ["Content-Encoding", "ETag", "Vary", "Content-Type"] {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
        assert_eq!(head.header("Content-Length"), None, "not that of other content");
    }
    // A handler that gives HEAD no content does not say what GET would get.
    let sim = world(Compression::new(), |res| res.set_header("Content-Type", "text/plain").end(()));
    let head = ask(&sim, "HEAD", "/", &[("Accept-Encoding", "gzip")]);
    assert_eq!((head.header("Content-Encoding"), head.header("Vary")), (None, Some("Accept-Encoding")));
}

#[test]
fn a_304_has_the_tag_that_the_client_has() {
    let sim = world(Compression::new(), |res| res.set_status(304).set_header("ETag", "\"a\"").end(()));
    for (has, tag, vary) in [
        ("W/\"a\"", "W/\"a\"", Some("Accept-Encoding")),
        ("\"b\", W/\"a\"", "W/\"a\"", Some("Accept-Encoding")),
        ("\"a\"", "\"a\"", None),
    ] {
        let reply = ask(&sim, "GET", "/", &[("Accept-Encoding", "gzip"), ("If-None-Match", has)]);
        assert_eq!((reply.header("ETag"), reply.header("Vary")), (Some(tag), vary), "{has}");
    }
}

#[test]
fn vary_is_added_to_what_is_there() {
    for (before, after) in [("Origin", "Origin, Accept-Encoding"), ("*", "*"), ("accept-encoding", "accept-encoding")] {
        let sim = world(Compression::new(), move |res| res.set_header("Vary", before).text(LINE.repeat(100)));
        assert_eq!(get(&sim).header("Vary"), Some(after));
    }
}

#[test]
fn the_length_varies_by_chance_unless_it_need_not() {
    let length = |sim: &Sim| get(sim).body().len();
    let sim = world(Compression::new(), |res| res.text(LINE.repeat(100)));
    let lengths: Vec<usize> = (0..40).map(|_| length(&sim)).collect();
    let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(most > least && most - least < 100, "{lengths:?}");
    let sim = world(Compression::new().random_length(false), |res| res.text(LINE.repeat(100)));
    let alone = length(&sim);
    assert!((0..10).all(|_| length(&sim) == alone) && (2..=101).contains(&(least - alone)), "{alone} {least}");
    assert_eq!(gunzip(get(&sim).body()), LINE.repeat(100).as_bytes());
}

#[test]
fn options_change_what_is_compressed() {
    let body = |name: &'static str| move |res: Response| res.set_header("Content-Type", name).end(LINE.repeat(20));
    assert!(is_coded(&get(&world(Compression::new().from_bytes(500), body("text/plain")))));
    assert!(!is_coded(&get(&world(Compression::new(), body("text/plain")))));
    let also = || Compression::new().from_bytes(0).also(["Application/Geo"]);
    assert!(is_coded(&get(&world(also(), body("application/geo; a=b")))));
    assert!(!is_coded(&get(&world(also(), body("application/geology")))));
    let sizes = [1, 9, 99].map(|level| {
        let text: String = (0..3000).map(|n| format!("{} {}\n", n * n % 1013, n % 17)).collect();
        let sim = world(Compression::new().level(level).random_length(false), move |res| res.text(text.clone()));
        get(&sim).body().len()
    });
    assert!(sizes[0] > sizes[1] && sizes[1] == sizes[2], "{sizes:?}");
}

// ---- Bodies

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut coder, content).unwrap();
    coder.finish().unwrap()
}

#[test]
fn a_body_is_inflated_as_far_as_its_limit_and_no_further() {
    let sim = Sim::new();
    let mut app = App::new();
    app.post("/before", text_up_to(10_000, |_req, res, text| res.end(text.len().to_string())));
    app.with(compression(Compression::new()));
    app.post("/", text_up_to(10_000, |_req, res, text| res.end(text.len().to_string())));
    app.post("/files", multipart(|_req, res, _upload| res.end("uploaded")));
    app.listen(PORT, ()).unwrap();
    let whole = gzip(&[b'a'; 10_000]);
    let cut = &whole[..whole.len() - 4];
    let (twice, garbage) = ([&whole[..], &whole].concat(), [&whole[..], b"x"].concat());
    let bomb = gzip(&vec![b'a'; 5_000_000]);
    assert!(bomb.len() < 10_000);
    let cases: [(&str, &str, &[u8], u16, &str); 14] = [
        ("/", "gzip", &whole, 200, "10000"),
        ("/", "X-GZIP", &whole, 200, "10000"),
        ("/", "identity", b"abc", 200, "3"),
        ("/", "gzip", b"", 200, "0"),
        ("/", "gzip", &gzip(b""), 200, "0"),
        ("/", "gzip", &gzip(&[b'a'; 10_001]), 413, "the body has more than 10000 bytes\n"),
        ("/", "gzip", &bomb, 413, "the body has more than 10000 bytes\n"),
        ("/", "gzip", cut, 400, "the body is not one whole gzip member\n"),
        ("/", "gzip", &twice, 400, "the body is not one whole gzip member\n"),
        ("/", "gzip", &garbage, 400, "the body is not one whole gzip member\n"),
        ("/", "gzip", b"plain", 400, "the body is not one whole gzip member\n"),
        ("/", "br", b"x", 415, "the body must be compressed with gzip, or not at all\n"),
        ("/", "gzip, gzip", b"x", 415, "the body must be compressed with gzip, or not at all\n"),
        ("/before", "gzip", &whole, 415, "the body must not be compressed\n"),
    ];
    for (path, coding, body, status, answer) in cases {
        let request = sim.request("POST", path).header("Content-Type", "text/plain").header("Content-Encoding", coding);
        let reply = request.body(body).send();
        assert_eq!((reply.status(), &*reply.text()), (status, answer), "{path} {coding} {}", body.len());
    }
    let request = sim.request("POST", "/files").header("Content-Type", "multipart/form-data; boundary=a");
    let reply = request.header("Content-Encoding", "gzip").body(&whole).send();
    assert_eq!((reply.status(), reply.header("Accept-Encoding")), (415, Some("identity")));
}

// ---- In parts

/// Reads an answer whose chunks come in time.
fn content(peer: &oneloop::sim::Peer) -> Vec<u8> {
    next_reply(&peer.received(), false).map(|(reply, _)| reply.body).unwrap_or_default()
}

#[test]
fn each_part_of_a_stream_can_be_read_when_it_was_written() {
    let sim = world(Compression::new(), |res| {
        res.set_header("Content-Type", "text/plain");
        res.write("one ").ignore();
        res.write("two ").ignore();
        set_timeout(SECOND, move || {
            res.write("three ").ignore();
            set_timeout(SECOND, move || res.end("four"));
        });
    });
    let peer = sim.connect(PORT);
    peer.write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    for so_far in ["one two ", "one two three ", "one two three four"] {
        sim.settle();
        let bytes = peer.received();
        let at = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(gunzip_begin(&unchunked(&bytes[at..])), so_far);
        sim.advance(SECOND);
    }
    assert_eq!(gunzip(&content(&peer)), b"one two three four");
}

/// The content of the chunks that have come.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(at) = bytes.windows(2).position(|end| end == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).unwrap(), 16).unwrap();
        content.extend_from_slice(&bytes[at + 2..at + 2 + size]);
        bytes = &bytes[at + 2 + size + 2..];
        if size == 0 {
            break;
        }
    }
    content
}

#[test]
fn events_pass_as_they_are_or_are_flushed_one_by_one() {
    for coded in [false, true] {
        let options = if coded { Compression::new().event_streams() } else { Compression::new() };
        let sim = world(options, |res| {
            let events = res.sse();
            events.send(&oneloop::app::Event::data("one"));
            set_timeout(SECOND, move || _ = events.send(&oneloop::app::Event::data("two")));
        });
        let peer = sim.connect(PORT);
        peer.write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        for (event, later) in [("data: one\n\n", "data: two"), ("data: two\n\n", "data: three")] {
            sim.settle();
            let bytes = peer.received();
            let at = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
            assert_eq!(coded, peer.text().contains("Content-Encoding: gzip"));
            let content = unchunked(&bytes[at..]);
            let text = if coded { gunzip_begin(&content) } else { String::from_utf8(content).unwrap() };
            assert!(text.contains(event) && !text.contains(later), "{text}");
            sim.advance(SECOND);
        }
    }
}

#[test]
fn trailers_follow_compressed_content() {
    let sim = world(Compression::new(), |res| {
        res.set_header("Content-Type", "text/plain").write(LINE).ignore();
        res.add_trailer("X-Lines", "1").end(());
    });
    let reply = get(&sim);
    assert_eq!(reply.trailers().collect::<Vec<_>>(), [("X-Lines", "1")]);
    assert_eq!(gunzip(reply.body()), LINE.as_bytes());
}

#[test]
fn a_file_is_compressed_as_it_is_read() {
    let folder = crate::support::folder::Folder::new("compression");
    let text: String = (0..60_000_u64).map(|n| format!("line {}\n", n * n % 1013)).collect();
    let path = folder.file("a.txt", &text);
    let sim = world(Compression::new(), move |res| res.send_file(&path));
    let reply = get(&sim);
    assert!(is_coded(&reply) && gunzip(reply.body()) == text.as_bytes());
    assert!(reply.header("ETag").unwrap().starts_with("W/") && reply.header("Content-Length").is_none());
    let part = ask(&sim, "GET", "/", &[("Accept-Encoding", "gzip"), ("Range", "bytes=100-199")]);
    assert!(!is_coded(&part) && part.status() == 206 && part.text() == text[100..200]);
}

#[test]
fn a_large_answer_is_compressed_beside_other_work() {
    let text: String = (0..200_000_u64).map(|n| format!("line {}\n", n * n % 10_007)).collect();
    let whole = text.clone();
    let sim = world(Compression::new(), move |res| res.text(text.clone()));
    let peer = sim.connect(PORT);
    peer.write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    sim.run_until(|| !peer.received().is_empty(), SECOND);
    let quick = sim.connect(PORT);
    quick.write("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    sim.run_until(|| !quick.received().is_empty(), SECOND);
    assert!(next_reply(&peer.received(), false).is_none(), "the other one was answered first");
    sim.settle();
    assert_eq!(gunzip(&content(&peer)), whole.as_bytes());
}

#[test]
fn answers_beyond_the_limit_are_sent_as_they_are_and_a_client_that_goes_makes_room() {
    let sim = world(Compression::new().at_most(2), |res| {
        res.set_header("Content-Type", "text/plain").write(LINE).ignore();
        set_timeout(10 * SECOND, move || res.end(()));
    });
    let peers: Vec<_> = (0..3)
        .map(|_| {
            let peer = sim.connect(PORT);
            peer.write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
            sim.settle();
            peer
        })
        .collect();
    let coded = |peer: &oneloop::sim::Peer| peer.text().contains("Content-Encoding: gzip");
    assert!(coded(&peers[0]) && coded(&peers[1]) && !coded(&peers[2]));
    peers[0].reset();
    sim.settle();
    assert!(is_coded(&get(&sim)));
}

#[test]
fn a_slow_reader_holds_up_the_writer_and_gets_everything() {
    let most = Rc::new(Cell::new(0));
    let seen = most.clone();
    let sim = world(Compression::new(), move |res| {
        res.set_header("Content-Type", "text/plain");
        let (left, seen, noise) = (Cell::new(100), seen.clone(), Cell::new(1_u32));
        let fill = move |res: &Response| {
            while left.get() > 0 {
                left.set(left.get() - 1);
                // Hardly gets smaller.
                let bytes: Vec<u8> = (0..20_000)
                    .map(|_| {
                        noise.set(noise.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
                        (noise.get() >> 24) as u8
                    })
                    .collect();
                let full = res.write(bytes).is_full();
                seen.set(seen.get().max(res.pending()));
                if full {
                    return;
                }
            }
            res.end(());
        };
        fill(&res);
        res.on_drain(fill);
    });
    sim.set_network(Network { buffer: 10_000, ..Network::default() });
    let peer = sim.connect(PORT);
    peer.write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    peer.read_at_rate(20_000, Duration::from_millis(10));
    sim.advance(60 * SECOND);
    assert_eq!(gunzip(&content(&peer)).len(), 2_000_000);
    assert!(most.get() < 250_000, "{}", most.get());
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let reasons = Rc::new(RefCell::new(Vec::new()));
    let told = reasons.clone();
    let sim = world(Compression::new(), move |res| {
        let told = told.clone();
        res.on_close(move |_, reason| told.borrow_mut().push(reason));
        res.set_header("Content-Type", "text/plain").write(LINE).ignore();
        set_timeout(SECOND, move || res.fail(Error::new(500, "")));
    });
    let peer = sim.connect(PORT);
    peer.write("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    sim.advance(2 * SECOND);
    assert!(peer.is_closed() && next_reply(&peer.received(), false).is_none());
    assert_eq!(*reasons.borrow(), [CloseReason::BadResponse]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_split_into_writes_is_the_same_content(
        parts in prop::collection::vec((prop_oneof![0..40_usize, 0..70_000_usize], 0..3_u64, 0..6_u8), 1..12),
        known in any::<bool>(),
    ) {
        let part = |(length, _, kind): (usize, u64, u8)| -> Vec<u8> {
            (0..length).map(|n| if kind == 0 { (n * n % 251) as u8 } else { b'a' + kind }).collect()
        };
        let whole: Vec<u8> = parts.iter().flat_map(|each| part(*each)).collect();
        let (length, given) = (whole.len(), Rc::new(parts));
        let sim = world(Compression::new().from_bytes(0), move |res| {
            res.set_header("Content-Type", "text/plain");
            if known {
                res.set_header("Content-Length", length);
            }
            write(res, given.clone(), 0, part);
        });
        let reply = get(&sim);
        prop_assert_eq!(if is_coded(&reply) { gunzip(reply.body()) } else { reply.body().to_vec() }, whole);
    }
}

/// Writes the parts from `at` on, each after its pause; the last one ends the answer.
fn write(res: Response, parts: Rc<Vec<(usize, u64, u8)>>, at: usize, part: fn((usize, u64, u8)) -> Vec<u8>) {
    let Some(&each) = parts.get(at) else { return res.end(()) };
    if at + 1 == parts.len() && each.2 < 3 {
        return res.end(part(each));
    }
    res.write(part(each)).ignore();
    match each.1 {
        0 => write(res, parts, at + 1, part),
        pause => _ = set_timeout(Duration::from_millis(pause), move || write(res, parts, at + 1, part)),
    }
}
